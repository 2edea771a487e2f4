#!/bin/sh
# Instances that are restarted whenever they end: the newest has the socket, the others stand by.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
socket=$scratch/run/gvisor.sock
first='' second=''
# shellcheck disable=SC2154 # assigned within
trap 'for process in $first $second; do kill -KILL "$process" 2>/dev/null || true; done; cleanup' EXIT

# run_as NAME: its process is $daemon, its log $scratch/NAME.log goes on.
run_as() {
  "$GYRFALCON" run --takeover --instance "$1" -o "gvisor.socket=$socket" -o gvisor.runsc= >"$scratch/out" 2>>"$scratch/$1.log" &
  daemon=$!
}
# probe NAME CODE WORDS: within ten seconds.
probe() {
  tries=0
  until
    code=0
    "$GYRFALCON" status --socket "$socket" --instance "$1" >"$scratch/out" 2>"$scratch/err" || code=$?
    [ "$code" -eq "$2" ] && grep -q "$3" "$scratch/out" "$scratch/err"
  do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "the probe of $1 does not end with $2 and '$3', but with $code"
    sleep 0.1
  done
}

expect 2 run --instance a
says err '--instance goes with --takeover'
expect 2 run --takeover --instance 'a b'
expect 2 status --socket "$socket" --instance
expect 3 status --socket "$socket" --instance a

run_as a
first=$daemon
probe a 0 listens
probe b 1 'has not taken over yet'
run_as b
second=$daemon
probe b 0 listens
probe a 0 'stands by'
kill -0 "$first" || fail 'the old one has ended, and would be started again'
GYRFALCON_INSTANCE=a expect 0 status --socket "$socket" --instance --json
says out '^{"instance":"stands by"}$'

# Restarted, the old one takes nothing back; the new one dies, and is back.
kill -KILL "$first"
run_as a
first=$daemon
wait_for 'standing by' "$scratch/a.log"
probe b 0 listens
kill -KILL "$second"
probe a 0 listens
probe b 1 'has not taken over yet'
run_as b
second=$daemon
probe b 0 listens
probe a 0 'stands by'
# Without a name it is an administrator, who is obeyed.
"$GYRFALCON" run --takeover -o "gvisor.socket=$socket" -o gvisor.runsc= >"$scratch/out" 2>"$scratch/log" &
daemon=$!
wait_for 'took over' "$scratch/log"
kill -TERM "$daemon"
wait "$daemon" || fail "ended with $?"
daemon=''

# Both stand by or listen; both end well.
kill -TERM "$first"
wait "$first" || fail "the first one ended with $?"
first=''
kill -TERM "$second"
wait "$second" || fail "the second one ended with $?"
second=''
echo 'the newest of two instances has the socket, whatever is restarted'
