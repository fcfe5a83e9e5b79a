# ext.sh TYPE OPERATIONS [OPTIONS]: what a guest does with /dev/vda, an ext file system that the host's mke2fs has made from a tree.
# The host knows the sums of the tree's files (sums) and of what is left in the end (see ext.py).
mkdir -p /m
mount -t "$1" -o "${3:-rw}" /dev/vda /m || exit 1
(cd /m && md5sum -c -s sums) && echo "ok ext/read" || echo "not ok ext/read: contents differ"
[ "$(readlink /m/long)" = "$(cat /m/long.text)" ] && echo "ok ext/links" || echo "not ok ext/links: $(readlink /m/long)"

cp -a /m/tree /m/copy && mkdir /m/many && i=0
while [ $i -lt 1500 ]; do echo $i > /m/many/a_name_that_is_long_enough_to_need_an_index_$i; i=$((i + 1)); done
n=$(ls /m/many | wc -l)
[ "$n" = 1500 ] && echo "ok ext/index" || echo "not ok ext/index: $n names"
rm /m/many/*7* && mv /m/copy /m/many/moved && ln /m/sums /m/hard && ln -s abc /m/short && truncate -s 12345 /m/many/moved/random
(cd /m/many && diff -r moved /m/tree) | grep -v "random differ" > /tmp/diff
[ -s /tmp/diff ] && echo "not ok ext/copy: $(head -1 /tmp/diff)" || echo "ok ext/copy"

for seed in 1 2 3; do /tests/fsops /m/fsops$seed $seed "$2" || touch /tmp/bad & done
wait
[ -e /tmp/bad ] && echo "not ok ext/fsops: see above" || echo "ok ext/fsops"

seed=1
while [ $seed -le 25 ]; do /tests/fsops /m/small$seed $seed 30 200 || touch /tmp/bad; seed=$((seed + 1)); done
[ -e /tmp/bad ] && echo "not ok ext/fsops-small: see above" || echo "ok ext/fsops-small"

mkdir /m/acl && /tests/acl /m/acl > /tmp/acl && echo "ok ext/acl" || echo "not ok ext/acl: $(grep "^not" /tmp/acl | tr '\n' ' ')"
mkdir /m/extras && /tests/extras /m/extras /m > /tmp/extras && echo "ok ext/extras" ||
	echo "not ok ext/extras: $(grep -v "^ok" /tmp/extras | tr '\n' ' ')"

/tests/direct /m/direct > /tmp/direct; grep -q "^not" /tmp/direct || ! grep -q "^ok direct/large" /tmp/direct &&
	echo "not ok ext/direct: $(grep "^not" /tmp/direct | tr '\n' ' ')" || echo "ok ext/direct"

/tests/lookups /m/lookups > /tmp/lookups && echo "ok ext/lookups" || echo "not ok ext/lookups: $(cat /tmp/lookups)"

dd if=/dev/zero of=/m/full bs=64k 2>/tmp/dd; grep -q "No space left" /tmp/dd && echo "ok ext/full" || echo "not ok ext/full: $(cat /tmp/dd)"
rm /m/full && sync && echo again > /m/again && echo "ok ext/room-again" || echo "not ok ext/room-again: no room"
exec 3> /m/orphan && echo gone >&3 && rm /m/orphan && exec 3>&- && echo "ok ext/orphan" || echo "not ok ext/orphan: failed"
mount -o remount,ro /m && ! touch /m/no 2>/dev/null && mount -o remount,rw /m && touch /m/yes && echo "ok ext/remount" ||
	echo "not ok ext/remount: failed"
umount /m && echo "ok ext/umount" || echo "not ok ext/umount: busy"
