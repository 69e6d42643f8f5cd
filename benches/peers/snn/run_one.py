"""One framework and one workload in this process: one JSON line per case on stdout.

    python run_one.py --framework spikingjelly --workload conv_block --T 4,10 --threads 1
"""

import common

# The default sizes of a workload: the same for every framework and for external programs.
WORKLOADS = {"lif_kernel": dict(T="4,8,16", n=str(1 << 20)), "conv_block": dict(T="4,10", n=""),
             "linear_lif": dict(T="500", n="512,1024,2048,4096")}


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    p = common.base_parser(__doc__)
    p.add_argument("--workload", required=True, choices=WORKLOADS)
    p.add_argument("--T", help="time steps, a comma list")
    p.add_argument("--n", help="neurons, a comma list (lif_kernel, linear_lif)")
    p.add_argument("--cin", type=int, default=64)
    p.add_argument("--cout", type=int, default=128)
    p.add_argument("--hw", type=int, default=48)
    a = p.parse_args()
    common.init_threads(a.threads)
    common.limit_memory(a.mem_limit_gb)

    import torch
    torch.set_num_threads(a.threads)
    import frameworks
    from frameworks.case import OPTIONS

    OPTIONS.layout, OPTIONS.compile = a.layout, a.compile
    cases = frameworks.load(a.framework)
    steps = numbers(a.T or WORKLOADS[a.workload]["T"])
    meta = dict(framework=a.framework, workload=a.workload)
    if a.workload == "conv_block":
        todo = [(T, a.batch, a.cout * a.hw * a.hw, lambda T=T: cases.conv(T, a.batch, a.cin, a.cout, a.hw))
                for T in steps if cases.conv]
    else:
        sizes = numbers(a.n or WORKLOADS[a.workload]["n"])
        if a.workload == "lif_kernel":
            todo = [(T, 1, n, lambda T=T, n=n: cases.lif(T, n)) for T in steps for n in sizes if cases.lif]
        else:
            todo = [(T, a.batch, n, lambda T=T, n=n: cases.linear(T, a.batch, n))
                    for T in steps for n in sizes if cases.linear]
    for T, batch, n, make in todo:
        common.run_case(make, a, T=T, batch=batch, n=n, **meta)


if __name__ == "__main__":
    main()
