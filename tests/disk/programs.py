#!/usr/bin/env python3
"""programs.py KERNEL IMAGE [--only PATTERN] [--quick] [--smp N] [-v]: Debian 12 on its ext4 disk: do its programs find what they wrote?

What:   cases that end on the disk (dpkg, apt-get, git, databases, compilers, the tools of disks), and a session typed at the
        console.  One line a case: "ok disk-debian/NAME" or "not ok disk-debian/NAME: why".
Idea:   each batch of cases works on its own copy of the image, as one script that the image's /sbin/weft-cmd finds on a second
        disk; a third one is empty.  After the guest has powered off, e2fsck must find nothing to mend.  A second guest then
        looks at what the first has left.
"""
import argparse, os, pathlib, re, subprocess, sys, tempfile, textwrap

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import debian
from console import Console

CASE_LIMIT = 600
QUICK = {"bash", "ps_efj", "python_threads", "python_multiprocessing", "perl", "gcc_dynamic"}     # names of cases of `make test`
CASES = [c for c in debian.CASES if c[0] in QUICK]
AFTER = []


def case(name, script, *expect, after=None, quick=False):
    """`expect`: patterns of the output; `after`: what a second guest prints; `quick`: part of `make test`."""
    CASES.append((name, textwrap.dedent(script).strip() + "\n", expect, 0, None))
    if after:
        AFTER.append((name + "_after", after[0] + "\n", after[1:], 0, None))
    if quick:
        QUICK.update((name, name + "_after"))


# ---- packages ----
case("dpkg", "dpkg -i /srv/packages/hello_*.deb && hello && dpkg -V hello && dpkg -S /usr/bin/hello && dpkg -s hello | grep ^Status",
     r"^Setting up hello", r"^Hello, world!$", r"^hello: /usr/bin/hello$", r"^Status: install ok installed$",
     after=("hello; dpkg --audit; echo audit=$?; dpkg -r hello; hash -r; hello; dpkg -s hello; true", r"^Hello, world!$", r"^audit=0$",
            r"^Removing hello", r"hello: command not found", r"'hello' is not installed"), quick=True)
case("apt_get", r'''
    export DEBIAN_FRONTEND=noninteractive; mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin && cd /srv/packages
    printf 'Package: planter\nVersion: 1\nArchitecture: all\nDepends: tree\nMaintainer: nobody <nobody@localhost>\nDescription: plants\n' >/tmp/p/DEBIAN/control
    printf '#!/bin/sh\nexec tree -d "$@"\n' >/tmp/p/usr/bin/planter && chmod 755 /tmp/p/usr/bin/planter && dpkg-deb --build /tmp/p planter_1_all.deb
    { cat /tmp/p/DEBIAN/control; echo Filename: ./planter_1_all.deb; stat -c 'Size: %s' planter_1_all.deb; sha256sum planter_1_all.deb | sed 's/ .*//; s/^/SHA256: /'; echo; } >>Packages
    apt-get update && apt-get install -y planter && planter /srv; apt-cache policy tree; apt-get autoremove -y --purge planter; apt-get check; echo check=$?''',
     r"^Setting up tree", r"^Setting up planter", r"-- packages$", r"Installed: 2\.1\.0", r"^Removing tree", r"^check=0$")

# ---- compilers, trees of files ----
case("gcc_make", r'''
    mkdir -p /root/prog && cd /root/prog
    for i in 1 2 3 4; do echo "int f$i(int x) { return x * $i; }" >f$i.c; done
    printf '#include <stdio.h>\nint f1(int); int f4(int);\nint main(void) { printf("%%d\\n", f1(2) + f4(10)); return 0; }\n' >main.c
    printf 'prog: main.o f1.o f2.o f3.o f4.o\n\tgcc -o $@ $^\n' >Makefile
    make -j2 && ./prog && make''', r"^42$", r"'prog' is up to date", after=("/root/prog/prog", r"^42$"), quick=True)
