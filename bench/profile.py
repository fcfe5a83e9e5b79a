#!/usr/bin/env python3
"""profile.py KERNEL FIGURE...: where the instructions of some micro-benchmarks go, function by function.

Boots KERNEL (release) under QEMU's software emulation with `mb FIGURE...` as its only work and the plugin insns.c
counting; prints the functions of the kernel with the most instructions, for each the calls (runs of its first block)
and instructions a call.  --op FUNCTION, one that an operation calls once, gives calls and instructions an operation.
--blocks FUNCTION shows its blocks.
"""
import argparse, bisect, collections, os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def symbols(kernel):
    """Sorted (address, name) of the kernel's functions."""
    out = subprocess.run(["nm", "-n", kernel], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return [(int(r[0], 16), r[2]) for r in rows if len(r) == 3 and r[1] in "tTwW"]


def record(kernel, figures, model, extra):
    """Runs the guest; the plugin's counts as a list of (address, instructions, runs)."""
    with tempfile.TemporaryDirectory() as d:
        plugin, out = d + "/insns.so", d + "/insns.out"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", plugin, HERE + "/insns.c"], check=True)
        env = dict(os.environ, CPUMODEL=model, MB_ARGS=" ".join(figures))
        subprocess.run([HERE + "/mb.sh", kernel, "-smp", "1", "-icount", "shift=0,sleep=off",
                        "-plugin", f"{plugin},out={out}"] + extra, env=env, check=True)
        with open(out) as f:
            return [(int(a, 16), int(n), int(r)) for a, n, r in (line.split() for line in f)]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("kernel")
    p.add_argument("figures", nargs="+")
    p.add_argument("--top", type=int, default=40)
    p.add_argument("--cpu", default="max,-erms,-fsrm")
    p.add_argument("--op", metavar="FUNCTION")
    p.add_argument("--blocks", action="append", default=[], metavar="FUNCTION")
    a = p.parse_args()
    syms = symbols(a.kernel)
    addrs = [s[0] for s in syms]
    total = collections.Counter()
    calls = collections.Counter()
    blocks = collections.defaultdict(list)
    for addr, insns, runs in record(a.kernel, a.figures, a.cpu, []):
        i = bisect.bisect_right(addrs, addr) - 1
        name = syms[i][1] if i >= 0 and addr >> 47 else "(user, firmware)"
        total[name] += insns * runs
        if i >= 0 and addr == addrs[i]:
            calls[name] += runs
        blocks[name].append((addr, insns, runs))
    ops = calls[a.op] or sys.exit(f"{a.op} is not called") if a.op else 1
    print(f"{'insns':>12} {'%':>5} {'calls':>10} {'per call':>9}  function")
    for name, n in total.most_common(a.top):
        c = calls[name]
        print(f"{n / ops:12.1f} {100 * n / sum(total.values()):5.1f} {c / ops:10.2f} {n / c if c else 0:9.1f}  {name}")
    for name in a.blocks:
        print(f"\n{name}: address instructions runs")
        for addr, insns, runs in sorted(blocks[name]):
            print(f"  {addr:x} {insns:4} {runs:9}")


if __name__ == "__main__":
    sys.exit(main())
