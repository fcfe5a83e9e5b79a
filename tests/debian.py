#!/usr/bin/env python3
"""debian.py KERNEL IMAGE.cpio [--cpus N,N] [--only WORD] [-v]: do Debian's own programs do what they do on Linux?

What:   boots the whole Debian image, runs each case of CASES in it and checks what it printed; and a session typed at the
        console: sysvinit, agetty, login, bash as login shell.  One line a case: "ok debian/NAME" or "not ok debian/NAME: why".
Idea:   a case is a bash script, the exit status that it must have and patterns that its output must match; a function may
        check it instead.  All scripts are laid over the image as files; the overlay's /init runs them one after the other
        and frames each output, so that one boot serves all.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

from console import Console

TESTS = pathlib.Path(__file__).resolve().parent
# Emulated and with a debug kernel all takes its time; nothing here depends on how long.
CASE_LIMIT = 300
REPORTS = re.compile(r"Kernel panic|kernel BUG|\bKASAN\b|\bUBSAN\b|\bLOCKDEP\b|WARNING: |Oops|BUG:|slab corruption|=======+ ")
CASES = []


def case(name, script, *expect, status=0, only=None):
    """`expect`: patterns (re.M), or functions of (output, number of CPUs) that return what is wrong; `only`: topology."""
    CASES.append((name, textwrap.dedent(script).strip() + "\n", expect, status, only))


# ---- the shell, dynamic loading, locales ----
case("bash", "echo $BASH_VERSION; a=(1 2 3); echo ${#a[@]} $((7**3)); echo {a..e}; cat <(echo sub); coproc cat; echo hi >&${COPROC[1]}; "
     "read -u ${COPROC[0]} x; echo got $x", r"^5\.2", r"^3 343$", r"^a b c d e$", r"^sub$", r"^got hi$")
case("ldd", "ldd /bin/ls; /lib64/ld-linux-x86-64.so.2 --version | head -1; LD_TRACE_LOADED_OBJECTS=1 /bin/true",
     r"libselinux\.so\.1 => /lib/x86_64-linux-gnu/libselinux\.so\.1 \(0x", r"libc\.so\.6 => ", r"stable release version 2\.36")
case("ld_preload", "cd /tmp; echo 'int getuid(void){return 4711;} int geteuid(void){return 4711;}' >p.c; gcc -shared -fPIC -o p.so p.c; "
     "LD_PRELOAD=/tmp/p.so id -u", r"^4711$")
case("locale_list", "locale -a", r"^C\.utf8$", r"^de_DE\.utf8$")
case("locale_messages", "LC_ALL=de_DE.UTF-8 ls /nonexistent", r"Datei oder Verzeichnis nicht gefunden", status=2)
case("locale_sort", r"printf '%s\n' z ä a B | LC_ALL=de_DE.UTF-8 sort | tr '\n' ' '; printf '%s\n' z ä a B | LC_ALL=C sort | tr '\n' ' '",
     r"a ä B z B a z ä ")
case("locale_numbers", "LC_ALL=de_DE.UTF-8 printf '%.2f\\n' 1,5; LC_ALL=de_DE.UTF-8 date -d 2026-03-01 +%B", r"^1,50$", r"^März$")

# ---- coreutils ----
case("coreutils_files", """
    cd $(mktemp -d); seq 1000 >a; cp -a a b; ln a c; ln -s a d; cmp a b; stat -c '%h %s' a; readlink d; mv b e; ls | tr '\\n' ' '; echo
    chmod 640 a; stat -c %A a; touch -d 2020-02-02 a; stat -c %y a; install -D -m 755 a x/y/z; find . -name z -perm 755; du -s --apparent-size -b a
    rm -r x; rmdir x 2>&1; truncate -s 1M t; stat -c '%s %b' t""",
     r"^2 3893$", r"^a$", r"^a c d e $", r"^-rw-r-----$", r"^2020-02-02 00:00:00\.0", r"^\./x/y/z$", r"^3893\s+a$",
     r"failed to remove 'x': No such file", r"^1048576 0$")
case("coreutils_text", "seq 5 | tac | tr '\\n' ,; seq 100 | sort -R | sort -n | sha256sum; seq 100 | sha256sum; seq 9 | paste -sd+ | bc; "
     "printf 'b 2\\na 1\\n' | sort | join - <(printf 'a x\\nb y\\n'); seq 20 | split -n l/2 - /tmp/sp.; wc -l </tmp/sp.aa; numfmt --to=iec 1048576; factor 1234567890123",
     r"^5,4,3,2,1,", lambda out, n: None if len(set(re.findall(r"^([0-9a-f]{64})", out.replace(",", "\n"), re.M))) == 1 else "sums differ",
     r"^45$", r"^a 1 x$", r"^1\.0M$", r"^1234567890123: 3 3541 116216501$")
case("coreutils_dd_timeout", "dd if=/dev/zero of=/tmp/z bs=64K count=64 2>&1; timeout 0.2 sleep 60; echo st=$?; timeout -s KILL 0.2 sleep 60; echo st=$?; "
     "nice -n 5 nice; env -i A=1 env; nohup echo hi; stdbuf -oL echo x; time -p true",
     r"^4194304 bytes \(4\.2 MB", r"^st=124$", r"^st=137$", r"^5$", r"^A=1$", r"^real ")
case("coreutils_system", "uname -srm; nproc; id; hostname; df -h / | tail -1; tty; pwd; date -u -d @0 +%F; uptime",
     r"^Linux 6\.1\.0-weft x86_64$", lambda out, n: None if re.search(rf"^{n}$", out, re.M) else "nproc",
     r"^uid=0\(root\) gid=0\(root\)", r"^weft$", r"^rootfs ", r"^not a tty$", r"^1970-01-01$", r"load average: \d")

# ---- procps, psmisc ----


def ps_efj(out, n):
    rows = {int(f[1]): f for f in (line.split(None, 9) for line in out.split("\n")) if len(f) == 10 and f[1].isdigit()}
    if 1 not in rows or rows[1][2] != "0":
        return "pid 1 has not parent 0"
    if 2 not in rows or rows[2][2] != "0" or rows[2][9] != "[kthreadd]":
        return "pid 2 is not [kthreadd] with parent 0"
    for pid, f in rows.items():
        if f[9].startswith("[") and pid != 2 and f[2] != "2":
            return f"kernel thread {f[9]} has parent {f[2]}"
        if f[2] == "2" and not f[9].startswith("["):
            return f"child of kthreadd without brackets: {f[9]}"
    if sum(bool(re.match(r"\[ksoftirqd/\d+\]$", f[9])) for f in rows.values()) != n:
        return "not one ksoftirqd a CPU"
    return None


case("ps_efj", "ps -efj", r"^UID +PID +PPID +PGID +SID +C STIME TTY +TIME CMD$", ps_efj, r"ps -efj$")
case("ps_threads", "python3 -c 'import threading,time,os\nfor i in range(3): threading.Thread(target=time.sleep,args=(999,),daemon=True).start()\n"
     "os.system(\"ps -L -o pid,lwp,nlwp,comm -p %d; ps -eLf | wc -l; ls /proc/%d/task | wc -l\" % (os.getpid(), os.getpid()))'",
     lambda out, n: None if len(re.findall(r"^ *\d+ +\d+ +4 python3$", out, re.M)) == 4 else "not four threads", r"^4$")
case("ps_formats", "sleep 77 & sleep 0.3; ps -o pid,ppid,pgid,sid,stat,ni,pri,cls,psr,wchan:20,etimes,rss,vsz,args -p $!; ps aux | grep -c '\\[k'; ps -C sleep -o comm=; "
     "ps --ppid $$ -o args= | head -1; kill $!", r"^ +\d+ +\d+ +\d+ +\d+ S +0 +19 +TS +\d+ \S+ +\d+ +\d+ +\d+ sleep 77$", r"^sleep$")
case("pstree", "sleep 78 & pstree -p $$; pstree -p 1 | head -1; kill $!", r"bash\(\d+\)-\+-pstree\(\d+\)", r"`-sleep\(\d+\)", r"^(init|bash|sh)\(1\)")
case("top", "sleep 79 & top -b -n1 -w 200; kill $!", r"^top - \d\d:\d\d:\d\d up", r"^Tasks: +\d+ total, +[12] running", r"^%Cpu\(s\):", r"^MiB Mem :",
     r"^ +2 root +20 +0 +0 +0 +0 [SI] +0\.0 +0\.0 +0:00\.\d\d kthreadd$", r" top$")
case("top_finds_the_hog", "(while :; do :; done) & top -b -n2 -d1 -w 200 -o %CPU | tail -n +8 | grep -A1 -E '^ +PID' | tail -1; kill $!",
     lambda out, n: None if float(out.split()[8]) > 60 and out.split()[11] == "bash" else "the hog is not first")
case("free", "free; free -m -w -t", r"^Mem: +\d+ +\d+ +\d+ +\d+ +\d+ +\d+$", r"^Swap: +0 +0 +0$", r"^Total: +\d+ +\d+ +\d+$",
     lambda out, n: None if int(re.search(r"^Mem: +(\d+)", out, re.M)[1]) > 1600000 else "too little memory")
case("vmstat", "vmstat 1 2; vmstat -s; vmstat -m | head -3; vmstat -d", lambda out, n: None if len(re.findall(r"^( *\d+){17}$", out, re.M)) == 2 else "not two lines",
     r"^ +\d+ +CPU context switches$", r"^ +\d+ +forks$", r"^Cache +Num")
case("idle_machine", "vmstat 1 3 | tail -1", lambda out, n: None if int(out.split()[14]) > 60 else "not idle: " + out)
case("pgrep", "sleep 801 & pgrep -x sleep; echo $!; pkill -f 'sleep 801'; wait $!; echo st=$?; pidof bash >/dev/null && pwdx $$; pidwait -V",
     lambda out, n: None if len(set(out.split()[:2])) == 1 else "pgrep", r"^st=143$", r"^\d+: /")
case("pmap", "pmap -x $$; pmap -X $$ | tail -1", r"r-x-- bash$", r"r-x-- libc\.so\.6$", r"\[ stack \]$", r"^total kB +\d+ +\d+ +\d+$")
case("slabtop", "slabtop -o | head -12", r"^ Active / Total Objects", r" (task_struct|dentry) *$")
case("sysctl", "sysctl kernel.osrelease kernel.pid_max fs.file-max; sysctl -w kernel.hostname=weft2; hostname; sysctl -q -w kernel.hostname=weft",
     r"^kernel\.osrelease = 6\.1\.0-weft$", r"^fs\.file-max = \d+", r"^weft2$")
case("w_uptime", "uptime -p; uptime -s; w -h; tload -V", r"^up ", r"^20\d\d-\d\d-")
case("watch", "timeout --foreground 3 script -qc 'watch -n 1 -t echo seen' /dev/null | cat -v; true", r"seen")
case("killall", "sleep 802 & sleep 802 & killall -w sleep; wait; jobs | wc -l; killall nosuch", r"^0$", r"nosuch: no process found", status=1)
case("fuser", "exec 7>/tmp/fuser; fuser -v /tmp/fuser 2>&1; fuser -m / 2>&1 | head -c 300", rf"root +\d+ F\.\.\.\. bash$")
case("prtstat", "prtstat $$", r"State: S \(sleeping\)", r"Threads: 1")

# ---- util-linux ----


def lscpu_topology(out, n):
    rows = [tuple(f.split(",")) for f in out.split("\n") if re.match(r"^\d+,\d+,\d+,\d+", f)]
    if [r[0] for r in rows] != [str(i) for i in range(8)]:
        return "not eight CPUs"
    if [r[2] for r in rows] != ["0"] * 4 + ["1"] * 4:
        return "sockets"
    if len({r[1] for r in rows}) != 4 or any(rows[i][1] != rows[i + 1][1] for i in (0, 2, 4, 6)):
        return "cores"
    return None


case("lscpu_topology", "lscpu -p; lscpu -e; lscpu", lscpu_topology, r"^Socket\(s\): +2$", r"^Core\(s\) per socket: +2$", r"^Thread\(s\) per core: +2$",
     r"^ +7 +0 +1 +3 6:6:6:4 +yes$", r"^On-line CPU\(s\) list: +0-7$", only="8")
case("lscpu", "lscpu; lscpu -C", r"^Architecture: +x86_64$", lambda out, n: None if re.search(rf"^CPU\(s\): +{n}$", out, re.M) else "CPU(s)",
     r"^Flags: .* sse2 .* syscall nx ", r"^L1d +\d+K", r"^L3 ", r"^NUMA node0 CPU\(s\): +0")
case("taskset", """
    taskset -c 0 nproc; taskset -pc $$; taskset -c 0 bash -c 'taskset -p $$; grep Cpus_allowed_list /proc/self/status'
    last=$(($(nproc) - 1)); taskset -c $last bash -c 'for i in {1..2000}; do :; done; ps -o psr= -p $$' | grep -x " *$last" && echo there
    taskset -c 63 true 2>&1""",
     r"^1$", r"current affinity mask: 1$", r"^Cpus_allowed_list:\s0$", r"^there$", r"failed to set pid \d+'s affinity: Invalid argument", status=1)
case("chrt", """
    chrt -m; chrt -f 10 bash -c 'chrt -p $$; ps -o cls=,rtprio= -p $$'; chrt -r 20 chrt -p 0; chrt -b 0 chrt -p 0; chrt -i 0 chrt -p 0
    sleep 60 & chrt -f -p 33 $!; chrt -p $!; chrt -o -p 0 $!; chrt -p $!; kill $!; chrt -f -R 5 bash -c 'chrt -p $$'; setpriv --reuid=weft --clear-groups chrt -f 1 true""",
     r"SCHED_FIFO min/max priority\s: 1/99", r"policy: SCHED_FIFO$", r"^ *FF +10$", r"policy: SCHED_RR$", r"policy: SCHED_BATCH$", r"policy: SCHED_IDLE$",
     r"priority: 33$", r"policy: SCHED_FIFO\|SCHED_RESET_ON_FORK$", r"Operation not permitted", status=1)
case("prlimit", "prlimit --nofile=100:200 bash -c 'ulimit -n; ulimit -Hn'; prlimit | head -3; sleep 60 & prlimit -p $! --core=5:6; prlimit -p $! --core; kill $!; "
     "bash -c 'ulimit -f 1; head -c 100000 /dev/zero >/tmp/fs'; echo st=$?; bash -c 'ulimit -v 20000; perl -e \"\\$x=q(a)x1e9\"' 2>&1; bash -c 'ulimit -t 1; while :; do :; done'; echo st=$?",
     r"^100$", r"^200$", r"^AS +address space limit +unlimited", r"^CORE .* 5 +6 ", r"^st=153$", r"Out of memory|panic: memory wrap", r"^st=137$|^st=152$")
case("nice_renice", "sleep 60 & renice 7 -p $!; ps -o ni= -p $!; kill $!; ionice -c 3 ionice; ionice -c 2 -n 6 ionice; choom -n 500 -- choom -p $$ | head -1",
     r"old priority 0, new priority 7", r"^ *7$", r"^idle$", r"^best-effort: prio 6$")
case("lsns", "lsns -p $$ -n -o TYPE | sort | tr '\\n' ' '; echo; readlink /proc/self/ns/mnt; [ /proc/self/ns/pid -ef /proc/1/ns/pid ] && echo same",
     r"cgroup ipc mnt net pid time user uts ", r"^mnt:\[\d+\]$", r"^same$")
case("lslocks", "exec 8>/tmp/lk; flock 8; lslocks -n -o TYPE,MODE; flock -n /tmp/lk true; echo st=$?", r"^FLOCK +WRITE$", r"^st=1$")
case("mounts", "findmnt -n -o FSTYPE /proc; mount -t tmpfs -o size=1m none /mnt; df -k /mnt | tail -1; head -c 2M /dev/zero >/mnt/x; stat -c %s /mnt/x; mountpoint /mnt; "
     "mount --bind /etc /mnt && ls /mnt/passwd; umount /mnt; umount /mnt; stat -c %A /dev; mountpoint /mnt", r"^proc$", r"^none +1024 ", r"^1048576$", r"^/mnt is a mountpoint$",
     r"No space left on device", r"^/mnt/passwd$", r"^drwxr-xr-x$", r"is not a mountpoint", status=32)
case("setsid_script", "setsid -w ps -o pid=,sid= -p $$ >/dev/null; setsid -w bash -c '[ $(ps -o sid= -p $$) = $$ ] && echo leader'; script -qec 'tty; stty size; echo in; exit 3' /tmp/ts; echo st=$?; grep -c in /tmp/ts",
     r"^leader$", r"^/dev/pts/\d+", r"^st=3$")
case("su_login", "su weft -c 'id -un; echo $HOME; cat /etc/shadow' 2>&1; su - weft -c 'pwd; shopt -q login_shell && echo login'; runuser -u weft -- id -u; login -f weft </dev/null; true",
     r"^weft$", r"^/home/weft$", r"shadow: Permission denied", r"^login$", r"^1000$")
case("setpriv", "setpriv --reuid=1000 --regid=1000 --init-groups id; setpriv --no-new-privs grep NoNewPrivs /proc/self/status; setpriv --bounding-set -sys_time setpriv --dump | grep -c sys_time; setpriv --pdeathsig TERM setpriv --dump | grep -i death",
     r"^uid=1000\(weft\) gid=1000\(weft\)", r"^NoNewPrivs:\s1$", r"^0$", r"death signal: SIGTERM|Parent death signal: TERM")
case("util_misc", "mcookie; rev <<<abc; getopt -o ab: -- -a -b x y; namei -m /etc/passwd; fallocate -l 1M /tmp/fa; stat -c '%s %b' /tmp/fa; lsfd -p $$ -n -o ASSOC | head -2; uuidgen 2>/dev/null; "
     "dmesg | head -1; logger -s hi 2>&1; lsipc >/dev/null; rename x y /tmp/none 2>/dev/null; hwclock -r; column -t <<<'a b' 2>/dev/null || echo a b",
     r"^[0-9a-f]{32}$", r"^cba$", r"^ -a -b 'x' -- 'y'$", r"^ -rw-r--r-- passwd$", r"^1048576 2048$", r"Weft 6\.1\.0", r"^20\d\d-\d\d-\d\d ")

# ---- python ----
case("python", "python3 -c 'import sys,os,platform; print(sys.version_info[:2], os.getpid() == os.getpgid(0) or 1, platform.system()); import ctypes; print(ctypes.CDLL(None).getppid() == os.getppid())'",
     r"^\(3, 11\) (True|1) Linux$", r"^True$")
case("python_threads", '''
    cat >/tmp/t.py <<'E2'
    import threading, time, queue
    from concurrent.futures import ThreadPoolExecutor
    n, lock, q = 0, threading.Lock(), queue.Queue()
    def count():
        global n
        for _ in range(5000):
            with lock:
                n += 1
    ts = [threading.Thread(target=count) for _ in range(8)]
    [t.start() for t in ts]; [t.join() for t in ts]
    print("sum", n)
    print("pool", sum(ThreadPoolExecutor(4).map(lambda x: x * x, range(100))))
    e = threading.Event(); t0 = time.monotonic(); print("event", e.wait(0.05), time.monotonic() - t0 >= 0.05)
    c = threading.Condition(); out = []
    def consumer():
        with c:
            while not out: c.wait()
            print("condition", out)
    t = threading.Thread(target=consumer); t.start(); time.sleep(0.01)
    with c: out.append(1); c.notify_all()
    t.join(); b = threading.Barrier(3); rs = []
    ts = [threading.Thread(target=lambda: rs.append(b.wait())) for _ in range(3)]
    [t.start() for t in ts]; [t.join() for t in ts]; print("barrier", sorted(rs))
    threading.Timer(0.01, lambda: print("timer")).start()
    print("native", threading.get_native_id() == __import__("os").getpid())
    E2
    python3 /tmp/t.py''', r"^sum 40000$", r"^pool 328350$", r"^event False True$", r"^condition \[1\]$", r"^barrier \[0, 1, 2\]$", r"^timer$", r"^native True$")
case("python_multiprocessing", '''
    cat >/tmp/m.py <<'E2'
    import multiprocessing as mp, os
    from multiprocessing import shared_memory
    def square(x): return x * x
    def put(q, i): q.put(i)
    def add(v, l):
        for _ in range(500):
            with l: v.value += 1
    if __name__ == "__main__":
        with mp.Pool(4) as p: print("pool", sum(p.map(square, range(200))))
        for m in ("fork", "spawn", "forkserver"):
            c = mp.get_context(m); q = c.Queue(); ps = [c.Process(target=put, args=(q, i)) for i in range(3)]
            [p.start() for p in ps]; print(m, sorted(q.get() for _ in ps)); [p.join() for p in ps]
            print(m, "exits", [p.exitcode for p in ps])
        v, l = mp.Value("i", 0), mp.Lock()
        ps = [mp.Process(target=add, args=(v, l)) for _ in range(4)]; [p.start() for p in ps]; [p.join() for p in ps]
        print("value", v.value)
        a, b = mp.Pipe(); p = mp.Process(target=b.send, args=(["x", 1],)); p.start(); print("pipe", a.recv()); p.join()
        s = shared_memory.SharedMemory(create=True, size=100); s.buf[0] = 7; t = shared_memory.SharedMemory(s.name)
        print("shm", t.buf[0]); t.close(); s.close(); s.unlink()
        with mp.Manager() as m: d = m.dict(); d["a"] = 1; print("manager", dict(d))
        p = mp.Process(target=os._exit, args=(9,)); p.start(); p.join(); print("exit", p.exitcode)
        p = mp.Process(target=__import__("time").sleep, args=(99,)); p.start(); p.terminate(); p.join(); print("term", p.exitcode)
        print("affinity", len(os.sched_getaffinity(0)) == os.cpu_count())
    E2
    python3 /tmp/m.py''', r"^pool 2646700$", r"^fork \[0, 1, 2\]$", r"^spawn \[0, 1, 2\]$", r"^forkserver \[0, 1, 2\]$", r"^forkserver exits \[0, 0, 0\]$",
     r"^value 2000$", r"^pipe \['x', 1\]$", r"^shm 7$", r"^manager \{'a': 1\}$", r"^exit 9$", r"^term -15$", r"^affinity True$")
case("python_asyncio_subprocess", '''
    cat >/tmp/a.py <<'E2'
    import asyncio, os, signal, socket, subprocess, select, mmap, tempfile, pty, resource
    print(subprocess.run(["cat"], input=b"through", capture_output=True).stdout)
    async def main():
        p = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE)
        print((await p.communicate())[0])
        async def h(r, w): w.write((await r.readline()).upper()); await w.drain(); w.close()
        s = await asyncio.start_unix_server(h, "/tmp/py.sock"); r, w = await asyncio.open_unix_connection("/tmp/py.sock")
        w.write(b"unix\\n"); print(await r.readline()); s.close()
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
        e = asyncio.Event(); asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, e.set); await e.wait(); print("signal")
        try: await asyncio.wait_for(asyncio.sleep(9), 0.02)
        except asyncio.TimeoutError: print("timeout")
        print(await asyncio.gather(*(asyncio.to_thread(pow, 2, i) for i in range(4))))
    asyncio.run(main())
    a, b = socket.socketpair(); socket.send_fds(a, [b"m"], [0]); print("fds", len(socket.recv_fds(b, 9, 3)[1]))
    m = mmap.mmap(-1, 8192); m[4096] = 5; pid = os.fork()
    if not pid: m[0] = 9; os._exit(0)
    os.waitpid(pid, 0); print("mmap", m[0], m[4096])
    pid, fd = pty.fork()
    if not pid: os.execlp("tty", "tty")
    print("pty", os.read(fd, 99)); os.waitpid(pid, 0)
    pidfd = os.pidfd_open(os.getpid()); print("pidfd", pidfd > 2); ep = select.epoll(); ep.register(a, select.EPOLLOUT); print("epoll", len(ep.poll(1)))
    print("memfd", os.path.exists("/proc/self/fd/%d" % os.memfd_create("x"))); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1000)
    E2
    python3 /tmp/a.py''', r"^b'through'$", r"^b'async\\n'$", r"^b'UNIX\\n'$", r"^signal$", r"^timeout$", r"^\[1, 2, 4, 8\]$", r"^fds 1$", r"^mmap 9 5$",
     r"^pty b'/dev/pts/\d+", r"^pidfd True$", r"^epoll 1$", r"^memfd True$", r"^True$")

# ---- perl ----
case("perl", '''
    cat >/tmp/p.pl <<'E2'
    use strict; use POSIX; use threads; use Socket; use IO::Handle; use IO::Select; use Time::HiRes; use File::Temp; use Fcntl ":flock";
    print strftime("%Y", gmtime 0), "\\n"; my $p = fork; if (!$p) { exit 7 } waitpid $p, 0; print "exit ", $? >> 8, "\\n";
    print "thread ", threads->create(sub { 6 * 7 })->join, "\\n"; local $SIG{ALRM} = sub { print "alarm\\n" }; Time::HiRes::ualarm(10000); select undef, undef, undef, 0.2;
    socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; $a->autoflush; print $a "line\\n"; print "sock ", scalar <$b>;
    my $f = File::Temp->new; print "flock ", flock($f, LOCK_EX), "\\n"; print "back ", `echo tick`; open my $h, "-|", "seq 3" or die; my @l = <$h>; close $h; print "pipe ", scalar @l, "\\n";
    kill USR1 => $$ if $SIG{USR1} = sub { print "usr1\\n" }; print join(",", sort { $b <=> $a } map { $_ ** 2 } 1 .. 4), "\\n"; print "ok\\n" if "caf\\x{e9}" =~ /^\\w+$/u;
    E2
    perl /tmp/p.pl''', r"^1970$", r"^exit 7$", r"^thread 42$", r"^alarm$", r"^sock line$", r"^flock 1$", r"^back tick$", r"^pipe 3$", r"^usr1$", r"^16,9,4,1$", r"^ok$")

# ---- gcc, make ----
HELLO = '''
    cd $(mktemp -d); cat >hello.c <<'E2'
    #include <stdio.h>
    #include <pthread.h>
    #include <math.h>
    static __thread int own = 5;
    static void *f(void *a) { own++; printf("thread %d\\n", own); return a; }
    int main(int argc, char **argv) { pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0); printf("hello %d %.3f\\n", own, sqrt(argc + 1)); return 3; }
    E2
    '''
case("gcc_dynamic", HELLO + "gcc -O2 -Wall hello.c -lm && ./a.out", r"^thread 6$", r"^hello 5 1\.414$", status=3)
case("gcc_static", HELLO + "gcc -O2 -static hello.c -lm -o s && ./s; file s", r"^hello 5 1\.414$", r"statically linked")
case("gcc_segfault", "cd $(mktemp -d); echo 'int main(void) { return *(volatile int *)8; }' >x.c; gcc x.c; ./a.out; echo st=$?; echo 'int main(void) { syntax' >y.c; gcc y.c", r"^st=139$", r"error: ", status=1)
case("make_j4", '''
    cd $(mktemp -d); for i in 1 2 3 4 5 6; do echo "int f$i(int x) { return x * $i; }" >f$i.c; done
    { echo '#include <stdio.h>'; for i in 1 2 3 4 5 6; do echo "int f$i(int);"; done; echo 'int main(void) { printf("%d\\n", f1(1)+f2(1)+f3(1)+f4(1)+f5(1)+f6(1)); return 0; }'; } >main.c
    printf 'O := $(patsubst %%.c,%%.o,$(wildcard *.c))\\nprog: libf.a main.o\\n\\t$(CC) -o $@ main.o -L. -lf\\nlibf.a: $(filter f%%,$O)\\n\\t$(AR) rcs $@ $^\\n%%.o: %%.c\\n\\t$(CC) -O2 -c -o $@ $<\\nclean:\\n\\trm -f *.o *.a prog\\n' >Makefile
    make -j4 2>&1; ./prog; make -q && echo nothing to do; touch f3.c; make -j4 | wc -l; make clean; ls | wc -l''',
     lambda out, n: None if len(re.findall(r"^cc -O2 -c ", out, re.M)) == 7 else "not seven files compiled", r"^21$", r"^nothing to do$", r"^3$", r"^8$")

# ---- nothing asked for what is not there ----
KNOWN_ABSENT = {"keyctl"}
case("no_absent_system_call", "cat /proc/weft/unimplemented",
     lambda out, n: ", ".join(sorted(set(re.findall(r"^\d+ (\w+) ", out, re.M)) - KNOWN_ABSENT)) or None)

RUNNER = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=vt100
. /etc/rcS
exec </dev/null
for c in /cases/*; do
	name=${c#/cases/*-}
	cd /
	setsid -w timeout --foreground %d bash "$c" >/tmp/out 2>&1
	status=$?
	echo "@@begin $name $status"
	head -c 20000 /tmp/out
	echo
	echo "@@end"
	rm -f /tmp/out
done
echo "@@done"
exec halt -f -p -n
"""


