#!/bin/sh
# preload_test.sh: a program of plain libc calls with and without libweft-preload.so.
# What:  preload_test.sh LIBWEFT_DIR BUILD_DIR.   Idea: without it must fail in the expected way.   See: preload_prog.c.
set -e
r=0; WEFT_MODEL=N:1 timeout 600 "$2/t/preload_prog" plain || r=$?
[ $r = 3 ]
WEFT_MODEL=N:1 LD_PRELOAD="$2/libweft-preload.so" timeout 600 "$2/t/preload_prog"
WEFT_MODEL=M:N LD_PRELOAD="$2/libweft-preload.so" timeout 600 "$2/t/preload_prog"
