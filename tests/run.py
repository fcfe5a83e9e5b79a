#!/usr/bin/env python3
"""run.py: builds what the tests need, runs them on the host and in guests, and counts.

What:   `run.py check` is the inner loop, `run.py test` the whole.  A plan is a list of jobs; a job runs a command on the
        host or boots a kernel with a list of guest programs and reads "ok", "not ok" and "skip" lines.
Idea:   the guest writes its results to the console; anything that looks like a kernel report (panic, BUG, KASAN, UBSAN,
        LOCKDEP, WARNING) fails the job even when all cases pass.  Each guest's time is bounded and QEMU is killed by
        the pid that was started here.
"""
import argparse, concurrent.futures, os, pathlib, re, shlex, shutil, signal, subprocess, sys, tempfile, threading, time

import stressng

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "disk"))
import disks as disk_plans

OUT = ROOT / "build" / "tests"
REPORTS = re.compile(r"Kernel panic|kernel BUG|\bKASAN\b|\bUBSAN\b|\bLOCKDEP\b|WARNING: |Oops|double fault|BUG:|slab corruption|======= |VFS: (?:name|busy)")
passed = failed = skipped = 0
lock = threading.Lock()
verbose = False


def say(line):
    with lock:
        print(line, flush=True)


held = threading.local()        # .cases: a guest's verdicts, until it is known whether the guest runs once more


def count(ok, name, why=""):
    global passed, failed
    if getattr(held, "cases", None) is not None:
        held.cases.append((ok, name, why))
        return
    with lock:
        if ok:
            passed += 1
        else:
            failed += 1
            print(f"FAIL {name}: {why}", flush=True)


def run(cmd, **kw):
    return subprocess.run(cmd, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)


def host_command(name, cmd, limit=900):
    """One host command is one case, unless it prints its own 'N passed, N failed' line."""
    global passed, failed
    try:
        r = run(cmd, timeout=limit)
        out, code = r.stdout, r.returncode
    except subprocess.TimeoutExpired as e:
        out, code = (e.stdout or b"").decode(errors="replace") if isinstance(e.stdout, bytes) else (e.stdout or ""), 124
    m = re.findall(r"^(\d+) passed, (\d+) failed", out, re.M)
    if m:
        with lock:
            passed += sum(int(a) for a, _ in m)
            failed += sum(int(b) for _, b in m)
    if code != 0 or not m:
        count(code == 0, name, out[-3000:])
    say(f"  {name}: {'ok' if code == 0 else 'FAILED'}" + (f" ({', '.join(a + ' passed' for a, _ in m)})" if m else ""))
    if code and m:
        say(out[-3000:])


def read_cases(name, text, expect=None):
    """Counts the case lines of one run; `expect` are the programs that must have said something."""
    global skipped
    n = 0
    for line in text.replace("\r", "").split("\n"):
        m = re.match(r"(?:\[ *\d+\.\d+\] )?(ok|not ok|skip) (\S+?/\S+?)(?:: (.*))?$", line)
        if not m:
            continue
        n += 1
        if m[1] == "skip":
            with lock:
                skipped += 1
        else:
            count(m[1] == "ok", f"{name} {m[2]}", m[3] or "")
    for program in expect or []:
        if not re.search(rf"^(?:\[[ .0-9]+\] )?(ok|not ok|skip) {re.escape(program)}/", text.replace("\r", ""), re.M):
            count(False, f"{name} {program}", "said nothing")
    return n


