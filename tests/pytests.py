#!/usr/bin/env python3
"""pytests.py KERNEL IMAGE.cpio [--only NAME,NAME] [--smp N] [-v]: Python's own tests, on Weft and on the Linux we sit on.

What:   the modules of libpython3.11-testsuite that are about the operating system, run by tests/pycases.py with the same
        Debian root file system: here with chroot, as root in name spaces of their own, and in a guest.  One line a case:
        "ok python/CASE" where both came to the same (ok, skip or fail), else "not ok python/CASE: here ..., there ...".
Idea:   what is known to differ stands in tests/python.txt with its reason, and must still differ: else it fails too.
        Cases that differ run once more, alone, here and there: time limits inside the tests were not made for an emulator.
"""
import argparse
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from console import Console

TESTS = pathlib.Path(__file__).resolve().parent
MODULES = ("test_os test_posix test_subprocess test_signal test_threading test_mmap test_select test_selectors test_pty test_fcntl "
           "test_resource test_time test_multiprocessing_fork").split()
MODULE_LIMIT = 1800             # seconds; pycases.py itself gives up when one case takes 300
REPORTS = re.compile(r"Kernel panic|kernel BUG|\bKASAN\b|\bUBSAN\b|\bLOCKDEP\b|WARNING: |Oops|BUG:|slab corruption|=======+ ")

# Runs the names one after the other; what pycases.py noted comes framed to standard output.
SCRIPT = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=vt100
%(mount)s
exec </dev/null
ulimit -c 0 -n 1024
for m in %(names)s; do
	rm -f /tmp/results
	setsid -w timeout -s KILL %(limit)d python3 /pycases.py /tmp/results $m >/tmp/out 2>&1
	echo "@@begin $m $?"
	cat /tmp/results
	echo "@@out"
	tail -c %(tail)d /tmp/out
	echo
	echo "@@end"
done
echo "@@done"
%(off)s
"""
HOST_MOUNTS = """mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /dev
mkdir /dev/pts /dev/shm; mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
chmod 1777 /tmp /dev/shm; ln -s pts/ptmx /dev/ptmx; ln -s /proc/self/fd /dev/fd
for n in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
	IFS=: read -r name major minor <<<$n; mknod -m 666 /dev/$name c $major $minor; done; unset IFS"""
FRAME = r"@@begin (\S+) (\d+)\n(.*?)@@out\n(.*?)\n@@end\n"


def script(names, verbose, **kw):
    return SCRIPT % dict(kw, names=" ".join(names), limit=MODULE_LIMIT, tail=200000 if verbose else 3000)


def read(frames, verbose):
    """{case: (verdict, why)} of what was printed; a module that did not come to its end has a case of its own."""
    cases = {}
    for name, status, text, out in frames:
        if verbose:
            print(f"---- {name} {status}\n{out}", flush=True)
        last = ""
        for line in text.split("\n"):
            m = re.match(r"(start|ok|skip|fail|end)(?: (.*?)(?:: (.*)|:)?)?$", line)
            if m and m[1] == "start":
                last = m[2]
            elif m and m[1] != "end":
                cases[m[2].removeprefix("test.")] = (m[1], m[3] or "")
        ended = text.rstrip().endswith("end")
        cases[f"{name}.end"] = ("ok", "") if ended else ("fail", f"ended with status {status} in {last}: {out[-300:]!r}")
    return cases


def on_host(root, names, verbose):
    shutil.copy(TESTS / "pycases.py", root / "pycases.py")
    (root / "run").mkdir(exist_ok=True)
    (root / "pyrun").write_text(script(names, verbose, mount=HOST_MOUNTS, off=""))
    text = subprocess.run(["unshare", "-m", "-p", "-i", "-u", "-f", "--propagation", "private", "chroot", str(root), "bash", "/pyrun"],
                          text=True, errors="replace", stdout=subprocess.PIPE).stdout
    return read(re.findall(FRAME, text, re.S), verbose)


def on_weft(kernel, image, names, smp, verbose):
    with tempfile.TemporaryDirectory() as tmp:
        d = pathlib.Path(tmp) / "d"
        d.mkdir(mode=0o755)                     # it becomes the root folder
        shutil.copy(TESTS / "pycases.py", d / "pycases.py")
        (d / "init").write_text(script(names, verbose, mount=". /etc/rcS", off="exec halt -f -p -n"))
        (d / "init").chmod(0o755)
        initrd = os.path.join(tmp, "initrd")
        with open(initrd, "wb") as out:
            out.write(pathlib.Path(image).read_bytes())
            out.flush()
            subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=d, stdout=out, check=True)
        c = Console(kernel, initrd, mem="3G", smp=smp)
        text = ""
        while True:
            got = c.expect(FRAME + "|@@done", MODULE_LIMIT + 120)
            text += got or c.text
            print(" ".join(got.split("\n")[0].split()[:3] if got else ["no answer"]), file=sys.stderr, flush=True)
            if not got or got.endswith("@@done"):
                break
        if not got and c.p.poll() is None:
            c.p.kill()
        c.end()
    cases = read(re.findall(FRAME, text, re.S), verbose)
    report = REPORTS.search(text)
    cases["kernel.report"] = ("fail", text[max(0, report.start() - 100):][:900]) if report else ("ok", "")
    if not got:
        cases["kernel.end"] = ("fail", text[-600:])
    return cases


def known():
    """[(pattern of case names, reason)] of tests/python.txt."""
    lines = [l.split("#")[0].strip() for l in (TESTS / "python.txt").read_text().split("\n")]
    return [tuple(l.split(None, 1)) for l in lines if l]


def compare(here, there):
    """Names that came to something else there."""
    return [name for name in dict.fromkeys([*here, *there]) if here.get(name, ("ok", ""))[0] != there.get(name, ("absent", ""))[0]
            or name not in here and there[name][0] != "ok"]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("kernel")
    ap.add_argument("image")
    ap.add_argument("--smp", default="4")
    ap.add_argument("--only", help="modules or cases, comma separated")
    ap.add_argument("-v", action="store_true", help="all that the tests print")
    a = ap.parse_args()
    names = a.only.split(",") if a.only else MODULES
    with tempfile.TemporaryDirectory() as tmp:
        root = pathlib.Path(tmp) / "root"
        root.mkdir()
        subprocess.run("cpio -idm --quiet", shell=True, cwd=root, stdin=open(a.image, "rb"), check=True)
        here = on_host(root, names, a.v)
        there = on_weft(a.kernel, a.image, names, a.smp, a.v)
        expected = known()
        again = [n for n in compare(here, there) if not any(fnmatch.fnmatch(n, p) for p, _ in expected) and re.match(r"test_\w+\.\w+\.\w+$", n)]
        if again:
            here |= on_host(root, again, a.v)
            there |= on_weft(a.kernel, a.image, again, a.smp, a.v)
    differ = compare(here, there)
    for name in dict.fromkeys([*here, *there]):
        reason = next((r for p, r in expected if fnmatch.fnmatch(name, p)), None)
        h, t = here.get(name, ("absent", "")), there.get(name, ("absent", ""))
        if name not in differ:
            print(f"ok python/{name}")
        elif reason:
            print(f"skip python/{name}: known to differ: {reason}")
        else:
            print(f"not ok python/{name}: here {' '.join(h)}, there {' '.join(t)}")
    for pattern, reason in expected if not a.only else ():
        if not any(fnmatch.fnmatch(n, pattern) for n in differ):
            print(f"not ok python/{pattern}: tests/python.txt says that it differs, but nothing does")


if __name__ == "__main__":
    main()
