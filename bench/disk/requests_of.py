"""requests_of.py: what the disk is asked for during a figure, by kind of block; for `run.py --requests FIGURE`.

QEMU's tracing tells of each request, the same for Weft and for Linux; the image's layout (dumpe2fs) says what lies there.
guest.sh marks the figure's begin and end by reading sectors 1 and 2 of the disk that holds it.
"""
import collections, re, subprocess

LINE = re.compile(r"virtio_blk_handle_(read|write) vdev (\S+) req \S+ sector (\d+) nsectors (\d+)")


class Layout:
    """What lies in each block of an ext4 image, as far as that is fixed when it is made."""

    def __init__(self, image):
        dump = subprocess.run(["dumpe2fs", image], capture_output=True, text=True, check=True).stdout
        self.at = {int(n): "block bitmap" for n in re.findall(r"Block bitmap at (\d+)", dump)}
        self.at.update((int(n), "inode bitmap") for n in re.findall(r"Inode bitmap at (\d+)", dump))
        journal = subprocess.run(["debugfs", "-R", "blocks <8>", image], capture_output=True, text=True, check=True).stdout
        self.at.update((int(n), "journal") for n in journal.split())
        self.tables = [(int(a), int(b)) for a, b in re.findall(r"Inode table at (\d+)-(\d+)", dump)]
        self.descs = max(int(b) for _, b in re.findall(r"Group descriptors at (\d+)-(\d+)", dump)[:1])

    def kind(self, block):
        if block <= self.descs:
            return "super block, groups"
        if any(a <= block <= b for a, b in self.tables):
            return "inode table"
        return self.at.get(block, "data, directories")


def of_figure(lines, nth):
    """(operation, first block, blocks) of the root disk during the nth figure of the run."""
    events = [(m[1], m[2], int(m[3]), int(m[4])) for m in map(LINE.match, lines) if m]
    root = collections.Counter(e[1] for e in events).most_common(1)[0][0]
    begin = [i for i, e in enumerate(events) if e[1] != root and e[2:] == (1, 1)][nth]
    end = next(i for i, e in enumerate(events) if i > begin and e[1] != root and e[2:] == (2, 1))
    return [(op, sector // 8, (n + 7) // 8) for op, dev, sector, n in events[begin:end] if dev == root]


def show(a, d, run):
    with open(d + "/events", "w") as f:
        f.write("virtio_blk_handle_read\nvirtio_blk_handle_write\n")
    row = run(["-trace", f"events={d}/events", "-D", d + "/trace"]).get(a.requests)
    layout = Layout(a.image)
    count, blocks = collections.Counter(), collections.Counter()
    with open(d + "/trace") as f:
        requests = of_figure(f, a.figures.index(a.requests))
    for op, block, n in requests:
        if a.verbose:
            print(f"{op:5} {block:8} {n:4}  {layout.kind(block)}")
        count[op, layout.kind(block)] += 1
        blocks[op, layout.kind(block)] += n
    print(f"{a.requests}: {row}")
    for key in sorted(count):
        print(f"{key[0]:5}  {key[1]:20} {count[key]:6} requests {blocks[key]:7} blocks")
