"""Decodes event files to arrays with this project, the Python peers and a C loop: CPU time on one thread.

    python decode.py make --dir build/decode
    python decode.py run --dir build/decode --tks ../../../target/release/event_decode --rounds 5 > decode.jsonl
    python decode.py table decode.jsonl

There is one process per peer, format and round; within a round the peers run one after the other, in rotated order. The
results are compared by the sums of the columns: a peer that differs is marked in the table. `tks-kept` and `c-kept` decode
into the memory of the previous run, which is not possible with the peers.
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
N = 10_000_000
FILES = {"atis": "atis", "atis-large": "large.bin", "aedat2": "large.aedat", "dat": "large.dat", "evt2": "evt2.raw",
         "evt3": "evt3.raw", "aedat4": "large.aedat4"}
PEERS = {"atis": ["tonic", "spikingjelly", "c"], "atis-large": ["tonic", "spikingjelly", "c", "c-kept"],
         "aedat2": ["spikingjelly", "c", "c-kept"], "dat": ["expelliarmus", "faery", "c", "c-kept"],
         "evt2": ["expelliarmus", "faery", "evlib", "c", "c-kept"], "evt3": ["expelliarmus", "faery", "evlib"],
         "aedat4": ["faery", "evlib", "dv"]}

C = r"""
#include <stdint.h>
#include <string.h>
#define OUT int64_t* t, uint16_t* x, uint16_t* y, uint8_t* p
long atis(const uint8_t* b, long n, OUT) {
  long k = 0; for (long i = 0; i + 5 <= n; i += 5, ++k) { x[k] = b[i]; y[k] = b[i+1]; p[k] = b[i+2] >> 7;
    t[k] = ((int64_t)(b[i+2] & 127) << 16) | (b[i+3] << 8) | b[i+4]; } return k; }
long aedat2(const uint8_t* b, long n, OUT) {
  long k = 0; for (long i = 0; i + 8 <= n; i += 8, ++k) { uint32_t a, s; memcpy(&a, b + i, 4); memcpy(&s, b + i + 4, 4);
    a = __builtin_bswap32(a); s = __builtin_bswap32(s);
    x[k] = (a >> 1) & 127; y[k] = (a >> 8) & 127; p[k] = a & 1; t[k] = s; } return k; }
long dat(const uint8_t* b, long n, OUT) {
  long k = 0; for (long i = 0; i + 8 <= n; i += 8, ++k) { uint32_t s, a; memcpy(&s, b + i, 4); memcpy(&a, b + i + 4, 4);
    x[k] = a & 0x3fff; y[k] = (a >> 14) & 0x3fff; p[k] = (a >> 28) & 1; t[k] = s; } return k; }
long evt2(const uint8_t* b, long n, OUT) {
  long k = 0; int64_t high = 0; for (long i = 0; i + 4 <= n; i += 4) { uint32_t w; memcpy(&w, b + i, 4);
    uint32_t kind = w >> 28; if (kind == 8) high = (int64_t)(w & 0x0fffffff) << 6; else if (kind < 2) {
    x[k] = (w >> 11) & 2047; y[k] = w & 2047; p[k] = kind; t[k] = high | ((w >> 22) & 63); ++k; } } return k; }
