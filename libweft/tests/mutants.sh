#!/bin/sh
# mutants.sh: are the simulated schedules able to fail?  Each line below breaks one of libweft's race guards in a copy of
# the sources, builds the simulation and runs it; a mutant that survives is a failure of the tests.
#
# What:  mutants.sh BUILD_DIR [SCHEDULES]; the last line is "N passed, N failed", N being mutants found and not found.
# Idea:  FILE | sed expression | what is broken.  The expression must change the file, which is checked.
# See:   sim.c, sim_test.c.
set -u
here=$(cd "$(dirname "$0")/.." && pwd); b=$1; n=${2:-60000}; pass=0; fail=0
arch=$(gcc -dumpmachine | sed 's/-.*//'); zone=; [ "$arch" = x86_64 ] && zone=-mno-red-zone
while IFS='|' read -r file expr what; do
	[ -z "$file" ] && continue
	d=$b/mutant; rm -rf "$d"; mkdir -p "$d"; cp -r "$here/src" "$here/tests" "$here/include" "$d/"
	sed -i -E "$expr" "$d/src/$file"
	if cmp -s "$d/src/$file" "$here/src/$file"; then echo "mutant not made: $what"; fail=$((fail + 1)); continue; fi
	cd "$d" || exit 1
	gcc -std=gnu11 -O1 -w -DWEFT_SIM $zone -fno-omit-frame-pointer -Iinclude -Isrc -Isrc/arch/$arch -Itests tests/sim.c tests/sim_test.c \
		src/sched.c src/timer.c src/stack.c src/thread.c src/init.c src/sync.c src/group.c src/chan.c src/coro.c src/dump.c \
		src/trace.c src/arch/$arch/switch.S -o sim_test -pthread || exit 1
	if timeout 120 ./sim_test 1 "$n" >out 2>&1; then echo "SURVIVED: $what"; fail=$((fail + 1))
	else pass=$((pass + 1)); echo "found: $what ($(grep -m1 -o 'FAILED at seed [0-9]*' out || echo crashed or hung))"; fi
done <<'E2'
runq.h|s/if \(unlikely\(a_load\(&t->cancel\)\)\) \{/if (0) {/|a thread that parks does not look at cancel
sched.c|s/if \(!anything && !a_load\(&w->inbox\) && /if (!anything \&\& /|a worker falls asleep without a last look into its inbox
sched.c|s/^\ta_store\(&p->wait, publish\);$/\tif (lock1) spin_unlock(lock1); for (i = 0; i < n; i++) spin_unlock(locks[i]); a_store(\&p->wait, publish); return;/|select unlocks before it can be claimed
timer.c|s/won = claim\(t, W_TIMEDOUT\);/heap_remove(w, t); won = 0; spin_unlock(\&w->tm_lock); if (claim(t, W_TIMEDOUT)) { ready(t); n++; } continue;/|a timer claims after it has let go of its lock
thread.c|s/while \(a_load\(&t->wait\) == W_PREPARE\) \{/while (0) {/|weft_cancel does not wait for a thread that is parking
sync.c|s/^\t\tm->owner = n->t;$/\t\tm->owner = NULL;/|unlock wakes a waiter without making it the owner
group.c|s/^\t\tb->arrived--;$/\t\t;/|a thread that leaves a barrier stays counted
group.c|s/^\t\tadmit\(l\);$/\t\tspin_unlock(\&l->lock);/|a writer that gives up does not let in the readers behind it
chan.c|s/if \(n->linked\)$/if (0)/|select leaves its waiters in the queues
sched.c|s/else if \(until == WEFT_FOREVER && is_deadlocked\(\)\)/else if (until == WEFT_FOREVER)/|deadlock is reported whenever a worker sleeps without a deadline
internal.h|s/return a_cas\(&t->wait, &e, how\);/a_store(\&t->wait, how); return 1;/|two wakers can both win a thread
sched.c|s/while \(RQ_BIASED && a_load\(&v->rq_busy\)\)/while (0)/|a thief does not wait until the owner is out of its queue
sched.c|s/^\tif \(a_load\(&w->sleeping\)\)$/\tif (0)/|a thread posted to a sleeping worker does not wake it
E2
echo "$pass passed, $fail failed"
[ "$fail" = 0 ]
