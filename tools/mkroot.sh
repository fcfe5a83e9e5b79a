#!/bin/sh
# mkroot.sh OUT.cpio [EXTRA_DIR...]: makes the busybox root file system that `make run` boots, as a newc cpio archive.
# Everything in it is Debian's unmodified static busybox plus the few text files of user/root; EXTRA_DIRs are laid over it.
set -e
here=$(cd "$(dirname "$0")/.." && pwd)
out=$1; shift
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
chmod 755 "$d"		# it becomes the root folder: everybody must be able to enter it

for dir in bin sbin usr/bin usr/sbin proc sys dev tmp root etc var/log run mnt home; do mkdir -p "$d/$dir"; done
chmod 1777 "$d/tmp"
cp /bin/busybox "$d/bin/busybox"
# One link for each applet, where busybox itself would install it.
/bin/busybox --list-full | while read -r path; do
	[ -e "$d/$path" ] || { mkdir -p "$d/$(dirname "$path")"; ln -s /bin/busybox "$d/$path"; }
done
ln -sf bin/busybox "$d/init"
cp -R --remove-destination "$here"/user/root/. "$d/"
# --remove-destination: /init is a link to the real /bin/busybox, which a plain copy would write through.
for extra in "$@"; do cp -R --remove-destination "$extra"/. "$d/"; done
chmod 755 "$d/etc/rcS" 2>/dev/null || true
(cd "$d" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) > "$out.tmp"
mv "$out.tmp" "$out"
