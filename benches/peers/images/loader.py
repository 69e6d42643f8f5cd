"""An epoch of the image loader compared with torchvision's transforms in PyTorch's DataLoader: the same images, the
same augmentation, batches of 128, two workers; ours and each peer in turn, several rounds, medians.

    cargo build --release -p tks-images --example image_epoch
    python benches/peers/images/loader.py target/release/examples/image_epoch --cifar10 cifar-10-batches-bin
    python benches/peers/images/loader.py target/release/examples/image_epoch --photographs FOLDER

`--cifar10` uses the 50,000 records of the training files. `--photographs` takes any folder of photographs and saves
parts of them as JPEGs of 500 x 375 pixels (or `--size`) in a temporary folder. Both sides produce normalised f32 batches
and read some of each batch's values. The versions of the peers are in `../requirements.txt`.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import numpy as np
import PIL
import timm
import torch
import torchvision
from PIL import Image, ImageOps
from timm.data import auto_augment
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from torchvision.io import decode_jpeg, read_file
from torchvision.transforms import v2

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def posterize(image, bits, **_):
    """timm asks Pillow for 0 bits at the highest level, which Pillow 13 refuses, so at least one is used."""
    return ImageOps.posterize(image, max(bits, 1))


auto_augment.NAME_TO_OP["PosterizeIncreasing"] = posterize


class Cifar10(Dataset):
    """Like torchvision's CIFAR10: all pixels in memory, and a Pillow image made from each record."""

    def __init__(self, folder, transform):
        files = [np.fromfile(folder / f"data_batch_{i}.bin", np.uint8).reshape(-1, 3073) for i in range(1, 6)]
        records = np.concatenate(files)
        self.labels = records[:, 0].astype(np.int64).tolist()
        self.pixels = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def cifar10_peers(folder):
    begin = [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip()]
    end = [T.ToTensor(), T.Normalize(CIFAR_MEAN, CIFAR_STD)]
    # the result of timm.data.create_transform for 32 pixels and this policy
    settings = {"translate_const": int(32 * 0.45), "img_mean": tuple(round(255 * mean) for mean in CIFAR_MEAN)}
    reference = [rand_augment_transform("rand-m9-mstd0.5-inc1", settings)]
    erasing = [RandomErasing(0.25, mode="pixel", max_count=1, num_splits=0, device="cpu")]
    crop, flip = {"random_crop": {"padding": 4}}, {"flip_horizontal": {}}
    return {
        "crop, flip, RandAugment rand-m9-mstd0.5-inc1, erasing (the reference)": (
            [crop, flip, {"rand_augment": {"policy": "rand-m9-mstd0.5-inc1"}}, {"random_erasing": {"mode": "pixel"}}],
            {"torchvision and timm": Cifar10(folder, T.Compose(begin + reference + end + erasing))},
        ),
        "crop, flip, torchvision's RandAugment(2, 9)": (
            [crop, flip, {"rand_augment": {"policy": {"num_ops": 2, "magnitude": 9}}}],
            {"torchvision": Cifar10(folder, T.Compose(begin + [T.RandAugment(2, 9)] + end))},
        ),
        "crop, flip": ([crop, flip], {"torchvision": Cifar10(folder, T.Compose(begin + end))}),
    }


def decode(path):
    return decode_jpeg(read_file(path), mode=torchvision.io.ImageReadMode.RGB)


