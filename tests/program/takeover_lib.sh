# What the tests of a takeover share: sandboxes that send all the time, daemons that take over from each other, and
# whether every message was heard once. Sourced after lib.sh; SENDER is the program, from ctest.
# shellcheck shell=sh disable=SC2154 # scratch and fail are of lib.sh
: "${SENDER:?the program that sends}"
socket=$scratch/run/gvisor.sock
cat >"$scratch/rules.yaml" <<'RULES'
- rule: Numbered
  desc: every hundredth message; urgent enough that an overload leaves none out
  condition: evt.type = openat and fd.name startswith /seq/
  output: by %proc.name under %proc.pname seq %fd.name
  priority: WARNING
RULES
generation=0

sender=''

# start_daemon [COMMAND…]: the next one, by that command, which takes over from the one before, and asks rules about every
# message, also when it has to catch up. Its number is $generation,
# its process $daemon, its log $log.
start_daemon() {
  generation=$((generation + 1))
  log=$scratch/log.$generation
  "$@" "$GYRFALCON" run --takeover -r "$scratch/rules.yaml" -o append_output.suggested_output=false -o "gvisor.socket=$socket" -o gvisor.runsc= \
    -o overload.shedding=false >"$scratch/alerts.$generation" 2>"$log" &
  daemon=$!
}

# start_sender CONNECTIONS PER_SECOND
start_sender() {
  mkfifo "$scratch/end"
  "$SENDER" "$socket" "$1" "$2" <"$scratch/end" >"$scratch/sent" 2>"$scratch/err" &
  sender=$!
  exec 9>"$scratch/end"
  wait_for connected "$scratch/sent"
}

# It has sent all that it will; $sent, $full, $clients, $refused, $slowest_ms are set.
stop_sender() {
  kill -TERM "$sender"
  wait_for '^sent=' "$scratch/sent"
  eval "$(grep '^sent=' "$scratch/sent")"
}

# check_heard CONNECTIONS: once all daemons have ended.
check_heard() {
  heard=$(cat "$scratch"/log.* | sed -n 's/.*totals: \([0-9]*\) messages.*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }')
  [ "$heard" -eq "$sent" ] || fail "$sent messages sent, $heard heard"
  [ "$refused" -eq 0 ] || fail "$refused of $clients clients had no answer"
  # Each connection's numbers come in order, from 0, without a gap or a repetition, across all daemons.
  generations=''
  number=1
  while [ "$number" -le "$generation" ]; do
    generations="$generations $scratch/alerts.$number"
    number=$((number + 1))
  done
  # shellcheck disable=SC2086 # words on purpose
  cat $generations | sed -n 's|.* seq /seq/\([0-9]*\)/\([0-9]*\)$|\1 \2|p' | awk -v all="$1" '
    $2 != next_of[$1] + 0 { print "connection " $1 ": " $2 " after " next_of[$1] - 1; bad = 1; exit 1 }
    { ++next_of[$1] }
    END { if (bad) exit 1; for (i = 0; i < all; ++i) if (!(i in next_of)) { print "connection " i " was not heard"; exit 1 } }
  ' >"$scratch/order" || fail "$(cat "$scratch/order")"
  # Who it was each connection has said once, to the first daemon that read it.
  # shellcheck disable=SC2086 # words on purpose
  cat $generations | grep ' seq /seq/' | grep -v ' by child under parent seq ' >"$scratch/strangers" || true
  [ ! -s "$scratch/strangers" ] ||
    fail "$(wc -l <"$scratch/strangers") alerts do not know whose file it was: $(head -n 1 "$scratch/strangers")"
  # shellcheck disable=SC2086
  ! grep -h 'gyrfalcon: events lost\|gyrfalcon_lost' $generations || fail 'something was lost'
}
