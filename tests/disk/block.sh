#!/bin/sh
# block.sh RAW MBR GPT GPT2: the disks of mkimg.py, by their names in /dev; md5 sums come in the environment.
# Prints one line a case, and at the end the sum of what it wrote, which the host compares with its file.
raw=$1 mbr=$2 gpt=$3 gpt2=$4

check() { # NAME COMMAND...: the command succeeds
	name=$1; shift
	if "$@" >/tmp/out 2>&1; then echo "ok disk/$name"; else echo "not ok disk/$name: $(tr '\n' ' ' </tmp/out | tail -c 300)"; fi
}
sum() { md5sum <"$1" | cut -c 1-32; }
part() { case $1 in *[0-9]) echo "$1p$2" ;; *) echo "$1$2" ;; esac; }	# nvme0n1p1, but sda1
is() { [ "$1" = "$2" ] || { echo "is $1, should be $2"; false; }; }
fails() { ! "$@"; }

# ---- reading ----
check read_raw is "$(sum /dev/$raw)" "$raw_sum"
check size is "$(cat /sys/block/$raw/size)" 16384
check proc_partitions grep -q " 8192 $raw\$" /proc/partitions
check blockdev_size is "$(blockdev --getsize64 /dev/$raw)" 8388608
parts_of() { # DISK PREFIX PARTITIONS...: each has its sum
	disk=$1 prefix=$2; shift 2
	for nr in "$@"; do
		eval "want=\$${prefix}_${nr}_sum"
		is "$nr $(sum /dev/$(part $disk $nr))" "$nr $want" || return 1
	done
}
check mbr parts_of $mbr mbr 1 2 5 6
check mbr_extended_shows_its_table is "$(cat /sys/block/$mbr/$(part $mbr 3)/size)" 2
check gpt parts_of $gpt gpt 1 2 7
check gpt_second_copy parts_of $gpt2 gpt2 1 2 7
check sysfs_start is "$(cat /sys/class/block/$(part $gpt 7)/start)" 16384
check sysfs_number is "$(cat /sys/dev/block/$(cat /sys/block/$mbr/dev)/size)" 32768
check small_reads is "$(dd if=/dev/$raw bs=1000 count=100 2>/dev/null | md5sum)" "$(head -c 100000 /dev/$raw | md5sum)"
many_readers() {
	for i in 1 2 3 4; do
		{ dd if=/dev/$gpt bs=4k skip=$((i * 256)) count=256 2>/dev/null | md5sum >/tmp/r$i; } &
	done
	wait
	for i in 1 2 3 4; do
		is "$(dd if=/dev/$gpt bs=64k skip=$((i * 16)) count=16 2>/dev/null | md5sum)" "$(cat /tmp/r$i)" || return 1
	done
}
blockdev --flushbufs /dev/$gpt
check many_readers many_readers

# ---- partitions change ----
busy_table() {
	exec 3</dev/$(part $mbr 1)
	fails blockdev --rereadpt /dev/$mbr; result=$?
	exec 3<&-
	return $result
}
check reread_busy busy_table
new_table() {
	dd if=/dev/$mbr bs=512 skip=1 count=1 2>/dev/null | dd of=/dev/$mbr bs=512 conv=notrunc 2>/dev/null || return 1
	blockdev --rereadpt /dev/$mbr || return 1
	is "$(cat /sys/block/$mbr/$(part $mbr 1)/start)" 4096 || return 1
	is "$(blockdev --getsize64 /dev/$(part $mbr 1))" 1048576 || return 1
	for nr in 2 3 5 6; do
		p=$(part $mbr $nr)
		for gone in /dev/$p /sys/block/$mbr/$p /sys/class/block/$p; do
			[ ! -e $gone ] || { echo "$gone is still there"; return 1; }
		done
	done
}
check reread new_table
check reread_again blockdev --rereadpt /dev/$mbr

