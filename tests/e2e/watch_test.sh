#!/bin/sh
# Sandboxes that run and are not watched: one started without a session, one whose runsc refuses the session
# config, one whose session is deleted, one whose session another listener takes. usage: watch_test.sh debian|current
set -eu
deleted=
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
other=''
cleanup_more() {
  [ -z "$other" ] || kill -KILL "$other" 2>/dev/null || true
  remove_sandboxes "$RUNSC" "$scratch/state"
}

socket=$scratch/run/gvisor.sock
"$GYRFALCON" session generate -r tests/e2e/rules/below_bin.yaml --socket "$socket" >"$session" || fail "no session config"
# runsc connects with it, and says nothing for ever.
sed -e 's/"ignore_missing": true/"ignore_missing": false/' -e 's,"sentry/task_exit","sentry/no_such_point",' \
  "$session" >"$scratch/refused.json"
grep -q no_such_point "$scratch/refused.json" || fail "the session config has another form"
start_gyrfalcon run -r tests/e2e/rules/below_bin.yaml -g "$session" --gvisor-root="$scratch/state" \
  -o gvisor.runsc="$RUNSC" -o gvisor.watch_interval_ms=300 -o gvisor.watch_grace_ms=1500

make_rootfs "$scratch/rootfs"
# start SESSION: a sandbox that sleeps, in the background; its id into $id.
start() {
  known=$("$RUNSC" --root="$scratch/state" list -quiet | sort)
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$1" 'sleep 25' >"$scratch/runsc.log" 2>&1 &
  tries=200
  while :; do
    id=$("$RUNSC" --root="$scratch/state" list 2>/dev/null | awk -v known="$known" '
      $3 == "running" && index(known, $1) == 0 { print $1 }')
    [ -z "$id" ] || return 0
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "the sandbox did not start"
    sleep 0.05
  done
}

start "$session"
watched=$id
start "$session"
taken=$id
start ''
wait_for_line "A sandbox runs that is not connected.* gyrfalcon_sandbox=$id .*trace create --force .*$id" "$alerts" 15 ||
  fail "no alert for a sandbox without a session"
start "$scratch/refused.json"
wait_for_line "A sandbox runs and has sent nothing since it connected.* gyrfalcon_sandbox=$id " "$alerts" 15 ||
  fail "no alert for a sandbox whose session config was refused"
! grep -q "gyrfalcon_sandbox=$watched " "$alerts" || fail "an alert for a sandbox that is watched"
# Old runsc can't delete sessions of sandboxes in another network namespace, nor can some tests' chroots.
if "$RUNSC" --root="$scratch/state" trace delete --name Default "$watched" >"$scratch/delete.log" 2>&1; then
  wait_for_line "connection has ended.* gyrfalcon_sandbox=$watched " "$alerts" 15 ||
    fail "no alert for a connection that ended"
  deleted=', a deleted session'
fi
mkdir "$scratch/other"
"$GYRFALCON" session generate -r tests/e2e/rules/below_bin.yaml --socket "$scratch/other/gvisor.sock" >"$scratch/other.json"
"$GYRFALCON" capture --listen "$scratch/other/gvisor.sock" --dir "$scratch/other/captures" >"$scratch/other.log" 2>&1 &
other=$!
tries=100
until [ -S "$scratch/other/gvisor.sock" ] || [ $tries -eq 0 ]; do
  tries=$((tries - 1))
  sleep 0.05
done
if "$RUNSC" --root="$scratch/state" trace create --force --config "$scratch/other.json" "$taken" >"$scratch/taken.log" 2>&1; then
  wait_for_line "sends its events to somebody else.* gyrfalcon_sandbox=$taken " "$alerts" 15 ||
    fail "no alert for a session that was taken over"
  deleted="$deleted, one taken over"
fi
stop_gyrfalcon
echo "$flags: no session, a refused one${deleted:-; sessions could not be deleted or taken}"