def overlay(image, cases, to):
    """The image with the cases and the /init that runs them laid over it."""
    with tempfile.TemporaryDirectory() as tmp:
        d = pathlib.Path(tmp)
        d.chmod(0o755)                          # it becomes the root folder
        (d / "cases").mkdir()
        for i, (name, script, *_) in enumerate(cases):
            (d / "cases" / f"{i:03}-{name}").write_text(script)
        (d / "init").write_text(RUNNER % CASE_LIMIT)
        (d / "init").chmod(0o755)
        with open(to, "wb") as out:
            out.write(pathlib.Path(image).read_bytes())
            out.flush()
            subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=d, stdout=out, check=True)


def judge(case, out, status, cpus):
    _, _, expect, wanted, _ = case
    wrong = [] if status == wanted else [f"status {status}, not {wanted}"]
    for e in expect:
        if callable(e):
            try:
                w = e(out, cpus)
            except (IndexError, TypeError, ValueError) as x:
                w = f"unreadable ({x})"
        else:
            w = None if re.search(e, out, re.M) else f"nothing matches {e}"
        wrong += [w] if w else []
    return wrong


def batch(kernel, image, smp, only, verbose):
    cpus = int(smp.split(",")[0])
    cases = [c for c in CASES if (not only or re.search(only, c[0])) and (c[4] is None or c[4] == str(cpus))]
    with tempfile.TemporaryDirectory() as tmp:
        initrd = os.path.join(tmp, "initrd")
        overlay(image, cases, initrd)
        c = Console(kernel, initrd, mem="2G", smp=smp)
        seen = {}
        everything = ""
        while True:
            got = c.expect(r"@@begin (\S+) (\d+)\n(.*?)\n@@end\n|@@done", CASE_LIMIT + 60)
            everything += got or c.text
            m = re.search(r"@@begin (\S+) (\d+)\n(.*)\n@@end\n$", got or "", re.S)
            if not m:
                break
            seen[m[1]] = (m[3], int(m[2]))
            if verbose:
                print(f"---- {m[1]} {m[2]}\n{m[3]}", flush=True)
        if got is None and c.p.poll() is None:
            c.p.kill()
        ended = c.end()
    for k in cases:
        name = f"debian/{k[0]}.{cpus}"
        if k[0] not in seen:
            print(f"not ok {name}: did not run to its end; last: {everything[-300:]!r}", flush=True)
            continue
        wrong = judge(k, *seen[k[0]], cpus)
        print(f"not ok {name}: {'; '.join(wrong)}: {seen[k[0]][0][-600:]!r}" if wrong else f"ok {name}", flush=True)
    report = REPORTS.search(everything)
    print(f"not ok debian/no_report.{cpus}: {everything[report.start() - 100:report.start() + 900]!r}" if report else f"ok debian/no_report.{cpus}")
    print(f"ok debian/power_off.{cpus}" if ended == 0 else f"not ok debian/power_off.{cpus}: QEMU's status {ended}", flush=True)


