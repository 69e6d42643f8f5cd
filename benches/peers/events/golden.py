"""Further golden cases for event representations: the results of tonic, torch and torchvision for one synthetic
recording. Appends the missing cases to datasets/golden/index.json.

    python benches/peers/events/golden.py datasets/golden
"""

import json
import os
import sys

import numpy as np
import tonic
import tonic.functional as tf
import torch
import torch.nn.functional as F
import torchvision
import torchvision.transforms.functional as TF
from safetensors.numpy import save_file

FOLDER = sys.argv[1]
TONIC = f"tonic {tonic.__version__}"
SENSOR = [34, 34, 2]
EVENT = np.dtype([("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int16)])
index_path = os.path.join(FOLDER, "index.json")
index = json.load(open(index_path))
known = {case["file"] for case in index}


def add(file, kind, peer, tensors, **attributes):
    if file in known:
        return
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, os.path.join(FOLDER, file))
    shapes = {name: list(value.shape) for name, value in tensors.items()}
    index.append({"file": file, "peer": peer, "kind": kind, **attributes, "tensors": shapes})


def recording(n, seed):
    rng = np.random.default_rng(seed)
    events = np.zeros(n, EVENT)
    events["t"] = np.sort(rng.integers(100, 100_000, n))
    # Clusters, so that filters keep some events.
    events["x"] = np.clip(rng.normal(rng.choice([8, 25], n), 4), 0, 33).astype(np.int16)
    events["y"] = np.clip(rng.normal(17, 6, n), 0, 33).astype(np.int16)
    events["p"] = rng.integers(0, 2, n)
    return events


def rows(events):
    return np.stack([events[c] for c in "txyp"], axis=1).astype(np.int32)


def representation(name, events, out, arguments, label="", **more):
    file = f"events_{name}{label}.safetensors"
    add(file, "event_representation", TONIC, {"events": rows(events), "out": np.asarray(out), **more},
        representation=name, sensor=json.dumps(SENSOR), args=json.dumps(arguments), events_columns="t[us], x, y, p")


events = recording(1200, 7)
FRAMES = dict(sensor_size=SENSOR, time_window=None, event_count=None, n_time_bins=None, n_event_bins=None,
              overlap=0.0, include_incomplete=False, start_time=None, end_time=None)
for label, changed in {
    "n_time_bins_overlap": dict(n_time_bins=7, overlap=0.3),
    "n_event_bins_overlap": dict(n_event_bins=7, overlap=0.3),
    "time_window_overlap_incomplete": dict(time_window=9000, overlap=2500, include_incomplete=True),
    "time_window_start_end": dict(time_window=9000, start_time=20_000, end_time=85_000),
    "event_count_overlap": dict(event_count=170, overlap=40),
    "event_count_incomplete": dict(event_count=170, include_incomplete=True),
}.items():
    arguments = {**FRAMES, **changed}
    representation(f"frames_{label}", events, tf.to_frame_numpy(events.copy(), **arguments), arguments)

few = recording(300, 8)
for decay in ("exp", "lin"):
    arguments = dict(sensor_size=SENSOR, cell_size=10, surface_size=5, time_window=30_000, tau=20_000, decay=decay)
    representation("averaged_timesurface", few, tf.to_averaged_timesurface_numpy(few.copy(), **arguments), arguments,
                   label=f"_{decay}")
frames = tf.to_frame_numpy(events.copy(), SENSOR, n_time_bins=24).astype(np.float32)
representation("bina_rep", events, tf.to_bina_rep_numpy(frames, 3, 8), dict(n_frames=3, n_bits=8), frames=frames.astype(np.uint8))
representation("refractory_period", events, rows(tf.refractory_period_numpy(events, 5000)), dict(refractory_period=5000))
representation("decimate", events, rows(tf.decimate_numpy(events, 3)), dict(n=3))
hot = tf.identify_hot_pixel(events, 50)
representation("hot_pixels", events, rows(tf.drop_pixel_numpy(events, hot)), dict(hot_pixel_frequency=50))

torch.manual_seed(7)
for (h, w), (to_h, to_w) in [((64, 64), (48, 48)), ((34, 34), (48, 48)), ((9, 14), (5, 1))]:
    for align in (True, False):
        x = torch.poisson(torch.full((1, 2, h, w), 0.7))
        out = F.interpolate(x, size=[to_h, to_w], mode="bilinear", align_corners=align)
        add(f"resize_{h}x{w}_{to_h}x{to_w}_{'aligned' if align else 'not_aligned'}.safetensors", "resize",
            f"torch {torch.__version__.split('+')[0]}", {"x": x.numpy().astype(np.uint8), "out": out.numpy()}, align_corners=str(align).lower())
for mode in ("nearest", "bilinear"):
    how = TF.InterpolationMode.NEAREST if mode == "nearest" else TF.InterpolationMode.BILINEAR
    for name, degrees in [("rotate", 13.7), ("rotate", -28.2), ("shear_x", 21.3), ("shear_y", -17.9)]:
        x = torch.poisson(torch.full((1, 2, 23, 20), 0.7))
        if name == "rotate":
            out = TF.rotate(x, degrees, interpolation=how)
        else:
            shear = [degrees, 0.0] if name == "shear_x" else [0.0, degrees]
            out = TF.affine(x, angle=0.0, translate=[0, 0], scale=1.0, shear=shear, interpolation=how)
        add(f"affine_{name}_{degrees:g}_{mode}.safetensors", "affine",
            f"torchvision {torchvision.__version__.split('+')[0]}", {"x": x.numpy().astype(np.uint8), "out": out.numpy()},
            transform=name, degrees=str(degrees), interpolation=mode)

with open(index_path, "w") as file:
    json.dump(index, file, indent=1)
    file.write("\n")
print(len(index), "cases")
