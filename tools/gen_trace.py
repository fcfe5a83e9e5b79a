#!/usr/bin/env python3
"""gen_trace.py OUT_EVENTS_H OUT_TABLE_H FILE.tbl...: the trace events of all tables.

A table's line:    name | u32 pid, u64 addr | "pid=%d addr=%#llx"
What comes out:    trace_events.h with an inline trace_NAME(arguments) for each (one load and one predicted branch when
                   the event is off), and trace_table.h with names, fields and formats for kernel/trace/events.c.
Arguments are integers, at most six; each is recorded as 64 bits, sign-extended if its type is signed.  A format's
conversions must be as many as the arguments.  '#' begins a comment line.
"""
import pathlib, re, sys

TYPES = {"u8", "u16", "u32", "u64", "s32", "s64", "int", "long", "bool", "size_t", "pid_t",
         "unsigned int", "unsigned long", "long long", "unsigned long long"}
MAX_ARGS = 6


def fail(path, number, why):
    sys.exit(f"{path}:{number}: {why}")


def parse(path):
    events = []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        m = re.fullmatch(r'(\w+)\s*\|\s*([^|]*?)\s*\|\s*"(.*)"', line)
        if not m:
            fail(path, number, 'not of the form: name | type arg, ... | "format"')
        name, fields, fmt = m.groups()
        args = []
        for field in filter(None, (f.strip() for f in fields.split(","))):
            words = field.rsplit(None, 1)
            if len(words) != 2 or words[0] not in TYPES:
                fail(path, number, f"argument '{field}': its type must be one of {', '.join(sorted(TYPES))}")
            args.append(tuple(words))
        if len(args) > MAX_ARGS:
            fail(path, number, f"more than {MAX_ARGS} arguments")
        conversions = re.findall(r"%[-+ #0]*\d*(?:ll|l|h|hh|z)?([a-zA-Z%])", fmt)
        if len([c for c in conversions if c != "%"]) != len(args):
            fail(path, number, "the format's conversions and the arguments differ in number")
        if any(c not in "dioxXuc%" for c in conversions):
            fail(path, number, "only integer conversions")
        events.append((name, path.stem, args, fields, fmt))
    return events


def events_h(events):
    out = ["/* Made by tools/gen_trace.py from the tables of kernel/trace/events.  Do not edit. */",
           "#ifndef GENERATED_TRACE_EVENTS_H", "#define GENERATED_TRACE_EVENTS_H", "", "enum {"]
    out += [f"\tTRACE_{name.upper()}," for name, *_ in events]
    out += ["\tNR_TRACE_EVENTS", "};", "", "extern u8 trace_event_on[NR_TRACE_EVENTS + 1];"]
    for name, _, args, _, _ in events:
        params = ", ".join(f"{t} {n}" for t, n in args) or "void"
        values = ", ".join(f"(u64){n}" for _, n in args) or "0"
        out.append(f"""
static __always_inline bool trace_{name}_enabled(void) {{ return trace_event_on[TRACE_{name.upper()}]; }}
static __always_inline void trace_{name}({params})
{{
	if (unlikely(trace_event_on[TRACE_{name.upper()}]))
		trace_record(TRACE_{name.upper()}, {len(args)}, (const u64[]){{ {values} }});
}}""")
    return "\n".join(out + ["", "#endif", ""])


def table_h(events):
    out = ["/* Made by tools/gen_trace.py from the tables of kernel/trace/events.  Do not edit. */"]
    for name, system, args, fields, fmt in events:
        out.append(f'{{ .name = "{name}", .system = "{system}", .nr_args = {len(args)}, '
                   f'.fields = "{fields}", .format = "{fmt}" }},')
    return "\n".join(out + [""])


def write_if_changed(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    events_path, table_path, *tables = sys.argv[1:]
    events = [e for t in sorted(tables) for e in parse(pathlib.Path(t))]
    seen = set()
    for name, system, *_ in events:
        if name in seen:
            sys.exit(f"{system}.tbl: event {name} is declared twice")
        seen.add(name)
    write_if_changed(events_path, events_h(events))
    write_if_changed(table_path, table_h(events))


main()
