#!/bin/sh
# sandbox.sh: Debian's unmodified unshare, nsenter, lsns, setpriv, capsh, keyctl and bwrap; what they say is checked.
# Runs in a guest (tests/run.py) as root.  A line a case: "ok sandbox/NAME" or "not ok sandbox/NAME: why".
# All by their whole paths: the guest's shell has applets of the same names.
cd / || exit 1
out=/tmp/sandbox.out
u=/usr/bin

# check NAME PATTERN...: each must match a line of $out; the patterns are grep's, extended.
check() {
	name=$1; shift
	for pattern; do
		grep -qE -e "$pattern" $out || {
			echo "not ok sandbox/$name: nothing matches $pattern: $(tail -n 12 $out | tr '\n' '|' | cut -c 1-600)"
			return
		}
	done
	echo "ok sandbox/$name"
}

# As an ordinary user.
user() { $u/setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }

utils() {
	$u/unshare --pid --fork --mount-proc sh -c 'echo pid $$; ls /proc | grep -c "^[0-9]"' >$out 2>&1; echo "status $?" >>$out
	check unshare_pid '^pid 1$' '^[1-4]$' '^status 0'
	user $u/unshare -Ur sh -c 'id -u; cat /proc/self/uid_map' >$out 2>&1
	check unshare_user_root '^0$' '^ +0 +1000 +1$'
	user $u/unshare -Urpfm --mount-proc sh -c 'echo $$ $(id -u); mount -t tmpfs none /mnt && touch /mnt/x && ls /mnt' >$out 2>&1
	check unshare_all_as_user '^1 0$' '^x$'
	user $u/unshare -UripnuC sh -c 'readlink /proc/self/ns/net' >$out 2>&1
	readlink /proc/self/ns/net >>$out
	[ "$(sort -u $out | grep -c '^net:\[[0-9]*\]$')" = 2 ] && echo different >>$out
	check unshare_net '^different$'

	$u/unshare -T --boottime 100000000 sh -c 'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets' >$out 2>&1
	check unshare_time '^10000[0-9]{4}$' '^boottime +100000000 +0$'

	$u/unshare --uts sh -c 'hostname other; exec sleep 60' & pid=$!
	until $u/nsenter -t $pid -u hostname >$out 2>&1 && grep -q other $out; do sleep 0.1; done
	check nsenter_uts '^other$'
	$u/lsns -t uts -n -o NPROCS,PID,COMMAND >$out 2>&1
	check lsns "^ +[12] +$pid "
	kill $pid
}

capabilities() {
	$u/setpriv --dump >$out 2>&1
	check setpriv_dump '^uid: 0' '^no_new_privs: 0' 'Capability bounding set: chown,'
	user --inh-caps +net_raw --ambient-caps +net_raw /usr/sbin/capsh --print >$out 2>&1
	check setpriv_ambient '^Current: cap_net_raw=eip' '^Ambient set =cap_net_raw' '^uid=1000'
	/usr/sbin/capsh --drop=cap_sys_admin --print >$out 2>&1
	check capsh_drop '^Bounding set =.*cap_sys_pacct,cap_sys_boot,'
}

keys() {
	/bin/keyctl session - sh -c '
		ring=$(keyctl newring mine @s); key=$(keyctl add user weft:a secret @s); keyctl print $key
		[ $(keyctl search @s user weft:a) = $key ] && echo found
		keyctl update $key other; keyctl print %user:weft:a; keyctl rdescribe $key; keyctl show @s
		keyctl link $key $ring; keyctl unlink $key @s; echo in ring: $(keyctl rlist $ring | grep -c "^$key$")
		printf piped | keyctl padd user b $ring >/dev/null; keyctl pipe %user:b; echo
		keyctl timeout $key 1000; keyctl revoke $key; keyctl print $key; keyctl purge user' >$out 2>&1
	check keyctl '^secret$' '^found$' '^other$' '^user;0;0;3f010000;weft:a$' '  \\_ user: weft:a$' '^in ring: 1$' '^piped$' \
		'Key has been revoked' '^purged [0-9]+ keys$'
	# The kernel runs /sbin/request-key, that the example of keyutils, and that keyctl to fill the key.
	/bin/keyctl session - sh -c 'keyctl print $(keyctl request2 user debug:ab hello @s); keyctl request2 user weft:none x @s' >$out 2>&1
	check request_key '^Debug hello$' '^request_key: Required key not available$'
}

# bubblewrap $1: as root or as user.
bubblewrap() {
	run=$u/bwrap; [ "$1" = root ] || run="user $u/bwrap"
	inside='echo pid $$; ls /proc | grep -c "^[0-9]"; touch /x; touch /tmp/x && ls /tmp; ls /dev; echo y >/dev/null; ip link 2>&1'
	$run --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all sh -c "$inside" >$out 2>&1; echo "status $?" >>$out
	check bwrap_shell_$1 '^pid 2$' '^[3-5]$' 'Read-only file system' '^x$' '^null$' '^ptmx$' '^status [01]$'
	$run --ro-bind / / --proc /proc --unshare-pid --as-pid-1 sh -c 'echo pid $$; exit 7' >$out 2>&1; echo "status $?" >>$out
	check bwrap_as_pid_1_$1 '^pid 1$' '^status 7'
	$run --bind / / --unshare-user --uid 77 --gid 78 sh -c 'id -u; id -g' >$out 2>&1
	check bwrap_ids_$1 '^77$' '^78$'
	$run --ro-bind / / --unshare-uts --unshare-user --hostname boxed hostname >$out 2>&1
	check bwrap_hostname_$1 '^boxed$'
	$run --ro-bind / / --tmpfs /mnt --dir /mnt/a --symlink a /mnt/b --file 3 /mnt/f --cap-drop ALL \
		sh -c 'ls /mnt; cat /mnt/f; grep CapEff /proc/self/status' >$out 2>&1 3</etc/passwd
	check bwrap_files_$1 '^a$' '^b$' '^root:' '^CapEff:.0000000000000000'
	$run --ro-bind / / --die-with-parent --new-session --unshare-pid --proc /proc true >$out 2>&1; echo "status $?" >>$out
	check bwrap_new_session_$1 '^status 0'
}

if [ "$1" != bwrap ]; then
	utils
	capabilities
	keys
	# bwrap pivots the root, and the first mount of all cannot be pivoted away: so a root of our own on top of it.
	mkdir -p /newroot
	mount --rbind / /newroot && cd /newroot && mount --move . / && exec chroot . sh /tests/sandbox.sh bwrap
fi
mount --make-rprivate /
bubblewrap root
bubblewrap user
