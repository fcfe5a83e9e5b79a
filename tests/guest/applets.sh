#!/bin/sh
# applets.sh: Debian's unmodified busybox, applet by applet, each with checked output.
# Runs on the host too (`sh tests/guest/applets.sh` with busybox-static installed): what fails there is a fault of the test.
B=/bin/busybox
D=$(mktemp -d) || exit 1
cd "$D" || exit 1
n=0; bad=0
export LC_ALL=C TZ=UTC TERM=vt100 PATH=/bin:/sbin:/usr/bin:/usr/sbin

say() { echo "$@"; }
ok() { n=$((n+1)); say "ok applets/$1"; }
no() { bad=$((bad+1)); say "not ok applets/$1: $2" | head -c 600 | tr '\n' ' '; echo; }

# is NAME EXPECTED COMMAND...: the output must be exactly EXPECTED
is() { name=$1; want=$2; shift 2; got=$("$@" 2>&1); [ "$got" = "$want" ] && ok "$name" || no "$name" "got '$got' not '$want'"; }
# sh_is NAME EXPECTED SCRIPT: the same for a shell script
sh_is() { name=$1; want=$2; got=$($B ash -c "$3" 2>&1); [ "$got" = "$want" ] && ok "$name" || no "$name" "got '$got' not '$want'"; }
# has NAME PATTERN SCRIPT: the output must match the extended regular expression
has() { name=$1; got=$($B ash -c "$3" 2>&1); printf '%s\n' "$got" | $B grep -qE -e "$2" && ok "$name" || no "$name" "got '$got' without '$2'"; }
# yes_ NAME SCRIPT: must succeed
yes_() { name=$1; got=$($B ash -c "$2" 2>&1) && ok "$name" || no "$name" "failed: $got"; }

printf 'one\ntwo\nthree\nfour\nfive\n' > five
printf 'b 2\na 1\nc 3\n' > abc
mkdir -p tree/x/y && echo deep > tree/x/y/z && echo top > tree/t

