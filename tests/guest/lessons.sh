#!/bin/sh
# lessons.sh: runs each program of /lessons (user/lessons) and reads its verdict, the last line it prints.
# A lesson that says "shown" must also exit with 0, "skip" with 77; what a failed one printed follows its line.
# On the host: `sh tests/guest/lessons.sh build/lessons`.
dir=${1:-/lessons}
if [ ! -d "$dir" ]; then
	echo "skip lessons/all: there is no $dir"
	exit 0
fi
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
bad=0
for lesson in "$dir"/*; do
	name=${lesson##*/}
	[ -f "$lesson" ] && [ -x "$lesson" ] || continue
	timeout 150 "$lesson" > "$out" 2>&1 < /dev/null
	code=$?
	last=$(tail -n 1 "$out")
	case "$code $last" in
	"0 lesson $name: shown")	echo "ok lessons/$name" ;;
	"77 lesson $name: skip: "*)	echo "skip lessons/$name: ${last#*: skip: }" ;;
	"1 lesson $name: NOT shown: "*)	echo "not ok lessons/$name: ${last#*: NOT shown: }"; bad=1 ;;
	*)				echo "not ok lessons/$name: exit code $code, last line '$last'"; bad=1 ;;
	esac
	case $code in 0 | 77) ;; *) sed 's/^/    | /' "$out" ;; esac
done
exit $bad
