#!/usr/bin/env python3
# run.py: runs libweft's benchmark and its peers turn by turn and writes the table and the plot.
#
# What:  run.py BUILD_DIR OUTPUT_DIR [ROUNDS]: RESULT.md (table), result.svg (plot), result.json (all numbers).
# Idea:  one run, one machine, alternating: each round runs every program once, and of each row the best round counts
#        (small operations: everything that disturbs makes them slower) or the median (echo: throughput varies both ways).
#        Where the user may, all programs run at a real-time priority, so that a busy machine does not disturb them.
# Peers: those that are built; a missing one is a gap in the table.
# See:   bench_weft.c for what the rows mean.
import json, os, statistics, subprocess, sys, time

B, OUT = sys.argv[1:3]
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else 5
FIRST = ["chrt", "-f", "10"]
if subprocess.run(FIRST + ["true"], stderr=subprocess.DEVNULL).returncode:
    FIRST = []
CPU = ["taskset", "-c", str(os.cpu_count() - 1)]
port = 21000
results = {}

def env(**kw):
    e = dict(os.environ)
    e.update(kw)
    return e

def run(column, cmd, e=None, one_cpu=True, timeout=120, prefix=""):
    if not os.path.exists(cmd[0]):
        return
    try:
        out = subprocess.run(FIRST + (CPU if one_cpu else []) + cmd, env=e, capture_output=True, text=True, timeout=timeout).stdout
    except subprocess.TimeoutExpired:
        out = ""
    for line in out.splitlines():
        if "\t" in line:
            row, value = line.split("\t")
            results.setdefault((prefix + row, column), []).append(float(value))

def echo(connections, slice_ms, rounds):
    """All servers at once on processor 0, and a load that turns to one after the other; the first is what they are compared with."""
    servers, columns = [], []
    try:
        for column, server, e in (("epoll loop", prog("echo", "epoll"), {}), ("libweft N:1", prog("echo", "weft"), {"WEFT_IO": "epoll"}),
                                  ("libweft io_uring", prog("echo", "weft"), {"WEFT_IO": "io_uring"}), ("Go", prog("go", "echo"), {}),
                                  ("State Threads", prog("st", "echo"), {})):
            if not os.path.exists(server[0]):
                continue
            global port
            port += 1
            servers.append((port, subprocess.Popen(FIRST + ["taskset", "-c", "0"] + server + [str(port)], stdout=subprocess.PIPE, text=True,
                                                   stderr=subprocess.DEVNULL, env=env(WEFT_MODEL="N:1", GOMAXPROCS="1", **e))))
            columns.append(column)
            servers[-1][1].stdout.readline()
        out = subprocess.run(FIRST + CPU + [B + "/echo", "load", str(connections), str(slice_ms), str(rounds)] + [str(p) for p, _ in servers],
                             capture_output=True, text=True, timeout=600).stdout
        for line in out.splitlines():
            i, rate, ratio = line.split("\t")
            results.setdefault(("echo%d_requests" % connections, columns[int(i)]), []).append(float(rate))
            results.setdefault(("echo%d_ratio" % connections, columns[int(i)]), []).append(float(ratio))
    finally:
        for _, p in servers:
            p.kill()
            p.wait()

def prog(name, *args):
    return [os.path.join(B, name)] + list(args)

try:
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (30000, 30000))
except (ValueError, OSError):
    pass

for r in range(ROUNDS):
    run("libweft N:1", prog("weft"), env(WEFT_MODEL="N:1"))
    run("Boost", prog("boost", "context"))
    run("libweft M:N", prog("weft"), env(WEFT_MODEL="M:N", WEFT_WORKERS="1"))
    run("Go", prog("go"), env(GOMAXPROCS="1"))
    run("Boost", prog("boost"))
    run("State Threads", prog("st"))
    run("GNU Pth", prog("pth"))
    run("glibc", prog("libc"))
    for w in (1, 2):
        run("libweft M:N", prog("weft", "tree"), env(WEFT_MODEL="M:N", WEFT_WORKERS=str(w)), w == 1, prefix="%dcpu_" % w)
        run("Go", prog("go", "tree"), env(GOMAXPROCS=str(w)), w == 1, prefix="%dcpu_" % w)
    run("Go", prog("go"), env(GOMAXPROCS="2"), False, prefix="2cpu_")
    run("libweft M:N", prog("weft"), env(WEFT_MODEL="M:N", WEFT_WORKERS="2"), False, prefix="2cpu_")
    if r == 0:
        run("libweft N:1", prog("weft", "memory"), env(WEFT_MODEL="N:1"))
        run("libweft N:1 packed", prog("weft", "memory", "packed"), env(WEFT_MODEL="N:1"))
        run("Go", prog("go", "memory"))
    echo(1000, 80, 40)
    echo(10000, 250, 12)
    print("round %d of %d" % (r + 1, ROUNDS), flush=True)

