#!/usr/bin/env python3
"""reclaim.py [--kernel X] [--cpus 2] [--only NAME,...] [--debian build/debian.img]: more memory wanted than there is, with disks to put it on.

Idea:   small guests.  `bigfile` writes and reads a file of more than twice the RAM on ext4; `partition` and `file` let
        tests/stress/swap.c fill three times the RAM with swap on a partition, or in a file on ext4 with 4 KiB and 1 KiB
        blocks.  `gcc` (with --debian IMAGE) compiles a C program with Debian's gcc, three files at once, in 64 MiB of RAM and
        256 MiB of swap.  Afterwards e2fsck must find nothing to mend.
"""
import argparse, os, pathlib, re, subprocess, sys, tempfile

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
PARTITION = "mkswap /dev/vdb > /dev/null; /tests/swap 300 3 /dev/vdb && echo ok partition"
FILE = """
mkdir -p /m; mount -t ext4 /dev/vda /m
dd if=/dev/zero of=/m/swapfile bs=1M count=140 2>/dev/null; chmod 600 /m/swapfile; mkswap /m/swapfile > /dev/null
/tests/swap 300 3 /m/swapfile && echo ok file
umount /m
"""
# name -> (commands, block size of ext4 on the first disk)
CASES = {"bigfile": (BIGFILE, 4096), "partition": (PARTITION, 4096), "file": (FILE, 4096), "file-1k": (FILE, 1024)}


def one(name, kernel, cpus, cpio, tmp, limit):
    commands, block = CASES[name]
    fs, swap = os.path.join(tmp, "fs.img"), os.path.join(tmp, "swap.img")
    for image in (fs, swap):
        pathlib.Path(image).unlink(missing_ok=True)
        run(["truncate", "-s", "200M", image])
    run(["mke2fs", "-q", "-t", "ext4", "-b", str(block), "-F", fs])
    r = crash.guest(kernel, cpio, commands + "\ndmesg | grep -E 'ext: |jbd: |Out of memory|WARNING|BUG|=====' | head -20\n",
                    [f"file={fs},cache=unsafe", f"file={swap},cache=unsafe"], limit, tmp, mem="64M", cpus=cpus)
    ok = re.search(rf"^ok {name.split('-')[0]}\r?$", r.stdout, re.M)
    yield ok, f"reclaim/{name}", r.stdout[-1500:]
    report = re.search(r"(Kernel panic|Out of memory|WARNING|BUG|=======|ext: .*error).*", r.stdout)
    yield not report, f"reclaim/{name}/no-reports", report[0] if report else ""
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
        r = run(["gcc", "-O2", "-Wall", "-static", "-pthread", "-o", f"{root}/tests/swap", ROOT / "tests/stress/swap.c"])
        if r.returncode:
            sys.exit(r.stdout)
        crash.make_root(root, cpio)
        for name in a.only.split(","):
            for case in one(name, a.kernel, a.cpus, cpio, tmp, a.limit):
                total += 1
                failed += not crash.say(*case)
    print(f"reclaim: {total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
