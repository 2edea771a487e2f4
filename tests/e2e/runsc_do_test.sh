#!/bin/sh
# The seed scenario without Docker: `runsc do`, a file made in /bin, Falco's line. usage: runsc_do_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

"$GYRFALCON" "--gvisor-generate-config=$scratch/run/gvisor.sock" >"$session" || fail "no session config"
start_gyrfalcon -r tests/e2e/rules/below_bin.yaml -g "$session"

# `runsc do` shows the sandbox the host's files under an overlay in memory: the host stays as it is.
[ ! -e /bin/foo ] || skip "/bin/foo is there already"
# shellcheck disable=SC2086 # words on purpose
timeout 30 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" \
  "do" sh -c 'touch /bin/foo; true' >"$scratch/runsc.log" 2>&1 </dev/null || fail "runsc do ended with $?"
[ ! -e /bin/foo ] || fail "the sandbox wrote on the host"

check_alert "$(expected_alert 'parent=sh' 'pcmdline=sh -c touch /bin/foo; true' 'container=runsc-[0-9]+')"
stop_gyrfalcon
check_only_one_alert
echo "$flags: $(cat "$alerts")"
