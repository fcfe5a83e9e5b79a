#!/usr/bin/env python3
"""share.py [--kernel X]: a folder of the host in a guest (virtio-9p): each sees what the other writes.

Idea:   the guest works in the folder (share.sh), with fsops beside its model, too; a thread here changes a file meanwhile, which
        the guest must notice.  Then the folder must hold what the guest said.
"""
import argparse, os, pathlib, random, re, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import crash
from crash import ROOT

GUEST = r"""
ok() { "$@" && echo "ok share/$name" || echo "not ok share/$name: failed"; }
mkdir -p /s /mnt; name=mount; ok mount -t 9p -o trans=virtio,version=9p2000.L share /s; cd /s
name=read; ok sh -c 'md5sum -c -s sums'
name=copy; ok sh -c 'cp big copy && cmp big copy && cp -a tree tree2 && diff -r tree tree2'
name=names; ok sh -c 'mkdir d && for i in $(seq 300); do echo $i >d/f$i; done; mv d/f7 d/seven && ln d/seven d/VII && rm d/seven && ln -s VII d/link && [ "$(cat d/link)" = 7 ] && [ $(ls d | wc -l) = 301 ] && rm d/f1* && [ $(ls d | wc -l) = 190 ]'
name=attributes; ok sh -c 'chmod 640 d/f2 && [ "$(stat -c %a d/f2)" = 640 ] && truncate -s 1 d/f22 && [ "$(cat d/f22)" = 2 ] && touch -d "2001-02-03 04:05:06" d/f2 && [ "$(stat -c %Y d/f2)" = 981173106 ]'
name=append; ok sh -c 'echo one >a; echo two >>a; [ "$(cat a)" = "one
two" ]'
name=errors; ok sh -c '! cat nothere 2>/dev/null && ! mkdir d 2>/dev/null && ! rmdir d 2>/dev/null && ! mount -t 9p share /mnt 2>/dev/null && ! mount -t 9p other /mnt 2>/dev/null'
name=program; ok sh -c 'cp /bin/busybox busybox && [ "$(./busybox echo hi)" = hi ]'
name=fsops; ok sh -c '/tests/fsops ops1 1 1500 & /tests/fsops ops2 2 1500 && wait $!'
name=remove; ok sh -c 'rm -r tree2 && [ ! -e tree2 ]'
echo ready >guest-ready; name=host-changes
ok sh -c 'cat changing >/dev/null; for i in $(seq 600); do [ "$(cat changing)" = "changed by the host" ] && exit 0; usleep 100000; done; exit 1'
cd /; name=remount; ok sh -c 'umount /s && mount -t 9p share /s && [ "$(cat /s/a)" = "one
two" ]'
umount /s
dmesg | grep -E 'WARNING|BUG|=====' | head -20
"""
CASES = 12


def host_side(folder, stop):
    """Changes a file once the guest says that it looks at it."""
    while not stop.is_set():
        if (folder / "guest-ready").exists():
            time.sleep(0.5)
            (folder / "changing").write_text("changed by the host")
            return
        time.sleep(0.1)


def run_all(kernel, tmp):
    """Yields (ok, name, why)."""
    folder, rng = pathlib.Path(tmp) / "shared", random.Random(9)
    (folder / "tree/a/b").mkdir(parents=True)
    (folder / "big").write_bytes(rng.randbytes(5_000_001))
    for n in range(50):
        (folder / f"tree/a/b/f{n}").write_bytes(rng.randbytes(n * n * 10))
    (folder / "changing").write_text("as it was")
    subprocess.run("md5sum big tree/a/b/* >sums", shell=True, cwd=folder, check=True)
    cpio = os.path.join(tmp, "root.cpio")
    crash.make_root(os.path.join(tmp, "root"), cpio)
    stop = threading.Event()
    helper = threading.Thread(target=host_side, args=(folder, stop))
    helper.start()
    r = crash.guest(kernel, cpio, GUEST, [], 600, tmp, more=[
        "-fsdev", f"local,id=share,path={folder},security_model=none", "-device", "virtio-9p-pci,fsdev=share,mount_tag=share"])
    stop.set()
    helper.join()
    cases = re.findall(r"^(ok|not ok) share/(\S+?)(?:: (.*))?\r?$", r.stdout, re.M)
    for ok, case, why in cases:
        yield ok == "ok", case, why + r.stdout[-1000:] if ok != "ok" else ""
    yield len(cases) == CASES, "all-cases", f"{len(cases)} cases: {r.stdout[-1500:]}"
    report = re.search(r"(Kernel panic|WARNING|BUG|=======).*", r.stdout)
    yield not report, "no-reports", report[0] if report else ""
    yield (folder / "copy").read_bytes() == (folder / "big").read_bytes(), "host-sees-copy", "contents differ"
    seen = sorted(os.listdir(folder / "d"))
    yield len(seen) == 190 and (folder / "d/VII").read_text() == "7\n" and not (folder / "tree2").exists(), "host-sees-names", str(seen)[:300]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kernel", default=ROOT / "build/weft.elf")
    a = p.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        for ok, name, why in run_all(a.kernel, tmp):
            failed += not crash.say(ok, f"share/{name}", why)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
