#!/usr/bin/env python3
"""kallsyms.py OUT.S < `nm -n` output: the kernel's own table of function names.

What comes out (section .kallsyms, read by kernel/lib/kallsyms.c):
    kallsyms_num       how many
    kallsyms_offsets   32 bits each: address - _text, rising
    kallsyms_markers   32 bits for every 64th name: where its bytes start, so that a look-up unpacks at most 64 names
    kallsyms_names     per name: type letter, bytes shared with the name before, length of the rest, the rest; the first
                       name after a marker shares nothing
With no input the table is empty: the first link, whose symbols the second link's table names.
"""
import pathlib, sys

MARKER = 64


def read_symbols(lines):
    """(address, type, name) of every function; one name an address, global ones first."""
    base, symbols = None, {}
    for line in lines:
        words = line.split()
        if len(words) != 3:
            continue
        addr, kind, name = int(words[0], 16), words[1], words[2]
        if name == "_text":
            base = addr
        if kind not in "tTwW" or name.startswith((".L", "__pfx_", "_text", "_stext")):
            continue
        if addr not in symbols or (symbols[addr][0] in "tw" and kind in "TW"):
            symbols[addr] = (kind, name)
    return base or 0, sorted((a, k, n) for a, (k, n) in symbols.items())


def shared_prefix(a, b):
    n = 0
    while n < min(len(a), len(b), 255) and a[n] == b[n]:
        n += 1
    return n


def table(base, symbols):
    offsets, markers, names, at, previous = [], [], [], 0, ""
    for i, (addr, kind, name) in enumerate(symbols):
        name = name[:120]
        if i % MARKER == 0:
            markers.append(at)
            previous = ""
        n = shared_prefix(previous, name)
        rest = name[n:]
        offsets.append(addr - base)
        names.append(f'\t.byte {ord(kind)}, {n}, {len(rest)}\n\t.ascii "{rest}"')
        at += 3 + len(rest)
        previous = name
    return offsets, markers, names


def main():
    offsets, markers, names = table(*read_symbols(sys.stdin))

    def words(label, values):
        return [f"\t.globl {label}", f"\t.balign 4\n{label}:"] + [f"\t.long {v}" for v in values]
    out = ["/* Made by tools/kallsyms.py.  Do not edit. */", '\t.section .kallsyms, "a"']
    out += words("kallsyms_num", [len(offsets)]) + words("kallsyms_offsets", offsets) + words("kallsyms_markers", markers)
    out += ["\t.globl kallsyms_names", "kallsyms_names:"] + names + ['\t.section .note.GNU-stack, "", @progbits', ""]
    pathlib.Path(sys.argv[1]).write_text("\n".join(out))


main()
