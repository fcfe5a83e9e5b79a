#!/usr/bin/env python3
"""model.py [--kernel X] [--operations N] [--seed N] [--types ext4:4096,tmpfs,...] [--limit S]: the record of fsops.c on each file system.

What:   three files at a time, N operations in all, each compared with its model in memory; then e2fsck where there is a disk.
        A type may carry mount options: ext4:4096:data=journal, or features for mke2fs: ext4:4096::inline_data.
See:    fsops.c; ext.py runs the same for a moment in `make test`
"""
import argparse, os, pathlib, re, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import crash
from crash import ROOT, run

MOUNT = {
    "tmpfs": "mount -t tmpfs tmpfs /m",
    "overlay": "mount -t tmpfs tmpfs /mnt; cd /mnt; mkdir low up work; for i in 1 2 3; do echo low > low/f$i; done; "
               "mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work /m; cd /",
}


def one(kernel, cpio, spec, operations, seed, limit, tmp):
    kind, bs, options, features = (spec.split(":") + ["", "", ""])[:4]
    image = os.path.join(tmp, "fs.img")
    mount = MOUNT.get(kind, f"mount -t {kind} -o {options or 'rw'} /dev/vda /m")
    drives = []
    if bs:
        run(["rm", "-f", image])
        run(["truncate", "-s", "96M", image])
        r = run(["mke2fs", "-q", "-t", kind, "-b", bs, *(["-O", features] if features else []), "-F", image])
        if r.returncode:
            return False, r.stdout
        drives = [f"file={image},cache=unsafe"]
    r = crash.guest(kernel, cpio, f"""mkdir -p /m; {mount}
for i in 1 2 3; do (/tests/fsops /m/f$i $(({seed} + i)) {operations // 3 + 1} && echo agreed $i) & done; wait
dmesg | grep -E 'WARNING|BUG|=====|error' | head; umount /m && echo unmounted""", drives, limit, tmp)
    ok = set(re.findall(r"^agreed (\d)|^(unmounted)", r.stdout, re.M)) == {("1", ""), ("2", ""), ("3", ""), ("", "unmounted")}
    bad = [word for word in ("WARNING", "BUG", "=====", "error") if word in r.stdout]
    fsck = run(["e2fsck", "-fn", image]) if bs else None
    return ok and not bad and not (fsck and fsck.returncode), r.stdout[-1500:] + (fsck.stdout[:500] if fsck else "")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    p.add_argument("--operations", type=int, default=1_000_000)
    p.add_argument("--seed", type=int, default=0, help="another one, other operations: a record can be made in parts")
    p.add_argument("--limit", type=int, default=7200)
    p.add_argument("--types", default="ext4:4096,ext2:1024,ext2:4096,tmpfs,overlay")
    a = p.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        cpio = os.path.join(tmp, "root.cpio")
        crash.make_root(os.path.join(tmp, "root"), cpio)
        for spec in a.types.split(","):
            ok, why = one(a.kernel, cpio, spec, a.operations, a.seed, a.limit, tmp)
            failed += not crash.say(ok, f"model/{spec}", why)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
