"""An epoch of the loader compared with tonic and SpikingJelly: the same N-MNIST recordings, 10 equal time bins, batches of
32, two workers; ours and each peer in turn, several rounds, medians.

    cargo build --release -p tks-events --example loader_epoch
    python benches/peers/events/loader.py target/release/examples/loader_epoch

Each one reads the recording files, decodes them and makes the frames; reading from a peer's own cache of frames is
measured as well. All sum the batch, so that each value is read once. The sums show how many events arrived: tonic's
equal time bins leave out the last ones of each recording.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tarfile
import tempfile
import time

import numpy as np
import tonic
import torch
from spikingjelly.datasets import utils as sj
from torch.utils.data import DataLoader, Dataset

ARCHIVE = pathlib.Path(__file__).parents[3] / "datasets/nmnist-1000/N-MNIST-1000.tar.xz"
BINS = 10


class Recordings(Dataset):
    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.frames(self.files[index]), int(self.files[index].parent.name)


class Tonic(Recordings):
    dtype = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    to_frame = tonic.transforms.ToFrame(sensor_size=(34, 34, 2), n_time_bins=BINS)

    def frames(self, path):
        events = tonic.io.read_mnist_file(str(path), dtype=self.dtype)
        return torch.from_numpy(self.to_frame(events)).float()


class SpikingJelly(Recordings):
    def frames(self, path):
        events = sj.load_ATIS_bin(path)
        frames = sj.integrate_events_by_fixed_frames_number(events, "time", BINS, 34, 34)
        return torch.from_numpy(frames).float()


class SpikingJellyCached(Recordings):
    """SpikingJelly's usual way: frames from .npz files written beforehand."""

    def frames(self, path):
        return torch.from_numpy(sj.load_npz_frames(path.with_suffix(".npz"))).float()


def epochs(dataset, count):
    loader = DataLoader(dataset, batch_size=32, shuffle=True, num_workers=2, persistent_workers=True)
    seconds = []
    for epoch in range(count + 1):
        events, begin = 0.0, time.perf_counter()
        for frames, _ in loader:
            events += frames.sum().item()
        if epoch > 0:
            seconds.append(time.perf_counter() - begin)
    return seconds, events


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built example loader_epoch")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
        files = sorted(pathlib.Path(folder).rglob("*.bin"))
        for path in files:
            frames = SpikingJelly(files).frames(path).numpy()
            sj.np_savez(path.with_suffix(".npz"), frames=frames)
        peers = {
            "tonic": Tonic(files),
            "SpikingJelly": SpikingJelly(files),
            "SpikingJelly, cached frames": SpikingJellyCached(files),
        }
        seconds = {name: [] for name in ["ours", *peers]}
        events = {}
        for _ in range(arguments.rounds):
            output = subprocess.run(
                [arguments.program, folder, "20"], check=True, capture_output=True, text=True
            ).stdout
            result = json.loads(output)
            assert result["samples"] == len(files)
            seconds["ours"] += result["seconds"]
            events["ours"] = result["events"]
            for name, dataset in peers.items():
                of_peer, events[name] = epochs(dataset, 3)
                seconds[name] += of_peer
    ours = statistics.median(seconds["ours"])
    print(f"| loader | {len(files)} samples, s | samples/s | slower than ours | events that arrived |")
    print("|---|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"| {name} | {median:.4f} | {len(files) / median:,.0f} | {median / ours:.1f} | {events[name]:,.0f} |")


if __name__ == "__main__":
    main()