# What is also built with musl, as NAME_musl: its locks use futexes, and the robust list, in ways of their own.
MUSL_PROGRAMS = "pshared threads".split()
MUSL = ["musl-gcc", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"]


def build_guest_programs():
    """Static binaries of tests/guest/*.c and tests/stress/*.c; returns their folder."""
    d = OUT / "bin"
    d.mkdir(parents=True, exist_ok=True)
    sources = sorted(ROOT.glob("tests/guest/*.c")) + sorted(ROOT.glob("tests/stress/*.c"))
    todo = [(src, d / src.stem, ["gcc"]) for src in sources]
    todo += [(ROOT / f"tests/guest/{name}.c", d / f"{name}_musl", MUSL) for name in MUSL_PROGRAMS]
    for src, exe, cc in todo:
        newest = max(f.stat().st_mtime for f in [src, *ROOT.glob("tests/guest/*.h"), *ROOT.glob("tests/stress/*.h")])
        if exe.exists() and exe.stat().st_mtime > newest:
            continue
        r = run([*cc, "-O2", "-g0", "-static", "-pthread", "-Wall", "-Wno-stringop-overread", "-Wno-nonnull", "-Itests/guest", "-o", str(exe), str(src), "-lm"])
        if r.returncode:
            say(r.stdout)
            count(False, f"build {exe.name}", "does not compile")
    return d


# What runs as 32-bit programs, too; the rest looks at 64-bit registers, or at what a C library of 32 bits hides.
IA32_PROGRAMS = "files memory process procfs ptys signals sockets threads times pifutex ipc sysvipc mqueue aio ptrace32".split()


def make_ia32_root(bindir):
    """The same test programs compiled for i386, and Debian's i386 programs (tools/i386.sh)."""
    d = OUT / "ia32-root"
    shutil.rmtree(d, ignore_errors=True)
    (d / "tests").mkdir(parents=True)
    for name in IA32_PROGRAMS:
        exe = bindir.parent / "bin32" / name
        exe.parent.mkdir(exist_ok=True)
        src = ROOT / "tests/guest" / (name + ".c")
        if not exe.exists() or exe.stat().st_mtime < max(src.stat().st_mtime, (ROOT / "tests/guest/t.h").stat().st_mtime):
            r = run(["gcc", "-m32", "-msse2", "-D_FILE_OFFSET_BITS=64", "-I/usr/include/x86_64-linux-gnu", "-O2", "-g0", "-static", "-pthread", "-w",
                     "-Itests/guest", "-o", str(exe), str(src), "-lm"])
            if r.returncode:
                count(False, f"build {name} for i386", r.stdout[-2000:])
                continue
        shutil.copy2(exe, d / "tests" / name)
    shutil.copy2(ROOT / "tests/guest/ia32.sh", d / "tests/ia32.sh")
    r = run(["tools/i386.sh", str(d / "i386")])
    count(r.returncode == 0, "Debian's i386 programs", r.stdout[-2000:])
    cpio = OUT / "ia32.cpio"
    r = run(["tools/mkroot.sh", str(cpio), str(d)])
    return cpio if r.returncode == 0 else sys.exit(r.stdout)


def make_root(bindir):
    """The busybox root file system with the test programs in /tests."""
    d = OUT / "root"
    shutil.rmtree(d, ignore_errors=True)
    (d / "tests").mkdir(parents=True)
    for exe in bindir.iterdir():
        shutil.copy2(exe, d / "tests" / exe.name)
    lessons = run(["make", "-s", "lessons"])
    count(lessons.returncode == 0, "build lessons", lessons.stdout[-2000:])
    shutil.copytree(ROOT / "build" / "lessons", d / "lessons", dirs_exist_ok=True)
    for script in ROOT.glob("tests/guest/*.sh"):
        shutil.copy2(script, d / "tests" / script.name)
    cpio = OUT / "root.cpio"
    r = run(["tools/mkroot.sh", str(cpio), str(d)])
    if r.returncode:
        sys.exit(r.stdout)
    return cpio


STRESSORS = ("cpu fork vfork clone mmap fault pipe futex switch signal sigq timer poll epoll eventfd dentry dir link rename "
             "sysinval sysbadaddr").split()


def copy_with_libraries(d, programs):
    """Debian's programs as they are installed here, and the shared objects they want, into the folder d."""
    for name in programs:
        prog = shutil.which(name) or sys.exit(f"run.py: {name} is not installed (tools/deps.sh test)")
        for f in [prog, *re.findall(r"(/\S+) \(0x", run(["ldd", prog]).stdout)]:
            to = d / f.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.realpath(f), to)


