#!/bin/sh
# Writes src/runsc/point_rates.inc anew: how many of 1,000 messages each point makes, counted in a
# recording of busy programs with every schematised point, and in one with every raw point, whose
# counts are scaled so that both have as many openat.
# Usage: scripts/point-rates.sh HEAVY.trace RAW.trace   (heavy.trace.zst: zstd -d it first)
set -eu
[ $# -eq 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
gyrfalcon=${GYRFALCON:-$root/build/release/gyrfalcon}
count() { "$gyrfalcon" dump --json "$1" | sed -n 's/.*"point":"\([^"]*\)".*/\1/p' | sort | uniq -c; }
{
  count "$1" | sed 's/^/heavy /'
  count "$2" | sed 's/^/raw /'
} | awk '
  $1 == "heavy" { heavy[$3] = $2; total += $2 }
  $1 == "raw" && $3 ~ /^syscall\/sysno\// { raw[$3] = $2 }
  END {
    scale = heavy["syscall/openat/exit"] / raw["syscall/sysno/257/exit"]
    for (point in heavy) print point, 1000 * heavy[point] / total
    for (point in raw) print point, 1000 * raw[point] * scale / total
  }' | LC_ALL=C sort | awk '
  BEGIN { print "// Made by scripts/point-rates.sh: messages of 1,000, where it is 0.05 or more." }
  $2 >= 0.05 { printf "{\"%s\", %.1f},\n", $1, $2 }' >"$root/src/runsc/point_rates.inc"