is echo "hello world" $B echo hello world
is printf "007 x" $B printf '%03d %s' 7 x
is cat "one two three four five" sh -c "$B cat five | $B tr '\n' ' ' | $B sed 's/ \$//'"
is tac "five" sh -c "$B tac five | $B head -n1"
is rev "olleh" sh -c "echo hello | $B rev"
is head "one two" sh -c "$B head -n2 five | $B xargs"
is tail "four five" sh -c "$B tail -n2 five | $B xargs"
is wc "5 5 24 five" sh -c "$B wc five | $B xargs"
is sort "a 1 b 2 c 3" sh -c "$B sort abc | $B xargs"
is sort-n "3 20 100" sh -c "printf '100\n3\n20\n' | $B sort -n | $B xargs"
is uniq "2 a 1 b" sh -c "printf 'a\na\nb\n' | $B uniq -c | $B xargs"
is cut "2 1 3" sh -c "$B cut -d' ' -f2 abc | $B xargs"
is paste "b 2 one" sh -c "$B paste -d' ' abc five | $B head -n1"
is tr "HELLO" sh -c "echo hello | $B tr a-z A-Z"
is sed "1 uno" sh -c "echo '1 one' | $B sed 's/one/uno/'"
is sed-addr "two" $B sed -n 2p five
is awk "6" $B awk '{s+=$2} END {print s}' abc
is awk-fields "a:1" sh -c "$B awk -v OFS=: '/a/{print \$1,\$2}' abc"
is grep "three" $B grep hre five
is egrep "two three" sh -c "$B egrep '^t' five | $B xargs"
is fgrep "four" $B fgrep our five
is grep-c 2 $B grep -c '^f' five
is expr 42 $B expr 6 '*' 7
is seq "1 2 3" sh -c "$B seq 3 | $B xargs"
is basename z $B basename tree/x/y/z
is dirname tree/x/y $B dirname tree/x/y/z
is nl "1 one" sh -c "$B nl five | $B head -n1 | $B xargs"
is fold "hel lo" sh -c "echo hello | $B fold -w3 | $B xargs"
is expand "a       b" sh -c "printf 'a\tb\n' | $B expand"
is unexpand "1" sh -c "printf '        b\n' | $B unexpand | $B grep -c '	'"
is cmp "" $B cmp five five
has diff '^-two|^\+zwei' "$B sed s/two/zwei/ five > six; $B diff five six"
is factor "12: 2 2 3" $B factor 12
is bc 56 sh -c "echo '7*8' | $B bc"
is dc 56 sh -c "echo '7 8 * p' | $B dc"
is od "0000000 150 151" sh -c "printf hi | $B od -b | $B head -n1"
is hexdump "68 69" sh -c "printf hi | $B hexdump -e '1/1 \"%02x \"' | $B xargs"
is xxd "6869" sh -c "printf hi | $B xxd -p"
is base64 "aGVsbG8=" sh -c "printf hello | $B base64"
is uudecode hello sh -c "printf 'hello' > u; $B uuencode u u2 | $B uudecode; $B cat u2"
is md5sum "5d41402abc4b2a76b9719d911017c592" sh -c "printf hello | $B md5sum | $B cut -d' ' -f1"
is sha1sum "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d" sh -c "printf hello | $B sha1sum | $B cut -d' ' -f1"
is sha256sum "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" sh -c "printf hello | $B sha256sum | $B cut -d' ' -f1"
is sha512sum "9b71d224bd62f378" sh -c "printf hello | $B sha512sum | $B cut -c1-16"
is true 0 sh -c "$B true; echo \$?"
is false 1 sh -c "$B false; echo \$?"
is test yes sh -c "$B test 3 -gt 2 && echo yes"
is bracket yes sh -c "$B [ -f five ] && echo yes"
is env "V=1" sh -c "$B env -i V=1 $B env"
is pwd "$D" $B pwd
is readlink five sh -c "ln -s five lnk; $B readlink lnk"
is realpath "$D/five" $B realpath lnk
is ln "2" sh -c "$B ln five hard; $B stat -c %h five"
is cp same sh -c "$B cp -a tree tree2; $B diff -r tree tree2 && echo same"
is mv gone sh -c "$B mv tree2 tree3; [ -d tree2 ] || echo gone"
is rm gone sh -c "$B rm -r tree3; [ -d tree3 ] || echo gone"
is mkdir 755 sh -c "umask 022; $B mkdir -p m/n/o; $B stat -c %a m/n/o"
is rmdir gone sh -c "$B rmdir -p m/n/o; [ -d m ] || echo gone"
is touch 0 sh -c "$B touch -d '2020-02-02 02:02:02' tt; $B stat -c %Y tt | $B sed 's/1580608922/0/'"
is stat "regular file 24" $B stat -c '%F %s' five
is chmod 640 sh -c "$B chmod 640 five; $B stat -c %a five"
is truncate 100 sh -c "$B truncate -s 100 tr; $B stat -c %s tr"
is fallocate 4096 sh -c "$B fallocate -l 4096 fa; $B stat -c %s fa"
is mktemp 1 sh -c "f=\$($B mktemp -p .); [ -f \$f ] && echo 1"
is mkfifo "through" sh -c "$B mkfifo ff; echo through > ff & $B cat ff"
is ls "abc five" sh -c "$B ls -d abc five | $B xargs"
has ls-l '^-rw-r-----.* 24 .*five' "$B ls -l five"
is find "tree/t tree/x/y/z" sh -c "$B find tree -type f | $B sort | $B xargs"
is find-exec "deep" $B find tree -name z -exec $B cat '{}' ';'
is xargs "1 2-3" sh -c "printf '1 2\n3\n' | $B xargs -n2 echo | $B paste -sd-"
is du "1" sh -c "$B du -s tree | $B grep -c tree"
has df '1K-blocks' "$B df"
is dd "3" sh -c "$B dd if=/dev/zero of=z bs=1 count=3 2>/dev/null; $B stat -c %s z"
is shuf "5" sh -c "$B shuf five | $B wc -l | $B xargs"
is tee "hi hi" sh -c "echo hi | $B tee te | $B cat - te | $B xargs"
is tar "deep" sh -c "$B tar cf t.tar tree; mkdir u1; $B tar xf t.tar -C u1; $B cat u1/tree/x/y/z"
is tar-gz "top" sh -c "$B tar czf t.tgz tree; $B tar xzOf t.tgz tree/t"
is gzip "five" sh -c "$B gzip -c five > f.gz; $B gunzip -c f.gz | $B tail -n1"
is zcat "one" sh -c "$B zcat f.gz | $B head -n1"
is bzip2 "five" sh -c "$B bzip2 -c five | $B bunzip2 -c | $B tail -n1"
is cpio "1" sh -c "echo five | $B cpio -o -H newc 2>/dev/null > f.cpio; $B cpio -t < f.cpio 2>/dev/null | $B grep -c five"
is which 1 sh -c "$B which ls | $B grep -c ls"
is id 0 $B id -u
is whoami root $B whoami
is groups 1 sh -c "$B groups | $B grep -c root"
is hostname 1 sh -c "$B hostname | $B wc -l | $B xargs"
is hostid 8 sh -c "$B hostid | $B tr -d '\n' | $B wc -c | $B xargs"
is uname Linux $B uname -s
is uname-m x86_64 $B uname -m
is arch x86_64 $B arch
is nproc 1 sh -c "[ \$($B nproc) -ge 1 ] && echo 1"
is date 1970-01-02 $B date -u -d @86400 +%F
is sleep 0 sh -c "$B sleep 0.01; echo \$?"
is usleep 0 sh -c "$B usleep 1000; echo \$?"
has time 'real' "$B time $B true"
has renice 'PID|^ *7|7' "$B sleep 5 & p=\$!; $B renice -n 7 -p \$p; $B awk '{print \$19}' /proc/\$p/stat; kill \$p"
has taskset 'affinity mask: 1$' "$B taskset 1 $B taskset -p \$\$ >/dev/null; $B taskset 1 $B sh -c '$B taskset -p \$\$'"
is setsid 1 sh -c "$B setsid $B sh -c '[ \$(cut -d\" \" -f6 /proc/self/stat) != 0 ] && echo 1'"
is kill 143 sh -c "$B sleep 50 & p=\$!; $B kill \$p; { wait \$p; } 2>/dev/null; echo \$?"
has kill-l 'TERM' "$B kill -l"
has killall-none 'no process' "$B killall nosuchprogram_x"
has ps 'PID.*(COMMAND|CMD)' "$B ps"
has ps-o '1 ' "$B ps -o pid,ppid,comm"
has pstree '.' "$B pstree"
has top 'Mem:.*used' "$B top -b -n1"
has free '^Mem:' "$B free"
has uptime 'load average' "$B uptime"
has vmstat-like 'ctxt' "$B cat /proc/stat"
has mount 'proc' "$B mount"
is tty "not a tty" sh -c "$B tty < /dev/null"
is sync 0 sh -c "$B sync; echo \$?"
is mkpasswd 1 sh -c "$B mkpasswd -m md5 pw abcdefgh | $B grep -c '^.1.'"
is strings hello sh -c "printf '\001hello\002' | $B strings"
is dos2unix 3 sh -c "printf 'ab\r\n' > dos; $B dos2unix dos; $B stat -c %s dos"
is unix2dos 4 sh -c "$B unix2dos dos; $B stat -c %s dos"
is run-parts ran sh -c "mkdir rp; printf '#!/bin/sh\necho ran\n' > rp/job; chmod +x rp/job; $B run-parts rp"
is getopt " -a -b x -- y" $B getopt ab: -a -bx y
is ipcalc "NETWORK=10.0.0.0" $B ipcalc -n 10.0.0.1/8
is printf-hex ff $B printf %x 255
is yes "y y" sh -c "$B yes | $B head -n2 | $B xargs"
is unlink gone sh -c "echo > ul; $B unlink ul; [ -f ul ] || echo gone"
is link 2 sh -c "echo > l1; $B link l1 l2; $B stat -c %h l1"
is chown 1000:1000 sh -c "$B chown 1000:1000 abc; $B stat -c %u:%g abc"
is chgrp 5 sh -c "$B chgrp 5 abc; $B stat -c %g abc"
is chroot hi sh -c "mkdir -p cr/bin; cp $B cr/bin/; $B chroot cr /bin/busybox echo hi"
is ash-jobs Done sh -c "$B ash -mc '$B true & wait; jobs; echo Done' 2>/dev/null | $B tail -n1"
is ash-trap caught $B ash -c 'trap "echo caught" USR1; kill -USR1 $$; :'
is ash-pipe 3 $B ash -c 'echo a b c | wc -w | xargs'
is ash-subst 7 $B ash -c 'x=$(echo $((3+4))); echo $x'
is ash-heredoc "line 5" $B ash -c 'v=5; cat <<E
line $v
E'
is ash-func "3" $B ash -c 'f() { return 3; }; f; echo $?'
is ash-redirect "err" $B ash -c 'ls /nonexistent 2>&1 >/dev/null | grep -q nonexistent && echo err'
is ed "uno" sh -c "printf '1s/one/uno/\nw\nq\n' | $B ed five >/dev/null 2>&1; $B head -n1 five"
has watch 'Every' "$B timeout 2 $B watch -n 1 true 2>&1 | $B head -n1"
has less 'one|uno' "$B less five < /dev/null | $B head -n1"
is more "uno" sh -c "$B more five </dev/null | $B head -n1"
is script-loop 5050 $B ash -c 'i=0; s=0; while [ $i -lt 100 ]; do i=$((i+1)); s=$((s+i)); done; echo $s'
is mount-tmpfs yes sh -c "mkdir mp; $B mount -t tmpfs none mp && echo yes > mp/f && $B cat mp/f; $B umount mp"
is umount-empty 0 sh -c "ls mp | $B wc -l | $B xargs"
is cttyhack 0 sh -c "$B cttyhack $B true; echo \$?"
is su 65534 sh -c "$B su nobody -s /bin/sh -c '$B id -u'"
is setsid new sh -c "$B setsid sh -c '[ \$\$ = \$(cut -d\" \" -f6 /proc/self/stat) ] && echo new'"
has getty 'usage|BusyBox' "$B getty --help"
has login 'usage|BusyBox' "$B login --help"
has ionice 'idle|none|best|prio' "$B ionice"
has iostat-or-proc 'cpu' "$B head -n1 /proc/stat"
is sysctl 1 sh -c "$B sysctl -n kernel.ostype | $B grep -c Linux"

