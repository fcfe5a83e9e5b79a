#!/bin/sh
# run.sh: runs libweft's tests and counts them.  run.sh LIBWEFT_DIR BUILD_DIR quick|record
#
# What:  every test program on every model, under AddressSanitizer, ThreadSanitizer, valgrind and qemu-aarch64, the
#        simulation, the property tests, and what belongs to a library: header, install, pkg-config, gdb, trace, preload.
# Idea:  each line is one case: passed when the command ends with status 0 (its output is shown when not).  A tool that
#        this machine lacks is named as skipped and counts as neither.  Last line: "N passed, N failed".
# Time:  LONG seconds for a case, many times what it takes: a busy machine is late, and only what hangs may fail for it.
# See:   tests.mk; doc/libweft.md "Building and testing".
set -u
here=${1%/}; b=$2; mode=$3; t=$b/t; pass=0; fail=0; skip=0
unset WEFT_MODEL WEFT_WORKERS MAKEFLAGS MFLAGS MAKELEVEL
sims=100000; rounds=20000; repeat=1; LONG=600
[ "$mode" = record ] && sims=1000000 && rounds=500000 && repeat=10

ok() {		# NAME COMMAND...
	name=$1; shift
	if "$@" >"$t/out" 2>&1; then pass=$((pass + 1)); printf '  ok    %s\n' "$name"
	else fail=$((fail + 1)); printf '  FAIL  %s: %s\n' "$name" "$*"; grep -v '^--' "$t/out" | tail -25 | cut -c1-200; fi
}
# gcc 12's sanitizers want their shadow where newer kernels' randomisation may have put something else.
fixed=; setarch -R true 2>/dev/null && fixed="setarch -R"
have() { command -v "$1" >/dev/null || { skip=$((skip + 1)); echo "  skipped: no $1 (tools/deps.sh libweft installs it)"; return 1; }; }

i=0; while [ $i -lt $repeat ]; do i=$((i + 1))
for m in N:1 M:N 1:1; do ok "unit $m" env WEFT_MODEL=$m timeout $LONG $t/unit_test; done
for w in 1 4; do ok "unit M:N, $w workers" env WEFT_MODEL=M:N WEFT_WORKERS=$w timeout $LONG $t/unit_test; done
for m in N:1 M:N 1:1; do ok "unit $m, static" env WEFT_MODEL=$m timeout $LONG $t/unit_static; done
ok "unit N:1, debug, everything by epoll and helpers" env WEFT_MODEL=N:1 WEFT_DEBUG=1 WEFT_IO=epoll timeout $LONG $t/unit_test
ok "unit M:N, guards by mprotect" env WEFT_MODEL=M:N WEFT_NO_GUARD_INSTALL=1 WEFT_FEW=1 timeout $LONG $t/unit_test
for io in epoll io_uring; do for m in N:1 M:N; do
	ok "unit $m, everything by $io" env WEFT_IO=$io WEFT_MODEL=$m timeout $LONG $t/unit_test
	ok "unit $m, $io, AddressSanitizer" env WEFT_IO=$io WEFT_MODEL=$m WEFT_FEW=1 timeout $LONG $fixed $t/unit_asan
	ok "unit $m, $io, ThreadSanitizer" env WEFT_IO=$io WEFT_MODEL=$m WEFT_FEW=1 WEFT_NO_CRASH_TESTS=1 TSAN_OPTIONS=exitcode=66 timeout $LONG $fixed $t/unit_tsan
done; done
for m in N:1 M:N 1:1; do ok "unit $m, AddressSanitizer" env WEFT_MODEL=$m WEFT_FEW=1 timeout $LONG $fixed $t/unit_asan; done
for m in N:1 M:N 1:1; do
	ok "unit $m, ThreadSanitizer" env WEFT_MODEL=$m WEFT_FEW=1 WEFT_NO_CRASH_TESTS=1 TSAN_OPTIONS=exitcode=66 timeout $LONG $fixed $t/unit_tsan; done
done
ok "properties, AddressSanitizer" timeout $LONG $fixed $t/model_asan 1 2000
ok "properties, $rounds rounds" timeout $LONG $t/model_test 1 $rounds
ok "simulation, $sims schedules" timeout $LONG $t/sim_test 1 $sims
[ "$mode" = record ] && ok "simulation finds every mutant" $here/tests/mutants.sh $t 60000
have valgrind && for m in N:1 M:N; do
	ok "unit $m, io_uring, valgrind" env WEFT_IO=io_uring WEFT_MODEL=$m WEFT_FEW=1 WEFT_NO_CRASH_TESTS=1 timeout $LONG valgrind -q --error-exitcode=9 $t/unit_test
	ok "unit $m, valgrind" env WEFT_MODEL=$m WEFT_FEW=1 WEFT_NO_CRASH_TESTS=1 timeout $LONG valgrind -q --error-exitcode=9 $t/unit_test; done
if have qemu-aarch64 && have aarch64-linux-gnu-gcc; then
	for m in N:1 M:N 1:1; do
		ok "unit $m, aarch64" env WEFT_MODEL=$m WEFT_FEW=1 WEFT_NO_CRASH_TESTS=1 timeout $LONG qemu-aarch64 $t/unit_a64; done
	ok "unit M:N, 4 workers, aarch64" env WEFT_MODEL=M:N WEFT_WORKERS=4 WEFT_FEW=1 WEFT_NO_CRASH_TESTS=1 timeout $LONG qemu-aarch64 $t/unit_a64
	ok "simulation, aarch64" timeout $LONG qemu-aarch64 $t/sim_a64 1 20000
fi
ok "header in C++" sh -c "echo '#include <weft/thread.h>
weft_mutex m = WEFT_MUTEX_INIT; weft_sem s = WEFT_SEM_INIT(1); weft_attr a = WEFT_ATTR_INIT; int main() { return weft_mutex_lock(&m); }' > $t/h.cc && \
	g++ -Wall -Wextra -Werror -I$here/include -o $t/h $t/h.cc -L$b -lweft -Wl,-rpath,$b && $t/h"
ok "header in strict C99" sh -c "echo '#include <weft/thread.h>' > $t/h.c && gcc -std=c99 -pedantic -Wall -Werror -I$here/include -c -o $t/h.o $t/h.c"
ok "install, pkg-config, static link" $here/tests/install_test.sh $here $b
ok "trace opens" sh -c "WEFT_MODEL=M:N WEFT_TRACE=$t/trace.json $t/unit_test tcp && python3 -c 'import json,sys
e = json.load(open(\"$t/trace.json\"))[\"traceEvents\"]; k = {x[\"ph\"] for x in e}; sys.exit(not (k >= {\"B\", \"E\", \"i\", \"M\"} and len(e) > 500))'"
ok "preload jackets libc" $here/tests/preload_test.sh $here $b
have gdb && ok "gdb lists and enters threads" $here/tests/gdb_test.sh $here $b
for e in "$b"/examples/*; do [ -x "$e" ] && ok "example $(basename "$e")" timeout $LONG "$e"; done
[ $skip = 0 ] || echo "$skip skipped"
echo "$pass passed, $fail failed"
[ $fail = 0 ]
