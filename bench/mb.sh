#!/bin/sh
# mb.sh KERNEL_IMAGE [qemu args...]: boots KERNEL_IMAGE with a busybox + mb initramfs under TCG, prints its lines.
# Linux is at its best under TCG without fast string instructions (-erms,-fsrm): that is the default here; CPUMODEL=max for the other.
# Virtual time: mb.sh KERNEL -smp 1 -icount shift=0,sleep=off (1 instruction = 1 ns; repeatable to 0.1 %).
# MB_ARGS names the figures wanted (all). MB_PROG=sync measures those of sync.c instead of mb.c's.
# Needs qemu-system-x86, busybox-static, cpio, gcc. Set MB_APPEND for more command line, CPU=n to pin.
set -e
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1; shift
d=$(mktemp -d); trap 'rm -rf $d' EXIT
mkdir -p $d/r/bin $d/r/proc $d/r/sys $d/r/dev $d/r/tmp $d/r/etc
cp /bin/busybox $d/r/bin/
gcc -O2 -static -pthread -w -o $d/r/bin/mb $here/${MB_PROG:-mb}.c
cat > $d/r/init <<I
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t tmpfs tmpfs /tmp
/bin/busybox echo "mark init \$(/bin/busybox cut -d' ' -f1 /proc/uptime)"
/bin/busybox grep -E 'MemTotal|MemFree|MemAvailable' /proc/meminfo
/bin/mb $MB_ARGS
/bin/busybox poweroff -f
I
chmod +x $d/r/init
(cd $d/r && find . | cpio -o -H newc 2>/dev/null) > $d/ird
[ "${CPIO_GZ:-1}" = 1 ] && gzip -f $d/ird && mv $d/ird.gz $d/ird
pin=; [ -n "$CPU" ] && pin="taskset -c $CPU"
timeout ${LIMIT:-900} $pin qemu-system-x86_64 -M pc -accel tcg -cpu ${CPUMODEL:-max,-erms,-fsrm} -m ${MEM:-512} -nographic -no-reboot \
  -kernel "$kernel" -initrd $d/ird -append "console=ttyS0 mitigations=off quiet $MB_APPEND" "$@" </dev/null 2>&1 |
  grep -aE 'mark|^mb |Mem[TFA]' | tr -d '\r'