is crc32 "3610a686 h" sh -c "printf hello > h; $B crc32 h"
is sha3sum "3338be694f50c5f3" sh -c "printf hello | $B sha3sum -a 256 | $B cut -c1-16"
is timeout 143 sh -c "$B timeout 1 $B sleep 20 2>/dev/null; echo \$?" 
is patch "zwei" sh -c "cp five p; $B diff -u p six > d.patch; $B patch p < d.patch >/dev/null; $B sed -n 2p p"
is killall 143 sh -c "cp $B ./sleep; ./sleep 50 & p=\$!; $B usleep 200000; $B killall sleep; wait \$p 2>/dev/null; echo \$?"
is pidof 1 sh -c "$B sleep 21 & p=\$!; $B usleep 100000; $B pidof busybox sleep sh | $B grep -cw \$p; kill \$p"
has cal '29' "$B cal 2 2020"
has stty 'not a tty|Inappropriate|inval' "$B stty < /dev/null"
has who '.*' "$B who"
is start-stop-daemon "1" sh -c "$B start-stop-daemon -K -x /nonexistent >/dev/null 2>&1; echo \$?"
is mknod c sh -c "$B mknod nul c 1 3 && $B ls -l nul | $B cut -c1"

cd /; rm -rf "$D"
echo "applets: $n ok, $bad not ok"
[ $bad = 0 ]
