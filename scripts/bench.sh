#!/bin/sh
# Builds the benchmarks and runs each; arguments go to every one, e.g. --benchmark_filter=decode.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

sh scripts/build.sh bench
found=0
for program in $(find build/bench/src -type f -name '*_bench' -perm -u+x | sort); do
  found=1
  say "$(basename "$program")"
  "$program" "$@"
done
[ $found -eq 1 ] || die "no benchmark was built: no folder names a BENCH source"
