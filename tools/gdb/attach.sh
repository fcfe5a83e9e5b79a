#!/bin/sh
# attach.sh: starts the guest stopped, in the background, with its console in a file, and gdb on it.
set -e
here=$(cd "$(dirname "$0")" && pwd)
d=$(mktemp -d)
accel="-accel tcg,thread=single"
qemu-system-x86_64 $accel -cpu max -M "${MACHINE:-pc}" -m "${MEM:-256M}" -smp "${CPUS:-1}" -no-reboot -display none -nodefaults \
	-serial "file:$d/console" -kernel "$KERNEL" -initrd "$INITRD" -append "console=ttyS0 $APPEND" \
	-S -gdb "unix:$d/gdb,server=on,wait=off" $QEMU_ARGS &
qemu=$!
trap 'kill $qemu 2>/dev/null; rm -rf "$d"' EXIT
while [ ! -S "$d/gdb" ]; do sleep 0.1; done
echo "console: tail -f $d/console"
gdb -q "$KERNEL" -ex "target remote $d/gdb" -ex "source $here/weft.py" -ex "hbreak start_kernel" -ex continue $GDB_ARGS
