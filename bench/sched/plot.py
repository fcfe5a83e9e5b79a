#!/usr/bin/env python3
"""plot.py [OUTPUT_DIRECTORY]: draws what results.tsv holds as the SVG figures of doc/sched.md (doc/img).

results.tsv: kernel, figure, value, unit; one line for each "sched FIGURE VALUE UNIT" that run.sh prints.  plot.py --add KERNEL
reads such lines from its input and puts them there in place of the kernel's old ones.
"""
import math, pathlib, re, sys

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE / "results.tsv"
COLOURS = {"before": "#b0b0b0", "weft": "#1f6fb4", "linux-6.1": "#d9822b"}
NAMES = {"before": "Weft before", "weft": "Weft", "linux-6.1": "Linux 6.1"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 70, 20, 40, 50


def read_data():
    """[(kernel, figure, value, unit)], as it stands."""
    lines = DATA.read_text().splitlines() if DATA.exists() else []
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def add(kernel, lines):
    rows = [row for row in read_data() if row[0] != kernel]
    for line in lines:
        m = re.match(r"sched (\S+) (\S+) (\S+)", line)
        if m:
            rows.append([kernel, *m.groups()])
    DATA.write_text("# kernel, figure, value, unit: bench/sched/run.sh, one processor, 8 ns an instruction\n" +
                    "".join("\t".join(row) + "\n" for row in rows))


class Svg:
    """A picture with axes; y is linear or logarithmic."""

    def __init__(self, title, y_label, low, high, log=False, marks=()):
        self.low, self.high, self.log = low, high, log
        self.out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
                    f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
                    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self.text(WIDTH / 2, 18, title, "middle", 14)
        self.out.append(f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{y_label}</text>')
        for value in marks:
            y = self.y(value)
            self.line(LEFT, y, WIDTH - RIGHT, y, "#dddddd")
            self.text(LEFT - 6, y + 4, f"{value:g}", "end")
        self.line(LEFT, self.y(low), WIDTH - RIGHT, self.y(low), "black")

    def y(self, value):
        value = max(value, self.low)
        part = (math.log(value / self.low) / math.log(self.high / self.low) if self.log
                else (value - self.low) / (self.high - self.low))
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def text(self, x, y, text, anchor="middle", size=12, colour="black"):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{text}</text>')

    def line(self, x1, y1, x2, y2, colour, width=1, dash=""):
        self.out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                        f'stroke-width="{width}"{f" stroke-dasharray={dash!r}" if dash else ""}/>')

    def bar(self, x, width, value, colour):
        top = self.y(value)
        self.out.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{self.y(self.low) - top:.1f}" '
                        f'fill="{colour}"/>')

    def curve(self, points, colour, dash=""):
        path = " ".join(f"{x:.1f},{self.y(v):.1f}" for x, v in points)
        self.out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                        f'{f" stroke-dasharray={dash!r}" if dash else ""}/>')
        for x, v in points:
            self.out.append(f'<circle cx="{x:.1f}" cy="{self.y(v):.1f}" r="3" fill="{colour}"/>')

    def legend(self, entries):
        x = LEFT + 10
        for name, colour in entries:
            self.out.append(f'<rect x="{x}" y="{TOP - 14}" width="10" height="10" fill="{colour}"/>')
            self.text(x + 14, TOP - 5, name, "start")
            x += 26 + 7 * len(name)

    def save(self, path):
        path.write_text("\n".join(self.out + ["</svg>", ""]))


def latency(data):
    hogs = [1, 2, 4, 8, 16, 32]
    svg = Svg("Lateness of a task that sleeps 5 ms and works 0.1 ms", "ms", 0.01, 100, True, (0.01, 0.1, 1, 10, 100))
    xs = [LEFT + 30 + i * (WIDTH - LEFT - RIGHT - 60) / (len(hogs) - 1) for i in range(len(hogs))]
    for kernel, colour in COLOURS.items():
        for what, dash in ("p99", ""), ("max", "4 4"):
            points = [(x, data[kernel, f"latency_{n}_hogs_nice_0_{what}"][0] / 1000) for x, n in zip(xs, hogs)]
            svg.curve(points, colour, dash)
    for x, n in zip(xs, hogs):
        svg.text(x, HEIGHT - BOTTOM + 16, n)
    svg.text(WIDTH / 2, HEIGHT - 12, "hogs beside it on one processor (line: 99 %, dashed: the latest of 400)")
    svg.legend([(NAMES[k], c) for k, c in COLOURS.items()])
    return svg


