#!/bin/sh
# deps.sh GROUP...: installs the Debian packages that a group of work needs, and only those that are missing.
# Groups: build run debian test lockcheck gdb numa; libweft (its tests), peers (what bench-threads compares with).
# Prints nothing when there is nothing to do.
set -e

packages() {
	case $1 in
	build)     echo gcc make binutils python3 libc6-dev console-setup-linux ;;
	run)       echo qemu-system-x86 busybox-static cpio gzip ;;
	debian)    echo mmdebstrap e2fsprogs fakeroot ;;
	test)      echo qemu-system-x86 busybox-static cpio gzip libc6-dev musl-tools stress-ng fdisk util-linux e2fsprogs
		   echo strace gdb libc6-dev-i386 lib32gcc-12-dev bubblewrap libcap2-bin keyutils ;;
	lockcheck) echo clang-22 ;;
	gdb)       echo gdb ;;
	numa)      echo numactl ;;
	libweft)   echo g++ gdb valgrind libc6-dbg pkg-config qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
	peers)     echo g++ golang-go libpth-dev libst-dev libboost-context-dev libboost-fiber-dev ;;
	*)         echo "deps.sh: no group $1" >&2; exit 2 ;;
	esac
}

missing=
for group in "$@"; do
	for p in $(packages "$group"); do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
	done
done
[ -n "$missing" ] || exit 0

echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
log=$(mktemp)
# The package lists may be fresh enough; fetch them anew only when an install fails without.
$sudo apt-get install -y --no-install-recommends $missing >"$log" 2>&1 || {
	$sudo apt-get update >"$log" 2>&1 && $sudo apt-get install -y --no-install-recommends $missing >"$log" 2>&1
} || { cat "$log" >&2; rm -f "$log"; exit 1; }
rm -f "$log"