def make_tracers_root():
    """... with Debian's strace and gdb, what gdb's Python reads when it starts, and their victim."""
    d = OUT / "tracers-root"
    shutil.rmtree(d, ignore_errors=True)
    (d / "tests").mkdir(parents=True)
    copy_with_libraries(d, ["strace", "gdb"])
    thread_db = "lib/x86_64-linux-gnu/libthread_db.so.1"        # gdb's knowledge of threads, loaded at run time
    shutil.copy2(os.path.realpath("/" + thread_db), d / thread_db)
    shutil.copytree("/usr/share/gdb", d / "usr/share/gdb", ignore=shutil.ignore_patterns("auto-load"))
    for lib in pathlib.Path("/usr/lib").glob("python3.*"):
        to = d / "usr/lib" / lib.name
        to.mkdir(parents=True)
        for f in lib.iterdir():
            if f.suffix == ".py":
                shutil.copy2(f, to / f.name)
            elif f.name in ("encodings", "collections", "importlib", "re", "json", "email", "urllib", "http"):
                shutil.copytree(f, to / f.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "tests/tracers/tracers.sh", d / "tests")
    r = run(["gcc", "-g", "-O0", "-pthread", "-o", str(d / "tests/victim"), "tests/tracers/victim.c"])
    count(r.returncode == 0, "build victim", r.stdout[-2000:])
    cpio = OUT / "tracers.cpio"
    r = run(["tools/mkroot.sh", str(cpio), str(d)])
    return cpio if r.returncode == 0 else sys.exit(r.stdout)


def make_sandbox_root():
    """... with Debian's bubblewrap, the programs of util-linux and libcap that make namespaces and drop rights, and keyutils."""
    d = OUT / "sandbox-root"
    shutil.rmtree(d, ignore_errors=True)
    (d / "tests").mkdir(parents=True)
    copy_with_libraries(d, ["bwrap", "unshare", "nsenter", "lsns", "setpriv", "capsh", "/bin/keyctl", "/sbin/request-key"])
    for f in ("etc/request-key.conf", "usr/share/keyutils/request-key-debug.sh"):       # its example of a request's helper
        (d / f).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2("/" + f, d / f)
    shutil.copy2(ROOT / "tests/sandbox/sandbox.sh", d / "tests")
    cpio = OUT / "sandbox.cpio"
    r = run(["tools/mkroot.sh", str(cpio), str(d)])
    return cpio if r.returncode == 0 else sys.exit(r.stdout)


def copy_program(root, prog, to):
    """A program of the host into a root file system, with the shared objects that it wants."""
    libs = [f for f in re.findall(r"(/\S+) \(0x", run(["ldd", str(prog)]).stdout) if not f.startswith(str(ROOT))]
    for source, target in [(str(prog), to), *((f, f) for f in libs)]:
        target = root / target.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(source), target)


def make_stress_root(bindir):
    """... and with Debian's stress-ng and the shared objects it wants."""
    d = OUT / "stress-root"
    shutil.rmtree(d, ignore_errors=True)
    (d / "tests").mkdir(parents=True)
    for exe in (p.stem for p in ROOT.glob("tests/stress/*.c")):
        shutil.copy2(bindir / exe, d / "tests" / exe)
    copy_with_libraries(d, ["stress-ng"])
    cpio = OUT / "stress.cpio"
    r = run(["tools/mkroot.sh", str(cpio), str(d)])
    return cpio if r.returncode == 0 else sys.exit(r.stdout)


def libweft(a, builds):
    """libweft's tests on the host, then the same programs in a guest."""
    host_command("libweft", ["make", "-s", "libweft-test"], 3600)
    cpio = make_libweft_root()
    for build in builds:
        kernel = a.kernel or ("build/debug/weft.elf" if build == "debug" else "build/weft.elf")
        if a.kernel or build_kernel(build == "debug"):
            guest(f"{build} libweft", kernel, cpio, libweft_commands(), 2, "1G", "pc", 900 if build == "release" else 2400)


