#!/usr/bin/env python3
"""reclaim.py [--kernel X] [--cpus 2] [--only NAME,...] [--debian build/debian.img]: more memory wanted than there is, with disks to put it on.

Idea:   small guests.  `bigfile` writes and reads a file of more than twice the RAM on ext4; `partition` and `file` let
        tests/stress/swap.c fill three times the RAM with swap on a partition, or in a file on ext4 with 4 KiB and 1 KiB
        blocks.  `swapoff`: 200 processes fork, end and fault against a model while the partition goes on and off.  `oom`: all
        memory is taken again and again, and the shell that asked has its variables, its files in /tmp and on the disk after it.
        `stressng` (only when named): Debian's stress-ng, what it has for memory, with swap.  `gcc` (with --debian IMAGE) compiles
        a C program with Debian's gcc, three files at once, in 64 MiB of RAM and 256 MiB of swap.  Afterwards e2fsck must find
        nothing to mend.
"""
import argparse, os, pathlib, re, shutil, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import crash
from crash import ROOT, run

BIGFILE = """
mkdir -p /m; mount -t ext4 /dev/vda /m
i=0; while [ $i -lt 150 ]; do dd if=/dev/urandom bs=64k count=16 2>/dev/null | tee -a /m/big; i=$((i + 1)); done | md5sum > /sum
want=$(cut -d' ' -f1 /sum); have=$(md5sum < /m/big | cut -d' ' -f1)
[ "$want" = "$have" ] && echo "ok bigfile" || echo "not ok bigfile: $have, not $want"
umount /m
"""
# The partition is the second disk, whole.
PARTITION = "mkswap /dev/vdb > /dev/null; /tests/swap 430 3 /dev/vdb && echo ok partition"
FILE = """
mkdir -p /m; mount -t ext4 /dev/vda /m
dd if=/dev/zero of=/m/swapfile bs=1M count=340 2>/dev/null; chmod 600 /m/swapfile; mkswap /m/swapfile > /dev/null
echo 3 > /proc/sys/vm/drop_caches; /tests/swap 430 3 /m/swapfile && echo ok file
umount /m
"""
SWAPOFF = "mkswap /dev/vdb > /dev/null; /tests/swapcow 200 300 /dev/vdb && echo ok swapoff"
# Eaters of memory, round after round; what the shell holds must outlive them all.
OOM = """
mkdir -p /m; mount -t ext4 /dev/vda /m; mkswap /dev/vdb > /dev/null; swapon /dev/vdb
dd if=/dev/urandom of=/m/data bs=64k count=64 2>/dev/null; dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null
want="$(md5sum /m/data /tmp/data)"; n=0
( while :; do cat /m/data > /m/copy; sync; done ) & writer=$!
while [ $n -lt %d ]; do /tests/oom 10 || break; n=$((n + 1)); done
kill $writer; wait $writer 2>/dev/null
swapoff /dev/vdb || n=-1
echo 3 > /proc/sys/vm/drop_caches
[ "$want" = "$(md5sum /m/data /tmp/data)" ] && [ $n = %d ] && echo ok oom || echo "not ok oom: $n rounds"
grep -E '^(oom_kill|pswpout) ' /proc/vmstat
umount /m
"""
# How each is called; %: of the memory that is free then.
STRESSORS = ["vm 2 --vm-bytes 120%", "swap 2", "bigheap 2", "brk 2", "stack 2", "mmapfork 2", "oom-pipe 2", "numa 2", "shm 2", "malloc 2"]
STRESSNG = """
mkdir -p /m; mount -t ext4 /dev/vda /m; mkswap /dev/vdb > /dev/null; swapon /dev/vdb
%s
umount /m 2>/dev/null; dmesg | grep -c 'Out of memory'
""" % "".join(f"stress-ng --pathological --temp-path /m --verify -t 30 --{s} > /tmp/out 2>&1; st=$?; echo stress-ng {s.split()[0]}: status $st, "
              f"$(grep -E '^pswpout' /proc/vmstat); [ $st = 0 ] || {{ bad=1; tail -n 5 /tmp/out; }}\n" for s in STRESSORS)
STRESSNG += '[ -z "$bad" ] && echo ok stressng\n'


class Case:
    """`block`: of ext4 on the first disk; `report`: what must not be in the log."""
    def __init__(self, commands, block=4096, mem="64M", report=r"Kernel panic|Out of memory|WARNING|BUG|=======|ext: .*error", limit=1):
        self.commands, self.block, self.mem, self.report, self.limit = commands, block, mem, report, limit


KILLS = r"Kernel panic|WARNING|BUG|=======|ext: .*error"         # here the OOM killer has work
CASES = {"bigfile": Case(BIGFILE), "partition": Case(PARTITION), "file": Case(FILE), "file-1k": Case(FILE, 1024),
         "swapoff": Case(SWAPOFF, mem="192M"), "oom": Case(OOM % (6, 6), report=KILLS)}
LONG = {"oom-long": Case(OOM % (60, 60), report=KILLS, limit=10), "stressng": Case(STRESSNG, mem="160M", report=KILLS, limit=6)}


