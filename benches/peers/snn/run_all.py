"""Every framework x workload x thread count x allocator setting, in interleaved rounds; collects JSON lines.

    python run_all.py --rounds 3 --threads 1 --external 'ours=/path/to/program' --out results/snn.jsonl

Within a round, the frameworks of one workload and thread count run back to back, each in its own process, in an order
that rotates with the round, so that slow drifts of the machine affect all of them equally. `--external NAME=CMD` adds your
own program, called with the same options as run_one.py except --framework.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time

import common
import frameworks
from run_one import WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))

# Allocator settings that a peer's user could choose: with glibc's defaults, every tensor above 32 MiB is
# mapped and faulted in again at each step. The summary quotes the best for every framework.
_LARGE = str(1 << 36)
SETTINGS = {
    "default": {},
    "reused-heap": {"MALLOC_MMAP_THRESHOLD_": _LARGE, "MALLOC_TRIM_THRESHOLD_": _LARGE},
    "huge-pages": {"THP_MEM_ALLOC_ENABLE": "1"},
}


# Other choices of a peer's user, and the workloads they apply to. `linear_lif` is not compiled: its 500
# unrolled steps take minutes to compile.
VARIANTS = {
    "nhwc": (["--layout", "nhwc"], {"conv_block"}),
    "compile": (["--compile"], {"lif_kernel", "conv_block"}),
    "compile-nhwc": (["--compile", "--layout", "nhwc"], {"conv_block"}),
}
# JAX always compiles and Spyx's convolution is channels-last; in lava-dl, time is the last dimension; one
# reference is compiled, one is in C.
NOT_COMPILED = {"spyx", "ref-torch-compile", "ref-c-fused"}
NOT_NHWC = {"spyx", "lava-dl"}


def can(name, variant):
    return not ("compile" in variant and name in NOT_COMPILED or "nhwc" in variant and name in NOT_NHWC)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--first-round", type=int, default=0)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--workloads", default=",".join(WORKLOADS))
    p.add_argument("--frameworks", default=",".join(frameworks.NAMES))
    p.add_argument("--settings", default="default,reused-heap", help=f"of {', '.join(SETTINGS)}; not for --external")
    p.add_argument("--variants", default="plain," + ",".join(VARIANTS),
                   help=f"of plain, {', '.join(VARIANTS)}; each under each setting, not for --external")
    p.add_argument("--external", action="append", default=[], metavar="NAME=CMD")
    p.add_argument("--T", help="time steps, a comma list; else each workload's own")
    p.add_argument("--n", help="neurons, a comma list, for linear_lif and lif_kernel; else each workload's own")
    p.add_argument("--large", action="store_true", help="linear_lif at 8,192 and 16,384 neurons, one cold run")
    p.add_argument("--min-time", default="1.0", help="seconds to measure each case for")
    p.add_argument("--idle-wait", type=float, default=0, help="seconds to wait for other processes to stop, before a run")
    p.add_argument("--tiny", action="store_true", help="the smallest sizes, one run each: whether everything works")
    p.add_argument("--timeout", type=float, default=300)
    p.add_argument("--out", default=os.path.join(HERE, "results", "snn.jsonl"))
    return p.parse_args()


TINY = {"lif_kernel": ["--T", "4", "--n", "4096"], "linear_lif": ["--T", "8", "--n", "64"], "conv_block": ["--T", "2"]}


def options(a, workload, threads, rnd):
    if a.tiny:
        return ["--workload", workload, "--threads", str(threads), "--round", str(rnd), "--min-time", "0", "--min-runs",
                "1", *TINY[workload]]
    given = ["--workload", workload, "--threads", str(threads), "--round", str(rnd), "--min-time", a.min_time]
    if a.T:
        given += ["--T", a.T]
    if a.large:
        given += ["--n", a.n or "8192,16384", "--min-runs", "1", "--warmup", "0", "--min-time", "0", "--mem-limit-gb", "15"]
    elif a.n and workload != "conv_block":
        given += ["--n", a.n]
    return given


def wait_for_quiet(seconds):
    end = time.time() + seconds
    while time.time() < end:
        busy, start = common.machine_busy_s(), time.perf_counter()
        time.sleep(0.5)
        if (common.machine_busy_s() - busy) / (time.perf_counter() - start) <= 0.3:
            return


def run(command, environment, timeout, meta):
    """The records that the command prints; a failure is a record with `error`."""
    try:
        r = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=timeout)
        text, failure = r.stdout, None
        if r.returncode:
            last = r.stderr.strip().splitlines()[-1:]
            failure = last[0][:300] if last else f"exit status {r.returncode}"
    except subprocess.TimeoutExpired as e:
        text = e.stdout.decode() if isinstance(e.stdout, bytes) else (e.stdout or "")
        failure = f"timeout after {timeout} s"
    except OSError as e:
        text, failure = "", str(e)
    records = [dict(json.loads(line), **meta) for line in text.splitlines() if line.startswith("{")]
    if failure:
        records.append(dict(meta, error=failure))
    return records


def show(d):
    print(f"r{d['round']} t{d['threads']} {d['workload']:10s} {d['framework']:18s} {d['setting']:24s} T={d.get('T')} "
          f"n={d.get('n')} fwd {d.get('fwd_ms')} bwd {d.get('bwd_ms')} cpu {d.get('fwd_cpu_ms')}/{d.get('bwd_cpu_ms')} "
          f"rss {d.get('peak_rss_mb')} others {d.get('others_cpu')} {d.get('error', '')[:120]}", flush=True)


def main():
    a = arguments()
    external = dict(e.split("=", 1) for e in a.external)
    variants = a.variants.split(",")
    todo = [(f, s, v) for f in a.frameworks.split(",") if f for s in a.settings.split(",") for v in variants if can(f, v)]
    todo += [(f, "default", "plain") for f in external]
    os.makedirs(os.path.dirname(os.path.abspath(a.out)), exist_ok=True)
    with open(a.out, "a") as out:
        for rnd in range(a.first_round, a.first_round + a.rounds):
            for threads in map(int, a.threads.split(",")):
                for workload in (["linear_lif"] if a.large else a.workloads.split(",")):
                    turn = rnd % len(todo)
                    for name, setting, variant in todo[turn:] + todo[:turn]:
                        chosen, workloads = VARIANTS.get(variant, ([], {workload}))
                        if workload not in workloads:
                            continue
                        given = options(a, workload, threads, rnd)
                        if name in external:
                            command = shlex.split(external[name]) + given
                        else:
                            command = [sys.executable, os.path.join(HERE, "run_one.py"), "--framework", name] + given + chosen
                            if a.tiny and workload == "conv_block":
                                command += ["--hw", "8", "--cin", "4", "--cout", "8", "--batch", "2"]
                        wait_for_quiet(a.idle_wait)
                        label = setting if variant == "plain" else f"{setting}, {variant}"
                        meta = dict(framework=name, workload=workload, threads=threads, round=rnd, setting=label)
                        for d in run(command, {**os.environ, **SETTINGS[setting]}, a.timeout, meta):
                            out.write(json.dumps(d) + "\n")
                            show(d)
                        out.flush()


if __name__ == "__main__":
    main()
