#!/usr/bin/env python3
"""reclaim.py [--kernel X] [--cpus 2] [--only NAME,...]: more memory wanted than there is, with disks to put it on.

Idea:   small guests.  `bigfile` writes and reads a file of more than twice the RAM on ext4; `partition` and `file` let
        tests/stress/swap.c fill three times the RAM with swap on a partition, or in a file on ext4 with 4 KiB and 1 KiB
        blocks.  Afterwards e2fsck must find nothing to mend.
"""
import argparse, os, pathlib, re, sys, tempfile

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


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    p.add_argument("--cpus", type=int, default=2)
    p.add_argument("--limit", type=int, default=300)
    p.add_argument("--only", default=",".join(CASES))
    a = p.parse_args()
    failed = total = 0
    with tempfile.TemporaryDirectory() as tmp:
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
