#!/usr/bin/env python3
"""record.py [dbench|fio|stressng]... [--cpus 2,4] [--only WORD,WORD] [--linux]: Debian's programs that load a file system.

What:   dbench; fio, which reads back what it wrote, by every engine; and stress-ng's classes `filesystem` and `io`, stressor
        by stressor.  They run in Debian, on an ext4 of their own.  "ok KIND/NAME", "not ok ..." or "skip ..." a line.
Idea:   a guest takes a few cases, as one script that the image's /sbin/weft-cmd finds on the second disk; the third is the
        file system.  Nothing that the kernel reports may be in its log, and e2fsck must find nothing to mend.  What fails is
        asked of Linux 6.1 (--linux): what fails there as well is the program's.
See:    doc/ext.md for the results; bench/disk/run.py, which knows how to boot Linux; tests/stressng.py.
"""
import argparse, os, pathlib, re, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "bench/disk"), str(HERE.parent)]        # `run` is bench/disk/run.py
import debian, stressng
import run as linux

CASE_LIMIT = 600        # seconds; no end until then is a hang
STRESS_SECONDS = 5

# Names of stress-ng 0.15, and why a file system on a disk has nothing to say about them.
NOT_ASKED = {"binderfs": "Android's", "eventfd": "no file", "open": "minutes of opening all of /proc",
             "io-uring": "asks for the times of a file that it has removed: ENOENT, on Linux too"}


# ---- cases: (name, shell command that succeeds) ----

def dbench_cases():
    for clients in (1, 4, 16):
        yield f"dbench/{clients}", f"dbench -t 20 -D /m {clients} | grep -a -E 'Throughput|ERROR|failed' | tee /run/last && grep -q Throughput /run/last"
    yield "dbench/sync", "dbench -t 10 -s -S -D /m 4 | grep -a -E 'Throughput|ERROR|failed' | tee /run/last && grep -q Throughput /run/last"


FIO_JOBS = {
    "write": "--rw=write --bs=64k",
    "randwrite": "--rw=randwrite --bs=4k --fallocate=none",
    "mixed": "--rw=randrw --bsrange=4k-64k --fsync=50",
    "backlog": "--rw=randwrite --bs=8k --verify_backlog=32 --fdatasync=20 --fallocate=none",
    "two": "--rw=randrw --bs=4k --numjobs=2 --size=3m",
    "unaligned": "--rw=randwrite --bsrange=512-9k --bs_unaligned=1 --fallocate=none",        # buffered only
}
DEEP = "--iodepth=16 "
FIO_ENGINES = {         # the name of the case begins with fio's name of the engine
    "sync": "", "psync": "", "vsync": "", "pvsync": "", "pvsync2": "", "pvsync2+hipri": "--hipri ", "mmap": "", "posixaio": "--iodepth=4 ",
    "splice": "", "libaio": DEEP, "io_uring": DEEP, "io_uring+fixed": DEEP + "--fixedbufs --registerfiles ",
    "io_uring+sqpoll": DEEP + "--sqthread_poll ", "io_uring+nonvectored": DEEP + "--nonvectored=1 ",
}


def fio_cases():
    """The jobs one after the other, each on a new file, which it reads back; two of them once more when nothing is cached."""
    for engine, options in FIO_ENGINES.items():
        for direct in (0,) if engine in ("mmap", "splice") else (0, 1):
            def fio(jobs):
                return (f"fio --directory=/m --size=6m --randrepeat=1 --verify=crc32c --verify_fatal=1 --ioengine={engine.split('+')[0]} {options}"
                        f"--direct={direct} " + " ".join(f"--name={job} --stonewall {FIO_JOBS[job]}" for job in jobs))
            jobs = [j for j in FIO_JOBS if j != "unaligned" or not direct and engine not in ("vsync", "splice")]
            yield (f"fio/{engine}-{'direct' if direct else 'buffered'}",
                   fio(jobs) + " && sync && echo 3 >/proc/sys/vm/drop_caches && " + fio(jobs[:2]) + " --verify_only")


def stressng_cases(cpus):
    for s in stressng.stressors(("filesystem", "io")):
        if s not in NOT_ASKED:
            yield f"stress-ng/{s}", f"stress-ng --pathological --{s} {cpus} -t {STRESS_SECONDS} --verify --temp-path /m"


KINDS = {"dbench": (lambda cpus: dbench_cases(), 4), "fio": (lambda cpus: fio_cases(), 13), "stressng": (stressng_cases, 10)}

# ---- guests ----

RUNNER = """mkdir -p /m && mount -t ext4 -o %s /dev/vdc /m && cd / || exit 1
run_case() { # NAME: the script /run/case
	local start=$SECONDS st
	timeout -s KILL %d bash /run/case </dev/null >/run/out 2>&1; st=$?
	if [ $st != 0 ]; then echo "not ok $1: status $st | $(tail -n 12 /run/out | tr '\\n' '|')"
	elif grep -q '%s' /run/out; then echo "skip $1: $(grep -m 1 '%s' /run/out)"
	else echo "ok $1 ($((SECONDS - start)) s) $(grep -a Throughput /run/out)"; fi
	find /m -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
}
"""


