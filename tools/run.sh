#!/bin/sh
# run.sh: boots a kernel under QEMU as `make run` says.  All by environment:
#   KERNEL=build/weft.elf  INITRD=build/root.cpio  CPUS=1  MEM=256M  MACHINE=pc|q35|microvm
#   DISK=build/debian.img   instead of INITRD: a disk that holds the root file system (user/debian-disk)
#   SNAPSHOT=1        with DISK: the disk is only read; what is changed is in memory and gone in the end
#   SHARE=dir         a folder of the host, in the guest at /mnt/share (virtio-9p)
#   CMD='...'         run this in the guest, print its output, pass its exit status on
#   DISPLAY_WINDOW=1  a window with the framebuffer console
#   APPEND='...'      more kernel command line      QEMU_ARGS='...'  more QEMU arguments
#   LIMIT=seconds     end the guest after this time (exit status 124)
set -e
kernel=${KERNEL:-build/weft.elf}
initrd=${INITRD:-build/root.cpio}
machine=${MACHINE:-pc}
d=$(mktemp -d)
qemu_pid=
cleanup() { [ -n "$qemu_pid" ] && kill "$qemu_pid" 2>/dev/null; rm -rf "$d"; }
trap cleanup EXIT
trap 'exit 130' INT TERM

# KVM only where the processor really offers it: elsewhere /dev/kvm may open and then hang.
if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
	accel="-accel kvm -cpu host"
elif [ "${CPUS:-1}" -gt 1 ]; then
	accel="-accel tcg,thread=multi -cpu max"
else
	accel="-accel tcg -cpu max"
fi

append="console=ttyS0 $APPEND"
if [ -n "$DISPLAY_WINDOW" ]; then
	append="$append console=tty0"
	display=${WEFT_DISPLAY:-gtk}
else
	display=none
fi

# The root file system: in memory, or on a disk.
if [ -n "$DISK" ]; then
	virtio=virtio-blk-pci; [ "$machine" != microvm ] || virtio=virtio-blk-device
	how=discard=unmap; append="root=/dev/vda rw $append"
	[ -z "$SNAPSHOT" ] || { how=readonly=on; append="snapshot $append"; }
	root="-drive file=$DISK,if=none,id=root,format=raw,$how -device $virtio,drive=root"
else
	root="-initrd $initrd"
fi

if [ -n "$SHARE" ]; then
	p9=virtio-9p-pci; [ "$machine" != microvm ] || p9=virtio-9p-device
	share="-fsdev local,id=share,path=$SHARE,security_model=none -device $p9,fsdev=share,mount_tag=share"
	append="share=1 $append"
fi

set -- $accel -M "$machine" -m "${MEM:-256M}" -smp "${CPUS:-1}" -no-reboot -display "$display" -nodefaults -kernel "$kernel"
[ "$machine" = microvm ] || set -- "$@" -vga std

if [ -z "$CMD" ]; then
	exec_qemu="exec"
	trap - EXIT INT TERM
	rm -rf "$d"
	exec qemu-system-x86_64 "$@" -serial mon:stdio $root $share -append "$append" $QEMU_ARGS
fi

# A command: its exit status comes back on ttyS1 (microvm has one serial port only: there the status is the last line of
# the console).
if [ -n "$DISK" ]; then
	# The disk's /sbin/weft-cmd finds it on another disk, which is known by its first line.
	printf '#weft-cmd\n%s\n' "$CMD" > "$d/cmd"
	truncate -s %4096 "$d/cmd"
	root="$root -drive file=$d/cmd,if=none,id=cmd,format=raw,readonly=on -device $virtio,drive=cmd"
	append="init=/sbin/weft-cmd $append"
else
	# A second archive laid over the first holds the /init that runs it.
	mkdir -p "$d/o/etc"
	printf '%s\n' "$CMD" > "$d/o/etc/cmd"
	cat > "$d/o/init" <<'I'
#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=${TERM:-linux}
. /etc/rcS
setsid -c sh /etc/cmd </dev/console >/dev/console 2>&1
status=$?
if [ -c /dev/ttyS1 ] && ! grep -q weft.status=console /proc/cmdline; then
	echo "status=$status" > /dev/ttyS1
else
	echo "weft-status=$status"
fi
poweroff -f
I
	chmod 755 "$d/o/init"
	(cd "$d/o" && find . | cpio -o -H newc -R 0:0 --quiet) > "$d/over.cpio"
	# Archives may follow each other; each starts at a multiple of four bytes.
	cat "$initrd" "$d/over.cpio" > "$d/initrd"
	root="-initrd $d/initrd"
fi
: > "$d/status"; : > "$d/out"	# tail must find it
if [ "$machine" = microvm ]; then
	append="$append weft.status=console"
	set -- "$@" -serial stdio
else
	set -- "$@" -serial stdio -serial "file:$d/status"
fi
timeout "${LIMIT:-300}" qemu-system-x86_64 "$@" $root $share -append "quiet $append" $QEMU_ARGS </dev/null > "$d/out" 2>"$d/err" &
qemu_pid=$!
# Show what comes while it comes.
tail -c +1 -f --pid=$qemu_pid "$d/out" 2>/dev/null | sed -u -e 's/\r$//' -e '/^weft-status=/d'
code=0; wait $qemu_pid || code=$?
qemu_pid=
[ "$code" = 0 ] || { cat "$d/err" >&2; echo "run.sh: QEMU ended with $code" >&2; exit "$code"; }
status=$(sed -n 's/^status=\([0-9]*\).*/\1/p' "$d/status" | tail -n 1)
[ -n "$status" ] || status=$(tr -d '\r' < "$d/out" | sed -n 's/^weft-status=\([0-9]*\).*/\1/p' | tail -n 1)
[ -n "$status" ] || { cat "$d/err" >&2; echo "run.sh: the guest ended without saying how the command ended" >&2; exit 125; }
exit "$status"
