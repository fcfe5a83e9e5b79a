"""disks.py: guests with disks, for run.py: which images, behind which controller, and what must be on them afterwards.

Idea:   every guest has its own copies of mkimg.py's images, and the same script (block.sh) whatever the controller: only
        the names of the disks differ.  A case of the host's: the raw image holds what the guest says that it wrote.
"""
import hashlib, os, pathlib, re, shutil, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import mkimg

IMAGES = ["raw", "mbr", "gpt", "gpt2"]
# machine, controller, processors: the guests of `make test`, each in the release and the debug build
PLANS = [("pc", "virtio", 2), ("q35", "virtio", 4), ("microvm", "virtio-mmio", 2), ("microvm", "virtio-mmio2", 1),
         ("pc", "ide", 2), ("pc", "ide-pio", 1), ("q35", "ahci", 2),
         ("pc", "nvme", 1), ("q35", "nvme", 4)]

BAD_PLANS = [("pc", "virtio", 2), ("pc", "nvme", 2), ("q35", "ahci", 2), ("pc", "ide", 1)]

# What a controller's disks are called, and the QEMU device of disk number N with the drive d{N}.
CONTROLLERS = {
    "virtio": ("vd{letter}", "virtio-blk-pci,drive=d{n}"),
    "virtio-mmio": ("vd{letter}", "virtio-blk-device,drive=d{n}"),      # legacy registers, QEMU's default
    "nvme": ("nvme{n}n1", "nvme,serial=weft{n},drive=d{n}"),
    "ide": ("sd{letter}", "ide-hd,drive=d{n},bus=ide.{pair},unit={half}"),
    "ide-pio": ("sd{letter}", "ide-hd,drive=d{n},bus=ide.{pair},unit={half}"),
    "ahci": ("sd{letter}", "ide-hd,drive=d{n},bus=ide.{n}"),
    "virtio-mmio2": ("vd{letter}", "virtio-blk-device,drive=d{n}"),
}
MORE_ARGS = {"virtio-mmio2": ["-global", "virtio-mmio.force-legacy=false"], "nvme": ["-trace", "pci_nvme_mmio_shutdown_set"]}


class Disks:
    """Four disks of one guest, in the folder `tmp`."""
    expect = "disk"

    def __init__(self, images, controller):
        self.images, self.controller = images, controller

    def copy_to(self, tmp):
        self.paths = [shutil.copy(self.images.folder / f"{name}.img", tmp) for name in IMAGES]

    def qemu_args(self):
        device = CONTROLLERS[self.controller][1]
        args = MORE_ARGS.get(self.controller, [])[:]
        for n, path in enumerate(self.paths):
            args += ["-drive", f"if=none,id=d{n},format=raw,file={path}", "-device", device.format(n=n, pair=n // 2, half=n % 2)]
        return args

    def kernel_args(self):
        return "ide=pio" if self.controller == "ide-pio" else ""

    def commands(self):
        names = [CONTROLLERS[self.controller][0].format(letter="abcd"[n], n=n) for n in range(len(IMAGES))]
        return [f"export {k}_sum={v}" for k, v in self.images.sums.items()] + ["sh /tests/block.sh " + " ".join(names)]

    def check(self, text):
        """Yields (ok, name, why) of what the host sees."""
        said = re.search(r"^written (\w+)", text, re.M)
        found = hashlib.md5(pathlib.Path(self.paths[0]).read_bytes()).hexdigest()
        yield bool(said) and said[1] == found, "disk/written", f"the guest wrote {said and said[1]}, the host reads {found}"
        if self.controller == "nvme":
            yield "pci_nvme_mmio_shutdown_set" in text, "disk/shut_down", "the controller was not told before the power went"


class BadDisk(Disks):
    """One disk that cannot write sector 2048 and cannot read sector 4096."""
    expect = "errors"

    def copy_to(self, tmp):
        self.paths = [shutil.copy(self.images.folder / "raw.img", tmp)]

    def qemu_args(self):
        faults = []
        for n, (event, sector) in enumerate((("write_aio", 2048), ("read_aio", 4096))):
            for key, value in (("event", event), ("errno", 5), ("sector", sector), ("once", "off")):
                faults.append(f"inject-error.{n}.{key}={value}")
        device = CONTROLLERS[self.controller][1].format(n=0, pair=0, half=0)
        return ["-blockdev", f"driver=file,filename={self.paths[0]},node-name=f0",
                "-blockdev", "driver=blkdebug,image=f0,node-name=b0," + ",".join(faults),
                "-blockdev", "driver=raw,file=b0,node-name=d0", "-device", device + ("" if self.controller == "nvme" else ",werror=report,rerror=report")]

    def commands(self):
        disk = "/dev/" + CONTROLLERS[self.controller][0].format(letter="a", n=0)
        return [f"/tests/direct {disk}", f"/tests/errors {disk}"]

    def check(self, text):
        return ()


class Images:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.sums = mkimg.make(folder)


def tools_of_debian(root):
    """Debian's fdisk, lsblk and blkid, with the shared objects that they want, beside busybox's."""
    for name in ("fdisk", "lsblk", "blkid"):
        prog = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") or sys.exit(f"disks.py: no {name} (tools/deps.sh test)")
        to = root / prog.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(prog, f"{to}.real")
        libs = subprocess.run(["ldd", prog], text=True, stdout=subprocess.PIPE).stdout
        for lib in re.findall(r"(/\S+) \(0x", libs):
            to = root / lib.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.realpath(lib), to)


def guests(images, only):
    """(name, machine, processors, disks) of every guest."""
    for plans, make, kind in ((PLANS, Disks, "disk"), (BAD_PLANS, BadDisk, "bad disk")):
        for machine, controller, cpus in plans:
            if only in (None, "disk", controller):
                yield f"{kind} {machine} {controller}", machine, cpus, make(images, controller)


def make_root(folder, make_cpio):
    """The root file system of these guests."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tests").mkdir(parents=True)
    shutil.copy2(HERE / "block.sh", folder / "tests")
    for name in "errors", "direct":
        subprocess.run(["gcc", "-O2", "-static", "-Wall", "-o", folder / "tests" / name, HERE / f"{name}.c"], check=True)
    tools_of_debian(folder)
    return make_cpio(folder)
