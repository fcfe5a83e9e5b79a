#!/usr/bin/env python3
"""run.py [FIGURE...]: disk and file system figures of Weft beside Linux 6.1: the same QEMU, image, programs and commands.

Boots the Debian disk (--image) from virtio-blk with changes thrown away, and runs guest.sh; results.tsv gets a line a figure,
beside Linux's of linux-6.1.tsv.  --linux measures that anew, the same way: its kernel and modules come from Debian's package
linux-image-*.deb in ~/.cache/weft, its drivers are loaded by a small initramfs.  --boot measures the way to the login shell.
--profile FIGURE counts Weft's instructions by function, --requests FIGURE what the disk is asked for by kind of block.

Time is virtual: `-icount shift=0`, an instruction a nanosecond.  cpu_ms, what the processor worked, is exact and the same on
any host; waiting for the disk takes as long as the host takes, so what is compared is work, and the number of requests.
The processor is `max,-erms,-fsrm`: with fast string instructions Linux copies byte by byte, each of which counts as one.
"""
import argparse, bisect, collections, glob, os, re, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("WEFT_CACHE", os.path.expanduser("~/.cache/weft"))
TREE = "c9a2134"		# the commit whose sources are unpacked, compiled and removed
MODULES = """lib/crc16 crypto/crc32c_generic arch/x86/crypto/crc32c-intel fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4 drivers/virtio/virtio_ring
drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci
drivers/block/virtio_blk""".split()
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /dev /proc /root
for m in $(/bin/busybox cat /modules); do /bin/busybox insmod /$m; done
/bin/busybox mount -t devtmpfs dev /dev
while ! [ -b /dev/vda ]; do /bin/busybox usleep 1000; done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount -t proc proc /proc
for w in $(/bin/busybox cat /proc/cmdline); do case $w in start=*) start=${w#start=};; esac; done
/bin/busybox umount /proc; /bin/busybox umount /dev
exec /bin/busybox switch_root /root $start
"""


def linux_package():
    found = sorted(glob.glob(CACHE + "/linux-image-*.deb"))
    if not found:
        sys.exit(f"run.py: no Linux: apt-get download $(apt-cache depends linux-image-amd64 ...) into {CACHE}")
    return found[-1]


def unpack_linux(deb, d):
    """The kernel and an initramfs with its drivers, in folder d."""
    tree = d + "/linux"
    os.makedirs(tree + "/bin")
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    wanted = ["./boot/vmlinuz*"] + [f"*/kernel/{m}.ko" for m in MODULES]
    subprocess.run(["tar", "-x", "-C", tree, "--wildcards"] + wanted, stdin=tar.stdout, check=True)
    names = []
    for m in MODULES:
        [path] = glob.glob(f"{tree}/lib/modules/*/kernel/{m}.ko")
        names.append(os.path.basename(path))
        os.rename(path, f"{tree}/{names[-1]}")
    [kernel] = glob.glob(tree + "/boot/vmlinuz*")
    os.rename(kernel, d + "/vmlinuz")
    for name in "/lib", "/boot":
        subprocess.run(["rm", "-r", tree + name], check=True)
    subprocess.run(["cp", "/bin/busybox", tree + "/bin/"], check=True)
    with open(tree + "/modules", "w") as f:
        f.write("\n".join(names) + "\n")
    with open(tree + "/init", "w") as f:
        f.write(INIT)
    os.chmod(tree + "/init", 0o755)
    subprocess.run(f"cd {tree} && find . | cpio -o -H newc --quiet > {d}/initrd", shell=True, check=True)
    return [d + "/vmlinuz", "-initrd", d + "/initrd"]


def kernel_of(a, d):
    return unpack_linux(linux_package(), d) if a.linux else [a.kernel]


def drive(path, name, more=""):
    return ["-drive", f"file={path},if=none,id={name},format=raw,cache=unsafe{more}", "-device", f"virtio-blk-pci,drive={name}"]


def qemu(a, kernel, start, disks, extra, more_append=""):
    """The command line; kernel: its path and what it needs besides."""
    append = f"console=ttyS0 quiet mitigations=off root=/dev/vda rw init={start} start={start} {more_append}"
    return (["timeout", str(a.limit), "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max,-erms,-fsrm", "-smp", "1", "-m", a.mem,
             "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", kernel[0]] + kernel[1:] +
            ["-append", append] + disks + extra)


def figures_of(a, kernel, d, extra):
    """Boots and runs guest.sh; figure -> list of numbers."""
    with open(HERE + "/guest.sh") as f:
        script = f.read()
    with open(d + "/cmd", "w") as f:
        f.write(f"#weft-cmd\nset -- {' '.join(a.figures)}\nmarks={'y' if a.requests else ''}\n" + script)
    os.truncate(d + "/cmd", (os.path.getsize(d + "/cmd") + 4095) // 4096 * 4096)
    disks = drive(a.image, "root", ",snapshot=on") + drive(d + "/cmd", "cmd", ",readonly=on") + \
        drive(a.tree, "tree", ",readonly=on")
    out = {}
    guest = subprocess.Popen(qemu(a, kernel, "/sbin/weft-cmd", disks, a.icount.split() + extra, "weft.status=console"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    for line in guest.stdout:
        words = line.split()
        if a.verbose:
            print("   ", line.rstrip(), file=sys.stderr, flush=True)
        if words[:1] == ["disk"] and len(words) == 7:
            out[words[1]] = [int(w) for w in words[2:]]
        elif words[:1] == ["disk-failed"]:
            print(line.rstrip(), file=sys.stderr)
    guest.wait()
    start = out.pop("fio_start", None)
    for name, row in out.items():
        if name.startswith("fio_"):
            row[0] -= start[0]
    return out


def insns_plugin(d):
    """QEMU's plugin that counts instructions by address, compiled in folder d: the arguments that load it, and its report."""
    plugin, out = d + "/insns.so", d + "/insns.out"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", plugin, TOP + "/bench/insns.c"], check=True)
    return ["-plugin", f"{plugin},out={out}"], out


def read_insns(path):
    """(address, instructions, runs) of each block of code."""
    with open(path) as f:
        return [(int(x, 16), int(y), int(z)) for x, y, z in (line.split() for line in f)]


ASK = b"read -a s </sys/block/vda/stat; read c u n k i w x </proc/stat; echo boot-is $(((i+w)*10)) ${s[0]} ${s[4]} ${s[15]}\n"


def boot_figures(a, kernel, d):
    """From power-on to the login shell's prompt: instructions of firmware and unpacking, of the kernel, of programs."""
    args, out = insns_plugin(d)
    guest = subprocess.Popen(qemu(a, kernel, "/sbin/init", drive(a.image, "root", ",snapshot=on"), a.icount.split() + args),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seen, asked, answer = b"", False, None
    while not answer:
        c = guest.stdout.read1(4096)
        if not c:
            sys.exit("run.py: no prompt:\n" + seen.decode(errors="replace"))
        seen += c
        if not asked and b"root@weft" in seen:
            asked = True
            guest.stdin.write(ASK)
            guest.stdin.flush()
        answer = re.search(rb"boot-is (\d+) (\d+) (\d+) (\d+)", seen)
    guest.terminate()
    guest.wait()
    parts = collections.Counter()
    for addr, n, runs in read_insns(out):
        parts["kernel" if addr >> 47 else "programs" if addr >> 32 else "firmware"] += n * runs
    rest = [int(x) for x in answer.groups()]
    got = {"boot_to_login": [sum(parts.values()) // 1000000] + rest}
    got.update({"boot_" + name: [n // 1000000, 0, 0, 0, 0] for name, n in parts.items()})
    return got


def profile(a, d):
    """Counts instructions of one figure by the plugin of bench/insns.c, less those of a run with no figure."""
    sys.path.insert(0, TOP + "/bench")
    import profile as prof
    args, out = insns_plugin(d)
    syms = prof.symbols(a.kernel)
    addrs = [s[0] for s in syms]
    counts = []
    for figure in a.profile, "none":
        a.figures = [figure]
        figures_of(a, [a.kernel], d, args)
        insns, calls = collections.Counter(), collections.Counter()
        for addr, n, runs in read_insns(out):
            i = bisect.bisect_right(addrs, addr) - 1
            name = syms[i][1] if i >= 0 and addr >> 47 else "(user, firmware)"
            insns[name] += n * runs
            if i >= 0 and addr == addrs[i]:
                calls[name] += runs
        counts.append((insns, calls))
    insns, calls = ({k: counts[0][i][k] - counts[1][i][k] for k in counts[0][i]} for i in (0, 1))
    total = sum(insns.values())
    print(f"{'insns':>12} {'%':>5} {'calls':>10} {'per call':>9}  function")
    for name, n in sorted(insns.items(), key=lambda x: -x[1])[:a.top]:
        c = calls.get(name, 0)
        print(f"{n:12} {100 * n / total:5.1f} {c:10} {n / c if c else 0:9.1f}  {name}")


LINUX = HERE + "/linux-6.1.tsv"


def load_linux():
    with open(LINUX) as f:
        rows = (line.split() for line in f if not line.startswith("#"))
        return {r[0]: [int(x) for x in r[1:]] for r in rows}


def save_linux(got):
    """Figures that were not measured now are kept."""
    rows = {**(load_linux() if os.path.exists(LINUX) else {}), **got}
    with open(LINUX, "w") as f:
        print("# figure\tcpu_ms\twait_ms\treads\twrites\tflushes", file=f)
        for name, row in rows.items():
            print("\t".join([name] + [str(x) for x in row]), file=f)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("figures", nargs="*")
    p.add_argument("--kernel", default=TOP + "/build/weft.elf")
    p.add_argument("--linux", action="store_true", help="measure Linux instead")
    p.add_argument("--image", default=TOP + "/build/debian.img")
    p.add_argument("--mem", default="512M")
    p.add_argument("--icount", default="-icount shift=0")
    p.add_argument("--limit", type=int, default=3600)
    p.add_argument("--out", default=HERE + "/results.tsv")
    p.add_argument("--note", default="")
    p.add_argument("--profile", metavar="FIGURE")
    p.add_argument("--requests", metavar="FIGURE", help="what the disk is asked for during it (requests.py)")
    p.add_argument("--top", type=int, default=40)
    p.add_argument("--boot", action="store_true", help="the way to the login shell, instead of figures")
    p.add_argument("-v", "--verbose", action="store_true")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        a.tree = d + "/tree.tar"
        subprocess.run(["git", "-C", TOP, "archive", "-o", a.tree, TREE], check=True)
        if a.profile:
            return profile(a, d)
        if a.requests:
            import requests_of
            a.figures = a.figures or [a.requests]
            return requests_of.show(a, d, lambda extra: figures_of(a, kernel_of(a, d), d, extra))
        got = boot_figures(a, kernel_of(a, d), d) if a.boot else figures_of(a, kernel_of(a, d), d, [])
    if a.linux:
        return save_linux(got)
    linux = load_linux()
    commit = subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with open(a.out, "a") as f:
        for name, w in got.items():
            l = linux.get(name)
            ratio = f"{w[0] / l[0]:.2f}" if l and l[0] else "-"
            row = [time.strftime("%F"), commit, name] + [str(x) for pair in zip(w, l or ["-"] * 5) for x in pair]
            print("\t".join(row + [ratio, a.note]), file=f)
            print(f"{name:36} cpu {row[3]:>7} {row[4]:>7}  {ratio:>5}   wait {row[5]:>7} {row[6]:>7}   "
                  f"reads {row[7]:>6} {row[8]:>6}  writes {row[9]:>6} {row[10]:>6}  flushes {row[11]:>5} {row[12]:>5}")


if __name__ == "__main__":
    sys.exit(main())
