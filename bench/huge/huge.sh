#!/bin/sh
# huge.sh KERNEL: the figures of huge.c in virtual nanoseconds (-icount: one for each instruction), as bench/README.md tells.
set -e
here=$(cd "$(dirname "$0")" && pwd)
d=$(mktemp -d); trap 'rm -rf $d' EXIT
mkdir -p $d/r/dev
gcc -O2 -static -o $d/r/init $here/huge.c
mknod $d/r/dev/console c 5 1 2>/dev/null || true
(cd $d/r && find . | cpio -o -H newc --quiet) > $d/initrd
timeout ${LIMIT:-900} qemu-system-x86_64 -M pc -accel tcg -cpu ${CPUMODEL:-max,-erms,-fsrm} -m 1G -smp 1 -icount shift=0,sleep=off -nographic -no-reboot \
	-kernel "$1" -initrd $d/initrd -append "console=ttyS0 mitigations=off quiet panic=-1" </dev/null 2>&1 | grep -ao "huge [a-z].*" | tr -d '\r'
