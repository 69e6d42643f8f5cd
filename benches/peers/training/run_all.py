"""Runs every framework's training step in turn, round by round, and prints medians. A peer runs with its
defaults, with glibc keeping freed memory, and additionally with channels last and compiled; the best is quoted.

    cargo build --release -p tks-benches --bin training
    python run_all.py --python VENV/bin/python --ours ../../../target/release/training [--rounds 3]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument("--python", required=True, help="a Python with torch, SpikingJelly and BrainCog")
parser.add_argument("--ours", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--bf16", action="store_true", help="ours in bf16 too")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--out", help="a file for the raw lines")
options = parser.parse_args()
common = ["--threads", str(options.threads), "--runs", str(options.runs), "--batch", str(options.batch)]
LARGE = str(1 << 36)
KEPT = {"MALLOC_MMAP_THRESHOLD_": LARGE, "MALLOC_TRIM_THRESHOLD_": LARGE}
# Name, arguments, environment: the choices of a peer's user.
SETTINGS = [("default", [], {}), ("kept heap", [], KEPT), ("kept heap, channels last", ["--channels-last"], KEPT),
            ("kept heap, compiled", ["--compile"], KEPT)]
# Spinning threads lose a whole time slice if another process occupies a core; the same for all.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}


def peer_commands(network):
    for peer in ("spikingjelly", "braincog"):
        for setting, arguments, environment in SETTINGS:
            yield peer, setting, [options.python, str(HERE / "step.py"), peer, network, *arguments], environment


def commands(network):
    yield "tks", "default", [options.ours, "--network", network], {}
    if options.bf16:
        yield "tks bf16", "default", [options.ours, "--network", network, "--bf16"], {}
    yield from peer_commands(network)


def run(framework, setting, command, environment):
    """The line that the command prints; `None`, with a message on stderr, if it fails."""
    done = subprocess.run(command + common, capture_output=True, text=True, env={**ENVIRONMENT, **environment})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"{framework}, {setting}: {last[:300]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


results = {}
for round_number in range(options.rounds):
    for network in ("vgg_snn", "sew_resnet19"):
        for framework, setting, command, environment in commands(network):
            line = run(framework, setting, command, environment)
            if line is None:
                continue
            results.setdefault((network, framework, setting), []).append(line)
            if options.out:
                with open(options.out, "a") as file:
                    file.write(json.dumps({"round": round_number, "setting": setting, **line}) + "\n")
best = {}
for (network, framework, setting), lines in results.items():
    row = {key: statistics.median(line[key] for line in lines) for key in ("step_ms", "images_per_second", "added_mib")}
    known = best.get((network, framework))
    if known is None or row["step_ms"] < known[1]["step_ms"]:
        best[network, framework] = (setting, row)
print("| network | framework | setting | ms a step | images/s | added MiB |\n|---|---|---|---|---|---|")
for (network, framework), (setting, row) in best.items():
    print(f"| {network} | {framework} | {setting} | {row['step_ms']:.0f} | {row['images_per_second']:.2f} | "
          f"{row['added_mib']:.0f} |")