def make_libweft_root():
    """The root file system with libweft's tests and examples, as they run on the host: dynamically linked and static."""
    r = run(["make", "-s", "libweft-programs"])
    count(r.returncode == 0, "build libweft", r.stdout[-2000:])
    built, d = ROOT / "build" / "libweft", OUT / "libweft-root"
    shutil.rmtree(d, ignore_errors=True)
    for name in ("unit_test", "unit_static", "model_test", "preload_prog"):
        copy_program(d, built / "t" / name, f"/libweft/{name}")
    for exe in (built / "examples").iterdir():
        copy_program(d, exe, f"/libweft/examples/{exe.name}")
    # pthread_exit loads libgcc_s when it is called; programs find libweft where the linker looks
    for lib in (built / "libweft.so.1", built / "libweft-preload.so", "/lib/x86_64-linux-gnu/libgcc_s.so.1"):
        shutil.copy2(os.path.realpath(lib), d / "lib/x86_64-linux-gnu" / pathlib.Path(lib).name)
    cpio = OUT / "libweft.cpio"
    r = run(["tools/mkroot.sh", str(cpio), str(d)])
    return cpio if r.returncode == 0 else sys.exit(r.stdout)


def libweft_commands():
    """libweft's own tests on all three models, its examples, and the preload library, for a guest's shell."""
    cases = [(f"{p}-{m}", f"WEFT_MODEL={m} /libweft/{p}") for p in ("unit_test", "unit_static") for m in ("N:1", "M:N", "1:1")]
    cases += [(f"unit_test-io_uring-{m}", f"WEFT_IO=io_uring WEFT_MODEL={m} /libweft/unit_test") for m in ("N:1", "M:N")]
    cases += [(f"preload-{m}", f"WEFT_MODEL={m} LD_PRELOAD=libweft-preload.so /libweft/preload_prog") for m in ("N:1", "M:N")]
    cases += [("model_test", "/libweft/model_test 1 200")]
    cases += [(f"example-{e.stem}", f"/libweft/examples/{e.stem}") for e in sorted((ROOT / "libweft/examples").glob("*.c"))]
    return ["export WEFT_FEW=1"] + [
        f"{cmd} >/tmp/out 2>&1 && echo ok libweft/{name} || {{ echo not ok libweft/{name}: status $?; tail -n 15 /tmp/out; }}"
        for name, cmd in cases]


def own_guest(name):
    """
    What a stress test asks for that needs a machine of its own: its head comment has a line such as
        Guest: mem=144M append=ramswap=80 args="48 2" long="64 8"
    `long` are the arguments in the long record.  None: it runs in the same guest as the others.
    """
    m = re.search(r"^ \* Guest: (.*)$", (ROOT / f"tests/stress/{name}.c").read_text(), re.M)
    return dict(word.split("=", 1) for word in shlex.split(m[1])) if m else None


def own_guests(programs, kernel, name, cpus, limit, key="args"):
    """Jobs, arguments of guest(), one for each of the programs that wants a guest of its own.  It gets only that program:
    the archive must not fill the memory."""
    for prog in programs:
        spec = own_guest(prog)
        if spec:
            cmd = f"/tests/{prog} {spec[key]} && echo ok stress/{prog} || echo not ok stress/{prog}: failed"
            yield (f"{name} {prog} {cpus} cpu", kernel, ROOT / "build" / "root.cpio", [cmd], cpus, spec["mem"], "pc", limit,
                   spec["append"], None, None, [OUT / "bin" / prog])


def stress_record(a, bindir):
    """The long record: storms, fuzzer and memory eaters for minutes, stress-ng 20 s a stressor, in the checking kernel."""
    kernel = a.kernel or "build/debug/weft.elf"
    if not a.kernel and not build_kernel(True):
        return
    cpio = make_stress_root(bindir)
    run(["make", "-s", "build/root.cpio"])
    storms = [f"/tests/storm {a.seconds} && echo ok stress/storm || echo not ok stress/storm: failed",
              f"/tests/tracing {a.seconds // 5} && echo ok stress/tracing || echo not ok stress/tracing: failed",
              f"/tests/oom 30 && echo ok stress/oom || echo not ok stress/oom: failed",
              "/tests/fuzz 10 20000 77 && echo ok stress/fuzz || echo not ok stress/fuzz: failed"]
    ng = [f"stress-ng --pathological --{s} 4 -t 20 --verify --temp-path /tmp >/tmp/out 2>&1 && echo ok stress-ng/{s} || "
          f"{{ echo not ok stress-ng/{s}: status $?; tail -n 5 /tmp/out; }}" for s in STRESSORS]
    libweft_cpio = make_libweft_root()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [("stress libweft", kernel, libweft_cpio, libweft_commands(), 4, "1G", "pc", 2400),
                ("stress storms", kernel, cpio, storms, 4, "256M", "pc", a.seconds * 3 + 900),
                ("stress stress-ng", kernel, cpio, ng, 4, "1G", "pc", 3000)]
        programs = sorted(p.stem for p in ROOT.glob("tests/stress/*.c"))
        jobs += own_guests(programs, kernel, "stress", 4, 3000, "long")
        for f in [pool.submit(guest, *job) for job in jobs]:
            f.result()


