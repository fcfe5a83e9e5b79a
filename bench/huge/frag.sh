#!/bin/sh
# frag.sh KERNEL [APPEND]: does a fragmented memory still give huge pages?  See frag.c.
set -e
here=$(cd "$(dirname "$0")" && pwd)
d=$(mktemp -d); trap 'rm -rf $d' EXIT
mkdir -p $d/r/dev
gcc -O2 -static -o $d/r/init $here/frag.c
mknod $d/r/dev/console c 5 1 2>/dev/null || true
(cd $d/r && find . | cpio -o -H newc --quiet) > $d/initrd
timeout ${LIMIT:-900} qemu-system-x86_64 -M pc -accel tcg -cpu ${CPUMODEL:-max,-erms,-fsrm} -m 256M -smp 2 -nographic -no-reboot \
	-kernel "$1" -initrd $d/initrd -append "console=ttyS0 mitigations=off quiet panic=-1 $2" </dev/null 2>&1 | grep -a '^frag ' | tr -d '\r'
