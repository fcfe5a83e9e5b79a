#!/bin/sh
# deps.sh: installs what libweft's tests and benchmarks want and this machine lacks.
#
# What:  Debian packages only, through apt-get, and only those that are missing; with no argument the ones for
#        the tests, with "bench" also the peers that bench-threads compares with, with "check" nothing is
#        installed and the missing ones are named.
# Idea:  the library itself needs gcc and glibc alone; everything here is optional, and each test that wants a
#        missing tool says so in its output and counts as skipped, never as passed.
# See:   doc/libweft.md, chapter "Building and testing".
set -eu
want="gdb valgrind pkg-config qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
[ "${1:-}" = bench ] && want="$want golang-go libpth-dev libst-dev libboost-context-dev libboost-fiber-dev g++"
missing=""
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "libweft/deps.sh: missing:$missing"
[ "${1:-}" = check ] && exit 1
apt-get install -y --no-install-recommends $missing >/dev/null || {
	apt-get update >/dev/null && apt-get install -y --no-install-recommends $missing >/dev/null
}