"""


def make(folder):
    import faery
    import numpy as np
    from expelliarmus import Wizard

    os.makedirs(os.path.join(folder, "atis"), exist_ok=True)
    rng = np.random.default_rng(0)

    def atis(path, n, side, span):
        t = np.sort(rng.integers(0, span, n)).astype(np.uint32)
        b = np.empty((n, 5), np.uint8)
        b[:, 0], b[:, 1] = rng.integers(0, side, n), rng.integers(0, side, n)
        b[:, 2], b[:, 3], b[:, 4] = (rng.integers(0, 2, n) << 7) | (t >> 16), (t >> 8) & 255, t & 255
        b.tofile(path)

    for i in range(1000):
        atis(os.path.join(folder, "atis", f"{i:05d}.bin"), 5000, 34, 300_000)
    atis(os.path.join(folder, "large.bin"), N, 128, 1 << 23)
    t = np.sort(rng.integers(64, 4_000_000, N))
    x, y, p = rng.integers(0, 1280, N), rng.integers(0, 720, N), rng.integers(0, 2, N)
    with open(os.path.join(folder, "large.aedat"), "wb") as f:
        f.write(b"#!AER-DAT2.0\r\n# Timestamps tick is 1 us\r\n")
        f.write(np.stack([((y % 128) << 8) | ((x % 128) << 1) | p, t], 1).astype(">u4").tobytes())
    with open(os.path.join(folder, "large.dat"), "wb") as f:
        f.write(b"% Data file containing CD events.\n% Version 2\n% Height 720\n% Width 1280\n\x0c\x08")
        f.write(np.stack([t, x | (y << 14) | (p << 28)], 1).astype("<u4").tobytes())
    high = (t >> 6).astype(np.uint32)
    words = ((p << 28) | ((t & 63) << 22) | (x << 11) | y).astype(np.uint32)
    new = np.flatnonzero(np.diff(high, prepend=np.uint32(0xFFFFFFFF)) != 0)
    with open(os.path.join(folder, "evt2.raw"), "wb") as f:
        f.write(b"% evt 2.0\n% format EVT2;height=720;width=1280\n% geometry 1280x720\n% end\n")
        f.write(np.insert(words, new, (8 << 28) | high[new]).astype("<u4").tobytes())
    events = np.zeros(N, faery.EVENTS_DTYPE)
    events["t"], events["x"], events["y"], events["on"] = t, x, y, p == 1
    stream = faery.events_stream_from_array(events, (1280, 720))
    stream.to_file(os.path.join(folder, "large.aedat4"))
    stream.to_file(os.path.join(folder, "evt3.raw"), version="evt3")


def tonic(path):
    import tonic.io
    return lambda f: tonic.io.read_mnist_file(f, dtype=tonic.io.events_struct)


def spikingjelly(path):
    from spikingjelly.datasets import utils
    if path.endswith(".aedat"):
        from spikingjelly.datasets import cifar10_dvs

        def go(f):
            with open(f, "rb") as open_file:
                return cifar10_dvs._load_raw_events(open_file, bytes_skip=0)
        return go
    return utils.load_ATIS_bin


def expelliarmus(path):
    from expelliarmus import Wizard
    kind = {"large.dat": "dat", "evt2.raw": "evt2", "evt3.raw": "evt3"}[os.path.basename(path)]

    def go(f):
        wizard = Wizard(encoding=kind)
        wizard.set_file(f)
        return wizard.read()
    return go


def faery(path):
    import faery
    return lambda f: faery.events_stream_from_file(f).to_array()


def evlib(path):
    import evlib
    return lambda f: evlib.load_events(f).collect()


def dv(path):
    import numpy as np
    from dv import AedatFile

    def go(f):
        with AedatFile(f) as file:
            return np.hstack([packet for packet in file["events"].numpy()])
    return go


def c_kept(path):
    return c(path, {})


def c(path, kept=None):
    import numpy as np
    name = {v: k for k, v in FILES.items()}.get(os.path.basename(path), "atis").split("-")[0]
    library = os.path.join(HERE, "build", "decode.so")
    if not os.path.exists(library):
        os.makedirs(os.path.dirname(library), exist_ok=True)
        source = os.path.join(HERE, "build", "decode.c")
        open(source, "w").write(C)
        subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", "-o", library, source], check=True)
    run = getattr(ctypes.CDLL(library), name)
    run.restype, run.argtypes = ctypes.c_long, [ctypes.c_void_p, ctypes.c_long] + 4 * [ctypes.c_void_p]
    record = {"atis": 5, "evt2": 4}.get(name, 8)

    def go(f):
        data = np.memmap(f, np.uint8, "r")
        start, mark = 0, {"aedat2": b"#", "dat": b"%", "evt2": b"%"}.get(name)
        while mark and bytes(data[start:start + 1]) == mark:
            start += bytes(data[start:start + 200]).index(b"\n") + 1
        start += 2 if name == "dat" else 0
        data = data[start:]
        n = len(data) // record
        out = kept.get(n) if kept else None
        out = out or (np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8))
        if kept is not None:
            kept[n] = out
        n = run(data.ctypes.data, len(data), *(column.ctypes.data for column in out))
        return dict(zip("txyp", (column[:n] for column in out)))
    return go


def columns(events):
    import numpy as np
    names = events.keys() if isinstance(events, dict) else getattr(events, "columns", None) or events.dtype.names
    pick = {}
    for key, known in dict(t=("t", "timestamp"), x=("x",), y=("y",), p=("p", "on", "polarity")).items():
        name = next(name for name in known if name in names)
        column = events[name]
        if key == "t" and hasattr(column, "dt"):
            column = column.dt.total_microseconds()
        pick[key] = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    return pick


def one(peer, path, seconds):
    import numpy as np
    go = globals()[peer.replace("-", "_")](path)
    files = sorted(glob.glob(os.path.join(path, "*"))) if os.path.isdir(path) else [path]
    sums = [0, 0, 0, 0, 0]
    for f in files:
        # SpikingJelly's reader returns only the two 32-bit columns of raw AEDAT 2.0.
        found = go(f)
        if peer == "spikingjelly" and path.endswith(".aedat"):
            t, address = np.asarray(found[0]).astype(np.int64), np.asarray(found[1]).astype(np.int64)
            found = dict(t=t, x=(address >> 1) & 127, y=(address >> 8) & 127, p=address & 1)
        found = columns(found)
        values = [len(found["t"])] + [int(np.sum(found[k].astype(np.int64) > 0 if k == "p" else found[k].astype(np.int64)))
                                      for k in "txyp"]
        sums = [a + b for a, b in zip(sums, values)]
    rates, spent = [], 0.0
    while spent < seconds or len(rates) < 3:
        start = time.process_time()
        for f in files:
            go(f)
        took = time.process_time() - start
        spent += took
        rates.append(sums[0] / took / 1e6)
    print(json.dumps(dict(peer=peer, mevents_per_s=statistics.median(rates), runs=len(rates), sums=sums)))


def run(folder, tks, rounds, seconds, formats):
    environment = dict(os.environ, OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", POLARS_MAX_THREADS="1")
    for number in range(rounds):
        for name in formats:
            peers = PEERS[name] + ["tks", "tks-kept"]
            shift = number % len(peers)
            for peer in peers[shift:] + peers[:shift]:
                path = os.path.join(folder, FILES[name])
                program = [tks, path] if peer.startswith("tks") else \
                    [sys.executable, os.path.abspath(__file__), "one", peer, path]
                command = program + ["--seconds", str(seconds)] + ["--keep"] * (peer == "tks-kept")
                # mimalloc keeps large blocks for later by default; NumPy's are returned to the system each
                # time.
                fresh = {} if name == "atis" else {"MIMALLOC_PURGE_DELAY": "0"}
                done = subprocess.run(command, capture_output=True, text=True, env=environment | fresh)
                row = dict(format=name, round=number)
                try:
                    row.update(json.loads(done.stdout.strip().splitlines()[-1]), peer=peer)
                except Exception:
                    row["peer"], row["error"] = peer, (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
                print(json.dumps(row), flush=True)


def table(path):
    rows = [json.loads(line) for line in open(path)]
    print("| format | program | million events/s of CPU time | tks is | same events |\n|---|---|---|---|---|")
    for name in FILES:
        rates, sums, errors = collections.defaultdict(list), {}, {}
        for row in rows:
            if row["format"] == name:
                if "error" in row:
                    errors[row["peer"]] = row["error"]
                else:
                    rates[row["peer"]].append(row["mevents_per_s"])
                    sums[row["peer"]] = row["sums"]
        if "tks" not in rates:
            continue
        tks = {kept: statistics.median(rates["tks" + kept]) for kept in ("", "-kept") if "tks" + kept in rates}
        for peer, values in sorted(rates.items(), key=lambda item: -statistics.median(item[1])):
            rate = statistics.median(values)
            same = "yes" if sums[peer] == sums["tks"] else "no"
            own = tks["-kept" if peer.endswith("-kept") else ""]
            print(f"| {name} | {peer} | {rate:.1f} | {own / rate:.2f} x | {same} |")
        for peer, error in errors.items():
            print(f"| {name} | {peer} | failed: {error} | | |")
    for key, what in dict(copy_gb_per_s="into the same memory", copy_fresh_gb_per_s="into fresh memory").items():
        copies = [row[key] for row in rows if key in row and row["format"] != "atis"]
        print(f"\nMemory copy {what}: {statistics.median(copies):.1f} GB/s, reads and writes counted.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("make")
    command.add_argument("--dir", default="build/decode")
    command = commands.add_parser("run")
    command.add_argument("--dir", default="build/decode")
    command.add_argument("--tks", required=True)
    command.add_argument("--rounds", type=int, default=5)
    command.add_argument("--seconds", type=float, default=0.5)
    command.add_argument("--formats", default=",".join(FILES))
    command = commands.add_parser("one")
    command.add_argument("peer")
    command.add_argument("path")
    command.add_argument("--seconds", type=float, default=0.5)
    command = commands.add_parser("table")
    command.add_argument("path")
    a = parser.parse_args()
    if a.command == "make":
        make(a.dir)
    elif a.command == "run":
        run(a.dir, a.tks, a.rounds, a.seconds, a.formats.split(","))
    elif a.command == "one":
        one(a.peer, a.path, a.seconds)
    else:
        table(a.path)
