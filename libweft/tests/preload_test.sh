#!/bin/sh
# preload_test.sh: a program that calls plain read and sleep from libweft threads, with and without libweft-preload.so.
# What:  preload_test.sh LIBWEFT_DIR BUILD_DIR.   Idea: in N:1 two sleeps of 0.2 s take 0.4 s plain and 0.2 s jacketed, and a
# plain read of a pipe that another thread fills would hang for ever.   See: src/preload.c.
set -e
cat > "$2/t/pre.c" <<'C'
#include <weft/thread.h>
#include <errno.h>
#include <unistd.h>
static int p[2];
static void *nap(void *a) { usleep(200000); return a; }
static void *get(void *a) { char c = 0; return read(p[0], &c, 1) == 1 && c == 'z' ? a : 0; }
static void *put(void *a) { return write(p[1], "z", 1) == 1 ? a : 0; }
int main(int argc, char **argv)
{
	weft_t t[4]; void *r; weft_time_t start; int i, ok = pipe(p) == 0;
	weft_init(0); start = weft_now();
	weft_spawn(&t[0], 0, nap, 0); weft_spawn(&t[1], 0, nap, 0);
	for (i = 0; i < 2; i++) weft_join(t[i], 0);
	if (weft_now() - start > 350000000) return 3;
	weft_spawn(&t[2], 0, put, p); weft_spawn(&t[3], 0, get, p);
	for (i = 2; i < 4; i++) { weft_join(t[i], &r); ok &= r == p; }
	ok &= close(p[0]) == 0 && read(p[0], &i, 1) == -1 && errno == EBADF;
	return !ok;
}
C
gcc -o "$2/t/pre" "$2/t/pre.c" -I"$1/include" -L"$2" -lweft -Wl,-rpath,"$2"
r=0; WEFT_MODEL=N:1 timeout 5 "$2/t/pre" || r=$?
[ $r = 3 ]		# without: one sleeps after the other
WEFT_MODEL=N:1 LD_PRELOAD="$2/libweft-preload.so" timeout 5 "$2/t/pre"
WEFT_MODEL=M:N LD_PRELOAD="$2/libweft-preload.so" timeout 5 "$2/t/pre"
