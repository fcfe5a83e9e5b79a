#!/usr/bin/env python3
"""fuzz.py [--kernel X] [--images N] [--first N] [--seed N]: broken file systems: an error, never a crash.

Idea:   bytes of an image's metadata are overwritten at random, in half of the images with the checksums off (or most of it
        would end there).  A guest mounts each, reads all, writes, removes and unmounts; what it says does not matter, as long
        as it gets through and the kernel reports nothing but errors of ext.
"""
import argparse, os, pathlib, random, re, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import crash
from crash import ROOT, run

PER_GUEST = 12
REPORT = re.compile(r"(Kernel panic|kernel BUG|KASAN|UBSAN|LOCKDEP|WARNING|Oops|BUG:|=======).*")


FEATURES = "metadata_csum:^metadata_csum:^metadata_csum,^extent,^64bit"


def make_images(folder, src, features_of):
    """By default with and without checksums."""
    images = []
    for n, features in enumerate(features_of.split(":")):
        image = folder / f"base{n}.img"
        run(["truncate", "-s", "8M", image])
        run(["mke2fs", "-q", "-t", "ext4", "-b", "1024", "-O", features, "-d", src, "-F", image])
        run(["e2fsck", "-fyD", image])
        images.append(image)
    return images


def metadata_blocks(image):
    """Blocks that are not file data: tables, bitmaps, directories, extent nodes, the journal's begin."""
    text = run(["dumpe2fs", image]).stdout
    blocks = {1, 2}
    for a, b in re.findall(r"(?:bitmap|table) at (\d+)(?:-(\d+))?", text):
        blocks |= set(range(int(a), int(b or a) + 1)) if not b else set(range(int(a), int(a) + 16))
    for path in ("/", "/many", "/deep", "<8>"):
        blocks |= {int(b) for b in run(["debugfs", "-R", f"blocks {path}", image]).stdout.split() if b.isdigit()} \
            if path != "<8>" else {int(b) for b in run(["debugfs", "-R", "bmap <8> 0", image]).stdout.split() if b.isdigit()}
    return sorted(blocks)


def make_tree(src):
    (src / "many").mkdir(parents=True)
    for n in range(200):
        (src / "many" / f"some_long_file_name_number_{n}").write_text("x" * n)
    (src / "deep/a/b/c").mkdir(parents=True)
    with open(src / "deep/holes", "wb") as f:
        for n in range(40):
            f.seek(n * 9000)
            f.write(b"data")
    (src / "link").symlink_to("y" * 90)


def damage(data, blocks, rng):
    for _ in range(rng.choice([1, 2, 5, 20])):
        at = rng.choice(blocks) * 1024 + rng.randrange(1024)
        size = rng.choice([1, 1, 2, 4])
        data[at:at + size] = rng.choice([rng.randbytes(size), b"\xff" * size, bytes(size)])


WORK = """mount -t ext4 {dev} /m 2>/dev/null && {{
ls -lR /m; find /m -type f | head -300 | while read -r f; do head -c 100000 "$f"; done; readlink /m/link; df /m
for i in 1 2 3 4 5 6 7 8; do echo new > /m/new$i; echo more >> /m/deep/holes; mkdir /m/many/dir$i; mv /m/many/some_long_file_name_number_$i /m/moved$i; done
sync; rm -rf /m/many /m/deep; truncate -s 0 /m/moved1; umount /m
}} < /dev/null > /dev/null 2>&1
echo through {n}
"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    p.add_argument("--images", type=int, default=36)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--first", type=int, default=0, help="images before this one are made, but not tried")
    p.add_argument("--features", default=FEATURES, help="for mke2fs, of each kind of image: F,F:F:...")
    p.add_argument("--limit", type=int, default=400, help="seconds for a guest")
    a = p.parse_args()
    rng, failed = random.Random(a.seed), 0
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        make_tree(tmp / "src")
        cpio = tmp / "root.cpio"
        crash.make_root(tmp / "root", cpio)
        bases = [(bytearray(i.read_bytes()), metadata_blocks(i)) for i in make_images(tmp, tmp / "src", a.features)]
        for first in range(0, a.images, PER_GUEST):
            paths = []
            for n in range(min(PER_GUEST, a.images - first)):
                base, blocks = rng.choice(bases)
                data = bytearray(base)
                damage(data, blocks, rng)
                paths.append(tmp / f"bad{n}.img")
                paths[-1].write_bytes(data)
            if first + len(paths) <= a.first:
                continue
            made = [path.read_bytes() for path in paths]
            commands = "mkdir -p /m\n" + "".join(WORK.format(dev=f"/dev/vd{chr(97 + n)}", n=n) for n in range(len(paths)))
            text = crash.guest(a.kernel, cpio, commands, [f"file={q},cache=unsafe" for q in paths], a.limit, tmp).stdout
            through = len(re.findall(r"^through \d+", text, re.M))
            report = REPORT.search(text)
            ok = through == len(paths) and not report
            if not ok and os.environ.get("KEEP"):       # as they were before the guest wrote to them
                for n, data in enumerate(made):
                    (pathlib.Path(os.environ["KEEP"]) / f"bad{first + n}.img").write_bytes(data)
            failed += not crash.say(ok, f"fuzz/images-{first}-{first + len(paths) - 1}",
                                    f"{through} of {len(paths)}; {report[0] if report else ''}; {text[-3000:]}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
