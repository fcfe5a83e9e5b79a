#!/bin/bash
# run.sh [KERNEL [NOTE]]: measures everything and appends it to results.tsv, Linux's figures beside Weft's.
# KERNEL is build/weft.elf unless given; NOTE tells what this measurement is for.  ONLY='getppid stat' measures some figures.
set -e
here=$(cd "$(dirname "$0")" && pwd)
kernel=${1:-$here/../build/weft.elf}
note=${2:-}
commit=$(git -C "$here" rev-parse --short HEAD)$(git -C "$here" diff --quiet HEAD -- ../kernel ../include || echo +)
day=$(date +%F)
icount="-smp 1 -icount shift=0,sleep=off"

mb() { # mb CPUMODEL COLUMN-OF-LINUX PROGRAM
	CPUMODEL=$1 MB_ARGS=$ONLY MB_PROG=$3 "$here/mb.sh" "$kernel" $icount |
		awk -v OFS='\t' -v day=$day -v commit=$commit -v model=$1 -v col=$2 -v note="$note" '
			NR == FNR { if ($1 !~ /^#/) linux[$1] = $col; next }
			$1 == "mb" && $2 != "done" {
				print day, commit, "icount " model, $2, $3, linux[$2], $4, sprintf("%.2f", $3 / linux[$2]), note
			}' "$here/linux-6.1.tsv" -
}
{
	for program in mb sync; do
		mb max,-erms,-fsrm 2 $program
		mb max 3 $program
	done
	[ -n "$ONLY" ] || "$here/boot.sh" "$kernel" |
		awk -v OFS='\t' -v day=$day -v commit=$commit -v note="$note" '{ print day, commit, "wall", $2, $3, "-", $4, "-", note }'
} | tee -a "$here/results.tsv" | column -t -s "$(printf '\t')"
