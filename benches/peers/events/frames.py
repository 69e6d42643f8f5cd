"""From event files to frames with this project, the Python peers and a C loop: CPU time on one thread.

    python frames.py make --dir build/frames                 # recordings like N-MNIST's and CIFAR10-DVS's
    python frames.py run --dir build/frames --tks ../../../target/release/event_frames --rounds 5 > frames.jsonl
    python frames.py table frames.jsonl

Workloads, ten equal time bins and two polarities each:
    nmnist    1,000 ATIS files of 5,000 events, 34 x 34
    small128  1,000 ATIS files of 5,000 events, 128 x 128
    dvs128    100 ATIS files of 200,000 events, 128 x 128 (about the size of a CIFAR10-DVS recording)
    memory    5 million events in memory, 128 x 128

There is one process per peer, workload and round; within a round the peers run one after the other, in rotated order.
Each counts the events in its frames once, before it is timed. `tks` and `tks-u8` write into reused memory, like the C
loop; tonic and SpikingJelly make a new array each time, and `tks-new-array` does the same for a comparison with these.
"""

import argparse
import collections
import ctypes
import glob
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = {"nmnist": (34, 1000, 5000), "small128": (128, 1000, 5000), "dvs128": (128, 100, 200_000)}
PEERS = ["c", "tonic", "spikingjelly"]
TKS = ["tks", "tks-u8", "tks-new-array"]
BINS = 10


def make(folder):
    import numpy as np

    rng = np.random.default_rng(0)
    for name, (side, files, events) in WORKLOADS.items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        for i in range(files):
            t = np.sort(rng.integers(0, 300_000 if events < 100_000 else 1_300_000, events)).astype(np.uint32)
            b = np.empty((events, 5), np.uint8)
            b[:, 0], b[:, 1] = rng.integers(0, side, events), rng.integers(0, side, events)
            b[:, 2] = (rng.integers(0, 2, events) << 7) | ((t >> 16) & 0x7F)
            b[:, 3], b[:, 4] = (t >> 8) & 0xFF, t & 0xFF
            b.tofile(os.path.join(folder, name, f"{i:05d}.bin"))


def columns(n=5_000_000):
    import numpy as np

    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 2_000_000, n)).astype(np.int64)
    return t, rng.integers(0, 128, n).astype(np.uint16), rng.integers(0, 128, n).astype(np.uint16), \
        rng.integers(0, 2, n).astype(np.uint8)


def tonic(side):
    import tonic.io
    from tonic.transforms import ToFrame

    frames = ToFrame(sensor_size=(side, side, 2), n_time_bins=BINS)

    def memory():
        t, x, y, p = columns()
        events = tonic.io.make_structured_array(x.astype("i2"), y.astype("i2"), t, p.astype(bool))
        return lambda: frames(events)
    return (lambda path: frames(tonic.io.read_mnist_file(path, dtype=tonic.io.events_struct))), memory


def spikingjelly(side):
    from spikingjelly.datasets import utils

    def frames(events):
        return utils.integrate_events_by_fixed_frames_number(events, "time", BINS, side, side)

    def memory():
        t, x, y, p = columns()
        events = dict(t=t, x=x, y=y, p=p)
        return lambda: frames(events)
    return (lambda path: frames(utils.load_ATIS_bin(path))), memory


def c(side):
    import numpy as np

    build = os.path.join(HERE, "build")
    os.makedirs(build, exist_ok=True)
    library, source = os.path.join(build, "frames.so"), os.path.join(HERE, "frames.c")
    if not os.path.exists(library) or os.path.getmtime(library) < os.path.getmtime(source):
        subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", "-o", library, source], check=True)
    functions = ctypes.CDLL(library)
    pointer, long, integer = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    functions.atis_frames.argtypes = [ctypes.c_char_p, pointer, long, integer, integer, integer, pointer]
    functions.atis_frames.restype = long
    functions.column_frames.argtypes = [pointer] * 4 + [long, integer, integer, integer, pointer]
    room = np.empty(4 << 20, np.uint8)
    out = np.empty((BINS, 2, side, side), np.uint16)

    def one(path):
        assert functions.atis_frames(path.encode(), room.ctypes.data, room.size, side, side, BINS, out.ctypes.data) > 0
        return out

    def memory():
        t, x, y, p = columns()

        def go():
            functions.column_frames(x.ctypes.data, y.ctypes.data, p.ctypes.data, t.ctypes.data, len(t), side, side,
                                    BINS, out.ctypes.data)
            return out
        return go
    return one, memory


