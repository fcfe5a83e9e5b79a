#!/usr/bin/env python3
"""ext.py [--kernel X] [--operations N] [--types ext4:4096,...]: ext2, ext3 and ext4 beside the host's e2fsprogs.

A type may carry options of mount and features for mke2fs: ext3:4096:data=journal, ext4:1024::inline_data.
Idea:   mke2fs makes a file system from a tree of files; a guest reads it, works on it (ext.sh) and unmounts it; then e2fsck
        must find nothing to mend, and debugfs must see the files that the guest left.
"""
import argparse, hashlib, os, pathlib, random, re, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import crash
from crash import ROOT, run

TYPES = "ext4:4096,ext4:1024::inline_data,ext3:4096:data=journal,ext3:1024,ext2:4096,ext2:1024"


def make_tree(folder):
    rng = random.Random(5)
    tree = folder / "tree"
    for n in range(120):
        path = tree / f"dir{n % 7}" / f"sub{n % 3}" / f"file{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.choice([0, 1, 59, 1000, 4096, 5000, 70000])))
    (tree / "random").write_bytes(rng.randbytes(3_000_000))
    with open(tree / "sparse", "wb") as f:
        f.seek(10_000_000)
        f.write(b"end")
    text = "t" * 100
    (folder / "long").symlink_to(text)
    (folder / "long.text").write_text(text)
    sums = "".join(f"{hashlib.md5(p.read_bytes()).hexdigest()}  {p.relative_to(folder)}\n"
                   for p in sorted(tree.rglob("*")) if p.is_file())
    (folder / "sums").write_text(sums)


def holds(path, want):
    """debugfs writes 60 bytes of a smaller file whose data lie in the inode."""
    data = path.read_bytes()
    return data == want or (len(want) < 60 and data == want.ljust(60, b"\0"))


def look_from_host(image, src, tmp):
    """Yields (ok, name, why)."""
    r = run(["e2fsck", "-fn", image])
    yield r.returncode == 0, "e2fsck", " | ".join(r.stdout.splitlines()[1:8])
    out = pathlib.Path(tempfile.mkdtemp(dir=tmp))
    run(["debugfs", "-R", f"rdump / {out}", image])
    bad = [str(p) for p in sorted((src / "tree").rglob("*")) if p.is_file()
           and not holds(out / p.relative_to(src), p.read_bytes())]
    yield not bad, "tree-unchanged", " ".join(bad[:5])
    moved = out / "many/moved"
    want = (src / "tree/random").read_bytes()[:12345]
    yield (moved / "random").exists() and (moved / "random").read_bytes() == want, "copy-truncated", "many/moved/random"
    bad = [str(p) for p in sorted((src / "tree").rglob("*")) if p.is_file() and p.name != "random"
           and not holds(moved / p.relative_to(src / "tree"), p.read_bytes())]
    yield not bad, "copy", " ".join(bad[:5])


def one(kernel, cpio, spec, operations, src, tmp, limit):
    fs_type, bs, options, features = (spec.split(":") + ["", ""])[:4]
    name = "ext/" + "-".join(filter(None, (fs_type, bs, options, features)))
    image = os.path.join(tmp, "fs.img")
    if os.path.exists(image):
        os.unlink(image)
    run(["truncate", "-s", "96M", image])
    r = run(["mke2fs", "-q", "-t", fs_type, "-b", bs, *(["-O", features] if features else []), "-d", src, "-F", image])
    if r.returncode:
        yield False, f"{name}/mke2fs", r.stdout
        return
    r = crash.guest(kernel, cpio, f"sh /tests/ext.sh {fs_type} {operations} {options}; dmesg | grep -E 'ext: |jbd: |WARNING|BUG|=====' | head -20",
                    [f"file={image},cache=unsafe,discard=unmap"], limit, tmp)
    cases = re.findall(r"^(ok|not ok) (ext/\S+?)(?:: (.*))?\r?$", r.stdout, re.M)
    for ok, case, why in cases:
        yield ok == "ok", f"{name}/{case[4:]}", why + r.stdout[-800:] if ok != "ok" else ""
    yield len(cases) == 15, f"{name}/all-cases", f"{len(cases)} cases: {r.stdout[-1500:]}"
    report = re.search(r"(Kernel panic|WARNING|BUG|=======|ext: .*error).*", r.stdout)
    yield not report, f"{name}/no-reports", report[0] if report else ""
    for ok, case, why in look_from_host(image, src, tmp):
        yield ok, f"{name}/host-{case}", why