case("tar_tree", r'''
    mkdir /root/tree && tar -C /usr -cf /root/tree.tar include share/perl lib/python3 lib/git-core && cd /root/tree && tar xf ../tree.tar &&
    diff -r /usr/include include && diff -r /usr/share/perl share/perl && find . | wc -l && du -s . && tar df ../tree.tar && echo same && cp -a . ../copy &&
    diff -r . ../copy && rm -rf ../copy && tar cJf ../small.tar.xz include/linux && tar tf ../small.tar.xz | wc -l && echo done''', r"^\d{4,}$", r"^same$", r"^done$",
     after=("cd /root/tree && tar df ../tree.tar && echo same && rm -rf /root/tree && echo removed", r"^same$", r"^removed$"))

# ---- git ----
case("git", r'''
    export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
    git init -q -b main /root/repo && cd /root/repo && for i in $(seq 1 20); do echo "line $i" >>file; mkdir -p d$i; echo $i >d$i/f; git add -A; git commit -qm "commit $i"; done
    git log --oneline | wc -l; git checkout -qb other HEAD~5 && echo other >other && git add other && git commit -qm other && git checkout -q main && git merge -q -m merge other
    git log --oneline | wc -l; git clone -q /root/repo /root/clone && cd /root/clone && git log --oneline | wc -l && git gc -q && git fsck && git status --short | wc -l
    git stash list; git blame file | tail -1; git diff HEAD~3 --stat | tail -1''', r"^20\n22\n22\n0$", r"line 20$", r"files? changed",
     after=("cd /root/clone && git fsck --full && git log -1 --format=%s && git -C /root/repo gc -q && git -C /root/repo fsck && echo whole", r"^merge$", r"^whole$"), quick=True)

# ---- databases ----
case("sqlite", r'''
    for mode in delete wal; do rm -f /root/$mode.db; sqlite3 /root/$mode.db "pragma journal_mode=$mode; create table t(a integer primary key, b text);"
    { echo "begin;"; for i in $(seq 1 500); do echo "insert into t values($i, 'text $i');"; done; echo "commit;"; for i in $(seq 501 520); do echo "insert into t values($i, 'one');"; done; } | sqlite3 /root/$mode.db
    sqlite3 /root/$mode.db "select '$mode', count(*), sum(a), max(b) from t; pragma integrity_check;"; done
    (sqlite3 /root/wal.db ".timeout 60000" "begin immediate; insert into t select a + 10000, b from t; commit;" & sqlite3 /root/wal.db ".timeout 60000" "begin immediate; insert into t select a + 50000, b from t where a < 10000; commit;"; wait)
    sqlite3 /root/wal.db "select 'both', count(*) >= 1560 from t; pragma integrity_check; vacuum;"''',
     r"^delete\|520\|135460\|text 99$", r"^wal\|520\|135460\|text 99$", r"^both\|1$", r"^ok$",
     after=("for m in delete wal; do sqlite3 /root/$m.db \"select '$m', count(*) >= 520 from t; pragma integrity_check;\"; done", r"^delete\|1$", r"^wal\|1$"), quick=True)
REDIS = "redis-server --port 0 --unixsocket /run/redis.sock --appendonly yes --appendfsync everysec --dir /var/lib/redis --daemonize yes --save '' >/dev/null; " \
        "r='redis-cli -s /run/redis.sock'; for i in $(seq 100); do [ \"$($r ping 2>/dev/null)\" = PONG ] && break; sleep 0.2; done; "
case("redis", REDIS + r'''
    for i in $(seq 1 200); do echo "set key$i value$i"; done | $r | sort | uniq -c; $r incrby n 42; $r lpush l a b c; redis-benchmark -s /run/redis.sock -n 2000 -c 4 -q -t set,get,lpush | tr '\r' '\n' | grep -c 'requests per second'
    $r bgrewriteaof; sleep 2; $r set after rewrite; sleep 2; kill -9 $(pidof redis-server); sleep 0.5; rm -f /run/redis.sock
    ''' + REDIS + r"$r get key77; $r get n; $r get after; $r llen l; $r shutdown; sleep 1; pidof redis-server; ls /var/lib/redis/appendonlydir | wc -l",
     r"^ +200 OK$", r"^value77$", r"^42$", r"^rewrite$",
     after=(REDIS + "$r get key200; $r dbsize; $r shutdown nosave", r"^value200$", r"^2\d\d$"))
