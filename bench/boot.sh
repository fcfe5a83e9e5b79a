#!/bin/bash
# boot.sh KERNEL: how long and how much it takes to get to a program.  Prints "boot FIGURE VALUE UNIT" lines:
#   boot_microvm, boot_pc   s of wall time from QEMU's start to the first instruction of /init (least of RUNS, default 5),
#                           software emulation, one CPU, 128 MiB, the busybox initramfs gzipped
#   memory_after_boot       MiB in use of 128 besides what the initramfs holds, while a shell reads /proc/meminfo
#   image_size              MiB that the stripped kernel image takes on disk
# What shows /init's first instruction is its second: a write of one line to the console.  Measure on an idle machine.
set -e
kernel=$1
d=$(mktemp -d); trap 'rm -rf $d' EXIT
mkdir -p $d/r/bin $d/r/dev $d/r/proc
cp /bin/busybox $d/r/bin/
cat > $d/init.S <<'I'
	.globl _start
_start:	mov $1, %eax		# write(1, text, 11)
	mov $1, %edi
	lea text(%rip), %rsi
	mov $11, %edx
	syscall
	mov $169, %eax		# reboot(magic, magic, POWER_OFF)
	mov $0xfee1dead, %edi
	mov $672274793, %esi
	mov $0x4321fedc, %edx
	syscall
text:	.ascii "init-is-up\n"
I
gcc -nostdlib -static -o $d/r/init $d/init.S
pack() { (cd $d/r && find . | cpio -o -H newc 2>/dev/null | gzip) > $d/$1.gz; }
pack first

least() { # least MACHINE: seconds, the least of RUNS
	for i in $(seq ${RUNS:-5}); do
		local t0=$EPOCHREALTIME
		timeout 60 qemu-system-x86_64 -M $1 -accel tcg -cpu max -m 128 -smp 1 -nodefaults -display none -serial stdio -no-reboot \
			-kernel $kernel -initrd $d/first.gz -append "console=ttyS0 quiet" </dev/null 2>&1 |
			{ grep -aqm1 init-is-up && echo $EPOCHREALTIME $t0; cat >/dev/null; }
	done | awk '{ t = $1 - $2; if (!n++ || t < m) m = t } END { printf "%.3f", m }'
}
echo "boot boot_microvm $(least microvm) s"
echo "boot boot_pc $(least pc) s"

rm $d/r/init
cat > $d/r/init <<'I'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox grep MemFree /proc/meminfo
/bin/busybox poweroff -f
I
chmod +x $d/r/init
pack second
held=$(cd $d/r && find . -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) * 4 } END { print n }')
timeout 60 qemu-system-x86_64 -M pc -accel tcg -cpu max -m 128 -smp 1 -nodefaults -display none -serial stdio -no-reboot -kernel $kernel \
	-initrd $d/second.gz -append "console=ttyS0 quiet" </dev/null 2>&1 |
	awk -v held=$held '/MemFree/ { printf "boot memory_after_boot %.2f MiB\n", (128 * 1024 - $2 - held) / 1024 }'
strip -o $d/stripped $kernel
stat -c %s $d/stripped | awk '{ printf "boot image_size %.2f MiB\n", $1 / 1048576 }'
