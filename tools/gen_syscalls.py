#!/usr/bin/env python3
"""gen_syscalls.py TABLE OUTDIR DOC: everything that is made from the one table of system calls.

Reads:  kernel/arch/x86/entry/syscall_64.tbl (its head says what a line means)
Writes: OUTDIR/syscalls.h        prototypes of the calls that exist, included by <weft/syscalls.h>
        OUTDIR/nr_syscalls.h     NR_syscalls, also for assembly, and __NR_name
        OUTDIR/syscall_table.h   SYSCALL(number, entry) and SYSCALL_NAME(number, "name") lines for entry/syscall_64.c
        DOC                      doc/syscalls.md: what there is and what is missing
Every file is written only when its text changes, so that an edit of one status rebuilds little.
"""
import pathlib, re, sys

STATUS = {"ok", "part", "none"}
FLAGS = {"", "regs"}
MAX_ARGS = 6


def fail(number, why):
    sys.exit(f"syscall_64.tbl:{number}: {why}")


def parse(path):
    calls = []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = [p.strip() for p in line.split("|")]
        if len(parts) != 4:
            fail(number, "not of the form: number abi name entry | arguments | status | flags")
        words = parts[0].split()
        if len(words) != 4 or not words[0].isdigit():
            fail(number, "needs number, abi, name and entry first")
        nr, name, entry, args, status, flags = int(words[0]), words[2], words[3], parts[1], parts[2], parts[3]
        if calls and nr <= calls[-1]["nr"]:
            fail(number, "numbers must rise")
        if status not in STATUS or flags not in FLAGS:
            fail(number, f"unknown status '{status}' or flag '{flags}'")
        if status != "none" and (not re.fullmatch(r"sys_\w+", entry) or not args):
            fail(number, "a call that exists needs a function and its arguments ('void' for none)")
        if args.count(",") >= MAX_ARGS:
            fail(number, f"more than {MAX_ARGS} arguments")
        calls.append(dict(nr=nr, name=name, entry=entry, args=args, status=status, flags=flags))
    return calls


def made_by(what):
    return f"/* Made by tools/gen_syscalls.py from kernel/arch/x86/entry/syscall_64.tbl{what}.  Do not edit. */"


def prototypes(calls):
    out = [made_by(": the calls that exist"), "#ifndef GENERATED_SYSCALLS_H", "#define GENERATED_SYSCALLS_H", ""]
    out += [f"long {c['entry']}({c['args']});" for c in calls if c["status"] != "none"]
    return "\n".join(out + ["", "#endif", ""])


def numbers(calls):
    out = [made_by(": their numbers"), "#ifndef GENERATED_NR_SYSCALLS_H", "#define GENERATED_NR_SYSCALLS_H", "",
           f"#define NR_syscalls {calls[-1]['nr'] + 1}"]
    out += [f"#define __NR_{c['name']} {c['nr']}" for c in calls]
    return "\n".join(out + ["", "#endif", ""])


def table(calls):
    out, entries = [made_by("")], {}
    for c in calls:
        if c["status"] != "none":
            entries[c["nr"]] = c["entry"].replace("sys_", "stub_", 1) if "regs" in c["flags"] else c["entry"]
        out.append(f"SYSCALL_NAME({c['nr']}, \"{c['name']}\")")
    out += [f"SYSCALL({nr}, {entries.get(nr, 'sys_unimplemented')})" for nr in range(calls[-1]["nr"] + 1)]
    return "\n".join(out + [""])


def document(calls):
    count = {s: sum(c["status"] == s for c in calls) for s in STATUS}
    out = ["# System calls", "",
           "Made by tools/gen_syscalls.py from `kernel/arch/x86/entry/syscall_64.tbl`; do not edit.", "",
           f"Of {len(calls)} numbers of x86-64 Linux {count['ok']} are there, {count['part']} in part, {count['none']} are not.",
           "A call that is not there returns ENOSYS and is counted in `/proc/weft/unimplemented`.", "",
           "| number | name | status | function | arguments |", "|---:|---|---|---|---|"]
    for c in calls:
        there = c["status"] != "none"
        args = c["args"].replace("__user ", "") if there else ""
        out.append(f"| {c['nr']} | {c['name']} | {c['status']} | {c['entry'] if there else ''} | {args} |")
    return "\n".join(out + [""])


def write_if_changed(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    source, outdir, doc = (pathlib.Path(p) for p in sys.argv[1:])
    calls = parse(source)
    write_if_changed(outdir / "syscalls.h", prototypes(calls))
    write_if_changed(outdir / "nr_syscalls.h", numbers(calls))
    write_if_changed(outdir / "syscall_table.h", table(calls))
    write_if_changed(doc, document(calls))


main()
