#!/bin/sh
# Measures everything, prints one table and writes build/bench/results.json; docs/performance.md says what each figure
# is. Arguments go to the Google Benchmark programs, e.g. --benchmark_filter=Decode. GYRFALCON_BENCH_SECONDS (10) is
# how long each run of `gyrfalcon bench` measures. With ../shared beside the repository, also its heavy capture and
# Falco's rules; what is missing is named.
set -eu
case ${1:-} in -h | --help) sed -n '2,5s/^# //p' "$0" && exit 0 ;; esac
cd "$(dirname "$0")/.."
. scripts/lib.sh

seconds=${GYRFALCON_BENCH_SECONDS:-10}
shared=../shared
own_rules=rules/gyrfalcon_rules.yaml
sh scripts/build.sh bench
build=build/bench
gyrfalcon=$build/gyrfalcon
out=$build/results
rm -rf "$out"
mkdir -p "$out"
groups=''

# measure GROUP COMMAND…: its standard output is the JSON object.
measure() {
  group=$1
  shift
  say "$group"
  "$@" >"$out/$group.json" 2>"$out/$group.log" || { cat "$out/$group.log" >&2; die "$group failed"; }
  groups="$groups $group=$out/$group.json"
}
# google GROUP PROGRAM…
google() {
  group=$1
  program=$(find "$build/src" -type f -name "$2" -perm -u+x)
  shift 2
  [ -n "$program" ] || die "$group: no such benchmark"
  measure "$group" "$program" --benchmark_format=json "$@"
}

load=tests/data/captures/new/write-etc.trace
if [ -r "$shared/captures/new/heavy.trace.zst" ] && have zstd; then
  load=$build/heavy.trace
  [ -s "$load" ] || zstd -q -d -o "$load" "$shared/captures/new/heavy.trace.zst"
else
  say "without the capture heavy: it, or zstd, is not there"
fi
rules=$own_rules
if [ -r "$shared/falco-rules/falco_rules.yaml" ]; then
  rules=$shared/falco-rules/falco_rules.yaml:$own_rules
else
  say "without Falco's rules: $shared/falco-rules is not there"
fi

google load load_bench "$@"
google pipeline replay_bench "$@"
export GYRFALCON_BENCH_CAPTURE="$load" GYRFALCON_BENCH_RULES="$rules"
google pipeline_heavy replay_bench "$@"

set -- -r "$own_rules"
[ "$rules" = "$own_rules" ] || set -- -r "${rules%%:*}" "$@"
if [ -r "$shared/captures/new/tree.trace" ]; then
  measure churn "$gyrfalcon" bench "$shared/captures/new/drop-exec.trace" "$shared/captures/new/tree.trace" "$@" \
    --memory --seconds "$seconds" --json
fi
measure memory_only "$gyrfalcon" bench "$load" "$@" --memory --seconds "$seconds" --json
measure sockets "$gyrfalcon" bench "$load" "$@" --connections 8 --seconds "$seconds" --json
measure own_captures "$gyrfalcon" bench tests/data/captures/new/write-etc.trace tests/data/captures/new/docker-exec.trace \
  tests/data/captures/new/benign.trace "$@" --connections 8 --seconds "$seconds" --json
measure start $build/bench/daemon_bench --program "$gyrfalcon" "$@" start
measure rss $build/bench/daemon_bench --program "$gyrfalcon" "$@" memory
measure latency $build/bench/daemon_bench --program "$gyrfalcon" "$@" latency "$load"

# shellcheck disable=SC2086 # GROUP=FILE each, without blanks
$build/bench/bench_table $build/results.json $groups
say "written to $build/results.json"