PG = "export PATH=$PATH:$(echo /usr/lib/postgresql/*/bin) PGDATA=/var/lib/postgresql/data PGHOST=/tmp; cd /tmp; pg() { setpriv --reuid postgres --regid postgres --clear-groups env HOME=/tmp \"$@\"; }; "
case("postgresql", PG + r'''
    pg initdb -A trust --no-instructions >/tmp/initdb.log || cat /tmp/initdb.log; pg pg_ctl -w -t 300 -l /tmp/pg.log -o "-c listen_addresses= -k /tmp" start || cat /tmp/pg.log
    pg createdb bench && pg pgbench -i -q -s 1 bench 2>&1 | tail -1; pg pgbench -c 4 -j 2 -t 50 bench 2>&1 | grep -E 'actually|failed'
    pg psql -At bench -c "select count(*) from pgbench_history; select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts"
    pg psql -At bench -c "create table kept as select generate_series(1, 1000) g; select sum(g) from kept"; kill -9 $(head -1 $PGDATA/postmaster.pid); sleep 2
    pg pg_ctl -w -t 300 -l /tmp/pg2.log -o "-c listen_addresses= -k /tmp" start >/dev/null || cat /tmp/pg2.log; grep -c "redo done" /tmp/pg2.log
    pg psql -At bench -c "select 'again', sum(g) from kept"; pg pg_ctl -m fast -w -t 300 stop''',
     r"200/200", r"^200\nt$", r"^500500$", r"^again\|500500$", r"server stopped",
     after=(PG + 'pg pg_ctl -w -t 300 -l /tmp/pg3.log -o "-c listen_addresses= -k /tmp" start >/dev/null || cat /tmp/pg3.log; pg psql -At bench -c "select \'kept\', sum(g) from kept"; pg pg_ctl -m fast -w -t 300 stop',
            r"^kept\|500500$", r"server stopped"))

# ---- the tools of disks ----
case("disk_tools", r'''
    fdisk -l /dev/vda; lsblk -o NAME,SIZE,TYPE,FSUSE%,MOUNTPOINTS; blkid /dev/vda; findmnt /; df -h /; df -i / | tail -1; du -sh /etc; mount | grep vda; cat /proc/partitions; stat -f -c %T /''',
     r"^Disk /dev/vda: 4 GiB", r"^vda +4G disk +\d+% /$", r'/dev/vda: LABEL="weft" UUID="[-0-9a-f]{36}" BLOCK_SIZE="4096" TYPE="ext4"',
     r"^/ +/dev/vda ext4", r"/dev/vda +4.0G", r"^/dev/vda on / type ext4 \(rw", r"^ext2/ext3$", quick=True)
case("mke2fs", r'''
    d=/dev/vdc; printf 'label: gpt\n,64M\n,+\n' | sfdisk -q $d && fdisk -l $d | grep Linux && mke2fs -q -t ext4 ${d}1 && e2fsck -fn ${d}1 | tail -1 && mke2fs -q -t ext2 -b 1024 ${d}2 && mkdir -p /mnt/a && for t in 1:ext4 2:ext2; do
    mount -t ${t#*:} $d${t%:*} /mnt/a && cp -a /etc /mnt/a && sync && diff -r --no-dereference /etc /mnt/a/etc && df -T /mnt/a | tail -1 && umount /mnt/a && e2fsck -fn $d${t%:*} >/tmp/e2fsck && echo clean ${t#*:} || cat /tmp/e2fsck; done
    dumpe2fs -h ${d}1 2>/dev/null | grep state; tune2fs -L label ${d}1 >/dev/null; e2label ${d}1; lsblk $d; resize2fs ${d}1 2>&1 | tail -1; dd if=${d}1 of=/tmp/part bs=1M 2>&1 | tail -1; debugfs -R 'ls /etc' /tmp/part 2>/dev/null | grep -c fstab''',
     r"^/dev/vdc1 .*64M Linux filesystem", r"^clean ext4$", r"^clean ext2$", r"^label$", r"vdc2 ", r"^1$", quick=True)