def folder_peers(folder, size):
    pillow = T.Compose(
        [T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    )
    tensors = v2.Compose(
        [
            v2.RandomResizedCrop(224),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    decoded = torchvision.datasets.ImageFolder(folder, tensors, loader=decode)
    recipe = [{"random_resized_crop": {"height": 224, "width": 224, "filter": "bilinear"}}, {"flip_horizontal": {}}]
    return {
        f"{size[0]} x {size[1]} to 224 x 224: random resized crop, flip": (
            recipe,
            {
                "torchvision, Pillow": torchvision.datasets.ImageFolder(folder, pillow),
                "torchvision, decode_jpeg and tensors": decoded,
            },
        )
    }


def save_photographs(source, folder, count, size):
    """`count` JPEGs of `size` pixels, with 4:2:0 subsampling and quality 95, from parts of the photographs in `source`."""
    files = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg")]
    files = [path for path in files if min(Image.open(path).size) >= 300]
    assert files, f"no JPEGs of 300 pixels or more on each side below {source}"
    draw = random.Random(1)
    (folder / "all").mkdir()
    written = 0
    for number in range(count):
        image = Image.open(files[number % len(files)]).convert("RGB")
        scale = draw.uniform(0.9, 1.0) * min(image.width / size[0], image.height / size[1])
        width, height = scale * size[0], scale * size[1]
        left, top = draw.uniform(0, image.width - width), draw.uniform(0, image.height - height)
        box = (left, top, left + width, top + height)
        path = folder / "all" / f"{number:05}.jpg"
        image.resize(size, Image.Resampling.LANCZOS, box=box).save(path, quality=95, subsampling=2)
        written += path.stat().st_size
    print(f"{count} JPEGs from {len(files)} photographs, {written / count / 1000:.0f} kB on average")


def epochs(dataset, count):
    loader = DataLoader(dataset, batch_size=128, shuffle=True, num_workers=2, persistent_workers=True)
    seconds, total = [], 0.0
    for epoch in range(count + 1):
        begin = time.perf_counter()
        for images, _ in loader:
            total += images.view(-1)[::97].sum().item()
        if epoch > 0:
            seconds.append(time.perf_counter() - begin)
    return seconds


def compare(program, kind, folder, name, recipe, peers, rounds, count):
    normalize = {"values": {"mean": CIFAR_MEAN, "std": CIFAR_STD}} if kind == "cifar10" else "imagenet"
    recipe = {"augment": recipe, "normalize": normalize}
    if kind == "folder":
        recipe["resize"] = {"height": 224, "width": 224}
    ways = {"ours": [json.dumps(recipe), str(2 * count)]}
    if kind == "folder":
        ways["ours, u8 batches"] = [*ways["ours"], "u8"]
        ways["ours, reduced_decoding"] = [json.dumps({**recipe, "reduced_decoding": True}), str(2 * count)]
    seconds = {who: [] for who in [*ways, *peers]}
    images = len(next(iter(peers.values())))
    for _ in range(rounds):
        for who, arguments in ways.items():
            command = [program, kind, str(folder), *arguments]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            assert result["images"] == images
            seconds[who] += result["seconds"]
        for peer, dataset in peers.items():
            seconds[peer] += epochs(dataset, count)
    ours = statistics.median(seconds["ours"])
    for who, values in seconds.items():
        median = statistics.median(values)
        print(f"| {name} | {who} | {median:.2f} | {images / median:,.0f} | {median / ours:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built example image_epoch")
    parser.add_argument("--cifar10", type=pathlib.Path, help="the folder with data_batch_1.bin to data_batch_5.bin")
    parser.add_argument("--photographs", type=pathlib.Path, help="a folder of photographs")
    parser.add_argument("--images", type=int, default=1000, help="JPEGs to make of the photographs")
    parser.add_argument("--size", type=int, nargs=2, default=[500, 375], help="width and height of these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1, help="epochs of a peer in a round; ours runs twice as many")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, ", end="")
    print(f"Pillow {PIL.__version__}\n")
    header = "| images and augmentation | loader | epoch, s | images/s | slower than ours |\n|---|---|---|---|---|"
    tail = (arguments.rounds, arguments.epochs)
    if arguments.cifar10:
        print(header)
        for name, (recipe, peers) in cifar10_peers(arguments.cifar10).items():
            compare(arguments.program, "cifar10", arguments.cifar10, name, recipe, peers, *tail)
    if arguments.photographs:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            save_photographs(arguments.photographs, folder, arguments.images, arguments.size)
            print(header)
            for name, (recipe, peers) in folder_peers(folder, arguments.size).items():
                compare(arguments.program, "folder", folder, name, recipe, peers, *tail)


if __name__ == "__main__":
    main()
