#!/bin/sh
# i386.sh OUTDIR: 32-bit programs of Debian, unmodified, for the tests: busybox-static, and bash and coreutils with their
# libraries, unpacked below OUTDIR.  The host's package system is left alone: apt works in a folder of its own
# ($WEFT_CACHE/i386, default ~/.cache/weft/i386), where the packages stay for the next time.
set -e
out=$1
cache=${WEFT_CACHE:-$HOME/.cache/weft}/i386
packages="busybox-static bash coreutils libc6 libtinfo6 libselinux1 libacl1 libattr1 libgmp10 libpcre2-8-0 libgcc-s1"

mkdir -p "$cache/lists/partial" "$cache/archives/partial" "$cache/deb"
: > "$cache/status"
apt() {
	apt-get -qq -o APT::Architecture=i386 -o APT::Architectures=i386 -o Dir::State="$cache" -o Dir::State::lists="$cache/lists" \
		-o Dir::State::status="$cache/status" -o Dir::Cache="$cache" -o Dir::Cache::archives="$cache/archives" \
		-o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}
for p in $packages; do
	ls "$cache/deb/${p}"_*_i386.deb > /dev/null 2>&1 || missing="$missing $p"
done
if [ -n "$missing" ]; then
	apt update || true		# one list of several may fail: what is needed decides below
	(cd "$cache/deb" && apt download $missing)
fi
rm -rf "$out"
mkdir -p "$out"
for p in $packages; do
	dpkg-deb --fsys-tarfile "$(ls "$cache/deb/${p}"_*_i386.deb | tail -n 1)" | tar -x -C "$out" --exclude='./usr/share/*'
done
