#!/usr/bin/env python3
"""numa.py KERNEL [--numactl FOLDER] [--stress] [-v]: a guest with three nodes: do programs see them, and do pages lie where they are told to?

What:   boots KERNEL in QEMU with nodes 0 and 1 (two processors each) and 2 (memory only) and distances between them; runs
        tests/guest/numa.c there, reads what sysfs says, and lets Debian's numactl and numastat look and place.
        --stress: stress-ng --numa as well.  One line a case: "ok numa/NAME" or "not ok numa/NAME: what was seen".
Needs:  numactl installed, or --numactl with a folder in which its package was unpacked.
"""
import argparse, pathlib, re, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MEM, NODES = 256, 3
DISTANCES = {(0, 1): 21, (0, 2): 40, (1, 2): 31}

SCRIPT = r"""#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin:/tests
. /etc/rcS
begin() { echo "--begin $1"; }
begin numa; /tests/numa
begin hardware; numactl -H
begin show; numactl --show
begin membind; numactl --membind=2 sh -c 'cat /proc/self/numa_maps' | grep -c 'bind:2'
begin onnode; numactl --membind=1 dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; cat /sys/devices/system/node/node1/numastat
begin interleave; numactl --interleave=all cat /proc/self/numa_maps | grep -c 'interleave:0-2'
begin preferred; numactl --preferred=1 cat /proc/self/numa_maps | grep -c 'prefer:1'
begin cpubind; numactl --cpunodebind=1 sh -c 'grep Cpus_allowed_list /proc/self/status'
begin badnode; numactl --membind=7 true; echo status $?
begin sysfs; cd /sys/devices/system/node; echo "$(cat online) $(cat has_cpu) $(cat has_memory)"; cat node0/distance node1/cpulist
grep MemTotal node2/meminfo; grep Mems_allowed_list /proc/self/status; ls -d node0/cpu* node1/cpu*
begin numastat; numastat
begin kswapd; ps | grep -c '\[kswapd[012]\]'
begin full; numactl --preferred=2 dd if=/dev/zero of=/tmp/big bs=1M count=300 2>/dev/null; ls -l /tmp/big; rm /tmp/big; cat /sys/devices/system/node/node2/numastat
STRESS
echo --begin end
poweroff -f
"""


def overlay(numactl, stress, tmp):
    """A cpio archive with the programs and the script, to follow the busybox root."""
    o = tmp / "o"
    find = lambda name: shutil.which(name) if not numactl else str(next(numactl.rglob(f"bin/{name}")))
    programs = [find("numactl"), find("numastat")] + ([shutil.which("stress-ng")] if stress else [])
    libs = {"/lib64/ld-linux-x86-64.so.2"}
    env = {"LD_LIBRARY_PATH": str(next(numactl.rglob("libnuma.so.1")).parent)} if numactl else None
    for prog in programs:
        (o / "usr/bin").mkdir(parents=True, exist_ok=True)
        shutil.copy2(prog, o / "usr/bin")
        libs |= set(re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", prog], text=True, stdout=subprocess.PIPE, env=env).stdout))
    for lib in libs:
        to = o / ("lib64" if "ld-linux" in lib else "lib/x86_64-linux-gnu") / pathlib.Path(lib).name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(pathlib.Path(lib).resolve(), to)
    (o / "tests").mkdir()
    subprocess.run(["gcc", "-O2", "-static", "-pthread", "-Itests/guest", "-o", str(o / "tests/numa"), "tests/guest/numa.c"], cwd=ROOT, check=True)
    more = "begin stress; stress-ng --numa 4 -t 20 --verify --temp-path /tmp; echo status $?" if stress else ""
    (o / "init").write_text(SCRIPT.replace("STRESS", more))
    (o / "init").chmod(0o755)
    return subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=o, stdout=subprocess.PIPE, check=True).stdout


def qemu_nodes():
    args = []
    for n in range(NODES):
        cpus = f",cpus={2 * n}-{2 * n + 1}" if n < 2 else ""
        args += ["-object", f"memory-backend-ram,id=m{n},size={MEM}M", "-numa", f"node,nodeid={n}{cpus},memdev=m{n}"]
    for (a, b), value in DISTANCES.items():
        args += ["-numa", f"dist,src={a},dst={b},val={value}"]
    return args


def boot(kernel, initrd, limit, verbose):
    p = subprocess.Popen(["timeout", str(limit), "qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", f"{MEM * NODES}M",
                          "-smp", "4", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", *qemu_nodes(), "-kernel", kernel,
                          "-initrd", initrd, "-append", "console=ttyS0 loglevel=5 panic=-1"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = ""
    for line in p.stdout:
        line = line.decode(errors="replace").replace("\r", "")
        text += line
        if verbose:
            print("  " + line, end="", flush=True)
    p.wait()
    return text


CASES = {   # part of the script: what must be seen in its output
    "hardware": [r"available: 3 nodes \(0-2\)", r"node 0 cpus: 0 1\b", r"node 1 cpus: 2 3\b", r"node 2 cpus:\s*\n", r"node 2 size: 2[3-5]\d MB",
                 r"0:\s+10\s+21\s+40\s*\n\s*1:\s+21\s+10\s+31\s*\n\s*2:\s+40\s+31\s+10"],
    "show": [r"policy: default", r"membind: 0 1 2"],
    "membind": [r"^[1-9]\d*$"], "interleave": [r"^[1-9]\d*$"], "preferred": [r"^[1-9]\d*$"],
    "cpubind": [r"Cpus_allowed_list:\s+2-3"],
    "badnode": [r"status 1"],
    "onnode": [r"numa_hit [1-9]\d{3}"],
    "sysfs": [r"^0-2 0-1 0-2$", r"^10 21 40$", r"^2-3$", r"Node 2 MemTotal:\s+2\d{5} kB", r"Mems_allowed_list:\s+0-2", r"node0/cpu0\b.*node1/cpu2\b"],
    "numastat": [r"node0\s+node1\s+node2", r"numa_hit\s+\d+\s+\d+\s+\d+"],
    "kswapd": [r"^3$"],
    "full": [r"314572800", r"numa_foreign [1-9]"],
    "stress": [r"status 0"],
}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("kernel")
    ap.add_argument("--numactl", type=pathlib.Path)
    ap.add_argument("--stress", action="store_true")
    ap.add_argument("-v", action="store_true")
    a = ap.parse_args()
    subprocess.run(["make", "-s", "build/root.cpio"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as tmp:
        initrd = pathlib.Path(tmp) / "initrd"
        initrd.write_bytes((ROOT / "build/root.cpio").read_bytes() + overlay(a.numactl, a.stress, pathlib.Path(tmp)))
        text = boot(a.kernel, str(initrd), 900, a.v)
    parts = dict(m.groups() for m in re.finditer(r"^--begin (\w+)\n(.*?)(?=^--begin |\Z)", text, re.M | re.S))
    bad = 0
    for line in parts.get("numa", "").splitlines():
        if re.match(r"(ok|not ok|skip) ", line):
            print(line)
            bad += line.startswith("not")
    for name, patterns in CASES.items():
        if name not in parts and name == "stress":
            continue
        missing = [p for p in patterns if not re.search(p, parts.get(name, ""), re.M | re.S)]
        bad += bool(missing)
        print(f"not ok numa/{name}: no {missing[0]} in {parts.get(name, 'nothing')[-600:]!r}" if missing else f"ok numa/{name}")
    if re.search(r"BUG|WARNING|bad page|panic|KASAN", text) or "end" not in parts:
        print("not ok numa/guest: " + text[-2500:])
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