case("attributes", r'''
    cd /root && echo x >f && setfattr -n user.colour -v blue f && getfattr -n user.colour f && cp -a f g && getfattr --only-values -n user.colour g; echo
    chattr +i f && ! rm -f f; lsattr f; chattr -i f && rm f && echo removed; truncate -s 10G big && stat -c '%s %b' big && fallocate -l 1M full && stat -c '%s %b' full && filefrag full | tail -1''',
     r'user.colour="blue"', r"^blue$", r"----i---", r"^removed$", r"^10737418240 0$", r"^1048576 20[45]\d$")
case("acls", r'''
    user="setpriv --reuid weft --regid weft --clear-groups"; mkdir /srv/acls && cd /srv/acls && echo secret >f && chmod 600 f && $user cat f 2>&1; setfacl -m u:weft:r f && $user cat f
    ls -l f; setfacl -m m::- f; $user cat f 2>&1 | sed 's/^/again /'; getfacl -c f; setfacl -b f; ls -l f
    mkdir d && setfacl -d -m u:weft:rwx,g::rx d && echo x >d/new && mkdir d/sub && getfacl -c d/sub | grep default:user:weft && getfacl -R d >all && setfacl -R -b -k d && ! getfacl -R -s d | grep . &&
    setfacl --restore=all && getfacl -c d/new && cp -a d e && getfacl -c e | grep default:group && $user touch e/new && ! $user touch e/other 2>&1''',
     r"^cat: f: Permission denied\nsecret$", r"^-rw-r-----\+ ", r"^again cat: f: Permission denied", r"^user:weft:r--\s+#effective:---", r"^-rw------- ",
     r"^default:user:weft:rwx$", r"^user:weft:rwx\s+#effective:rw-", r"^default:group::r-x$", r"touch: cannot touch 'e/other': Permission denied",
     after=("getfacl -c /srv/acls/e/new; getfacl -c /srv/acls/e/sub", r"^user:weft:rwx\s+#effective:rw-$", r"^default:mask::rwx$"), quick=True)
case("chattr", r'''
    mkdir /root/flags && cd /root/flags && echo one >f && lsattr f && chattr +a f && echo two >>f && ! echo three 2>&1 >f; lsattr f; chattr =S f; lsattr f; chattr -R +dA . && lsattr -d . && lsattr
    lsattr -v f; chattr +j f && lsattr -l f; cat f; setfattr -n user.long -v $(printf %03000d 7) f; getfattr --only-values -n user.long f | wc -c; setfattr -n trusted.x -v 0x00ff f
    getfattr -d -m - f >all; setfattr -x user.long f; setfattr -x trusted.x f; setfattr --restore=all; getfattr -e hex -n trusted.x f; getfattr -n user.long f | cut -c 1-20; ! getfattr -n user.none f 2>&1''',
     r"^-{14}e-{7} f$", r"f: Operation not permitted", r"^-{5}a-{8}e-{7} f$", r"^--S-{11}e-{7} f$", r"^-{6}dA-{6}e-{7} \.$", r"^\d+ +--S", r"Journaled_Data", r"^one\ntwo$",
     r"^3000$", r"^trusted\.x=0x00ff$", r'^user\.long="0000', r"user\.none: No such attribute")
case("mounted_ext4", r'''
    cd /root && dd if=/dev/urandom of=twoparts bs=1M count=3 status=none && sync && filefrag -v twoparts && fallocate -l 2M -o 8M twoparts && fallocate -p -o 1M -l 4096 twoparts && filefrag twoparts
    filefrag -v twoparts | grep -c unwritten; fstrim -v /; fstrim -v -o 1G -l 1G -m 64K /; tune2fs -l /dev/vda | grep -E "^(Filesystem (volume|state|feat)|Block size|Last mounted)"
    dumpe2fs -h /dev/vda 2>/dev/null | grep -E "^Journal (feat|seq)"; dumpe2fs /dev/vda 2>/dev/null | grep -c "^Group [0-9]"; tune2fs -c 50 -m 4 -L other /dev/vda && sync
    e2label /dev/vda; dumpe2fs -h /dev/vda 2>/dev/null | grep "Maximum mount"; tune2fs -c -1 -m 5 -L weft /dev/vda >/dev/null; sync; debugfs -R "stat /root/twoparts" /dev/vda 2>/dev/null | grep -c "^EXTENTS"''',
     r"^twoparts: \d+ extents? found$", r"last,eof$", r"^[1-9]$", r"^/: .*trimmed$", r"^Filesystem volume name: +weft$", r"^Filesystem features: .*extent 64bit", r"^Journal features: ", r"^32$",
     r"^other$", r"^Maximum mount count: +50$", r"^1$")
