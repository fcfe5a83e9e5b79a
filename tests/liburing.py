#!/usr/bin/env python3
"""liburing.py [--kernel K] [--only NAME,NAME] [--cpus N] [-v]: liburing's own tests in a guest.

What:   fetches the source of liburing 2.3 (Debian 12's) into $WEFT_CACHE, builds its tests, and runs each in one guest, on an
        ext4 disk.  A line a case: "ok liburing/NAME", "skip liburing/NAME: why", "not ok liburing/NAME: what it said".
Idea:   a test that cannot pass yet stands in ABSENT with the reason, and counts as skipped; when it passes all the same, that
        is a failure of the list.  What a test skips by itself (status 77) is skipped.
See:    doc/io_uring.md; `make test-liburing`
"""
import argparse, hashlib, os, pathlib, shutil, subprocess, sys, urllib.request

import run

URL = "http://deb.debian.org/debian/pool/main/libu/liburing/liburing_2.3.orig.tar.gz"
SHA256 = "2eac26f880125d83f75ba8641fde5d88226dd352d3cee95d45a9128758a8f1be"
CACHE = pathlib.Path(os.environ.get("WEFT_CACHE", pathlib.Path.home() / ".cache/weft"))
SOURCE = run.ROOT / "build" / "liburing" / "liburing-2.3"
LIMIT = 300             # seconds for a test: emulated, on a busy machine
ABSENT_LIMIT = 30       # ... that fails, and may wait for ever for a connection

INET, ATTACH = "AF_INET", "IORING_SETUP_ATTACH_WQ"
ABSENT = {
    **dict.fromkeys("232c93d07b74 accept accept-link accept-reuse connect files-exit-hang-poll files-exit-hang-timeout poll-link "
                    "recv-msgall recv-msgall-stream recv-multishot ring-leak2 send-zerocopy send_recv send_recvmsg shutdown "
                    "socket socket-rw socket-rw-eagain socket-rw-offset".split(), INET),
    **dict.fromkeys("sq-poll-dup sq-poll-share".split(), ATTACH),
    "io-cancel": "the timeouts of a process that has gone live on until they fire",
    "thread-exit": "a thread that exits cancels what its workers have to do, writes to regular files too",
    "pollfree": "5,000 processes with four threads each: more than five minutes when emulated",
}


def fetch():
    """The tarball, whole, in the cache."""
    to = CACHE / URL.rsplit("/", 1)[1]
    if not to.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(URL, timeout=120) as answer:
            data = answer.read()
        part = to.with_suffix(".part")
        part.write_bytes(data)
        part.rename(to)
    if hashlib.sha256(to.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{to} is not what was expected")
    return to


def build():
    """The names of the tests, which are built."""
    if not (SOURCE / "built").exists():
        shutil.rmtree(SOURCE.parent, ignore_errors=True)
        SOURCE.parent.mkdir(parents=True)
        subprocess.run(["tar", "xzf", fetch(), "-C", SOURCE.parent], check=True)
        for cmd in (["./configure"], ["make", "-s", "-j2", "-C", "src"], ["make", "-s", "-j2", "-C", "test"]):
            r = subprocess.run(cmd, cwd=SOURCE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if r.returncode:
                sys.exit(r.stdout[-3000:])
        (SOURCE / "built").touch()
    return sorted(p.stem for p in (SOURCE / "test").glob("*.t"))


def make_root(names):
    d = run.OUT / "liburing-root"
    shutil.rmtree(d, ignore_errors=True)
    for name in names:
        run.copy_program(d, SOURCE / "test" / f"{name}.t", f"/liburing/{name}")
    cpio = run.OUT / "liburing.cpio"
    r = run.run(["tools/mkroot.sh", str(cpio), str(d)])
    return cpio if r.returncode == 0 else sys.exit(r.stdout)


def command(name):
    """The shell line that runs one test and prints its verdict."""
    why = ABSENT.get(name)
    good, bad = (f"not ok liburing/{name}: passes, but is listed: {why}", f"skip liburing/{name}: {why}") if why else (
        f"ok liburing/{name}", f"not ok liburing/{name}: status $st: $(tail -n 4 /tmp/out | tr '\\n' '|')")
    return (f"timeout -s KILL {ABSENT_LIMIT if why else LIMIT} /liburing/{name} >/tmp/out 2>&1 </dev/null; st=$?; "
            f"case $st in 0) echo {good};; 77) echo skip liburing/{name}: it says so itself;; *) echo \"{bad}\";; esac; rm -rf /mnt/*")


class Disk:
    """An empty ext4 disk, as boot_guest() wants its disks."""
    def copy_to(self, tmp):
        self.image = pathlib.Path(tmp) / "disk.img"
        with open(self.image, "wb") as f:
            f.truncate(512 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", self.image], check=True)

    def qemu_args(self):
        return ["-drive", f"file={self.image},if=none,id=d,format=raw", "-device", "virtio-blk-pci,drive=d"]

    def commands(self):
        return ["mount -t ext4 /dev/vda /mnt && cd /mnt"] + [command(name) for name in self.names]

    def kernel_args(self):
        return ""

    def check(self, text):
        return ()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--kernel", default="build/weft.elf")
    ap.add_argument("--only")
    ap.add_argument("--cpus", default="2")
    ap.add_argument("-v", action="store_true", help="show the guest's console")
    a = ap.parse_args()
    run.verbose = a.v
    run.OUT.mkdir(parents=True, exist_ok=True)
    disk = Disk()
    disk.names = [n for n in build() if not a.only or n in a.only.split(",")]
    run.boot_guest("liburing", a.kernel, make_root(disk.names), [], a.cpus, "1G", "pc", 3600, "", ["liburing"], disk)
    print(f"({run.skipped} skipped)\n{run.passed} passed, {run.failed} failed")
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