ROWS = [("coroutine", "bare switch", "ns"), ("yield", "yield, two threads", "ns"), ("yield10", "yield, 10 threads", "ns"),
        ("yield10k", "yield, 10 thousand threads", "ns"), ("yield1M", "yield, 1 million threads", "ns"), ("create", "create + join", "ns"),
        ("create10", "create + join, 10 others alive", "ns"), ("create10k", "create + join, 10 thousand alive", "ns"),
        ("create1M", "create + join, 1 million alive", "ns"),
        ("channel", "channel, one way", "ns"), ("mutex", "mutex hand-over (with a yield)", "ns"), ("cond", "condition variable, one way", "ns"),
        ("2cpu_yield", "yield, two processors", "ns"), ("2cpu_create", "create + join, two processors", "ns"),
        ("2cpu_channel", "channel, two processors", "ns"), ("2cpu_mutex", "mutex, two processors", "ns"),
        ("1cpu_tree_ms", "fib(32) spawn tree, one processor", "ms"), ("2cpu_tree_ms", "fib(32) spawn tree, two processors", "ms"),
        ("parked_bytes", "a parked thread of a million", "bytes"), ("parked_bytes_with_page_tables", "... with page tables", "bytes"),
        ("echo1000_requests", "echo, 1,000 connections", "requests/s"), ("echo1000_ratio", "... beside the epoll loop", "ratio"),
        ("echo10000_requests", "echo, 10,000 connections", "requests/s"), ("echo10000_ratio", "... beside the epoll loop", "ratio")]
COLUMNS = ["libweft N:1", "libweft M:N", "libweft N:1 packed", "libweft io_uring", "Boost", "Go", "State Threads", "GNU Pth", "glibc", "epoll loop"]

def value(row, column):
    v = results.get((row, column))
    if not v:
        return None
    return statistics.median(v) if row.startswith("echo") else min(v)

def show(v):
    return "" if v is None else "{:,.0f}".format(v) if v >= 100 else "%.1f" % v if v >= 2.2 else "%.3g" % v

model = [l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")][0]
with open(os.path.join(OUT, "RESULT.md"), "w") as f:
    f.write("# libweft beside its peers\n\nMeasured %s on %s, %d processors, Linux %s; %d rounds, programs taking turns, best round of each "
            "(echo: median), load average at the end %.1f, %s. Repeat with `make bench-threads`. Small rows run on one processor.\n\n"
            % (time.strftime("%Y-%m-%d %H:%M"), model, os.cpu_count(), os.uname().release, ROUNDS, os.getloadavg()[0],
               "all at real-time priority" if FIRST else "at ordinary priority"))
    f.write("| | unit | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 2) + "\n")
    for row, label, unit in ROWS:
        f.write("| %s | %s | %s |\n" % (label, unit, " | ".join(show(value(row, c)) for c in COLUMNS)))
    f.write("\nBoost: bare switch by Boost.Context's fcontext, the rest by Boost.Fiber. State Threads' yield is `st_usleep(0)`. glibc: "
            "ucontext and pthreads. The plot: `result.svg`.\n")
json.dump({"%s|%s" % k: v for k, v in results.items()}, open(os.path.join(OUT, "result.json"), "w"), indent=0)

# The plot: one band a row, one bar a column, logarithmic.
import math
colour = dict(zip(COLUMNS, ["#0b6e4f", "#3aa17e", "#9bd3bd", "#5f9ea0", "#8a5a9e", "#2d7dd2", "#e0a030", "#c0504d", "#777777", "#222222"]))
svg, y = [], 30
for row, label, unit in ROWS:
    bars = [(c, value(row, c)) for c in COLUMNS if value(row, c)]
    if not bars or row.endswith("ratio"):
        continue
    svg.append('<text x="10" y="%d" font-weight="bold">%s (%s)</text>' % (y, label, unit))
    low = min(v for _, v in bars) / 2
    scale = 420 / max(1e-9, math.log10(max(v for _, v in bars) / low))
    for c, v in bars:
        y += 15
        w = math.log10(v / low) * scale
        svg.append('<text x="150" y="%d" text-anchor="end">%s</text><rect x="156" y="%d" width="%.0f" height="11" fill="%s"/>'
                   '<text x="%.0f" y="%d">%s</text>' % (y, c, y - 9, w, colour[c], 162 + w, y, show(v)))
    y += 28
with open(os.path.join(OUT, "result.svg"), "w") as f:
    f.write('<svg xmlns="http://www.w3.org/2000/svg" width="700" height="%d" font-family="sans-serif" font-size="11">'
            '<rect width="100%%" height="100%%" fill="white"/>%s</svg>\n' % (y, "".join(svg)))
print(open(os.path.join(OUT, "RESULT.md")).read())
