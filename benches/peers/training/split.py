"""The distribution of the CPU time of this project's training step: perf samples, classified by the purpose of the code.

    cargo build --release -p tks-benches --bin training
    python split.py ../../../target/release/training [--runs 10] [-- --bf16]

Needs Linux with perf and binutils. The one-time work of the first step (memory, compiling libtorch's kernels) is included
in the samples, with a share of one in `runs` + 1.
"""

import argparse
import collections
import re
import subprocess
import tempfile

# The first pattern that matches a symbol, a function inlined in it, or its library's name decides.
KINDS = [
    ("memory fresh from the system, cleared", r"clear_page"),
    ("the system", r"^\[kernel"),
    ("Winograd: transforms", r"tks_kernels::winograd"),
    ("Winograd: matrix products", r"gemm"),
    ("sparse convolution", r"tks_kernels::convolution"),
    ("spikes to bits and back", r"tks_kernels::packed"),
    ("batch norm and neurons", r"tks_neuron::kernel|tks_kernels::batch_norm"),
    ("libtorch's convolution", r"JIT|dnnl"),
    ("pooling", r"pool"),
    ("optimiser", r"adam"),
    ("loss", r"softmax|nll_loss"),
    ("copies", r"copy|memmove|memset|fill_kernel"),
]


def symbols_of(program):
    lines = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout.splitlines()
    return {parts[2]: int(parts[0], 16) for parts in map(str.split, lines) if len(parts) == 3}


def inlined(program, start):
    """The functions that the compiler inlined into the one that begins there."""
    addresses = [hex(start + offset) for offset in range(16, 400, 24)]
    command = ["addr2line", "-f", "-i", "-C", "-e", program, *addresses]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def shares(program, arguments, network):
    symbols, found = symbols_of(program), collections.Counter()
    with tempfile.NamedTemporaryFile() as data:
        record = ["perf", "record", "-e", "cpu-clock", "-F", "200", "-o", data.name, program, "--network", network]
        subprocess.run(record + arguments, capture_output=True, check=True)
        report = ["perf", "report", "-i", data.name, "--no-demangle", "--sort", "dso,sym"]
        text = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        match = re.match(r"\s+([0-9.]+)%\s+(\S+(?: tid \d+)?)\s+\[.\] (\S+)", line)
        if match:
            share, library, symbol = match.groups()
            what = f"{library} {symbol} " + (inlined(program, symbols[symbol]) if symbol in symbols else "")
            kind = next((kind for kind, pattern in KINDS if re.search(pattern, what)), "other")
            found[kind] += float(share)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("arguments", nargs="*", help="for the program")
    options = parser.parse_args()
    networks = ("vgg_snn", "sew_resnet19")
    arguments = ["--runs", str(options.runs), *options.arguments]
    found = {network: shares(options.program, arguments, network) for network in networks}
    print("| percent of a step's CPU time | " + " | ".join(networks) + " |\n|---|---|---|")
    for kind in [kind for kind, _ in KINDS] + ["other"]:
        print(f"| {kind} | " + " | ".join(f"{found[network][kind]:.1f}" for network in networks) + " |")


main()
