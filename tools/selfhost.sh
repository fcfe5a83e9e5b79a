#!/bin/sh
# selfhost.sh KERNEL IMAGE: Weft builds itself.  A guest with Debian's disk unpacks this tree's last commit, builds the kernel with
#   Debian's gcc and make, and powers off; the kernel it made is taken from the disk and booted here.
#   CPUS=2 MEM=2G LIMIT=14400 (seconds).  Its code is compared with what this machine makes of the same sources.
set -e
kernel=$1 image=$2
here=$(cd "$(dirname "$0")/.." && pwd)
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT

cp --sparse=always "$image" "$d/disk.img"
git -C "$here" archive --prefix=weft/ -o "$d/source.tar" HEAD
start=$(date +%s)
KERNEL=$kernel DISK=$d/disk.img CPUS=${CPUS:-2} MEM=${MEM:-2G} LIMIT=${LIMIT:-14400} \
	QEMU_ARGS="-drive file=$d/source.tar,if=virtio,format=raw,readonly=on" \
	CMD="tar xf /dev/vdc && cd weft && time make -j${CPUS:-2} && ls -l build/weft.elf && sync" "$here/tools/run.sh"
echo "the guest took $(($(date +%s) - start)) s"
e2fsck -fn "$d/disk.img"
debugfs -R "dump /root/weft/build/weft.elf $d/weft.elf" "$d/disk.img"
KERNEL=$d/weft.elf INITRD=$here/build/root.cpio LIMIT=300 CMD='uname -a; echo booted' "$here/tools/run.sh"

# The same sources under the same name, so that nothing but the compiler's work can differ.
mkdir "$d/same" && tar -C "$d/same" -xf "$d/source.tar" && make -s -C "$d/same/weft" -j2
for elf in "$d/weft.elf" "$d/same/weft/build/weft.elf"; do objcopy -S -R .note.gnu.build-id -O binary "$elf" "$elf.bin"; done
cmp "$d/weft.elf.bin" "$d/same/weft/build/weft.elf.bin" && echo "the kernel that Weft built and the kernel that Linux built are the same code"