def session(kernel, image):
    """A person at the console: from agetty's greeting to poweroff."""
    c = Console(kernel, image, mem="2G", smp="2")

    def step(name, send, pattern):
        if send:
            c.send(send)
        ok = c.expect(pattern, CASE_LIMIT)
        print(f"ok debian/session_{name}" if ok else f"not ok debian/session_{name}: {c.text[-300:]!r}", flush=True)

    prompt = r"root@weft:[^#]*# "
    step("login", "", r"weft login: root \(automatic login\).*" + prompt)
    step("login_shell", "echo $0; shopt login_shell; tty\n", r"\n-bash\n.*login_shell\s+on\n/dev/console\n.*" + prompt)
    step("init", "ps -o pid,ppid,pgid,sid,args -p 1\n", r"\n +1 +0 +1 +1 init\b.*\n.*" + prompt)
    step("who", "who\n", r"\nroot +console .*" + prompt)
    step("job", "sleep 1000 | cat\n", r"sleep 1000 \| cat\n")
    c.expect("never", 3)                        # until it sleeps
    step("stop", "\x1a", r"Stopped +sleep 1000 \| cat\n.*" + prompt)
    step("bg", "bg; jobs; kill %1; wait\n", r"Running +sleep 1000.*Terminated +sleep 1000.*" + prompt)
    step("edit", "echo wrong\x7f\x7f\x7f\x7f\x7fright\n", r"\nright\n.*" + prompt)
    step("history", "\x1b[A\n", r"\nright\n.*" + prompt)
    step("again", "exit\n", r"logout.*weft login: root \(automatic login\).*" + prompt)
    step("poweroff", "poweroff\n", r"going down")
    print("ok debian/session_off" if c.end() == 0 else f"not ok debian/session_off: {c.text[-300:]!r}", flush=True)


def main():
    global CASE_LIMIT
    ap = argparse.ArgumentParser()
    ap.add_argument("kernel")
    ap.add_argument("image")
    ap.add_argument("--smp", default="1;4;8,sockets=2,cores=2,threads=2", help="QEMU's -smp, separated by semicolons")
    ap.add_argument("--only", help="a pattern of case names")
    ap.add_argument("--limit", type=int, default=CASE_LIMIT, help="seconds for a case")
    ap.add_argument("-v", action="store_true")
    a = ap.parse_args()
    CASE_LIMIT = a.limit
    if not a.only:
        session(a.kernel, a.image)
    for smp in a.smp.split(";"):
        batch(a.kernel, a.image, smp, a.only, a.v)


if __name__ == "__main__":
    main()
