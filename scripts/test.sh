#!/bin/sh
# Builds and runs the tests: the unit tests and the programs' own under ASan+UBSan, then in release all that is
# not a unit test (ctest's summary comes last).
# --all has the unit tests in release too, and first adds the thread sanitizer, clang-tidy on every file, and a minute of fuzzing per target; and tests that
# have a long form (GYRFALCON_LONG) run that; and one needs an API server of Kubernetes, which is built for it.
# shellcheck disable=SC2317 # the steps are called through run_step
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

all=no
case ${1:-} in
  '') ;;
  --all)
    all=yes
    export GYRFALCON_LONG=1
    ;;
  *)
    echo "usage: ./dev test [--all]" >&2
    exit 2
    ;;
esac

sh scripts/install-packages.sh build
# The whole-program tests skip themselves by name where these are missing, so missing is not failing.
if is_root; then
  sh scripts/install-packages.sh demo docker systemd || warn "whole-program tests will be skipped"
  sh scripts/install-packages.sh package || warn "tests of the Debian package will be skipped"
else
  warn "not root: whole-program tests, which start real sandboxes, will be skipped"
fi
sh scripts/build-current-runsc.sh || warn "no current runsc: its tests will be skipped"

sh scripts/install-packages.sh chart || warn "tests of the chart's schemas will be skipped"
sh scripts/build-chart-tools.sh || warn "some tests of the chart and the alert rules will be skipped"

failed=''
run_step() {
  step=$1
  shift
  say "$step"
  "$@" || failed="$failed; $step"
}

# ctest_preset PRESET LABELS: without the tests of those labels. Programs of unit tests that were not built stand there too.
ctest_preset() { ctest --preset "$1" -j "$JOBS" --no-tests=error ${2:+-LE "$2" -E '_NOT_BUILT$'}; }

fuzz_all() {
  sh scripts/build.sh fuzz || return 1
  bad=0
  for program in $(find build/fuzz/src -type f -name '*_fuzz' -perm -u+x | sort); do
    name=$(basename "$program")
    work=build/fuzz/corpus/$name
    mkdir -p "$work"
    say "fuzzing $name for ${GYRFALCON_FUZZ_SECONDS:-60} s"
    if ! "$program" -max_total_time="${GYRFALCON_FUZZ_SECONDS:-60}" -rss_limit_mb=4096 -print_final_stats=0 \
      -artifact_prefix="build/fuzz/" "$work" "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
      tail -n 30 "build/fuzz/$name.log" >&2
      bad=1
    fi
  done
  return "$bad"
}

tsan() { sh scripts/build.sh tsan && ctest_preset tsan e2e; }
# What waits more than it computes, or has no C++ of ours in it, has nothing more to find here than in release.
asan() { sh scripts/build.sh asan && ctest_preset asan 'e2e|soak|helm|attacks'; }

if [ $all = yes ]; then
  if sh scripts/install-packages.sh apiserver; then
    sh scripts/build-kube-apiserver.sh || warn "the watch of pods will not be tested against a real API server"
  fi
  run_step "lint of every file" sh scripts/lint.sh --all
  run_step "fuzzing" fuzz_all
  run_step "tests under the thread sanitizer" tsan
fi
kills() {
  sh scripts/build.sh release || return 1
  for output in stdout webhook; do
    GYRFALCON=build/release/gyrfalcon build/release/tests/program/kill_test 100 "$output" || return 1
  done
}

if [ $all = yes ]; then
  run_step "100 kills in the middle of a stream of alerts, to standard output and to a webhook" kills
fi
run_step "unit tests under the address and undefined-behaviour sanitizers" asan

# Last, so that the closing lines are ctest's summary of the run that has every test.
if [ $all = yes ]; then
  sh scripts/build.sh release
  skipped=''
  run_step "hostile senders" build/release/tests/hostile/hostile plays --program build/release/gyrfalcon \
    --seconds "${GYRFALCON_HOSTILE_SECONDS:-20}" --rss-mb-max 700 --p99-ms-max 2000 \
    tests/data/captures/new/docker-exec.trace
else
  sh scripts/build.sh release whole_programs
  skipped='^unit$'
fi
[ -z "$failed" ] || warn "failed so far:${failed#;}"
say "tests, release"
summary=build/ctest.log
{
  status=0
  ctest_preset release $skipped || status=$?
  echo $status >build/ctest.status
} | tee $summary
status=$(cat build/ctest.status)

# ctest says that a test was skipped, but not why: the reasons, and then its summary once more.
# GoogleTest gives the reason of a skip on the line behind its place.
reasons=$(awk '
  / Testing: / { name = $NF }
  /^SKIPPED: / { print "  " name ": " $0 }
  told { print "  " name ": SKIPPED: " $0; told = 0 }
  /: Skipped$/ { told = 1 }' build/release/Testing/Temporary/LastTest.log)
if [ -n "$reasons" ]; then
  printf '\n%s\n\n' "$reasons"
  sed -n '/ tests passed, /,$p' $summary
fi
if [ -n "$failed" ]; then
  warn "FAILED, before the release run above:${failed#;}"
  [ "$status" -ne 0 ] || status=1
fi
exit "$status"
