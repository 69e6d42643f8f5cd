"""Tables from the records of run_all.py, in Markdown on stdout. The best setting is quoted for each framework.

    python summarize.py results/snn.jsonl > results/tables.md

Rows are ordered by CPU time on one thread, as it is least disturbed by other processes, and by the best wall time on
several.
"""

import json
import sys
from collections import defaultdict

from common import median

ORDER = {"lif_kernel": 0, "conv_block": 1, "linear_lif": 2}


def read(files):
    cells, errors = defaultdict(lambda: defaultdict(list)), {}
    for file in files:
        for line in open(file):
            r = json.loads(line)
            key = (r["workload"], r.get("T"), r.get("n"), r["threads"])
            if "error" in r:
                errors[(key, r["framework"], r["setting"])] = r["error"]
            else:
                cells[key][(r["framework"], r["setting"])].append(r)
    return cells, errors


def row(name, setting, records, threads):
    cpu = [r["fwd_cpu_ms"] + r["bwd_cpu_ms"] for r in records]
    wall = [r["fwd_ms"] + r["bwd_ms"] for r in records]
    best = min(r["fwd_min_ms"] + r["bwd_min_ms"] for r in records)
    return dict(name=name, setting=setting, records=len(records), cpu=median(cpu), low=min(cpu), high=max(cpu),
                fwd=median([r["fwd_ms"] for r in records]), bwd=median([r["bwd_ms"] for r in records]),
                wall=median(wall), best=best, rank=median(cpu) if threads == 1 else best,
                memory=median([r["peak_rss_mb"] - r["base_rss_mb"] for r in records]),
                others=max(r.get("others_cpu") or 0 for r in records), rate=records[0].get("spike_rate"))


def number(v):
    return f"{v:.1f}" if v < 100 else f"{v:,.0f}"


def table(key, by_framework):
    workload, steps, n, threads = key
    rows = {}
    for (name, setting), records in by_framework.items():
        new = row(name, setting, records, threads)
        if name not in rows or new["rank"] < rows[name]["rank"]:
            rows[name] = new
    ranked = sorted(rows.values(), key=lambda r: r["rank"])
    print(f"\n#### {workload}, T = {steps}, n = {n}, {threads} thread{'s' if threads > 1 else ''}\n")
    print("| framework | setting | fwd ms | bwd ms | sum ms | best ms | cpu ms (min-max, rounds) | x the first row | "
          "+peak MB | spike rate | others' cores |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for r in ranked:
        print(f"| {r['name']} | {r['setting']} | {number(r['fwd'])} | {number(r['bwd'])} | {number(r['wall'])} | "
              f"{number(r['best'])} | {number(r['cpu'])} ({number(r['low'])}-{number(r['high'])}, {r['records']}) | "
              f"{r['rank'] / ranked[0]['rank']:.2f} | {r['memory']:,.0f} | {r['rate']} | {r['others']} |")


def main():
    cells, errors = read(sys.argv[1:])
    for key in sorted(cells, key=lambda k: (k[3], ORDER.get(k[0], 9), k[1], k[2])):
        table(key, cells[key])
    if errors:
        print("\nFailures:\n")
    for ((workload, steps, n, threads), name, setting), error in errors.items():
        print(f"- {name} ({setting}), {workload}, T = {steps}, n = {n}, {threads} threads: {error[:200]}")


if __name__ == "__main__":
    main()
