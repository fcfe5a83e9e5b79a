#!/usr/bin/env python3
"""mkimg.py DIR: makes the disk images that tests/disk/block.sh reads, and says what must be found on them.

What:   raw.img   8 MiB of noise, no table
        mbr.img   16 MiB: partitions 1 and 2, an extended one with 5 and 6; in sector 1 lies another table, for re-reading
        gpt.img   16 MiB: partitions 1, 2 and 7
        gpt2.img  the same, with a broken first header: the copy at the end counts
Output: lines NAME=md5 for the shell, one for each disk and partition: vendor-neutral names like raw, mbr_1, gpt_7.
Idea:   no tool of the host makes the tables: the bytes are those of the specification, and always the same.
"""
import hashlib, pathlib, random, struct, sys, zlib

SECTOR = 512


def noise(mib, seed):
    return bytearray(random.Random(seed).randbytes(mib << 20))


def mbr_entry(kind, start, size):
    return struct.pack("<B3sB3sII", 0, b"\0\xfe\xff", kind, b"\xff\xfe\xff", start, size)


def mbr_sector(entries, disk_id=0x57654674):
    table = b"".join(mbr_entry(*e) for e in entries).ljust(64, b"\0")
    return bytes(440) + struct.pack("<IH", disk_id, 0) + table + b"\x55\xaa"


def put(image, sector, data):
    image[sector * SECTOR:sector * SECTOR + len(data)] = data


def make_mbr():
    image = noise(16, 2)
    put(image, 0, mbr_sector([(0x83, 2048, 4096), (0x82, 8192, 1000), (0x05, 10240, 16384)]))
    put(image, 1, mbr_sector([(0x83, 4096, 2048)]))
    put(image, 10240, mbr_sector([(0x83, 2048, 3000), (0x05, 8192, 8192)]))
    put(image, 10240 + 8192, mbr_sector([(0x83, 2048, 777)]))
    parts = {1: (2048, 4096), 2: (8192, 1000), 5: (12288, 3000), 6: (20480, 777)}
    return image, parts


def gpt_header(lba, other, entries_lba, crc, last):
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, lba, other, 34, last - 33,
                       bytes(range(16)), entries_lba, 128, 128, crc)
    return head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]


def make_gpt():
    image = noise(16, 3)
    last = len(image) // SECTOR - 1
    parts = {1: (2048, 2048), 2: (4096, 8192), 7: (16384, 1234)}
    linux = bytes.fromhex("af3dc60f838472478e793d69d8477de4")
    table = bytearray(128 * 128)
    for nr, (start, size) in parts.items():
        name = f"part{nr}".encode("utf-16le").ljust(72, b"\0")
        table[(nr - 1) * 128:nr * 128] = linux + bytes([nr] * 16) + struct.pack("<QQQ", start, start + size - 1, 0) + name
    crc = zlib.crc32(table)
    put(image, 0, mbr_sector([(0xee, 1, last)]))
    put(image, 1, gpt_header(1, last, 2, crc, last).ljust(SECTOR, b"\0"))
    put(image, 2, table)
    put(image, last - 32, table)
    put(image, last, gpt_header(last, 1, last - 32, crc, last).ljust(SECTOR, b"\0"))
    return image, parts


def make(folder):
    """Writes the images; returns {name: md5}."""
    folder = pathlib.Path(folder)
    images = {"raw": (noise(8, 1), {}), "mbr": make_mbr(), "gpt": make_gpt(), "gpt2": make_gpt()}
    images["gpt2"][0][SECTOR + 40] ^= 1
    sums = {}
    for name, (image, parts) in images.items():
        (folder / f"{name}.img").write_bytes(image)
        sums[name] = hashlib.md5(image).hexdigest()
        for nr, (start, size) in parts.items():
            sums[f"{name}_{nr}"] = hashlib.md5(image[start * SECTOR:(start + size) * SECTOR]).hexdigest()
    return sums


if __name__ == "__main__":
    for key, value in make(sys.argv[1]).items():
        print(f"{key}={value}")