def little_memory(kernel, cpio, tmp, limit):
    """A guest of 64 MiB copies a file of 96 MiB; after that it fills the disk."""
    src, image, out = pathlib.Path(tmp) / "big", os.path.join(tmp, "big.img"), os.path.join(tmp, "copy")
    src.mkdir()
    data = random.Random(6).randbytes(96 << 20)
    (src / "big").write_bytes(data)
    run(["truncate", "-s", "256M", image])
    run(["mke2fs", "-q", "-t", "ext4", "-d", src, "-F", image])
    r = crash.guest(kernel, cpio, """mount -t ext4 /dev/vda /mnt; cd /mnt; echo "avail $(df -k . | awk 'END{print $4}')"
cp big copy && echo copied; cmp big copy && echo same
dd if=/dev/zero of=full bs=64k 2>&1; rm full; sync; echo "avail $(df -k . | awk 'END{print $4}')"
cd /; umount /mnt && echo unmounted""", [f"file={image},cache=unsafe"], limit, tmp, mem="64M")
    yield "\nsame" in r.stdout, "copy-larger-than-memory", r.stdout[-1500:]
    yield "No space left" in r.stdout, "full", r.stdout[-1500:]
    avail = [int(n) for n in re.findall(r"^avail (\d+)", r.stdout, re.M)]
    yield len(avail) == 2 and avail[0] - avail[1] in range(96 << 10, 97 << 10), "room-again", str(avail)
    report = re.search(r"(Kernel panic|WARNING|BUG|=======|ext: .*error|memory).*", r.stdout)
    yield "\nunmounted" in r.stdout and not report, "no-reports", r.stdout[-1500:]
    r = run(["e2fsck", "-fn", image])
    yield r.returncode == 0, "e2fsck", r.stdout[:500]
    run(["debugfs", "-R", f"dump copy {out}", image])
    yield os.path.exists(out) and pathlib.Path(out).read_bytes() == data, "host-copy", "contents differ"


def orphan_file(kernel, cpio, tmp, limit):
    """What a Linux that was cut off has left in its orphan file: an inode without a name, and one that was being shortened."""
    image, big = os.path.join(tmp, "orphans.img"), os.path.join(tmp, "orphan.data")
    pathlib.Path(big).write_bytes(b"o" * 300_000)
    run(["truncate", "-s", "16M", image])
    run(["mke2fs", "-q", "-t", "ext4", "-b", "1024", "-O", "orphan_file,^metadata_csum", "-F", image])
    for command in (f"write {big} gone", f"write {big} shorter"):
        run(["debugfs", "-w", "-R", command, image])
    inode = [int(re.search(r"Inode: (\d+)", run(["debugfs", "-R", f"stat {name}", image]).stdout)[1]) for name in ("gone", "shorter")]
    for command in ("unlink gone", f"sif <{inode[0]}> links_count 0", f"sif <{inode[1]}> size 5000"):
        run(["debugfs", "-w", "-R", command, image])
    orphans = re.search(r"Orphan file inode:\s+(\d+)", run(["dumpe2fs", "-h", image]).stdout)[1]
    block = int(re.search(r"^(\d+)", run(["debugfs", "-R", f"blocks <{orphans}>", image]).stdout, re.M)[1])
    with open(image, "r+b") as f:
        f.seek(block * 1024 + 8)
        f.write(b"".join(n.to_bytes(4, "little") for n in inode))
        f.seek(1024 + 0x64)
        features = int.from_bytes(f.read(4), "little") | 0x10000
        f.seek(1024 + 0x64)
        f.write(features.to_bytes(4, "little"))
    yield run(["e2fsck", "-fn", image]).returncode != 0, "left-by-linux", "e2fsck sees nothing to clean up"
    r = crash.guest(kernel, cpio, "mount -t ext4 /dev/vda /mnt && ls -l /mnt/shorter && umount /mnt && echo unmounted; dmesg | grep ext:",
                    [f"file={image},cache=unsafe"], limit, tmp)
    yield "cleaned up 2 orphan" in r.stdout and "unmounted" in r.stdout, "cleaned", r.stdout[-800:]
    r = run(["e2fsck", "-fn", image])
    yield r.returncode == 0, "e2fsck", r.stdout[:800]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    p.add_argument("--operations", type=int, default=1500)
    p.add_argument("--limit", type=int, default=500)
    p.add_argument("--types", default=TYPES)
    a = p.parse_args()
    failed = total = 0
    with tempfile.TemporaryDirectory() as tmp:
        src, cpio = pathlib.Path(tmp) / "src", os.path.join(tmp, "root.cpio")
        src.mkdir()
        make_tree(src)
        crash.make_root(os.path.join(tmp, "root"), cpio)
        for spec in a.types.split(","):
            for case in one(a.kernel, cpio, spec, a.operations, src, tmp, a.limit):
                total += 1
                failed += not crash.say(*case)
        for ok, case, why in little_memory(a.kernel, cpio, tmp, a.limit):
            total += 1
            failed += not crash.say(ok, f"ext/64M/{case}", why)
        for ok, case, why in orphan_file(a.kernel, cpio, tmp, a.limit):
            total += 1
            failed += not crash.say(ok, f"ext/orphan-file/{case}", why)
    print(f"ext: {total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
