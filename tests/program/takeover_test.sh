#!/bin/sh
# Daemons that take over from each other under load: every message is heard once, in order, and no client waits in vain.
# GYRFALCON_CONNECTIONS, GYRFALCON_TAKEOVERS and GYRFALCON_RATE make it larger.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/program/takeover_lib.sh
. "$(dirname "$0")/takeover_lib.sh"
connections=${GYRFALCON_CONNECTIONS:-1000}
takeovers=${GYRFALCON_TAKEOVERS:-10}

start_daemon
wait_for 'nobody to take over from' "$log"
wait_for 'event collection' "$log"
[ "$(stat -c %a "$scratch/run/takeover.sock")" = 600 ] || fail 'the takeover socket is open to others'
start_sender "$connections" "${GYRFALCON_RATE:-50000}"
while [ "$generation" -le "$takeovers" ]; do
  before=$daemon
  sleep 0.2
  start_daemon
  wait_for 'event collection' "$log"
  status=0
  wait "$before" || status=$?
  [ $status -eq 0 ] || fail "the one before ended with $status"
  grep -q 'took over' "$log" || fail 'nothing was taken over'
done
stop_sender

# Whoever is there now is as good as the first: it answers, it locks, it removes its files at the end.
expect 0 status --socket "$socket" --json
expect 3 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket"
says err "in use by process $daemon"
kill -TERM "$daemon"
wait "$daemon" || fail "ended with $?"
daemon=''
exec 9>&-
for file in gvisor.sock takeover.sock control.sock; do
  [ ! -e "$scratch/run/$file" ] || fail "$file is left behind"
done
check_heard "$connections"
grep -ho 'sandboxes were not read.*' "$scratch"/log.*
echo "$takeovers takeovers of $connections connections: sent=$sent heard=$heard full=$full clients=$clients slowest_ms=$slowest_ms"
