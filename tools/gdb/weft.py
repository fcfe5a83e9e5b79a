"""weft.py: gdb commands that show the inside of a running Weft kernel.

weft-ps            all tasks: pid, state, cpu, mm, name
weft-bt PID        back trace of a task that does not run
weft-mm [PID]      address spaces: mm_users, mm_count, pgd, who borrows them as active_mm; with PID its areas
weft-rq            run queues: who runs on which CPU, who waits
weft-slab          slab caches: objects in use, size
Load with `make gdb`, or `source tools/gdb/weft.py` in a gdb that has build/weft.elf.
"""
import gdb

STATES = {0: "R", 1: "S", 2: "D", 4: "T", 8: "t", 0x40: "P", 0x80: "X", 0x402: "I"}


def sym(name):
    return gdb.parse_and_eval(name)


def offset_of(type_name, field):
    t = gdb.lookup_type(type_name)
    return int(next(f for f in t.fields() if f.name == field).bitpos) // 8


def container_of(ptr, type_name, field):
    t = gdb.lookup_type(type_name)
    return gdb.Value(int(ptr) - offset_of(type_name, field)).cast(t.pointer())


def list_entries(head, type_name, field):
    node = head["next"]
    while int(node) != int(head.address):
        yield container_of(node, type_name, field)
        node = node["next"]


def per_cpu(name, cpu):
    v = sym(name)
    at = (int(v.address) + int(sym("__per_cpu_offset")[cpu])) & 0xffffffffffffffff
    return gdb.Value(at).cast(v.type.pointer()).dereference()


def online_cpus():
    mask = int(sym("__cpu_online_mask")["bits"][0])
    return [c for c in range(64) if mask >> c & 1]


def tasks():
    init = sym("init_task")
    for leader in [init.address] + list(list_entries(init["tasks"], "struct task_struct", "tasks")):
        yield leader
        for t in list_entries(leader["signal"]["thread_head"], "struct task_struct", "thread_node"):
            if int(t) != int(leader):
                yield t


def comm(t):
    return t["comm"].string(errors="replace")


def state(t):
    s = int(t["__state"])
    if int(t["exit_state"]) & 0x20:
        return "Z"
    return STATES.get(s & ~0x100, hex(s))


def find(pid):
    for t in tasks():
        if int(t["pid"]) == pid:
            return t
    raise gdb.GdbError(f"no task {pid}")


class WeftPs(gdb.Command):
    """All tasks."""
    def __init__(self):
        super().__init__("weft-ps", gdb.COMMAND_USER)

    def invoke(self, arg, tty):
        print(f"{'PID':>6} {'TGID':>6} S {'CPU':>3} {'task_struct':18} {'mm':18} NAME")
        for t in tasks():
            on = "*" if int(t["on_cpu"]) else " "
            print(f"{int(t['pid']):6} {int(t['tgid']):6} {state(t)}{on}{int(t['cpu']):3} {int(t):#018x} {int(t['mm']):#018x} {comm(t)}")


class WeftBt(gdb.Command):
    """Back trace of a sleeping task: weft-bt PID."""
    def __init__(self):
        super().__init__("weft-bt", gdb.COMMAND_USER)

    def invoke(self, arg, tty):
        t = find(int(arg))
        word = gdb.lookup_type("unsigned long")
        sp = int(t["thread"]["sp"])
        low = int(t["stack"])
        # The saved frame: callee-saved registers, the last pushed first; walk the chain of frame pointers above it.
        size = 1 << (int(t["stack"]) & -int(t["stack"])).bit_length() - 1
        pc = None
        for slot in range(0, 12):
            v = int(gdb.Value(sp + 8 * slot).cast(word.pointer()).dereference())
            if low < v < low + min(size, 0x8000) and v > sp:
                fp = v
                while low < fp < low + min(size, 0x8000):
                    pc = int(gdb.Value(fp + 8).cast(word.pointer()).dereference())
                    print(gdb.execute(f"info symbol {pc:#x}", to_string=True).strip())
                    nxt = int(gdb.Value(fp).cast(word.pointer()).dereference())
                    if nxt <= fp:
                        break
                    fp = nxt
                return
        print("no frame found")


class WeftMm(gdb.Command):
    """Address spaces, or the areas of one: weft-mm [PID]."""
    def __init__(self):
        super().__init__("weft-mm", gdb.COMMAND_USER)

    def invoke(self, arg, tty):
        if arg:
            mm = find(int(arg))["mm"]
            if not int(mm):
                raise gdb.GdbError("a kernel thread: it has no mm")
            for v in list_entries(mm["mmap"], "struct vm_area_struct", "vm_list"):
                f = int(v["vm_flags"])
                rights = "".join(c if f & b else "-" for c, b in (("r", 1), ("w", 2), ("x", 4), ("s", 8)))
                print(f"{int(v['vm_start']):#014x}-{int(v['vm_end']):#014x} {rights} {'file' if int(v['vm_file']) else 'anon'}")
            return
        seen = {}
        for t in tasks():
            for key in ("mm", "active_mm"):
                m = int(t[key])
                if m:
                    seen.setdefault(m, ([], []))
            if int(t["mm"]):
                seen[int(t["mm"])][0].append(f"{int(t['pid'])}")
            elif int(t["active_mm"]):
                seen[int(t["active_mm"])][1].append(f"{comm(t)}/{int(t['pid'])}")
        kind = gdb.lookup_type("struct mm_struct").pointer()
        for m, (users, borrowers) in seen.items():
            mm = gdb.Value(m).cast(kind)
            print(f"{m:#018x} mm_users {int(mm['mm_users']['refs']['counter'])} mm_count {int(mm['mm_count']['refs']['counter'])} "
                  f"pgd {int(mm['pgd']):#x} used by {','.join(users) or '-'} borrowed by {','.join(borrowers) or '-'}")


class WeftRq(gdb.Command):
    """Run queues."""
    def __init__(self):
        super().__init__("weft-rq", gdb.COMMAND_USER)

    def invoke(self, arg, tty):
        for cpu in online_cpus():
            rq = per_cpu("runqueues", cpu)
            cur = rq["curr"]
            print(f"cpu {cpu}: nr_running {int(rq['nr_running'])}, running {comm(cur)}/{int(cur['pid'])}, switches {int(rq['nr_switches'])}")
            for t in tasks():
                if int(t["on_rq"]) and int(t["cpu"]) == cpu and int(t) not in (int(cur), int(rq["idle"])):
                    print(f"    waits: {comm(t)}/{int(t['pid'])} prio {int(t['prio'])} vruntime {int(t['se']['vruntime'])}")


class WeftSlab(gdb.Command):
    """Slab caches."""
    def __init__(self):
        super().__init__("weft-slab", gdb.COMMAND_USER)

    def invoke(self, arg, tty):
        for s in list_entries(sym("slab_caches"), "struct kmem_cache", "list"):
            fields = {f.name for f in s.type.target().fields()}
            line = f"{s['name'].string():24} size {int(s['size']):6}"
            for name in ("object_size", "nr_slabs", "nr_objects"):
                if name in fields:
                    v = s[name]
                    line += f" {name} {int(v['counter']) if v.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT else int(v)}"
            print(line)


for command in (WeftPs, WeftBt, WeftMm, WeftRq, WeftSlab):
    command()
print("Weft: weft-ps, weft-bt PID, weft-mm [PID], weft-rq, weft-slab")