def stressng_record(a, bindir):
    """Whole classes of stress-ng (tests/stressng.py) in the checking kernel on 4 CPUs: about an hour."""
    kernel = a.kernel or "build/debug/weft.elf"
    if not a.kernel and not build_kernel(True):
        return
    cpio = make_stress_root(bindir)
    for some in stressng.chunks(a.only.split(",") if a.only else stressng.CLASSES):
        guest(f"stress-ng {some[0]} to {some[-1]}", kernel, cpio, [stressng.command(s) for s in some], 4, "2G", "pc", 400 * len(some))


def guest(name, *args, **kw):
    """
    A guest, and once more if cases of it failed without a word from the kernel: an emulated processor on a busy machine
    can make any test late.  What a second run mends is named, so that it is seen; what fails twice has failed.
    """
    for attempt in (1, 2):
        held.cases = []
        reported = boot_guest(name, *args, **kw)
        cases, held.cases = held.cases, None
        bad = [c[1] for c in cases if not c[0]]
        if not bad or reported or attempt == 2:
            break
        say(f"  {name}: once more, for {', '.join(bad)}")
    for case in cases:
        count(*case)


def boot_guest(name, kernel, cpio, commands, cpus=1, mem="256M", machine="pc", limit=600, append="", expect=None, disks=None,
               add=()):
    """
    Boots a guest that runs the shell commands, and reads its console.  A last line 'guest-done' must come.
    cpus: QEMU's -smp, a number or more than that.  add: programs that the archive does not have.
    """
    with tempfile.TemporaryDirectory() as tmp:
        more = []
        if disks:
            disks.copy_to(tmp)
            more, commands, append = disks.qemu_args(), disks.commands(), f"{append} {disks.kernel_args()}"
        o = pathlib.Path(tmp) / "o"
        o.mkdir()
        (o / "init").write_text(
            "#!/bin/sh\nexport PATH=/bin:/sbin:/usr/bin:/usr/sbin:/tests HOME=/root\n. /etc/rcS\n"
            "cd /tmp\n" + "\n".join(commands) + "\necho guest-done\npoweroff -f\n")
        (o / "init").chmod(0o755)
        (o / "tests").mkdir()
        for exe in add:
            shutil.copy2(exe, o / "tests" / exe.name)
        over = subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=o, stdout=subprocess.PIPE).stdout
        initrd = pathlib.Path(tmp) / "initrd"
        initrd.write_bytes(cpio.read_bytes() + over)
        accel = "tcg,thread=multi" if str(cpus) != "1" else "tcg"
        args = ["qemu-system-x86_64", "-M", machine, "-accel", accel, "-cpu", "max", "-m", mem, "-smp", str(cpus), "-nodefaults",
                "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", str(ROOT / kernel), "-initrd", str(initrd),
                "-append", f"console=ttyS0 loglevel=5 panic=-1 {append}", *more]
        start = time.time()
        p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
        timer = threading.Timer(limit, lambda: p.send_signal(signal.SIGKILL))
        timer.start()
        data = b""
        for line in p.stdout:
            data += line
            if verbose:
                say(f"[{name}] " + line.decode(errors="replace").rstrip())
        p.wait()
        timed_out = not timer.is_alive()
        timer.cancel()
        text = data.decode(errors="replace").replace("\r", "")
        logs = OUT / "log"
        logs.mkdir(parents=True, exist_ok=True)
        (logs / (re.sub(r"\W+", "-", name) + ".txt")).write_text(text)
        n = read_cases(name, text, expect)
        for ok, case, what in disks.check(text) if disks else ():
            count(ok, f"{name} {case}", what)
        report = REPORTS.search(text)
        why = ""
        if report:
            at = max(0, report.start() - 200)
            why = "the kernel reported:\n" + text[at:at + 4000]
        elif timed_out:
            why = f"no end within {limit} s; last lines:\n" + text[-1500:]
        elif "guest-done" not in text:
            why = f"ended early (QEMU status {p.returncode}); last lines:\n" + text[-1500:]
        count(not why, f"{name} guest", why)
        say(f"  {name}: {n} cases in {time.time() - start:.0f} s" + ("" if not why else "  FAILED"))
        return bool(report)


