#!/bin/sh
# Takeovers that go wrong: whoever has the sandboxes keeps them, and says why.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/program/takeover_lib.sh
. "$(dirname "$0")/takeover_lib.sh"

start_daemon
wait_for 'event collection' "$log"
first=$daemon
start_sender 50 "${GYRFALCON_RATE:-20000}"

# One that can't start asks for nothing.
expect 3 run --takeover -r "$scratch/none.yaml" -o "gvisor.socket=$socket"
# Another socket in the same folder is another daemon's.
expect 3 run --takeover -r "$scratch/rules.yaml" -o "gvisor.socket=$scratch/run/other.sock"
says err 'cannot take over at .*give both the same socket'
wait_for 'not handed over, going on' "$log"
# One that has too few descriptors to start with asks for nothing, whether it could take the connections or not.
for limit in 40 80 120; do
  (ulimit -n $limit && expect 3 run --takeover -r "$scratch/rules.yaml" -o "gvisor.socket=$socket")
  says err 'raise the limit of open files'
done
# One that has too few for the connections.
(ulimit -n 170 && expect 3 run --takeover -r "$scratch/rules.yaml" -o "gvisor.socket=$socket")
says err 'raise the limit of open files'
[ "$(grep -c 'not handed over, going on' "$log")" -eq 2 ] || fail 'the second failure is not told'
# A running one that does not answer; who has given up is handed nothing.
kill -STOP "$first"
expect 3 run --takeover -r "$scratch/rules.yaml" -o "gvisor.socket=$socket"
says err 'cannot take over at .*did not answer within 10000 ms'
kill -CONT "$first"
wait_for 'asked to hand over, but:' "$log"

expect 0 status --socket "$socket" --json
start_daemon
wait_for 'took over' "$log"
wait "$first" || fail "the first one ended with $?"
wait_for 'event collection' "$log"
stop_sender
kill -TERM "$daemon"
wait "$daemon" || fail "ended with $?"
daemon=''
exec 9>&-
check_heard 50
echo "three takeovers failed, one did not: sent=$sent heard=$heard full=$full clients=$clients"
