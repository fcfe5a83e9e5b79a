#!/usr/bin/env python3
"""gen_syscalls.py TABLE TABLE32 OUTDIR DOC: everything that is made from the tables of system calls.

Reads:  kernel/arch/x86/entry/syscall_64.tbl and syscall_32.tbl (their heads say what a line means)
Writes: OUTDIR/syscalls.h        prototypes of the calls that exist, included by <weft/syscalls.h>
        OUTDIR/nr_syscalls.h     NR_syscalls, also for assembly, and __NR_name
        OUTDIR/syscall_table.h   SYSCALL(number, entry) and SYSCALL_NAME(number, "name") lines for entry/syscall_64.c
        OUTDIR/syscall_table_32.h  for each call of 32-bit programs a function that takes its arguments out of the registers,
                                 and COMPAT_TABLE: COMPAT_SYSCALL(number, function, "name") lines for entry/syscall_32.c
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


def parse32(path, calls):
    """The table of 32-bit programs: number, name, entry, arguments, flags; entry None for what is not there."""
    known = {c["entry"]: c for c in calls}
    rows = []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = [p.strip() for p in line.split("|")]
        words = parts[0].split()
        if len(parts) != 3 or len(words) != 3 or parts[2] not in ("", "time32"):
            sys.exit(f"{path}:{number}: not of the form: number name entry | arguments | flags")
        nr, name, entry, args = int(words[0]), words[1], words[2], parts[1]
        if rows and nr <= rows[-1]["nr"]:
            sys.exit(f"{path}:{number}: numbers must rise")
        call = known.get(entry)
        there = entry != "-" and not (call and call["status"] == "none")
        if there and not args:
            if not call:
                sys.exit(f"{path}:{number}: {entry} is in no table: its arguments are needed")
            args = call["args"]
        rows.append(dict(nr=nr, name=name, entry=entry if there else None, args=args, own=not call, time32=bool(parts[2])))
    return rows


REGISTERS = ["bx", "cx", "dx", "si", "di", "bp"]


def take_arguments(args):
    """C expressions that take typed arguments out of 32-bit registers, in order; loff_t and u64 take two."""
    out, regs = [], iter(REGISTERS)
    for arg in [] if args == "void" else args.split(","):
        ctype = re.sub(r"\w+$", "", arg.strip()).strip()
        if ctype in ("loff_t", "u64"):
            low, high = next(regs), next(regs)
            out.append(f"({ctype})((u64)(u32)regs->{high} << 32 | (u32)regs->{low})")
        else:
            out.append(f"({ctype})(unsigned long)(u32)regs->{next(regs)}")
    return ", ".join(out)


def table32(rows):
    out = [made_by(" and syscall_32.tbl")]
    done = {}
    for r in rows:
        if not r["entry"]:
            continue
        key = (r["entry"], r["args"], r["time32"])
        if key not in done:
            done[key] = "ia32_" + r["name"]
            out += ["", f"static long ia32_{r['name']}(struct pt_regs *regs)", "{"]
            out += ["\tcurrent_thread_info()->status |= TS_TIME32;"] if r["time32"] else []
            out += [f"\treturn {r['entry']}({take_arguments(r['args'])});", "}"]
        r["function"] = done[key]
    out += ["", "#define COMPAT_TABLE \\"]
    out += [f"\tCOMPAT_SYSCALL({r['nr']}, {r.get('function', 'ia32_unimplemented')}, \"{r['name']}\") \\" for r in rows]
    return "\n".join(out + ["", f"#define NR_compat_syscalls {rows[-1]['nr'] + 1}", ""])


def prototypes(calls, rows):
    own = {r["entry"]: r["args"] for r in rows if r["own"] and r["entry"]}
    out = [made_by(": the calls that exist"), "#ifndef GENERATED_SYSCALLS_H", "#define GENERATED_SYSCALLS_H", ""]
    out += [f"long {c['entry']}({c['args']});" for c in calls if c["status"] != "none"]
    out += [f"long {entry}({args});" for entry, args in own.items()]
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


def document(calls, rows):
    count = {s: sum(c["status"] == s for c in calls) for s in STATUS}
    out = ["# System calls", "",
           "Made by tools/gen_syscalls.py from `kernel/arch/x86/entry/syscall_64.tbl`; do not edit.", "",
           f"Of {len(calls)} numbers of x86-64 Linux {count['ok']} are there, {count['part']} in part, {count['none']} are not.",
           "A call that is not there returns ENOSYS and is counted in `/proc/weft/unimplemented`.", "",
           f"32-bit programs (`int 0x80`) find {sum(bool(r['entry']) for r in rows)} of i386's {len(rows)}; not there: " +
           ", ".join(r["name"] for r in rows if not r["entry"]) + ".", "",
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
    source, source32, outdir, doc = (pathlib.Path(p) for p in sys.argv[1:])
    calls = parse(source)
    rows = parse32(source32, calls)
    write_if_changed(outdir / "syscalls.h", prototypes(calls, rows))
    write_if_changed(outdir / "syscall_table_32.h", table32(rows))
    write_if_changed(outdir / "nr_syscalls.h", numbers(calls))
    write_if_changed(outdir / "syscall_table.h", table(calls))
    write_if_changed(doc, document(calls, rows))


main()
