#!/bin/sh
# Sandboxes that run and are not watched: one started without a session, one whose runsc refuses the session
# config, one whose session is deleted, one whose session another listener takes; each is mended by the command that
# its alert names. One that has nothing to tell is no such sandbox. usage: watch_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

socket=$scratch/run/gvisor.sock
"$GYRFALCON" session generate -r tests/e2e/rules/below_bin.yaml --socket "$socket" >"$session" || fail "no session config"
# runsc connects with it, and says nothing for ever.
refused_session
start_gyrfalcon run -r tests/e2e/rules/below_bin.yaml -g "$session" --gvisor-root="$scratch/state" \
  -o gvisor.runsc="$RUNSC" -o gvisor.attach=false -o gvisor.watch_interval_ms=300 -o gvisor.watch_grace_ms=1500

# One whose program does nothing that this session asks for.
cat >"$scratch/idle.json" <<EOF
{"trace_session": {"name": "Default", "points": [{"name": "syscall/setsid/exit"}],
 "sinks": [{"name": "remote", "config": {"endpoint": "$socket"}}]}}
EOF

make_rootfs "$scratch/rootfs"
# mend ID TEXT: runs the command that the newest alert with TEXT about the sandbox names, as pasted into a shell.
mend() {
  command=$(grep -- "$2.* gyrfalcon_sandbox=$1 " "$alerts" | tail -n 1 | sed 's/.* gyrfalcon_mend=//')
  (cd / && sh -c "$command") >"$scratch/mend.log" 2>&1 || fail "the mend did not work: $command"
}
runs_untold() { ! grep -q "gyrfalcon_sandbox=$1 " "$alerts" || fail "an alert for a sandbox $2"; }

start_sandbox "$session" 'sleep 25'
watched=$id
start_sandbox "$session" 'sleep 25'
taken=$id
start_sandbox "$scratch/idle.json" 'sleep 25'
idle=$id
start_sandbox '' 'sleep 25'
untraced=$id
wait_for_line "A sandbox runs that is not connected.* gyrfalcon_sandbox=$untraced .*trace create --force .*$untraced" "$alerts" 15 ||
  fail "no alert for a sandbox without a session"
start_sandbox "$scratch/refused.json" 'sleep 25'
refused=$id
wait_for_line "A sandbox runs and has sent nothing since it connected.* gyrfalcon_sandbox=$refused " "$alerts" 15 ||
  fail "no alert for a sandbox whose session config was refused"
runs_untold "$watched" "that is watched"
runs_untold "$idle" "that has nothing to tell"
done='no session, a refused one, an idle one'

# Old runsc can't reach sandboxes in another network namespace, nor can some tests' chroots.
if ! "$RUNSC" --root="$scratch/state" trace delete --name Default "$watched" >"$scratch/delete.log" 2>&1; then
  stop_gyrfalcon
  echo "$flags: $done; sessions could not be deleted or taken: $(tail -n 1 "$scratch/delete.log")"
  exit 0
fi
wait_for_line "connection has ended.* gyrfalcon_sandbox=$watched " "$alerts" 15 ||
  fail "no alert for a connection that ended"
somebody_else "$scratch/other" -r tests/e2e/rules/below_bin.yaml
"$RUNSC" --root="$scratch/state" trace create --force --config "$scratch/other.json" "$taken" >"$scratch/taken.log" 2>&1 ||
  fail "the session could not be taken"
wait_for_line "sends its events to somebody else.* gyrfalcon_sandbox=$taken .* gyrfalcon_sink_endpoint=$scratch/other/gvisor.sock " \
  "$alerts" 15 || fail "no alert that names who has taken a session"
runs_untold "$idle" "that has nothing to tell"

mend "$untraced" 'not connected'
mend "$refused" 'sent nothing'
mend "$watched" 'connection has ended'
mend "$taken" 'somebody else'
told=$(wc -l <"$alerts")
sleep 3 # twice the time of grace
[ "$(wc -l <"$alerts")" -eq "$told" ] || fail "an alert for a sandbox that was mended"
stop_gyrfalcon
echo "$flags: $done, a deleted session, one taken over; all mended by what the alerts say"