def disk_jobs(kernel, build, pool, only):
    """Guests with disks: every controller, the same cases."""
    def cpio_of(folder):
        cpio = OUT / "disk.cpio"
        r = run(["tools/mkroot.sh", str(cpio), str(folder)])
        return cpio if r.returncode == 0 else sys.exit(r.stdout)

    cpio = disk_plans.make_root(OUT / "disk-root", cpio_of)
    images = disk_plans.Images(OUT / "disk-images")
    limit = 300 * (3 if build == "debug" else 1)
    return [pool.submit(guest, f"{build} {name}", kernel, cpio, [], n, "256M", machine, limit, "", [disks.expect], disks)
            for name, machine, n, disks in disk_plans.guests(images, only)]


def host_lines(name, cmd, limit=900):
    """A host program that prints case lines itself; once more, as guest() does, if cases failed and no kernel reported."""
    for attempt in (1, 2):
        try:
            text = run(cmd, timeout=limit).stdout
        except subprocess.TimeoutExpired:
            text = ""
        bad = re.findall(r"^not ok (\S+?):? ", text, re.M)
        if not bad or attempt == 2 or REPORTS.search(text):
            break
        say(f"  {name}: once more, for {', '.join(bad)}")
    n = read_cases("host", text, [name])
    say(f"  {name}: {n} cases")


def ext_tests(kernel, build):
    """ext2, ext3 and ext4: in the debug build fewer kinds, and no power cuts."""
    debug = build == "debug"
    more = ["--types", "ext4:1024,ext2:4096", "--operations", "500"] if debug else []
    host_lines("share", ["tests/disk/share.py", "--kernel", kernel], 900)
    host_lines("ext", ["tests/disk/ext.py", "--kernel", kernel, "--limit", "900", *more], 5400)
    if not debug:
        host_lines("crash", ["tests/disk/crash.py", "--kernel", kernel, "--cuts", "10", "--seconds", "6"], 1800)


def build_kernel(debug):
    d = ["DEBUG=1"] if debug else []
    r = run(["make", "-s", "-j2", *d])
    count(r.returncode == 0, "build " + ("debug" if debug else "release"), r.stdout[-3000:])
    return r.returncode == 0


def debian(a):
    """Debian's own programs (tests/debian.py), which is minutes of emulation: not part of `check`."""
    run(["tools/deps.sh", "build", "run", "debian"])
    r = run(["make", "-s", "build/debian.cpio"])
    count(r.returncode == 0, "build debian.cpio", r.stdout[-2000:])
    for build in a.builds.split(","):
        kernel = a.kernel or ("build/debug/weft.elf" if build == "debug" else "build/weft.elf")
        if not a.kernel and not build_kernel(build == "debug"):
            continue
        more = ["--only", a.only] if a.only else []
        host_lines("debian", ["tests/debian.py", *more, kernel, "build/debian.cpio"], 3600)
        debian_on_disk(kernel, more)
        if not a.only:                  # more memory wanted than there is
            host_lines("reclaim", ["tests/disk/reclaim.py", "--kernel", kernel], 1200)
            host_lines("reclaim-debian", ["tests/disk/reclaim.py", "--kernel", kernel, "--debian", "build/debian.img", "--limit", "900"], 1200)


