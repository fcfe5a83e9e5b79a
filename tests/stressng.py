"""stressng.py: which of stress-ng's stressors the record runs, and how one is run and judged.

What:   whole classes (`stress-ng --class NAME?`) without the stressors in ABSENT, each with four instances for ten seconds,
        verifying what it does; `run.py stressng` boots the checking kernel with a few at a time.
Idea:   a stressor whose system call is not there says so and ends well: it is counted as skipped, with what it said.  What
        would fail for want of a subsystem is named in ABSENT and not run.
See:    tests/run.py; `make stressng`.
"""
import re
import subprocess

# Stress-ng 0.15 has no class `signal`: its signal stressors are in `interrupt`.
CLASSES = ("scheduler", "interrupt", "vm", "memory")
SECONDS = 10
SKIPPED = r"be skipped\|skipping st\|skipping test"     # what a stressor says that does nothing
AT_ONCE = 12            # stressors of one boot: what crashes loses no more than these

# What is left out, and why.
ABSENT = {
    "netlink-proc": "netlink sockets come with the network",
    "netlink-task": "netlink sockets come with the network",
    "aiol": "Linux's own asynchronous I/O comes with disks",
    "fanotify": "fanotify", "userfaultfd": "userfaultfd",
}


def stressors(names):
    """The stressors of these classes, each once, in the classes' order; a name that is no class is a stressor."""
    seen = {}
    for name in names:
        listed = re.search(r"stressors: (.*)", subprocess.run(["stress-ng", "--class", name + "?"], text=True, capture_output=True).stdout)
        for s in listed[1].split() if listed else [name]:
            seen.setdefault(s, name)
    return [s for s in seen if s not in ABSENT]


def command(s):
    """The shell line that runs one stressor and prints its verdict; no end within ten minutes is a hang."""
    return (f"timeout -s KILL 600 stress-ng --pathological --{s} 4 -t {SECONDS} --verify --temp-path /tmp >/tmp/out 2>&1; st=$?; "
            f"if [ $st != 0 ]; then echo not ok stress-ng/{s}: status $st; tail -n 8 /tmp/out; "
            f"elif grep -q '{SKIPPED}' /tmp/out; then echo skip stress-ng/{s}: $(grep -m 1 '{SKIPPED}' /tmp/out); "
            f"else echo ok stress-ng/{s}; fi; "
            "rm -rf /tmp/*")


def chunks(names):
    found = stressors(names)
    return [found[i:i + AT_ONCE] for i in range(0, len(found), AT_ONCE)]