def one(name, kernel, cpus, cpio, tmp, limit):
    case = {**CASES, **LONG}[name]
    fs, swap = os.path.join(tmp, "fs.img"), os.path.join(tmp, "swap.img")
    for image in (fs, swap):
        pathlib.Path(image).unlink(missing_ok=True)
        run(["truncate", "-s", "400M", image])
    run(["mke2fs", "-q", "-t", "ext4", "-b", str(case.block), "-F", fs])
    r = crash.guest(kernel, cpio, case.commands + "\ndmesg | grep -E 'ext: |jbd: |Out of memory|WARNING|BUG|=====' | head -20\n",
                    [f"file={fs},cache=unsafe", f"file={swap},cache=unsafe"], limit * case.limit, tmp, mem=case.mem, cpus=cpus)
    ok = re.search(rf"^ok {name.split('-')[0]}\r?$", r.stdout, re.M)
    yield ok, f"reclaim/{name}", r.stdout[-1500:]
    report = re.search(rf"({case.report}).*", r.stdout)
    yield not report, f"reclaim/{name}/no-reports", report[0] if report else ""
    for line in re.findall(r"^(?:\d+ MiB|pswp\S+|oom_kill|oom:|swapcow:|stress-ng \S+:).*$", r.stdout, re.M):
        print("#", line.strip())
    r = run(["e2fsck", "-fn", fs])
    yield r.returncode == 0, f"reclaim/{name}/e2fsck", " | ".join(r.stdout.splitlines()[1:8])

# A script for the image's /sbin/weft-cmd.  A large table costs the compiler 50 MB, and little time.
GCC = r'''#weft-cmd
mkswap /dev/vdc >/dev/null; swapon /dev/vdc; mkdir -p /root/prog; cd /root/prog
for f in 1 2 3; do
	{ echo "static const int t[] = {"; seq -s, ${f}000 140000; echo "};"
	echo "int sum$f(int x) { int s = 0; for (unsigned i = 0; i < sizeof(t) / 4; i += x) s = s * 31 + t[i]; return s; }"; } >f$f.c
done
echo '#include <stdio.h>
int sum1(int), sum2(int), sum3(int);
int main(void) { printf("sums %d %d %d\n", sum1(9), sum2(9), sum3(9)); return 0; }' >main.c
for f in 1 2 3; do gcc -O2 -c f$f.c & done; wait
gcc -o prog main.c f1.o f2.o f3.o && ./prog
grep -E 'pswp|oom_kill|refault' /proc/vmstat
'''


# The host's own gcc knows what the program should print.
def expected_sums(tmp):
    shell = GCC.split("\n", 2)[2].split("for f in 1 2 3; do gcc")[0]
    r = run(["bash", "-c", f"cd {tmp}; {shell} gcc -O1 -w -o prog main.c f1.c f2.c f3.c && ./prog"])
    return r.stdout.splitlines()[-1]


def gcc(image, kernel, cpus, tmp, limit):
    copy, cmd, swap = (os.path.join(tmp, n) for n in ("debian.img", "cmd.img", "swap256.img"))
    run(["cp", "--sparse=always", image, copy])
    pathlib.Path(cmd).write_bytes(GCC.encode() + bytes(-len(GCC) % 4096))
    run(["truncate", "-s", "256M", swap])
    args = ["timeout", str(limit), "qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "64M", "-smp", str(cpus),
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", str(kernel),
            "-append", "console=ttyS0 loglevel=5 panic=-1 root=/dev/vda rw init=/sbin/weft-cmd"]
    for n, path in enumerate((copy, cmd, swap)):
        args += ["-drive", f"file={path},if=none,id=d{n},format=raw,cache=unsafe", "-device", f"virtio-blk-pci,drive=d{n}"]
    text = run(args, stdin=subprocess.DEVNULL, errors="replace").stdout.replace("\r", "")
    want = expected_sums(tmp)
    yield want in text.splitlines(), "reclaim/gcc", f"wanted {want!r}: {text[-1500:]}"
    out = re.search(r"^pswpout (\d+)$", text, re.M)
    yield out and int(out[1]) > 1000, "reclaim/gcc/swapped", out[0] if out else "no count"
    report = re.search(r"(Kernel panic|Out of memory|WARNING|BUG|=======|ext: .*error).*", text)
    yield not report, "reclaim/gcc/no-reports", report[0] if report else ""
    print("#", " ".join(re.findall(r"^(?:pswp|oom|workingset)\S* \d+$", text, re.M)))
    r = run(["e2fsck", "-fn", copy])
    yield r.returncode == 0, "reclaim/gcc/e2fsck", " | ".join(r.stdout.splitlines()[1:8])


def with_libraries(root, name):
    """A program of the host, and the shared objects it wants."""
    prog = shutil.which(name) or sys.exit(f"{name} is not installed (tools/deps.sh test)")
    for f in [prog, *re.findall(r"(/\S+) \(0x", run(["ldd", prog]).stdout)]:
        to = pathlib.Path(root + f)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(f), to)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    p.add_argument("--cpus", type=int, default=2)
    p.add_argument("--limit", type=int, default=300)
    p.add_argument("--only", default=",".join(CASES))
    p.add_argument("--debian", help="the disk of make run IMAGE=debian: only its case")
    a = p.parse_args()
    failed = total = 0
    with tempfile.TemporaryDirectory() as tmp:
        if a.debian:
            results = [crash.say(*case) for case in gcc(a.debian, a.kernel, a.cpus, tmp, a.limit)]
            print(f"reclaim: {sum(results)} passed, {len(results) - sum(results)} failed")
            sys.exit(not all(results))
        cpio = os.path.join(tmp, "root.cpio")
        root = os.path.join(tmp, "root")
        os.makedirs(f"{root}/tests")
        for prog in ("swap", "swapcow", "oom"):
            r = run(["gcc", "-O2", "-Wall", "-static", "-pthread", "-o", f"{root}/tests/{prog}", ROOT / f"tests/stress/{prog}.c"])
            if r.returncode:
                sys.exit(r.stdout)
        names = a.only.split(",")
        if "stressng" in names:
            with_libraries(root, "stress-ng")
        crash.make_root(root, cpio)
        for name in names:
            for case in one(name, a.kernel, a.cpus, cpio, tmp, a.limit):
                total += 1
                failed += not crash.say(*case)
    print(f"reclaim: {total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