def debian_on_disk(kernel, more=()):
    """Debian on its own disk (tests/disk/programs.py); the image is made once, which takes some minutes."""
    for _ in range(2):                  # the mirror may have hiccups
        r = run(["make", "-s", "build/debian.img"])
        if not r.returncode:
            break
    if r.returncode:
        return count(False, "build debian.img", r.stdout[-2000:])
    host_lines("disk-debian", ["tests/disk/programs.py", *more, kernel, "build/debian.img"], 7200)


def python(a):
    """Python's own tests, here and in a guest (tests/pytests.py)."""
    run(["tools/deps.sh", "build", "run", "debian"])
    r = run(["make", "-s", "build/debian-python.cpio"])
    count(r.returncode == 0, "build debian-python.cpio", r.stdout[-2000:])
    if a.kernel or build_kernel(False):
        more = ["--only", a.only] if a.only else []
        host_lines("python", ["tests/pytests.py", *more, a.kernel or "build/weft.elf", "build/debian-python.cpio"], 7200)


def host_text(exe):
    """What one program says on the host's Linux."""
    with tempfile.TemporaryDirectory() as cwd:
        try:
            return subprocess.run([str(exe)], cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=300, errors="replace").stdout
        except subprocess.TimeoutExpired:
            return f"not ok {exe.name}/all: time limit on the host"


