#!/bin/sh
# mkdebian.sh OUT.cpio [small|python]: a root file system of unmodified, dynamically linked Debian 12 programs, as a newc cpio archive.
#   The whole image has compilers, Python and Perl (about 220 MB: give the guest 1 GiB); `small` has the ordinary tools only;
#   `python` has Python's own tests as well, which tests/pytests.py runs.
#   Only what no program reads is left out: manuals, documents, translations but German, link-time optimisers, sanitizers.
# mmdebstrap makes the tree once from Debian's packages; it is kept in $WEFT_CACHE (or ~/.cache/weft), under a name made of
# this script's contents.  The few text files of user/debian are laid over it each time.
set -e
here=$(cd "$(dirname "$0")/.." && pwd)
out=$1 kind=${2:-full}
cache=${WEFT_CACHE:-$HOME/.cache/weft}

packages=bash,coreutils,procps,util-linux,util-linux-extra,psmisc,login,passwd,strace,time,bsdextrautils,bsdutils,uuid-runtime,less,file,sysvinit-core,locales
[ "$kind" = small ] || packages=$packages,python3,perl,gcc,libc6-dev,make,bc,vim-tiny,nano
[ "$kind" != python ] || packages=$packages,libpython3.11-testsuite
tar=$cache/debian12-$kind-$(sha256sum <"$0" | cut -c 1-12).tar

make_tree() {
	mkdir -p "$cache"
	echo "making Debian's root file system, once: $tar" >&2
	export SOURCE_DATE_EPOCH=1700000000		# the same packages make the same archive
	mmdebstrap --variant=essential --format=tar --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-include=/usr/share/locale/de/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
		--dpkgopt='path-exclude=/usr/lib/gcc/*/lto1' --dpkgopt='path-exclude=/usr/bin/*lto-dump*' \
		--dpkgopt='path-exclude=/usr/lib/gcc/*/lib?san*' --dpkgopt='path-exclude=/usr/lib/*/lib?san*' \
		--include="$packages" \
		--customize-hook='chroot "$1" localedef -i de_DE -f UTF-8 de_DE.UTF-8' \
		--customize-hook='rm -rf "$1"/usr/share/i18n "$1"/var/lib/apt/lists "$1"/var/cache/apt' \
		--customize-hook='chroot "$1" passwd -q -d root' \
		--customize-hook='chroot "$1" useradd -m -s /bin/bash -p "" weft' \
		bookworm "$tar.tmp" >"$tar.log" 2>&1 || { tail -n 30 "$tar.log" >&2; exit 1; }
	mv "$tar.tmp" "$tar"
}

[ -f "$tar" ] || make_tree
mkdir -p "$(dirname "$out")"
"$here/tools/tar2cpio.py" "$tar" "$out" "$here/user/debian"
