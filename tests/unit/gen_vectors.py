#!/usr/bin/env python3
"""gen_vectors.py DIR: compressed texts for the inflate test: DIR/vectors.S and the files that it takes in.

Each vector is what it should become, and a gzip member of it; they differ in kind of data and in how zlib was told to
compress, so that stored, fixed and dynamic blocks, long codes and copies across the window's edge all occur.
"""
import pathlib, random, struct, sys, zlib


def gzip_member(data, level, strategy, name=b""):
    c = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    flags = 8 if name else 0
    header = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\x03" + (name + b"\0" if name else b"")
    return header + c.compress(data) + c.flush() + struct.pack("<II", zlib.crc32(data), len(data) & 0xffffffff)


def texts():
    r = random.Random(1)
    words = [bytes(r.choice(b"abcdefghijklmnop") for _ in range(r.randint(1, 9))) for _ in range(500)]
    yield b""
    yield b"a"
    yield b"hello hello hello hello"
    yield bytes(100000)
    yield r.randbytes(70000)
    yield b" ".join(r.choice(words) for _ in range(40000))
    # rare symbols get codes longer than the fast table's bits
    yield b"".join(bytes([min(255, int(r.expovariate(0.12)))]) * r.randint(1, 3) for _ in range(60000))
    yield b"".join(r.randbytes(100) + bytes(r.randint(1, 40000)) for _ in range(12))


def main():
    out = pathlib.Path(sys.argv[1])
    lines, table, n = [".section .rodata", ".balign 8"], [], 0
    for text in texts():
        for level, strategy in ((0, 0), (1, 0), (6, 0), (9, 0), (6, zlib.Z_FIXED), (6, zlib.Z_HUFFMAN_ONLY)):
            raw, packed = out / f"v{n}.raw", out / f"v{n}.gz"
            raw.write_bytes(text)
            packed.write_bytes(gzip_member(text, level, strategy, b"name" if n % 3 == 0 else b""))
            lines += [f'raw{n}: .incbin "{raw}"', f'gz{n}: .incbin "{packed}"', f"end{n}:", ".balign 8"]
            table.append(f".quad raw{n}, gz{n} - raw{n}, gz{n}, end{n} - gz{n}")
            n += 1
    lines += [".section .data.rel.ro", ".globl inflate_vectors, nr_inflate_vectors", ".balign 8",
              "inflate_vectors:"] + table + [f"nr_inflate_vectors: .quad {n}", '.section .note.GNU-stack,""', ""]
    (out / "vectors.S").write_text("\n".join(lines))


main()
