#!/bin/sh
# A real sandbox recorded and replayed: the same alert as live. usage: capture_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

rules=tests/e2e/rules/below_bin.yaml
"$GYRFALCON" session generate --all --socket "$scratch/run/gvisor.sock" >"$session" || fail "no session config"
"$GYRFALCON" capture --listen "$scratch/run/gvisor.sock" --dir "$scratch/captures" >"$scratch/files" 2>"$log" &
daemon=$!
wait_for_line 'recording connections' "$log" 10 || fail "gyrfalcon does not record"

[ ! -e /bin/foo ] || skip "/bin/foo is there already"
# shellcheck disable=SC2086 # words on purpose
timeout 30 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" \
  "do" sh -c 'touch /bin/foo; true' >"$scratch/runsc.log" 2>&1 </dev/null || fail "runsc do ended with $?"
kill -TERM "$daemon"
status=0
wait "$daemon" || status=$?
daemon=''
[ $status -eq 0 ] || fail "the recording ended with $status"

[ "$(wc -l <"$scratch/files")" -eq 1 ] || fail "not one file for one sandbox"
capture=$(cat "$scratch/files")
"$GYRFALCON" replay "$capture" -r $rules --summary >"$alerts" 2>"$scratch/summary.log" || fail "replay ended with $?"
check_alert "$(expected_alert 'parent=sh' 'pcmdline=sh -c touch /bin/foo; true' 'container=runsc-[0-9]+')"
check_only_one_alert
grep -q '"undecodable":0,"unknown_types":0' "$scratch/summary.log" || fail "not all of it was decoded"
echo "$flags: $(stat -c %s "$capture") bytes recorded and replayed"
