#!/bin/sh
# install_test.sh: make install into an empty folder, then build with what pkg-config says, shared and static.
# What:  install_test.sh LIBWEFT_DIR BUILD_DIR.   Idea: use only what was installed.   See: tools/install.mk.
set -e
d=$2/t/inst; rm -rf "$d"
make -s -C "$1" install B="$2" DESTDIR="$d" PREFIX=/usr >/dev/null
cat > "$d/p.c" <<'C'
#include <weft/thread.h>
static void *f(void *a) { weft_yield(); return a; }
int main(void) { weft_t t; void *r; return weft_spawn(&t, 0, f, &t) || weft_join(t, &r) || r != &t; }
C
export PKG_CONFIG_PATH=$d/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$d
gcc -o "$d/shared" "$d/p.c" $(pkg-config --cflags --libs weft)
LD_LIBRARY_PATH=$d/usr/lib "$d/shared"
gcc -static -o "$d/static" "$d/p.c" $(pkg-config --static --cflags --libs weft) 2>/dev/null
"$d/static"; WEFT_MODEL=M:N "$d/static"; WEFT_MODEL=1:1 "$d/static"
test -s "$d/usr/share/man/man3/weft_spawn.3"; grep -q 'man3/weft_spawn.3' "$d/usr/share/man/man3/weft_join.3"
grep -q "^\.SH RETURN VALUE" "$d/usr/share/man/man3/weft_spawn.3"
if command -v groff >/dev/null; then test -z "$(groff -man -Tascii -ww "$d/usr/share/man/man3/weft_spawn.3" 2>&1 >/dev/null)"; fi
