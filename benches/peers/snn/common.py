"""Shared measuring code: thread limits, timing, peak memory, JSON lines.

Import this before torch or jax: `init_threads` must run first.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import time


def base_parser(desc: str) -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=desc)
    p.add_argument("--framework", required=True, help="its name, see frameworks/__init__.py")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--warmup", type=int, default=1)
    p.add_argument("--min-runs", type=int, default=3)
    p.add_argument("--min-time", type=float, default=1.0, help="seconds of (fwd+bwd) to collect")
    p.add_argument("--max-runs", type=int, default=200)
    p.add_argument("--round", type=int, default=0, help="copied into the output, set by run_all.py")
    p.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw", help="memory layout of conv_block's tensors")
    p.add_argument("--compile", action="store_true", help="torch.compile the layer")
    p.add_argument("--mem-limit-gb", type=float, default=0, help="RLIMIT_DATA for this process")
    return p


def init_threads(n: int) -> None:
    for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
              "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[k] = str(n)
    # A spinning OpenMP barrier costs a scheduler tick (4 ms) per operator when another process occupies a
    # core; blocking costs little. The same for every framework; can be overridden in the environment.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("PIP_NO_INDEX", "1")  # rockpool/samna may call pip on import
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > n:  # XLA sizes its pool by affinity, not by environment
        # pin to the last CPUs: CPU 0 usually serves the interrupts
        os.sched_setaffinity(0, set(cpus[-n:]))


def limit_memory(gb: float) -> None:
    if gb > 0:
        import resource
        b = int(gb * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (b, b))


_libc = ctypes.CDLL("libc.so.6")


def _status(key: str) -> float:
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    return float("nan")


def reset_peak() -> float:
    """Returns RSS (MiB) and starts a fresh VmHWM."""
    gc.collect()
    _libc.malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
    return _status("VmRSS")


def peak() -> float:
    return _status("VmHWM")


def median(v):
    s = sorted(v)
    k = len(s)
    return s[k // 2] if k % 2 else 0.5 * (s[k // 2 - 1] + s[k // 2])


def machine_busy_s() -> float:
    """Non-idle CPU seconds of the whole machine."""
    with open("/proc/stat") as fh:
        v = [int(x) for x in fh.readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")


def measure(case, args):
    """case: see frameworks/case.py. Wall and process CPU time of each forward and backward pass,
    without the time for `make_gradient`."""
    f, b, t_total, runs = [], [], 0.0, 0
    fc, bc = [], []
    # Compiled code is recompiled when a gradient is computed for the first time.
    for _ in range(max(args.warmup, 3) if args.compile else args.warmup):
        out = case.fwd()
        case.make_gradient(out)
        case.bwd(out)
        del out
    while (t_total < args.min_time or runs < args.min_runs) and runs < args.max_runs:
        c0, t0 = time.process_time(), time.perf_counter()
        out = case.fwd()
        t1, c1 = time.perf_counter(), time.process_time()
        case.make_gradient(out)
        c2, t2 = time.process_time(), time.perf_counter()
        case.bwd(out)
        t3, c3 = time.perf_counter(), time.process_time()
        del out
        fc.append(1e3 * (c1 - c0))
        bc.append(1e3 * (c3 - c2))
        f.append(1e3 * (t1 - t0))
        b.append(1e3 * (t3 - t2))
        t_total += t1 - t0 + t3 - t2
        runs += 1
    return f, b, fc, bc


def run_case(make, args, **meta):
    """Builds, measures and prints one JSON line; a failing case prints an `error` line."""
    base = reset_peak()
    rec = dict(meta)
    try:
        case = make()
        busy, cpu, wall = machine_busy_s(), time.process_time(), time.perf_counter()
        f, b, fc, bc = measure(case, args)
        wall = time.perf_counter() - wall
        rec["others_cpu"] = round(max(0.0, machine_busy_s() - busy - (time.process_time() - cpu)) / wall, 2)
        both = getattr(case, "bwd_includes_fwd", False)  # jax.grad runs the forward pass again
        rec["fwd_ms"] = round(median(f), 3)
        rec["bwd_ms"] = round(median(b) - both * median(f), 3)
        rec["fwd_min_ms"] = round(min(f), 3)
        rec["bwd_min_ms"] = round(min(b) - both * min(f), 3)
        rec["fwd_cpu_ms"] = round(median(fc), 3)
        rec["bwd_cpu_ms"] = round(median(bc) - both * median(fc), 3)
        rec["runs"] = len(f)
        rec["spike_rate"] = getattr(case, "rate", None)
        del case
    except (Exception, MemoryError) as e:  # noqa: BLE001 - a peer that fails is a result
        rec["error"] = f"{type(e).__name__}: {str(e)[:300]}"
    rec["peak_rss_mb"] = round(peak(), 1)
    rec["base_rss_mb"] = round(base, 1)
    rec["threads"] = args.threads
    rec["round"] = args.round
    print(json.dumps(rec), flush=True)
    gc.collect()
