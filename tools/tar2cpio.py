#!/usr/bin/env python3
"""tar2cpio.py IN.tar OUT.cpio [DIR]...: turns a tar archive into the newc cpio archive that an initramfs is.

Idea: owners, modes, hard links and device nodes go from header to header, so nobody needs to be root as they would
      have to be for unpacking.  The files of each DIR are laid over the archive: as root's, executable as they are on disk.
      The same input makes the same output, byte for byte.
"""
import os
import pathlib
import stat
import sys
import tarfile

KIND = {tarfile.REGTYPE: stat.S_IFREG, tarfile.AREGTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR,
        tarfile.SYMTYPE: stat.S_IFLNK, tarfile.LNKTYPE: stat.S_IFREG, tarfile.FIFOTYPE: stat.S_IFIFO,
        tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}


class Cpio:
    """A newc archive being written: each entry is a header of 13 hexadecimal fields, a name, and data, padded to 4 bytes."""

    def __init__(self, out):
        self.out = out
        self.ino = 0
        self.written = 0

    def put(self, data):
        self.out.write(data)
        self.written += len(data)

    def pad(self):
        self.put(b"\0" * (-self.written % 4))

    def entry(self, name, mode, data=b"", uid=0, gid=0, nlink=1, mtime=0, rdev=(0, 0), ino=None):
        if ino is None:
            self.ino += 1
            ino = self.ino
        name = name.encode("utf-8", "surrogateescape") + b"\0"
        fields = (ino, mode, uid, gid, nlink, mtime, len(data), 0, 0, *rdev, len(name), 0)
        self.put(b"070701" + b"".join(b"%08X" % f for f in fields) + name)
        self.pad()
        self.put(data)
        self.pad()
        return ino

    def end(self):
        self.entry("TRAILER!!!", 0, ino=0)


def overlay(dirs):
    """{name in the archive: path on disk} of the files below dirs."""
    found = {}
    for d in dirs:
        for path in sorted(pathlib.Path(d).rglob("*")):
            found[path.relative_to(d).as_posix()] = path
    return found


def add_from_tar(cpio, tar, replaced):
    """Every member of tar but those that are replaced; returns the names of all folders."""
    members = [(m, m.name.removeprefix("./") or ".") for m in tar]
    links = {}                                  # name of a file that has hard links -> number of its names
    for m, _ in members:
        if m.type == tarfile.LNKTYPE:
            target = m.linkname.removeprefix("./")
            links[target] = links.get(target, 1) + 1
    numbers, folders = {}, set()
    for m, name in members:
        if m.isdir():
            folders.add(name)
        elif name in replaced:
            continue
        rdev = (m.devmajor, m.devminor) if m.type in (tarfile.CHRTYPE, tarfile.BLKTYPE) else (0, 0)
        meta = dict(uid=m.uid, gid=m.gid, mtime=int(m.mtime), rdev=rdev)
        mode = KIND[m.type] | m.mode
        if m.type == tarfile.LNKTYPE:           # its data came with the first name
            target = m.linkname.removeprefix("./")
            cpio.entry(name, mode, nlink=links[target], ino=numbers[target], **meta)
            continue
        data = tar.extractfile(m).read() if m.isreg() else m.linkname.encode() if m.issym() else b""
        numbers[name] = cpio.entry(name, mode, data, nlink=2 if m.isdir() else links.get(name, 1), **meta)
    return folders


def add_from_disk(cpio, files, folders):
    for name, path in files.items():
        st = path.lstat()
        if path.is_symlink():
            cpio.entry(name, stat.S_IFLNK | 0o777, os.readlink(path).encode())
        elif not path.is_dir():
            cpio.entry(name, stat.S_IFREG | (0o755 if st.st_mode & 0o111 else 0o644), path.read_bytes())
        elif name not in folders:
            cpio.entry(name, stat.S_IFDIR | 0o755, nlink=2)


def main():
    source, target, *dirs = sys.argv[1:]
    files = overlay(dirs)
    with tarfile.open(source) as tar, open(target + ".tmp", "wb") as out:
        cpio = Cpio(out)
        folders = add_from_tar(cpio, tar, files)
        add_from_disk(cpio, files, folders)
        cpio.end()
    os.rename(target + ".tmp", target)


main()