def script_of(cases, options):
    text = RUNNER % (options, CASE_LIMIT, stressng.SKIPPED, stressng.SKIPPED)
    for name, command in cases:
        text += f"cat >/run/case <<'@@@'\n{command}\n@@@\nrun_case {name}\n"
    return text + "cd /; sync; umount /m && echo @@unmounted\ncat /proc/weft/unimplemented 2>/dev/null | sed 's/^/@@absent /'\n"


def boot(a, kernel, cpus, cases, tmp):
    """One guest; yields its lines (verdict, name, why)."""
    cmd, fs = os.path.join(tmp, "cmd"), os.path.join(tmp, "fs.img")
    data = ("#weft-cmd\n" + script_of(cases, a.options)).encode()
    pathlib.Path(cmd).write_bytes(data + bytes(-len(data) % 4096))
    subprocess.run(f"rm -f {fs}; truncate -s 2G {fs}; mke2fs -q -t {a.type} -b {a.block} -F {fs}", shell=True, check=True)
    args = ["timeout", str(CASE_LIMIT * 4), "qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", a.mem, "-smp", cpus,
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", *kernel, "-append",
            "console=ttyS0 loglevel=5 panic=-1 root=/dev/vda rw init=/sbin/weft-cmd start=/sbin/weft-cmd weft.status=console " + a.append]
    args += linux.drive(a.image, "root", ",snapshot=on") + linux.drive(cmd, "cmd", ",readonly=on") + linux.drive(fs, "fs")
    text = ""
    guest = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in guest.stdout:
        line = line.decode(errors="replace").replace("\r", "")
        text += line
        m = re.match(r"(ok|not ok|skip) (\S+?)(?::| |$)(.*)", line)
        if m:
            yield m[1], m[2], m[3]
        elif a.v:
            print(line, end="", flush=True)
    guest.wait()
    first, last = cases[0][0], cases[-1][0]
    report = debian.REPORTS.search(text) or re.search(r"ext: .*error", text)
    if report:
        yield "not ok", f"no_report/{first}..{last}", text[max(0, report.start() - 300):report.start() + 3000]
    for name, _ in cases:
        if not re.search(rf"^(not ok|ok|skip) {re.escape(name)}\b", text, re.M):
            yield "not ok", name, f"did not end; {text[-800:]}"
            break
    fsck = subprocess.run(["e2fsck", "-fn", fs], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if fsck.returncode or "@@unmounted" not in text:
        yield "not ok", f"e2fsck/{first}..{last}", "unmounted: " + str("@@unmounted" in text) + "; " + fsck.stdout[-1500:]
    for absent in sorted(set(re.findall(r"^@@absent (.*)", text, re.M))):
        print("# asked for, absent:", absent)


def record(a, kernel, tmp):
    """All that is asked for; the number of cases by verdict."""
    count = {"ok": 0, "not ok": 0, "skip": 0}
    for cpus in a.cpus.split(","):
        for kind in a.kinds or KINDS:
            make, at_once = KINDS[kind]
            cases = [c for c in make(cpus) if not a.only or any(re.search(w, c[0]) for w in a.only.split(","))]
            for first in range(0, len(cases), at_once):
                for verdict, name, why in boot(a, kernel, cpus, cases[first:first + at_once], tmp):
                    count[verdict] += 1
                    print(f"{verdict} {name} on {cpus} CPUs: {' | '.join(why.strip().splitlines())}", flush=True)
    return count


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("kinds", nargs="*", choices=[*KINDS, []])
    p.add_argument("--kernel", default=str(ROOT / "build/debug/weft.elf"))
    p.add_argument("--image", default=str(ROOT / "build/debian.img"))
    p.add_argument("--linux", action="store_true", help="ask Linux 6.1 instead")
    p.add_argument("--cpus", default="2,4")
    p.add_argument("--mem", default="768M")
    p.add_argument("--type", default="ext4")
    p.add_argument("--block", default="4096")
    p.add_argument("--options", default="rw", help="of mount")
    p.add_argument("--append", default="", help="to the kernel's command line")
    p.add_argument("--only", help="patterns of names")
    p.add_argument("-v", action="store_true")
    a = p.parse_args()
    start = time.time()
    with tempfile.TemporaryDirectory() as tmp:
        kernel = linux.unpack_linux(linux.linux_package(), tmp) if a.linux else [a.kernel]
        count = record(a, kernel, tmp)
    print(f"record: {count['ok']} passed, {count['not ok']} failed, {count['skip']} skipped; {time.time() - start:.0f} s")
    sys.exit(count["not ok"] > 0)


if __name__ == "__main__":
    main()
