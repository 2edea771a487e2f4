#!/bin/sh
# The seed scenario in an OCI bundle of its own, with a container id as engines make them. usage: bundle_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

"$GYRFALCON" session generate -r tests/e2e/rules/below_bin.yaml --socket "$scratch/run/gvisor.sock" >"$session" ||
  fail "no session config"
start_gyrfalcon run -r tests/e2e/rules/below_bin.yaml -g "$session"

make_rootfs "$scratch/rootfs"
run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$session" '/bin/touch /bin/foo; true' \
  >"$scratch/runsc.log" 2>&1 || fail "runsc run ended with $?"
[ ! -e "$scratch/rootfs/bin/foo" ] || fail "the sandbox wrote through its overlay"

# shellcheck disable=SC2154 # set by run_sandbox
check_alert "$(expected_alert 'parent=sh' 'pcmdline=sh -c /bin/touch /bin/foo; true' "container=$(echo "$id" | cut -c 1-12)")"
stop_gyrfalcon
check_only_one_alert
echo "$flags: $(cat "$alerts")"
