# weft-gdb.py: gdb commands for libweft's user-level threads.
#
# What:  weft threads          list all threads with state, what they wait for and where they stand
#        weft bt ID            back trace of one thread, unwound by gdb itself
#        weft enter ID         look around in that thread's frames (up, down, info locals); "weft leave" goes back
# Idea:  a thread that does not run has two words on its stack: where it continues and its frame pointer; with the stack
#        pointer after them that is all that gdb needs.  Entering sets the three registers and remembers the old ones;
#        leave before you continue.
# Use:   gdb -x tools/weft-gdb.py PROGRAM, or "source" it.
# See:   src/arch/*/arch.h (the saved context), src/stack.c (the roster).
import gdb

WAIT = ["running", "parking", "waiting", "waiting", "woken", "timed out", "cancelled"]
saved = None

def regs():
    return ("$sp", "$pc", "$x29" if "aarch64" in gdb.selected_frame().architecture().name() else "$rbp")

def threads():
    rt = gdb.parse_and_eval("rt")
    if int(rt["running"]):
        yield rt["main"]
    r = gdb.parse_and_eval("roster")
    while int(r):
        for i in range(int(r["n"])):
            yield r["t"][i].dereference()
        r = r["next"]

def current_of_workers():
    rt = gdb.parse_and_eval("rt")
    return {int(rt["worker"][i]["current"]): i for i in range(int(rt["ntotal"]))}

def live():
    return [t for t in threads() if int(t["life"]) == 1]

def words(t):
    p = t["sp"].cast(gdb.lookup_type("unsigned long").pointer())
    return int(p[0]), int(p[1]), int(t["sp"]) + 16

def describe(t, running):
    addr = int(t.address)
    state = "worker %d" % running[addr] if addr in running else WAIT[int(t["wait"])]
    if state == "running":
        state = "ready"
    if int(t["what"]) and addr not in running:
        state += " for " + t["what"].string()
    return '%-6d %-24s %s' % (int(t["id"]), '"%s"' % t["name"].string(), state)

class Weft(gdb.Command):
    """weft threads | weft bt ID | weft enter ID | weft leave"""
    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, prefix=True)
    def invoke(self, arg, tty):
        print(self.__doc__)

class Threads(gdb.Command):
    """List libweft's threads."""
    def __init__(self):
        super().__init__("weft threads", gdb.COMMAND_STACK)
    def invoke(self, arg, tty):
        running = current_of_workers()
        for t in live():
            line = describe(t, running)
            if int(t.address) not in running and int(t["sp"]) and not int(t["packed"]):
                pc = words(t)[0]
                line += "  at " + gdb.execute("info symbol %d" % pc, to_string=True).strip()
            print(line)

def enter(arg):
    global saved
    if saved:
        leave()
    want = int(arg, 0)
    for t in live():
        if int(t["id"]) != want:
            continue
        if int(t.address) in current_of_workers():
            raise gdb.GdbError("thread %d is running: use gdb's own thread command" % want)
        if int(t["packed"]):
            raise gdb.GdbError("thread %d is packed: its stack is in a heap block" % want)
        pc, fp, sp = words(t)
        gdb.execute("frame 0", to_string=True)
        saved = [(r, int(gdb.parse_and_eval("(unsigned long)" + r))) for r in regs()]
        for r, v in zip(regs(), (sp - 8 if "rbp" in regs()[2] else sp, pc, fp)):
            gdb.execute("set %s = %d" % (r, v))
        return
    raise gdb.GdbError("no thread %d" % want)

def leave():
    global saved
    if saved:
        gdb.execute("frame 0", to_string=True)
        for r, v in saved:
            gdb.execute("set %s = %d" % (r, v))
    saved = None

class Enter(gdb.Command):
    """Look around in a thread that does not run; weft leave before continuing."""
    def __init__(self):
        super().__init__("weft enter", gdb.COMMAND_STACK)
    def invoke(self, arg, tty):
        enter(arg)
        gdb.execute("frame")

class Leave(gdb.Command):
    """Back to where gdb was before weft enter."""
    def __init__(self):
        super().__init__("weft leave", gdb.COMMAND_STACK)
    def invoke(self, arg, tty):
        leave()

class Bt(gdb.Command):
    """Back trace of a thread."""
    def __init__(self):
        super().__init__("weft bt", gdb.COMMAND_STACK)
    def invoke(self, arg, tty):
        enter(arg)
        try:
            gdb.execute("bt")
        finally:
            leave()

Weft(), Threads(), Enter(), Leave(), Bt()