case("resize2fs", r'''
    d=/dev/vdc; wipefs -qaf $d; blockdev --rereadpt $d; mke2fs -q -F -t ext4 $d 48M; mkdir -p /mnt/r
    look() { mount $d /mnt/r && diff -r --no-dereference /etc /mnt/r/etc && df --output=size -BM /mnt/r | tail -1 && umount /mnt/r && e2fsck -fy $d >/tmp/log 2>&1 && echo clean $1 || cat /tmp/log; }
    mount $d /mnt/r && cp -a /etc /mnt/r && umount /mnt/r && look made && resize2fs $d 2>&1 | tail -2 && look grown && resize2fs $d 32M 2>&1 | tail -2 && look shrunk; resize2fs -P $d 2>/dev/null | grep -c minimum''',
     r"^clean made$", r"is now 196608 ", r"^clean grown$", r"is now 32768 ", r"^clean shrunk$", r"^1$")
case("fsync_dd", "cd /root; dd if=/dev/zero of=dd bs=64k count=64 conv=fsync 2>&1 | tail -1; dd if=/dev/zero of=dd2 bs=4k count=64 oflag=sync 2>&1 | tail -1; sync -f dd; sync; "
     "cmp -n 262144 dd dd2 && echo equal", r"4194304 bytes", r"262144 bytes", r"^equal$", quick=True)

RUNNER = """run_case() {
	cd /
	setsid -w timeout --foreground %d bash "/cases/$1" </dev/null >/run/out 2>&1
	local status=$?
	echo "@@begin $1 $status"; head -c 20000 /run/out; echo; echo "@@end"
}
mkdir -p /cases
"""


def script_of(cases):
    text = RUNNER % CASE_LIMIT
    for name, script, *_ in cases:
        text += f"cat >/cases/{name} <<'@@@'\n{script}@@@\nrun_case {name}\n"
    return text + "cat /proc/weft/unimplemented | sed 's/^/@@absent /'\nrm -rf /cases\n"


