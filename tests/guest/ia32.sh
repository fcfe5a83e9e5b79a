#!/bin/sh
# ia32.sh: Debian's i386 programs beside the 64-bit ones: busybox-static, and bash and coreutils with shared libraries.
# They lie below /i386 (tools/i386.sh); the dynamic loader and the libraries are where the programs look for them.
if [ ! -x /i386/bin/busybox ]; then
	echo "skip ia32/all: /i386 is not there"
	exit 0
fi
case_() {	# name, expected output, command...
	name=$1 want=$2
	shift 2
	got=$(timeout 100 "$@" 2>&1)
	if [ "$got" = "$want" ]; then
		echo "ok ia32/$name"
	else
		echo "not ok ia32/$name: said '$(echo "$got" | head -n 3 | tr '\n' ' ')', not '$want'"
	fi
}
b=/i386/bin
mkdir -p /lib
[ -e /lib/ld-linux.so.2 ] || ln -s /i386/lib/ld-linux.so.2 /lib/ld-linux.so.2
[ -e /lib/i386-linux-gnu ] || ln -s /i386/lib/i386-linux-gnu /lib/i386-linux-gnu
export LD_LIBRARY_PATH=/i386/usr/lib/i386-linux-gnu
d=$(mktemp -d)
cd "$d" || exit 1

case_ class "32-bit" sh -c "head -c 5 $b/busybox | od -An -tx1 | grep -q '01$' && echo 32-bit"
case_ busybox "hello" $b/busybox echo hello
case_ busybox_sh "3 4 a b" $b/busybox sh -c 'set -- a b; echo $((1+2)) $(echo 4) "$@"'
case_ busybox_pipeline "5" $b/busybox sh -c 'seq 9 | grep -v "[2468]" | wc -l | tr -d " "'
case_ busybox_find "./x/y" $b/busybox sh -c 'mkdir -p x; echo t > x/y; find . -type f'
case_ busybox_tar "t" $b/busybox sh -c 'tar czf a.tgz x; rm -r x; tar xzf a.tgz; cat x/y'
case_ busybox_ps "1" $b/busybox sh -c 'ps | awk "\$1==1 {print \$1}"'
case_ busybox_kill "143" $b/busybox sh -c 'sleep 100 & kill $!; wait $! 2>/dev/null; echo $?'
case_ busybox_date "1970-01-02" $b/busybox date -u -d @86400 +%F
case_ busybox_dd "65536" $b/busybox sh -c 'dd if=/dev/zero of=z bs=4k count=16 2>/dev/null; stat -c %s z'
case_ bash "a3c 10" $b/bash -c 'x=abc; echo ${x/b/3} $(( ${#x} + 7 ))'
case_ bash_jobs "done 3" $b/bash -c '(exit 3) & wait $!; echo done $?'
case_ bash_trap "caught" $b/bash -c 'trap "echo caught" USR1; kill -USR1 $$'
case_ bash_array "3 z" $b/bash -c 'a=(x y z); echo ${#a[@]} ${a[2]}'
case_ mixed "64 32" $b/bash -c 'echo $(/bin/busybox echo 64) $('$b'/busybox echo 32)'
case_ ls "x" $b/ls -d x
case_ stat "8" $b/bash -c "/i386/usr/bin/printf 12345678 > s; /i386/usr/bin/stat -c %s s"
case_ sort "1 2 10" $b/bash -c "/i386/usr/bin/printf '10\n2\n1\n' | /i386/usr/bin/sort -n | /i386/usr/bin/paste -sd ' '"
case_ md5sum "25d55ad283aa400af464c76d713c07ad  s" /i386/usr/bin/md5sum s
case_ cp_and_cmp "same" $b/bash -c "$b/cp s t && /bin/busybox cmp s t && echo same"
case_ truncate_2g "3221225472" $b/bash -c "/i386/usr/bin/truncate -s 3G big && /i386/usr/bin/stat -c %s big"
case_ timeout "124" $b/bash -c '/i386/usr/bin/timeout 1 /i386/bin/sleep 100; echo $?'
case_ nproc "same" $b/bash -c '[ $(/i386/usr/bin/nproc) = $(/bin/busybox nproc) ] && echo same'
case_ id "0" /i386/usr/bin/id -u
cd / && rm -rf "$d"
