"""Runs every framework's training step in turn, round by round, and prints medians.

    cargo build --release -p tks-benches --bin training
    python run_all.py --python VENV/bin/python --ours ../../../target/release/training [--rounds 3]
"""

import argparse
import json
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser()
parser.add_argument("--python", required=True, help="a Python with torch, SpikingJelly and BrainCog")
parser.add_argument("--ours", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--bf16", action="store_true", help="ours in bf16 too")
parser.add_argument("--out", help="a file for the raw lines")
options = parser.parse_args()
common = ["--threads", str(options.threads), "--runs", str(options.runs)]
results = {}
for round_number in range(options.rounds):
    for network in ("vgg_snn", "sew_resnet19"):
        commands = [[options.ours, "--network", network]]
        if options.bf16:
            commands.append([options.ours, "--network", network, "--bf16"])
        commands += [[options.python, str(HERE / "step.py"), peer, network] for peer in ("spikingjelly", "braincog")]
        for command in commands:
            done = subprocess.run(command + common, capture_output=True, text=True, check=True)
            line = json.loads(done.stdout.strip().splitlines()[-1])
            results.setdefault((network, line["framework"]), []).append(line)
            if options.out:
                with open(options.out, "a") as file:
                    file.write(json.dumps({"round": round_number, **line}) + "\n")
print("| network | framework | ms a step | images/s | added MiB |\n|---|---|---|---|---|")
for (network, framework), lines in results.items():
    median = lambda key: statistics.median(line[key] for line in lines)
    print(f"| {network} | {framework} | {median('step_ms'):.0f} | {median('images_per_second'):.2f} | {median('added_mib'):.0f} |")
