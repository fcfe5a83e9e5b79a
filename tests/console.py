#!/usr/bin/env python3
"""console.py KERNEL INITRD: types into the serial console as a user does, and reads what comes back.

What:   prompt, line editing, history, Ctrl-C, Ctrl-Z with fg and bg, pipelines, stty, poweroff.  One line a case:
        "ok console/NAME" or "not ok console/NAME: what was seen".
Idea:   QEMU's serial port is our standard input and output; expect() reads until a pattern comes or the time is up.
"""
import codecs, os, re, select, subprocess, sys, time

LIMIT = 60          # seconds for each answer: an emulated processor can stop for long


class Console:
    def __init__(self, kernel, initrd, *, mem="128M", smp="1", more=(), append=""):
        self.p = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", mem, "-smp", smp, "-nodefaults", "-display", "none",
             "-no-reboot", "-serial", "stdio", "-kernel", kernel, *(["-initrd", initrd] if initrd else []),
             "-append", f"console=ttyS0 quiet panic=-1 {append}", *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def send(self, s):
        self.p.stdin.write(s.encode())
        self.p.stdin.flush()

    def expect(self, pattern, limit=LIMIT):
        """Text up to and with the first match after what was read before, or None."""
        end = time.time() + limit
        while True:
            m = re.search(pattern, self.text, re.S)
            if m:
                seen, self.text = self.text[:m.end()], self.text[m.end():]
                return seen
            left = end - time.time()
            if left <= 0 or not select.select([self.p.stdout], [], [], left)[0]:
                return None
            data = os.read(self.p.stdout.fileno(), 65536)
            if not data:
                return None
            # the shell asks the terminal where the cursor is, and switches its modes; like a dumb terminal we do not answer
            self.text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", self.text + self.decoder.decode(data).replace("\r", ""))

    def end(self):
        try:
            return self.p.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            return None


def main():
    c = Console(sys.argv[1], sys.argv[2])
    bad = 0

    def case(name, ok, why=""):
        nonlocal bad
        bad += not ok
        print(f"ok console/{name}" if ok else f"not ok console/{name}: {why or repr(c.text[-300:])}", flush=True)
        return ok

    prompt = r"# "
    try:
        if not case("prompt", c.expect(prompt)):
            return 1
        c.send("echo $((6*7))-answer\n")
        case("command", c.expect(r"\n42-answer\n.*# "))
        c.send("echo wrong\x7f\x7f\x7f\x7f\x7fright | cat | cat\n")
        case("line_editing_and_pipeline", c.expect(r"\nright\n.*# "))
        c.send("\x1b[A\n")
        case("history", c.expect(r"\nright\n.*# "))
        c.send("sleep 1000\n")
        c.expect(r"sleep 1000\n")
        time.sleep(1)
        c.send("\x03")
        case("ctrl_c", c.expect(r"# "))
        c.send("echo st=$?\n")
        case("ctrl_c_status", c.expect(r"\nst=130\n.*# "))
        c.send("sleep 999\n")
        c.expect(r"sleep 999\n")
        time.sleep(1)
        c.send("\x1a")
        case("ctrl_z", c.expect(r"Stopped.*# "))
        c.send("bg; jobs\n")
        case("bg", c.expect(r"Running.*sleep 999.*# "))
        c.send("fg\n")
        c.expect(r"sleep 999\n")
        time.sleep(1)
        c.send("\x03")
        case("fg_then_ctrl_c", c.expect(r"# "))
        c.send("cat\n")
        c.expect(r"cat\n")
        time.sleep(1)
        c.send("line one\n")
        case("cooked_echo", c.expect(r"line one\nline one\n"))
        c.send("\x04")
        case("ctrl_d_ends_cat", c.expect(r"# "))
        c.send("stty -a | grep -c isig\n")
        case("stty", c.expect(r"\n1\n.*# "))
        c.send("tty; readlink /proc/self/fd/0\n")
        case("controlling_terminal", c.expect(r"\n/dev/\w+\n/dev/\w+\n.*# "))
        c.send("login -f root\n")
        c.expect(r"# ")
        c.send("echo $LOGNAME-$(id -u)\n")
        case("login", c.expect(r"\nroot-0\n.*# "))
        c.send("exit\n")
        c.expect(r"# ")
        c.send("getty -n -l /bin/sh 115200 ttyS0 vt100\n")
        c.expect(r"# ")
        c.send("tty\n")
        case("getty", c.expect(r"\n/dev/(ttyS0|console)\n.*# "))
        c.send("exit\n")
        c.expect(r"# ")
        c.send("poweroff\n")
        case("poweroff", c.end() == 0, "QEMU did not end")
    finally:
        if c.p.poll() is None:
            c.p.kill()
            c.p.wait()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
