#!/bin/sh
# reclaim.sh KERNEL [qemu args...]: boots KERNEL with bench/reclaim.c and swap in memory, prints its lines.
# Weft's area is /dev/ramswap (ramswap=), Linux's is brd's /dev/ram0: BRD=path of brd.ko of that kernel says that it is Linux.
# MEM (256) and SWAP (128) in MiB; the rest of MEM is what there is.  Virtual time: 1 instruction = 1 ns.
# Needs qemu-system-x86, busybox-static, cpio, gcc.
set -e
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1; shift
mem=${MEM:-256} swap=${SWAP:-128}
d=$(mktemp -d); trap 'rm -rf $d' EXIT
mkdir -p $d/r/bin $d/r/proc $d/r/sys $d/r/dev
cp /bin/busybox $d/r/bin/
gcc -O2 -static -o $d/r/bin/reclaim $here/reclaim.c -lm
{
	echo '#!/bin/busybox sh'
	echo '/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t devtmpfs dev /dev'
	if [ -n "$BRD" ]; then
		cp "$BRD" $d/r/brd.ko
		echo "/bin/busybox insmod /brd.ko rd_nr=1 rd_size=$((swap * 1024))"
		echo '/bin/busybox dd if=/dev/urandom of=/dev/ram0 bs=1M 2>/dev/null; /bin/busybox mkswap /dev/ram0'
		echo '/bin/busybox sync; echo 3 >/proc/sys/vm/drop_caches; /bin/busybox swapon /dev/ram0'
	else
		echo '/bin/busybox swapon /dev/ramswap'
	fi
	echo '/bin/reclaim; /bin/busybox poweroff -f'
} > $d/r/init
chmod +x $d/r/init
(cd $d/r && find . | cpio -o -H newc 2>/dev/null | gzip) > $d/ird
timeout ${LIMIT:-1500} qemu-system-x86_64 -M pc -accel tcg -cpu ${CPUMODEL:-max,-erms,-fsrm} -m $mem -smp 1 \
	-icount shift=0,sleep=off -nographic -no-reboot -kernel "$kernel" -initrd $d/ird \
	-append "console=ttyS0 mitigations=off quiet ramswap=$swap $APPEND" "$@" </dev/null 2>&1 |
	tr -d '\r' | grep -aE "${SHOW:-^rc |panic|BUG|Out of}"