def bars(svg, groups, labels, values, below):
    """Groups of bars, one of each kernel, with the value above."""
    kernels = [k for k in COLOURS if any((k, g) in values for g in groups)]
    step = (WIDTH - LEFT - RIGHT) / len(groups)
    width = step * 0.7 / len(kernels)
    for i, group in enumerate(groups):
        for k, kernel in enumerate(kernels):
            x = LEFT + step * (i + 0.15) + k * width
            value = values[kernel, group]
            svg.bar(x, width * 0.9, value, COLOURS[kernel])
            svg.text(x + width * 0.45, svg.y(value) - 4, f"{value:.3g}", size=10)
        svg.text(LEFT + step * (i + 0.5), HEIGHT - BOTTOM + 16, labels[i])
    svg.text(WIDTH / 2, HEIGHT - 12, below)
    svg.legend([(NAMES[k], COLOURS[k]) for k in kernels])
    return svg


def share(data):
    nices = [-10, -5, 0, 5, 10]
    groups = [f"share_five_nice_{n}" for n in nices]
    values = {(k, g): data[k, g][0] for k in ("weft", "linux-6.1") for g in groups}
    svg = Svg("Share of the processor by nice value, all five at once, 20 s", "%", 0.1, 100, True, (0.1, 1, 10, 100))
    bars(svg, groups, nices, values, "nice value (line: what the weight says)")
    step = (WIDTH - LEFT - RIGHT) / len(groups)
    for i, group in enumerate(groups):
        due = float(data["weft", group][1].rpartition("_")[2])
        svg.line(LEFT + step * (i + 0.08), svg.y(due), LEFT + step * (i + 0.92), svg.y(due), "black", 1, "3 2")
    return svg


def starvation(data):
    cases = ["8_of_nice_0", "1_of_nice_-20", "8_of_nice_-20"]
    groups = [f"beside_{c}_longest_wait_of_{w}" for c in cases for w in ("nice_19", "idle_policy")]
    labels = [f"{'nice 19' if 'nice_19' in g else 'SCHED_IDLE'}" for g in groups]
    values = {(k, g): data[k, g][0] / 1000 for k in COLOURS for g in groups}
    svg = Svg("Longest wait in 60 s", "s", 0, 70, False, (0, 10, 20, 30, 40, 50, 60))
    bars(svg, groups, labels, values, "")
    for i, case in enumerate(("8 hogs of nice 0", "1 hog of nice -20", "8 hogs of nice -20")):
        svg.text(LEFT + (WIDTH - LEFT - RIGHT) * (i + 0.5) / 3, HEIGHT - BOTTOM + 34, "beside " + case)
    return svg


def throttle(data):
    groups = ["rt_throttle_fifo_share", "rt_throttle_fair_share", "deadline_20_of_100_share"]
    values = {(k, g): data[k, g][0] for k in ("weft", "linux-6.1") for g in groups}
    svg = Svg("Who gets what beside a real-time loop, 10 s", "%", 0, 110, False, (0, 20, 40, 60, 80, 100))
    return bars(svg, groups, ["real-time loop", "ordinary loop beside it", "deadline, 20 of 100 ms"], values,
                "at most 95 % are left to real time")


def main():
    if sys.argv[1:2] == ["--add"]:
        return add(sys.argv[2], sys.stdin)
    data = {}
    for kernel, figure, value, unit in read_data():
        data[kernel, figure] = (float(value), unit)
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent.parent / "doc/img")
    out.mkdir(parents=True, exist_ok=True)
    for draw in latency, share, starvation, throttle:
        draw(data).save(out / f"sched-{draw.__name__}.svg")


main()