def host_cases(bindir, programs):
    """The same binaries on the Linux we sit on: what fails here, twice, is a fault of the test."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice:                            # `nice make test`: some cases look at nice values
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    for prog in programs:
        text = host_text(bindir / prog)
        if re.search(r"^not ok ", text, re.M):
            say(f"  host {prog}: once more, after: " + re.search(r"^not ok .*", text, re.M)[0])
            text = host_text(bindir / prog)
        read_cases("host", text, [prog])
    if nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    say(f"  host: {len(programs)} programs")


def main():
    global verbose
    ap = argparse.ArgumentParser()
    ap.add_argument("plan", choices=["check", "test", "stress", "stressng", "guest", "host", "debian", "python", "libweft"])
    ap.add_argument("-v", action="store_true", help="show the guests' consoles")
    ap.add_argument("--only", help="programs to run, comma separated")
    ap.add_argument("--cpus", default="1,2,4")
    ap.add_argument("--builds", default="release,debug")
    ap.add_argument("--seconds", type=int, default=600, help="stress: how long the storms last")
    ap.add_argument("--append", default="", help="more kernel parameters for the guests that run the programs")
    ap.add_argument("--kernel", help="boot this image instead of building one")
    a = ap.parse_args()
    verbose = a.v
    OUT.mkdir(parents=True, exist_ok=True)
    start = time.time()

    if a.plan in ("check", "test"):
        say("static checks and unit tests")
        for target in ("lines", "layers", "headers", "docs", "lockcheck"):
            host_command(target, ["make", "-s", "-j2", target])
        host_command("unit", ["make", "-s", "unit"])

    if a.plan == "debian":
        debian(a)
        return finish(start)
    if a.plan == "libweft":
        libweft(a, a.builds.split(","))
        return finish(start)

    if a.plan == "python":
        python(a)
        return finish(start)

    bindir = build_guest_programs()
    if a.plan == "stress":
        stress_record(a, bindir)
        return finish(start)
    if a.plan == "stressng":
        stressng_record(a, bindir)
        return finish(start)
    programs = sorted([p.stem for p in ROOT.glob("tests/guest/*.c")] + [f"{name}_musl" for name in MUSL_PROGRAMS])
    stress = sorted(p.stem for p in ROOT.glob("tests/stress/*.c"))
    scripts = sorted(p.name for p in ROOT.glob("tests/guest/*.sh") if p.stem != "ia32")
    if a.only:
        wanted = a.only.split(",")
        programs, stress, scripts = ([x for x in l if x in wanted] for l in (programs, stress, scripts))
    if a.plan != "guest":
        say("guest programs on the host's Linux")
        host_cases(bindir, programs)
    if a.plan == "host":
        return finish(start)

    cpio = make_root(bindir)
    run(["make", "-s", "build/root.cpio"])
    plain = ROOT / "build" / "root.cpio"        # what only boots takes this: with the tests in it, it would not fit into 32 MiB
    builds = ["release"] if a.plan == "check" else a.builds.split(",")
    cpus = [2] if a.plan == "check" else [int(c) for c in a.cpus.split(",")]
    jobs, disk_builds = [], []
    for build in builds:
        kernel = a.kernel or ("build/debug/weft.elf" if build == "debug" else "build/weft.elf")
        if not a.kernel:
            say(f"building the {build} kernel")
            if not build_kernel(build == "debug"):
                continue
        slow = 3 if build == "debug" else 1
        commands = [f"/tests/{p}" for p in programs] + [f"sh /tests/{s}" for s in scripts]
        seconds = 3 if a.plan == "check" else 8
        storms = [f"/tests/{s} {seconds} && echo ok stress/{s} || echo not ok stress/{s}: failed" for s in stress
                  if not own_guest(s)]
        if a.plan == "test" and not a.only or a.only == "ia32":
            # 32-bit programs in the checking kernel, or where it is the only one
            ia32_cmds = [f"/tests/{p}" for p in IA32_PROGRAMS] + ["sh /tests/ia32.sh"]
            if build == builds[-1]:
                jobs.append((f"{build} ia32 2 cpu", kernel, make_ia32_root(bindir), ia32_cmds, 2, "512M", "pc", 600 * slow, "", None))
        with_disks = a.plan == "test" and not a.only or a.only in ("disk", *disk_plans.CONTROLLERS)
        if with_disks:
            disk_builds.append((kernel, build))
        for n in cpus if a.only != "selftest" else []:
            if commands + storms:
                jobs.append((f"{build} {n} cpu", kernel, cpio, commands + storms, n, "512M", "pc", 600 * slow, a.append, None))
            jobs += own_guests(stress, kernel, build, n, 300 * slow)
        if "scheduling" in programs:
            jobs.append((f"{build} siblings", kernel, cpio, ["/tests/scheduling one_hog_a_core"],
                         "4,sockets=1,cores=2,threads=2", "256M", "pc", 200 * slow, "", None))
        if a.plan == "test" and not a.only or a.only == "selftest":
            hello = ["echo ok boot/hello"]
            # The kernel's tests of itself, before /init, which then has nothing to do (kernel/selftest).
            for n in cpus:
                jobs.append((f"{build} selftest {n} cpu", kernel, cpio, [], n, "256M", "pc", 200 * slow, "loglevel=6 selftest",
                             ["selftest"]))
            for machine, mem in (("q35", "256M"), ("microvm", "128M"), ("pc", "32M"), ("pc", "4G")) if not a.only else ():
                jobs.append((f"{build} boot {machine} {mem}", kernel, plain, hello, 2, mem, machine, 120 * slow, "", None))
        if a.plan == "test" and not a.only and build == "release" or a.only == "sandbox":
            jobs.append((f"{build} sandbox", kernel, make_sandbox_root(), ["sh /tests/sandbox.sh"], 2, "256M", "pc",
                         300 * slow, "", ["sandbox"]))
        if a.plan == "test" and not a.only and build == "release" or a.only == "tracers":
            jobs.append((f"{build} tracers", kernel, make_tracers_root(), ["sh /tests/tracers.sh /tests/victim"], 2, "512M", "pc",
                         600 * slow, "", ["tracers"]))
    say("guests")
    if not a.only:
        host_lines("console", ["tests/console.py", "build/weft.elf", "build/root.cpio"])
    for kernel, build in disk_builds if a.only in (None, "disk") else []:
        ext_tests(kernel, build)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(guest, *job) for job in jobs]
        for kernel, build in disk_builds:
            futures += disk_jobs(kernel, build, pool, a.only)
        if a.plan == "test" and not a.only:
            futures.append(pool.submit(debian_on_disk, a.kernel or "build/weft.elf", ["--quick"]))
        for f in futures:
            f.result()
    if a.plan == "test" and not a.only:
        libweft(a, ["release"])
    finish(start)


def finish(start):
    say(f"({skipped} skipped, {time.time() - start:.0f} s)")
    say(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
