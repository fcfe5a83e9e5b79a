#!/bin/sh
# run.sh KERNEL [CPUS]: boots KERNEL with sched.c as its only program and prints the figures.
# FIGURES='latency shares realtime starvation' names those wanted (all).
# Virtual time by QEMU's instruction counter: 1 instruction = 8 ns, a processor of 125 million instructions a second, so that
# the two minutes measured take as long to emulate.  With CPUS there is no counter and the host's load shows in the figures.
set -e
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1
d=$(mktemp -d); trap 'rm -rf $d' EXIT
mkdir -p $d/r/dev
gcc -O2 -static -w -o $d/r/init $here/sched.c
(cd $d/r && find . | cpio -o -H newc --quiet) > $d/ird
how="-smp 1 -icount shift=3,sleep=off"
[ -n "$2" ] && how="-smp $2"
timeout ${LIMIT:-900} qemu-system-x86_64 -M pc -accel tcg -cpu max -m 128 -nographic -nodefaults -serial stdio -no-reboot \
	-kernel "$kernel" -initrd $d/ird -append "console=ttyS0 quiet -- $FIGURES" $how </dev/null 2>&1 |
	grep -ao --line-buffered 'sched [a-z].*' | sed -u 's,\r,,'
