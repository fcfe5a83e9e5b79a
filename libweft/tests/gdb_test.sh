#!/bin/sh
# gdb_test.sh: the gdb commands on a program that stands in one thread while another waits three frames deep.
# What:  gdb_test.sh LIBWEFT_DIR BUILD_DIR.   Idea: bt of the waiting thread must name its frames.   See: tools/weft-gdb.py.
set -e
cat > "$2/t/dbg.c" <<'C'
#include <weft/thread.h>
static weft_sem s = WEFT_SEM_INIT(0);
static __attribute__((noipa)) int deep_inside(int x) { return weft_sem_wait(&s) + x; }
static void *waiter(void *a) { return (char *)a + deep_inside(1); }
__attribute__((noipa)) void stop_here(void) { __asm__ volatile(""); }
int main(void)
{
	weft_attr a = { "waiter-thread", 0, 4, 0 }; weft_t t;
	weft_init(0); weft_spawn(&t, &a, waiter, 0); weft_yield();
	stop_here();
	weft_sem_post(&s); weft_join(t, 0);
	return 0;
}
C
gcc -g -O1 -o "$2/t/dbg" "$2/t/dbg.c" -I"$1/include" "$2/libweft.a" -pthread
cat > "$2/t/gdb.cmd" <<C
set pagination off
set debuginfod enabled off
break stop_here
run
weft threads
python ids = [int(t["id"]) for t in live() if t["name"].string() == "waiter-thread"]
python gdb.execute("weft bt %d" % ids[0])
python gdb.execute("weft enter %d" % ids[0])
weft leave
delete
continue
C
WEFT_MODEL=N:1 gdb -batch -x "$1/tools/weft-gdb.py" -x "$2/t/gdb.cmd" "$2/t/dbg" > "$2/t/gdb.out" 2>&1
cat "$2/t/gdb.out"
grep -q '"waiter-thread".*waiting for semaphore' "$2/t/gdb.out"
grep -q 'deep_inside' "$2/t/gdb.out" && grep -q 'in waiter' "$2/t/gdb.out" && grep -q 'exited normally' "$2/t/gdb.out"
