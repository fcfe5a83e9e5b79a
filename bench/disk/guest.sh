#!/bin/bash
# guest.sh [FIGURE...]: run in the guest (Weft or Linux) by run.py: one line a figure,
#   disk NAME cpu_ms idle_ms reads writes flushes
# cpu_ms: what the processor worked, programs and kernel together; idle_ms: what it waited for the disk; then the requests
# that the disk saw.  All of it between two readings of /proc and /sys.
disk=vda dir=/srv/bench
mkdir -p $dir && cd $dir

snapshot() { # sets cpu idle reads writes flushes
	local up u n s i w rest
	read -r up rest </proc/uptime
	read -r rest u n s i w rest </proc/stat
	set -- $(</sys/block/$disk/stat)
	idle=$(((i + w) * 10)) cpu=$((10#${up/./} * 10 - idle)) reads=$1 writes=$5 flushes=${16}
}

# Tells requests.py where a figure begins (1) and ends (2): a read of that sector of the disk with this script.
mark() { [ -z "$marks" ] || dd if=/dev/vdb of=/dev/null bs=512 skip=$1 count=1 iflag=direct status=none; }

# Nothing cached.  Linux's journal keeps its last transactions' blocks until objects, which go after pages, are dropped: twice.
cold() { echo 3 >/proc/sys/vm/drop_caches; echo 3 >/proc/sys/vm/drop_caches; }

wanted() { [ -z "$figures" ] || [[ " $figures " == *" $1 "* ]]; }

figure() { # NAME COMMAND...: measured, with the sync that its writes need
	local name=$1 c i r w f
	shift
	wanted $name || return 0
	sync; [[ $name == fio_* ]] || cold
	mark 1
	snapshot; c=$cpu i=$idle r=$reads w=$writes f=$flushes
	"$@" >$dir/out 2>&1 </dev/null || { echo "disk-failed $name: $(tail -n 3 $dir/out | tr '\n' ' ')"; return; }
	sync
	snapshot; mark 2
	echo "disk $name $((cpu - c)) $((idle - i)) $((reads - r)) $((writes - w)) $((flushes - f))"
}

# ---- fio: one file of 256 MiB that exists, not cached at first; `start` is what fio itself takes, run.py takes it off ----

job() { # NAME RW BLOCKSIZE SIZE [fio's options]
	local name=$1 rw=$2 bs=$3 size=$4
	shift 4
	figure fio_$name fio --minimal --thread --name=$name --filename=$dir/data --rw=$rw --bs=$bs --size=256m --io_size=$size \
		--randrepeat=1 --norandommap --gtod_reduce=1 --invalidate=1 --overwrite=1 "$@"
}

fio_all() {
	[ -z "$figures" ] || [[ $figures == *fio_* ]] || return 0
	dd if=/dev/zero of=$dir/data bs=1M count=256 conv=fsync status=none
	figures= job start	read	  4k 4k
	figures= job start	read	  4k 4k
	job read_buffered	read	  128k 256m
	job read_4k_buffered	read	  4k 256m
	job write_buffered	write	  128k 256m
	job randread_buffered	randread  4k 64m
	job randwrite_buffered	randwrite 4k 64m
	job write_fsync		write	  4k 8m --fsync=1
	local e
	for e in psync libaio io_uring; do
		job read_direct_$e	read	 128k 512m --direct=1 --ioengine=$e
		job write_direct_$e	write	 128k 512m --direct=1 --ioengine=$e
		job randread_direct_$e	randread 4k 64m --direct=1 --ioengine=$e
		job randwrite_direct_$e	randwrite 4k 64m --direct=1 --ioengine=$e
		[ $e != psync ] || continue
		job read_direct_${e}_32		read	  128k 512m --direct=1 --ioengine=$e --iodepth=32
		job write_direct_${e}_32	write	  128k 512m --direct=1 --ioengine=$e --iodepth=32
		job randread_direct_${e}_32	randread  4k 64m --direct=1 --ioengine=$e --iodepth=32
		job randwrite_direct_${e}_32	randwrite 4k 64m --direct=1 --ioengine=$e --iodepth=32
	done
	job randread_buffered_io_uring_32 randread 4k 64m --ioengine=io_uring --iodepth=32
	job verify_buffered	randwrite 4k 8m --verify=crc32c --io_size=8m
	job verify_direct	randwrite 4k 8m --verify=crc32c --direct=1 --ioengine=libaio --iodepth=32
	rm -f $dir/data
}

# ---- a source tree: an archive on another disk ----

tree_all() {
	mkdir -p $dir/tree
	figure untar tar xf /dev/vdc -C $dir/tree
	wanted build && [ ! -d $dir/tree/kernel ] && tar xf /dev/vdc -C $dir/tree
	figure build bash -c "cd $dir/tree/kernel/lib && for f in [a-h]*.c; do gcc -O1 -w -nostdinc -I../../include -I../../include/uapi \
		-include weft/kernel.h -fsyntax-only \$f; gcc -w -c -x c -o \${f%.c}.o - <<<'int x;'; done; true"
	wanted rm && [ ! -d $dir/tree/kernel ] && tar xf /dev/vdc -C $dir/tree
	figure rm rm -r $dir/tree
}

# ---- databases ----

rows() { # N [one]: inserts, each a transaction of its own, or all one
	echo 'create table t (i integer primary key, s text);'
	[ -z "$2" ] || echo 'begin;'
	local i
	for ((i = 0; i < $1; i++)); do echo "insert into t values ($i, 'row number $i, and some text to fill it');"; done
	[ -z "$2" ] || echo 'commit;'
}

sqlite_all() {
	[ -z "$figures" ] || [[ $figures == *sqlite_* ]] || return 0
	rows 500 >/run/each.sql; rows 100000 one >/run/one.sql
	figure sqlite_each sh -c "sqlite3 $dir/each.db </run/each.sql"
	figure sqlite_one sh -c "sqlite3 $dir/one.db </run/one.sql"
	figure sqlite_wal sh -c "(echo 'pragma journal_mode=wal;'; cat /run/each.sql) | sqlite3 $dir/wal.db"
	rm -f $dir/*.db
}

pg() { su postgres -c "PATH=$(echo /usr/lib/postgresql/*/bin):\$PATH; $*"; }

pgbench_all() {
	[ -z "$figures" ] || [[ $figures == *pg* ]] || return 0
	mkdir -p $dir/pg /run/postgresql && chown postgres $dir/pg /run/postgresql
	figure pg_initdb pg initdb -D $dir/pg --no-locale -A trust
	pg pg_ctl -D $dir/pg -w -l /run/postgresql/log -o "-c\ listen_addresses=\ -c\ shared_buffers=32MB\ -c\ autovacuum=off" start \
		>$dir/out 2>&1 || { echo "disk-failed pg_ctl: $(tail -n 3 $dir/out | tr '\n' ' ')"; return; }
	figure pgbench_init pg pgbench -q -i -s 2 -h /run/postgresql postgres
	figure pgbench_1 pg pgbench -n -t 200 -c 1 -h /run/postgresql postgres
	figure pgbench_4 pg pgbench -n -t 50 -c 4 -h /run/postgresql postgres
	pg pg_ctl -D $dir/pg -w -m fast stop >/dev/null 2>&1
}

figures="$*"
fio_all
tree_all
sqlite_all
pgbench_all
echo disk-done
