#!/bin/sh
# mkdebian.sh OUT [small|python|disk]: a root file system of unmodified, dynamically linked Debian 12 programs.
#   As an initramfs (newc cpio): the whole image has compilers, Python and Perl (about 220 MB: give the guest 1 GiB); `small`
#   has the ordinary tools only; `python` has Python's own tests as well, which tests/pytests.py runs.
#   `disk` is an image of a disk of 4 GiB (a file with holes), formatted as Debian's mke2fs does: ext4 with apt, databases, git,
#   and in /srv/packages a folder of packages that are not installed.
#   Only what no program reads is left out: manuals, documents, translations but German, link-time optimisers, sanitizers.
# mmdebstrap makes the tree once from Debian's packages; it is kept in $WEFT_CACHE (or ~/.cache/weft), under a name made of
# what it is asked for.  The few text files of user/debian (and user/debian-disk) are laid over it each time.
set -e
here=$(cd "$(dirname "$0")/.." && pwd)
out=$1 kind=${2:-full}
cache=${WEFT_CACHE:-$HOME/.cache/weft}

packages=bash,coreutils,procps,util-linux,util-linux-extra,psmisc,login,passwd,strace,time,bsdextrautils,bsdutils,uuid-runtime,less,file,sysvinit-core,locales
[ "$kind" = small ] || packages=$packages,python3,perl,gcc,libc6-dev,make,bc,vim-tiny,nano
[ "$kind" != python ] || packages=$packages,libpython3.11-testsuite
[ "$kind" != disk ] || packages=$packages,apt,mount,fdisk,e2fsprogs,git,sqlite3,redis-server,redis-tools,postgresql,postgresql-contrib,fio,dbench,stress-ng,cpio,xz-utils,console-setup-linux,attr,acl
# What lies in /srv/packages for apt-get to install.
local_packages="hello tree"

# mmdebstrap's words, one a line.
options() {
	cat <<-'E'
	--variant=essential
	--aptopt=APT::Install-Recommends "false"
	--dpkgopt=force-unsafe-io
	--customize-hook=sed -i /force-unsafe-io/d "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
	--dpkgopt=path-exclude=/usr/share/man/*
	--dpkgopt=path-exclude=/usr/share/doc/*
	--dpkgopt=path-exclude=/usr/share/info/*
	--dpkgopt=path-exclude=/usr/share/locale/*
	--dpkgopt=path-include=/usr/share/locale/de/*
	--dpkgopt=path-include=/usr/share/locale/locale.alias
	--dpkgopt=path-exclude=/usr/lib/gcc/*/lto1
	--dpkgopt=path-exclude=/usr/bin/*lto-dump*
	--dpkgopt=path-exclude=/usr/lib/gcc/*/lib?san*
	--dpkgopt=path-exclude=/usr/lib/*/lib?san*
	--customize-hook=chroot "$1" localedef -i de_DE -f UTF-8 de_DE.UTF-8
	E
	[ "$kind" != disk ] || cat <<-E
	--customize-hook=mkdir -p "\$1/srv/packages"; cd "\$1/srv/packages" && apt-get download $local_packages && apt-cache show --no-all-versions $local_packages | sed 's|^Filename: .*/|Filename: ./|' > Packages
	--customize-hook=rm -f "\$1"/etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/srv/packages ./' > "\$1/etc/apt/sources.list"
	E
	cat <<-'E'
	--customize-hook=rm -rf "$1"/usr/share/i18n "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*
	--customize-hook=chroot "$1" passwd -q -d root
	--customize-hook=chroot "$1" useradd -m -s /bin/bash -p "" weft
	E
	echo "--include=$packages"
}
tar=$cache/debian12-$kind-$(options | sha256sum | cut -c 1-12).tar

make_tree() {
	mkdir -p "$cache"
	echo "making Debian's root file system, once: $tar" >&2
	export SOURCE_DATE_EPOCH=1700000000		# the same packages make the same archive
	part=$tar.$$
	options | tr '\n' '\0' | xargs -0 sh -c 'out=$1; shift; exec mmdebstrap --format=tar "$@" bookworm "$out"' sh "$part" \
		>"$tar.log" 2>&1 || { tail -n 30 "$tar.log" >&2; rm -f "$part"; exit 1; }
	mv "$part" "$tar"
}

# A file system from the tree; who is not root makes believe.
make_image() {
	d=$(mktemp -d "$cache/tree.XXXXXX"); trap 'rm -rf "$d"' EXIT
	as_root=; [ "$(id -u)" = 0 ] || as_root=fakeroot
	rm -f "$out.tmp"
	truncate -s 4G "$out.tmp"
	$as_root sh -ec 'tar -C "$1" -xpf "$2" --exclude="./dev/*"; cp -R --no-preserve=ownership "$3"/user/debian/etc "$3"/user/debian-disk/* "$1"
		mke2fs -q -F -t ext4 -L weft -E root_owner=0:0 -d "$1" "$4"' sh "$d" "$tar" "$here" "$out.tmp"
	mv "$out.tmp" "$out"
}

[ -f "$tar" ] || make_tree
mkdir -p "$(dirname "$out")"
if [ "$kind" = disk ]; then
	make_image
else
	"$here/tools/tar2cpio.py" "$tar" "$out" "$here/user/debian"
fi