def boot(a, tmp, image, cases, snapshot=False):
    """Yields (ok, name, why) of one guest."""
    cmd, spare = os.path.join(tmp, "cmd"), os.path.join(tmp, "spare")
    data = ("#weft-cmd\n" + script_of(cases)).encode()
    pathlib.Path(cmd).write_bytes(data + bytes(-len(data) % 4096))
    subprocess.run(["truncate", "-s", "192M", spare], check=True)
    accel = "tcg" if a.smp == "1" else "tcg,thread=multi"
    args = ["timeout", str(CASE_LIMIT * 6), "qemu-system-x86_64", "-M", "pc", "-accel", accel, "-cpu", "max", "-m", a.mem, "-smp", a.smp, "-nodefaults",
            "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", a.kernel, "-append",
            "console=ttyS0 loglevel=5 panic=-1 root=/dev/vda rw init=/sbin/weft-cmd " + ("snapshot " if snapshot else "") + a.append]
    for n, path in enumerate((image, cmd, spare)):
        how = "readonly=on" if snapshot and not n else "cache=unsafe"
        args += ["-drive", f"file={path},if=none,id=d{n},format=raw,{how}", "-device", f"virtio-blk-pci,drive=d{n}"]
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = ""
    for line in p.stdout:
        line = line.decode(errors="replace").replace("\r", "")
        text += line
        if a.v:
            print(line, end="", flush=True)
    status = p.wait()
    seen = {m[1]: (int(m[2]), m[3]) for m in re.finditer(r"^@@begin (\S+) (\d+)\n(.*?)\n@@end$", text, re.M | re.S)}
    for case in cases:
        name = case[0]
        if name not in seen:
            yield False, name, f"did not run to its end; last: {text[-300:]!r}"
            continue
        status_of_case, out = seen[name]
        wrong = debian.judge(case, out, status_of_case, int(a.smp))
        yield not wrong, name, "; ".join(wrong) + f": {out[-1500:]!r}"
    report = debian.REPORTS.search(text) or re.search(r"ext: .*error", text)
    yield not report, "no_report", text[max(0, report.start() - 200):report.start() + 1200] if report else ""
    yield status == 0, "power_off", f"QEMU's status {status}: {text[-500:]!r}"
    r = subprocess.run(["e2fsck", "-fn", image], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield r.returncode == 0, "e2fsck", " | ".join(r.stdout.splitlines()[1:12])
    for absent in sorted(set(re.findall(r"^@@absent (.*)", text, re.M))):
        print("# asked for, absent:", absent)


def session(a, image):
    """A person at the console: from agetty's greeting to poweroff; then the file system must be clean."""
    c = Console(a.kernel, None, mem=a.mem, smp=a.smp, append="root=/dev/vda rw",
                more=["-drive", f"file={image},if=virtio,format=raw,cache=unsafe"])

    def step(name, send, pattern):
        if send:
            c.send(send)
        return c.expect(pattern, CASE_LIMIT) is not None, f"session_{name}", repr(c.text[-300:])

    prompt = r"root@weft:[^#]*# "
    yield step("login", "", r"weft login: root \(automatic login\).*" + prompt)
    yield step("write", "echo kept >/root/kept; df /root | tail -1\n", r"/dev/vda .*" + prompt)
    yield step("poweroff", "poweroff\n", r"going down")
    yield c.end() == 0, "session_off", repr(c.text[-300:])
    r = subprocess.run(["e2fsck", "-fn", image], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield r.returncode == 0, "session_e2fsck", " | ".join(r.stdout.splitlines()[1:12])
    state = subprocess.run(["dumpe2fs", "-h", image], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    yield "needs_recovery" not in state, "session_unmounted", "the journal was not emptied"
    kept = subprocess.run(["debugfs", "-R", "cat /root/kept", image], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    yield kept == "kept\n", "session_kept", repr(kept)


# SNAPSHOT=1: the disk is the lower layer of an overlay; QEMU refuses to write to it.
IN_SNAPSHOT = [("snapshot", "mount | head -1; dpkg -r gcc; hash -r; gcc; echo /etc/*-release >/etc/new && rm -r /usr/share/perl && mv /etc/hostname /etc/host2 && "
                "ls /etc/new /etc/host2 /usr/share | grep -c perl; apt-get check && echo sound; grep -c . /etc/host2; sqlite3 /root/t.db "
                "'pragma journal_mode=wal; create table t(a); insert into t values(42); select a from t'\n",
                (r"^overlay on / type overlay \(rw", r"gcc: command not found", r"^sound$", r"^wal\n42$"), 0, None)]


def say(ok, name, why):
    print(f"ok disk-debian/{name}" if ok else f"not ok disk-debian/{name}: {why}", flush=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("kernel")
    ap.add_argument("image")
    ap.add_argument("--only", help="a pattern of case names")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--smp", default="2")
    ap.add_argument("--mem", default="512M")
    ap.add_argument("--append", default="")
    ap.add_argument("-v", action="store_true")
    a = ap.parse_args()
    pick = lambda cases: [c for c in cases if (not a.only or re.search(a.only, c[0])) and (not a.quick or c[0] in QUICK)]
    with tempfile.TemporaryDirectory() as tmp:
        image = os.path.join(tmp, "debian.img")
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", a.image, image], check=True)
        for cases in (pick(CASES), pick(AFTER)):
            for verdict in boot(a, tmp, image, cases) if cases else ():
                say(*verdict)
        if not a.only or re.search(a.only, "snapshot"):
            for verdict in boot(a, tmp, image, IN_SNAPSHOT, snapshot=True):
                say(*verdict)
        for verdict in session(a, image) if not a.only else ():
            say(*verdict)


if __name__ == "__main__":
    main()