# ---- writing ----
write_pieces() {
	dd if=/dev/urandom of=/tmp/noise bs=1k count=300 2>/dev/null
	dd if=/tmp/noise of=/dev/$raw bs=64k seek=3 conv=notrunc,fsync 2>/dev/null &&
	dd if=/tmp/noise of=/dev/$raw bs=1000 seek=2000 count=123 conv=notrunc,fsync 2>/dev/null &&
	dd if=/tmp/noise of=/dev/$raw bs=512 seek=9001 count=7 conv=notrunc 2>/dev/null &&
	is "$(dd if=/dev/$raw bs=1000 skip=2000 count=123 2>/dev/null | md5sum)" "$(head -c 123000 /tmp/noise | md5sum)"
}
check write_pieces write_pieces
past_end() {
	dd if=/dev/zero of=/dev/$raw bs=4k seek=2047 count=2 conv=notrunc 2>/tmp/err && return 1
	grep -q "No space" /tmp/err && is "$(blockdev --getsize64 /dev/$raw)" 8388608
}
check past_end past_end
many_writers() {
	for i in 1 2 3 4; do
		dd if=/tmp/noise of=/dev/$raw bs=3k seek=$((1000 + i * 100)) count=100 conv=notrunc,fsync 2>/dev/null &
	done
	wait
	for i in 1 2 3 4; do
		is "$(dd if=/dev/$raw bs=3k skip=$((1000 + i * 100)) count=100 2>/dev/null | md5sum)" "$(md5sum </tmp/noise)" || return 1
	done
}
check many_writers many_writers
cache_dropped() { # what comes back from the device is what was written to the cache
	before=$(sum /dev/$raw); blockdev --flushbufs /dev/$raw && is "$(sum /dev/$raw)" "$before"
}
check cache_dropped cache_dropped
not_clean() { awk '/^(Dirty|Writeback):/ { n += $2 } END { print n }' /proc/meminfo; }
throttled() { # with a limit of 1 MiB, a writer of 8 MiB never has more than that, and a little, on its way
	sync; cp /dev/$raw /tmp/all; before=$(not_clean)
	echo 1048576 >/proc/sys/vm/dirty_bytes; is "$(cat /proc/sys/vm/dirty_ratio)" 0 || return 1
	dd if=/tmp/all of=/dev/$raw bs=64k conv=notrunc 2>/dev/null & writer=$!
	most=0
	while kill -0 $writer 2>/dev/null; do n=$(not_clean); [ $n -le $most ] || most=$n; done
	echo 20 >/proc/sys/vm/dirty_ratio; is "$(cat /proc/sys/vm/dirty_bytes)" 0 || return 1
	echo "most $most KiB, $before before"
	[ $most -le $((before + 2560)) ]
}
check throttled throttled
old_is_written() { # by its age, without anybody asking
	echo 20 >/proc/sys/vm/dirty_writeback_centisecs; echo 10 >/proc/sys/vm/dirty_expire_centisecs
	cp /dev/$raw /tmp/all; dd if=/tmp/all of=/dev/$raw bs=64k count=4 conv=notrunc 2>/dev/null
	for i in $(seq 600); do [ $(not_clean) != 0 ] || break; sleep 0.1; done
	echo 500 >/proc/sys/vm/dirty_writeback_centisecs; echo 3000 >/proc/sys/vm/dirty_expire_centisecs
	is "$(not_clean)" 0
}
check old_is_written old_is_written
stat_counts() { set -- $(cat /sys/block/$raw/stat); [ "$1" -gt 0 ] && [ "$5" -gt 0 ]; }
check stat_counts stat_counts
# ---- interrupts ----
counts() { awk '$1 ~ /^[0-9]+:/ { n = 0; for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i; print $1, n, $3 }' /proc/interrupts; }
read_on_cpu0() { taskset 1 dd if=/dev/$raw of=/dev/null bs=4k count=64 iflag=direct 2>/tmp/dd || { cat /tmp/dd; false; }; }
irq_moves() { # the interrupt that a reader on CPU 0 causes goes where it is told
	counts >/tmp/before && read_on_cpu0 && counts >/tmp/after || return 1
	irq=$(awk 'NR == FNR { was[$1] = $2; next } $2 - was[$1] >= 64 { sub(":", "", $1); print $1; exit }' /tmp/before /tmp/after)
	[ -n "$irq" ] || { echo "no interrupt counts the requests"; return 1; }
	echo 2 >/proc/irq/$irq/smp_affinity && is "$(cat /proc/irq/$irq/effective_affinity_list)" 1 || return 1
	was=$(counts | awk -v irq=$irq: '$1 == irq { print $3 }')
	read_on_cpu0 || return 1
	now=$(counts | awk -v irq=$irq: '$1 == irq { print $3 }')
	[ $((now - was)) -ge 64 ] || { echo "CPU 1 counts $was, then $now"; return 1; }
	(echo 0 >/proc/irq/$irq/smp_affinity) 2>/dev/null && { echo "no CPU is taken"; return 1; }
	echo 0-1 >/proc/irq/$irq/smp_affinity_list && is "$(cat /proc/irq/$irq/smp_affinity)" 3
}
[ "$(nproc)" = 1 ] || check irq_moves irq_moves

sync
echo "written $(sum /dev/$raw)"

# ---- Debian's own tools ----
if [ -x /usr/sbin/fdisk.real ]; then
	tool() { "$@" >/tmp/tool 2>&1; grep -Eq "$pattern" /tmp/tool || { cat /tmp/tool; false; }; }
	pattern="^/dev/$(part $gpt 7) +16384 +17617 +1234"
	check fdisk_gpt tool /usr/sbin/fdisk.real -l /dev/$gpt
	pattern="^/dev/$(part $mbr 1) +4096 +6143 +2048 +1M +83 Linux"
	check fdisk_mbr tool /usr/sbin/fdisk.real -l /dev/$mbr
	pattern="$(part $gpt 2) +[0-9]+:[0-9]+ +0 +4M +0 part"
	check lsblk tool /usr/bin/lsblk.real
	pattern="PART_ENTRY_UUID=.07070707-0707-0707-0707-070707070707"
	check blkid tool /usr/sbin/blkid.real -p /dev/$(part $gpt 7)
fi