def measure(peer, workload, folder, seconds):
    side = WORKLOADS.get(workload, (128,))[0]
    one, memory = {"c": c, "tonic": tonic, "spikingjelly": spikingjelly}[peer](side)
    if workload == "memory":
        go, events = memory(), 5_000_000
        counted = int(go().sum())
    else:
        files = sorted(glob.glob(os.path.join(folder, workload, "*.bin")))
        events = sum(os.path.getsize(f) for f in files) // 5
        counted = sum(int(one(f).sum()) for f in files)

        def go():
            for f in files:
                one(f)
    times, wall = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - wall < seconds:
        start = time.process_time()
        go()
        times.append(time.process_time() - start)
    rate = events / statistics.median(times) / 1e6
    print(json.dumps(dict(peer=peer, workload=workload, events=events, counted=counted, mev_per_cpu_s=round(rate, 2))))


def run(a):
    environment = {**os.environ, **{k: "1" for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}}
    for workload in a.workloads.split(","):
        peers = PEERS + [p for p in TKS if a.tks]
        for turn in range(a.rounds):
            k = turn % len(peers)
            for peer in peers[k:] + peers[:k]:
                command = [a.tks, "--dir", a.dir, "--workload", workload, "--way", peer, "--seconds", str(a.seconds)]
                if peer in PEERS:
                    command = [sys.executable, __file__, "one", "--peer", peer, "--workload", workload, "--dir", a.dir,
                               "--seconds", str(a.seconds)]
                done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
                if done.returncode:
                    sys.exit(f"{peer}, {workload}: {done.stderr[-2000:]}")
                print(done.stdout.strip(), flush=True)


def table(path):
    rates, lost = collections.defaultdict(list), {}
    for line in open(path):
        row = json.loads(line)
        rates[row["workload"], row["peer"]].append(row["mev_per_cpu_s"])
        lost[row["workload"], row["peer"]] = row["events"] - row["counted"]
    peers = [p for p in TKS + PEERS if any(key[1] == p for key in rates)]
    print("| workload | " + " | ".join(peers) + " | tks-new-array / tonic | tks / C |")
    print("|---" * (len(peers) + 3) + "|")
    for workload in [w for w in [*WORKLOADS, "memory"] if (w, "tonic") in rates]:
        median = {p: statistics.median(rates[workload, p]) for p in peers if (workload, p) in rates}
        cells = [f"{median[p]:.4g}" + (f" (loses {lost[workload, p]})" if lost[workload, p] else "")
                 if p in median else "" for p in peers]
        ratios = [f"{median[own] / median[p]:.1f}" if own in median else ""
                  for own, p in (("tks-new-array", "tonic"), ("tks", "c"))]
        print(f"| {workload} | " + " | ".join(cells + ratios) + " |")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["make", "one", "run", "table"])
parser.add_argument("results", nargs="?")
parser.add_argument("--dir", default=os.path.join(HERE, "build", "frames"))
parser.add_argument("--tks", help="the program target/release/event_frames")
parser.add_argument("--peer", choices=PEERS)
parser.add_argument("--workload")
parser.add_argument("--workloads", default="nmnist,small128,dvs128,memory")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=float, default=1.0)
a = parser.parse_args()
if a.what == "make":
    make(a.dir)
elif a.what == "one":
    measure(a.peer, a.workload, a.dir, a.seconds)
elif a.what == "run":
    run(a)
else:
    table(a.results)
