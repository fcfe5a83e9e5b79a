#!/usr/bin/env python3
"""crash.py [--kernel X] [--cuts N] [--seconds N] [--types ext4:4096,ext4:1024] [--seed N]: pulls the plug.

A type may carry options of mount and features for mke2fs: ext4:1024:data=journal, ext4:4096::inline_data.

Idea:   one guest works (crashwork.c) on a disk that records all writes and flushes (blkrec.py).  Each cut takes a random
        place in the record and makes the image that a loss of power there would have left: what was not flushed is there
        or not, block by block.  Each image is recovered twice: by e2fsck, and by Weft, which mounts and unmounts it.  Then
        e2fsck must find nothing to mend, and the files must be what crashwork's rules say.
"""
import argparse, os, pathlib, re, shutil, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
import blkrec

PER_GUEST = 10                          # disks that one guest recovers


def run(cmd, **kw):
    return subprocess.run(cmd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)


# ---- what has to be there ----

def record(kind, n, value):
    size = 16 + (value * 2654435761 % (1 << 32) >> 7) % 9000
    letters = b"abcdefghijklmnopqrstuvwxyz"
    start = value % 26
    body = (letters * (size // 26 + 3))[start:start + size]
    return b"%s %d %d %d\n" % (kind.encode(), n, value, size) + body


def promises(marks):
    """The marks that were written -> what was acknowledged."""
    a, r, u, o = {}, {}, {}, {}
    sectors = {d[at:at + 512].split(b"\n")[0].decode(errors="replace") for d in marks for at in range(0, len(d), 512)}
    for mark in sorted((s.split() for s in sectors if s.startswith("MARK")), key=lambda m: int(m[1])):
        kind, n, value = mark[2], int(mark[3]), int(mark[4])
        if kind == "a":
            a[n] = value
        elif kind == "o":
            o[n] = value
        elif kind == "r":
            r[n] = value
        elif kind == "m":
            u.pop(n, None)
        elif kind == "u":
            u[n] = value
    return a, r, u, o


def faults(folder, marks):
    """What crashwork's rules do not allow, as text."""
    a, r, u, o = promises(marks)
    for kind, n, count in [("a", *i) for i in a.items()] + [("o", *i) for i in o.items()]:
        want = b"".join(record(kind, n, i) for i in range(count))
        path = folder / f"{kind}{n}"
        if not path.exists() or path.read_bytes()[:len(want)] != want:
            yield f"{kind}{n}: {count} records were acknowledged, and are not all there"
    for n in range(4):
        path = folder / f"r{n}"
        if not path.exists():
            if n in r:
                yield f"r{n} is gone; version {r[n]} was acknowledged"
            continue
        data = path.read_bytes()
        head = re.match(rb"r (\d+) (\d+) \d+\n", data)
        if not head or record("r", n, int(head[2])) != data:
            yield f"r{n} is not one whole version"
        elif int(head[2]) < r.get(n, 0):
            yield f"r{n} is version {int(head[2])}; {r[n]} was acknowledged"
    for n, there in u.items():
        if (folder / f"u{n}").exists() != bool(there):
            yield f"u{n} is {'gone' if there else 'there'}"


def check(image, marks, tmp):
    """After recovery: a clean file system that keeps its promises."""
    r = run(["e2fsck", "-fn", image])
    if r.returncode:
        yield "e2fsck: " + " | ".join(r.stdout.splitlines()[1:6])
    out = pathlib.Path(tempfile.mkdtemp(dir=tmp))
    run(["debugfs", "-R", f"rdump / {out}", image])
    yield from faults(out, marks)
    shutil.rmtree(out)


# ---- guests ----

def guest(kernel, cpio, commands, drives, limit, tmp, mem="256M", cpus=2, more=()):
    o = pathlib.Path(tempfile.mkdtemp(dir=tmp))
    (o / "init").write_text("#!/bin/sh\nexport PATH=/bin:/sbin:/usr/bin:/usr/sbin\n. /etc/rcS\n" + commands + "\npoweroff -f\n")
    (o / "init").chmod(0o755)
    over = subprocess.run(f"cd {o} && find . | cpio -o -H newc -R 0:0 --quiet", shell=True, stdout=subprocess.PIPE).stdout
    initrd = pathlib.Path(tmp) / "initrd"
    initrd.write_bytes(pathlib.Path(cpio).read_bytes() + over)
    args = ["timeout", str(limit), "qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", mem, "-smp", str(cpus),
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", "console=ttyS0 quiet panic=-1", *more]
    for n, drive in enumerate(drives):
        args += ["-drive", f"{drive},if=none,id=d{n},format=raw", "-device", f"virtio-blk-pci,drive=d{n}"]
    return run(args, stdin=subprocess.DEVNULL, errors="replace")


def work(kernel, cpio, image, options, seconds, seed, tmp):
    """The record of a guest that worked for so long, and was then cut off."""
    sock = os.path.join(tmp, "nbd")
    rec = blkrec.Recorder(sock, {"fs": pathlib.Path(image).read_bytes(), "marks": bytes(1 << 20)})
    r = guest(kernel, cpio, f"mkdir -p /m; mount -t ext4 -o {options or 'rw'} /dev/vda /m && /tests/crashwork /m /dev/vdb {seconds} {seed} {options}\n"
              "reboot -f",
              [f"file=nbd+unix:///{n}?socket={sock}" for n in ("fs", "marks")], seconds * 4 + 120, tmp)
    rec.close()
    os.unlink(sock)
    return rec, r.stdout


def recover_in_weft(kernel, cpio, images, tmp):
    commands = "mkdir -p /m\n"
    for n in range(len(images)):
        dev = f"/dev/vd{chr(97 + n)}"
        commands += f"mount -t ext4 {dev} /m && ls -R /m > /dev/null && umount /m && echo recovered {n}\n"
    r = guest(kernel, cpio, commands, [f"file={i},cache=unsafe" for i in images], 300, tmp)
    return {int(n) for n in re.findall(r"^recovered (\d+)", r.stdout, re.M)}, r.stdout


def cut(kernel, cpio, spec, cuts, seconds, seed):
    """Yields (ok, name, why)."""
    fs_type, bs, options, features = (spec.split(":") + ["", ""])[:4]
    kind = "-".join(filter(None, (fs_type, bs, options, features)))
    with tempfile.TemporaryDirectory() as tmp:
        image = os.path.join(tmp, "fs.img")
        run(["truncate", "-s", "64M", image])
        run(["mke2fs", "-q", "-t", fs_type, "-b", bs, *(["-O", features] if features else []), "-F", image])
        rec, text = work(kernel, cpio, image, options, seconds, seed, tmp)
        marks = len([e for e in rec.record if e[1] == "marks" and e[0] == "w"])
        yield marks > 20, f"crash/{kind}/work", f"{marks} marks: {text[-1500:]}"
        rng = blkrec.random_of(seed)
        places = [rng.randrange(1, len(rec.record)) for _ in range(cuts)]
        for first in range(0, cuts, PER_GUEST):
            some, images = places[first:first + PER_GUEST], []
            for n, upto in enumerate(some):
                images.append(os.path.join(tmp, f"cut{n}.img"))
                pathlib.Path(images[-1]).write_bytes(rec.image("fs", upto, rng))
                mine = os.path.join(tmp, "host.img")
                shutil.copy(images[-1], mine)
                run(["e2fsck", "-fy", mine])
                bad = list(check(mine, rec.writes("marks", upto), tmp))
                yield not bad, f"crash/{kind}/cut-{upto}-e2fsck", "; ".join(bad)
            done, text = recover_in_weft(kernel, cpio, images, tmp)
            for n, upto in enumerate(some):
                bad = list(check(images[n], rec.writes("marks", upto), tmp)) if n in done else ["not mounted: " + text[-1500:]]
                if bad and os.environ.get("KEEP"):
                    shutil.copy(images[n], os.environ["KEEP"])
                yield not bad, f"crash/{kind}/cut-{upto}-weft", "; ".join(bad)


def make_root(folder, cpio):
    folder = pathlib.Path(folder)
    (folder / "tests").mkdir(parents=True, exist_ok=True)
    for prog in ("crashwork", "fsops", "acl", "extras", "direct", "lookups"):
        r = run(["gcc", "-O2", "-Wall", "-static", "-o", folder / "tests" / prog, HERE / f"{prog}.c"])
        if r.returncode:
            sys.exit(r.stdout)
    shutil.copy(HERE / "ext.sh", folder / "tests")
    run([ROOT / "tools/mkroot.sh", cpio, folder])


def say(ok, name, why):
    """One case, on one line."""
    print(("ok " if ok else "not ok ") + name + ("" if ok else ": " + " | ".join(why.splitlines())), flush=True)
    return bool(ok)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    p.add_argument("--cuts", type=int, default=20)
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--types", default="ext4:4096,ext4:1024")
    a = p.parse_args()
    failed = total = 0
    with tempfile.TemporaryDirectory() as tmp:
        cpio = os.path.join(tmp, "root.cpio")
        make_root(os.path.join(tmp, "root"), cpio)
        for spec in a.types.split(","):
            for case in cut(a.kernel, cpio, spec, a.cuts, a.seconds, a.seed):
                total += 1
                failed += not say(*case)
    print(f"crash: {total - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
