#!/bin/sh
# The file descriptor store of a real systemd: 200 sandboxes that send all the time live on while the daemon is restarted
# and killed under them. GYRFALCON_CONNECTIONS and GYRFALCON_KILLS make it larger.
set -eu
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"
: "${SENDER:?the program that sends}"
connections=${GYRFALCON_CONNECTIONS:-200}
kills=${GYRFALCON_KILLS:-5}

sender=''
cleanup_test() { [ -z "$sender" ] || kill -KILL "$sender" 2>/dev/null || true; }
make_machine
rm "$machine"/etc/gyrfalcon/rules.d/*
cat >"$machine/etc/gyrfalcon/rules.d/numbered.yaml" <<'RULES'
- rule: Numbered
  desc: every hundredth message
  condition: evt.type = openat and fd.name startswith /seq/
  output: by %proc.name under %proc.pname seq %fd.name
  priority: INFO
RULES
# Every number is to be told, also when a full queue has to be caught up with; and once: the alerts' store would deliver
# again what a killed process has delivered and not noted.
cat >>"$machine/etc/gyrfalcon/gyrfalcon.yaml" <<'YAML'
overload: {shedding: false}
store: {enabled: false}
YAML
# shellcheck disable=SC2119 # no options
boot_machine
wait_for_property ActiveState active 20
journal_has 'systemd keeps up to [0-9]+ connections over a restart, 0 were kept' 10 || fail 'the store is not used'

mkfifo "$scratch/end"
"$SENDER" "$socket" "$connections" 20000 <"$scratch/end" >"$scratch/sent" 2>"$scratch/sender.log" &
sender=$!
exec 9>"$scratch/end"
wait_for_line connected "$scratch/sent" 60 || fail 'not all connections were answered'
stored() { property NFileDescriptorStore; }

# told: how many numbers were told, how many are missing before the last of their connection, and how often one came again.
told() {
  sed -n 's|.* seq /seq/\([0-9]*\)/\([0-9]*\)$|\1 \2|p' "$alerts" | awk '
    { ++told; if ($2 < next_of[$1] + 0) ++again; else { missing += $2 - next_of[$1]; next_of[$1] = $2 + 1 } }
    END { print told + 0, missing + 0, again + 0, length(next_of) }'
}
# quiet: nothing is on its way: no alert has come for a second.
quiet() {
  size=-1
  while [ "$size" -ne "$(stat -c %s "$alerts")" ]; do
    size=$(stat -c %s "$alerts")
    sleep 1
  done
}
# revived WHAT: the daemon runs again, with all connections. The journal may come after that.
starts=1
revived() {
  wait_for_property ActiveState active 20
  starts=$((starts + 1))
  tries=50
  while
    inside journalctl -u gyrfalcon -o cat | sed -n 's/.*over a restart, \([0-9]*\) were kept.*/\1/p' >"$scratch/kept"
    [ "$(wc -l <"$scratch/kept")" -lt $starts ]
  do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$1: the journal tells of $(wc -l <"$scratch/kept") starts, not $starts"
    sleep 0.1
  done
  last=$(tail -n 1 "$scratch/kept")
  [ "$last" -ge "$connections" ] || fail "$1: $last of $connections connections were kept"
}
read_told() {
  # shellcheck disable=SC2046 # words on purpose
  set -- $(told)
  told=$1 missing=$2 again=$3 heard=$4
}
# known: every alert knows whose file it was, which each connection has said once, to the first daemon.
known() {
  strangers=$(grep ' seq /seq/' "$alerts" | grep -vc ' by child under parent seq ' || true)
  [ "$strangers" -eq 0 ] || fail "$strangers alerts do not know whose file it was: $(grep ' seq /seq/' "$alerts" | grep -v -m 1 ' by child under parent ')"
}

sleep 2
[ "$(stored)" -ge "$connections" ] || fail "$(stored) descriptors stored for $connections connections"
# The one that is stopped reads what there is; what comes then waits for the next.
for round in 1 2; do
  inside systemctl restart gyrfalcon.service || fail "systemctl restart failed"
  revived "restart $round"
  sleep 1
done
# Killed while it has nothing to do: what is sent while nobody is there waits in the queues.
for round in 1 2; do
  kill -STOP $sender
  quiet
  kill_daemon KILL
  kill -CONT $sender
  wait_for_property ActiveState active 20
  sleep 1
  revived "SIGKILL at rest $round"
done
kill -STOP $sender
quiet
read_told
known
[ "$missing" -eq 0 ] || fail "$missing of $told numbers are missing after two restarts and two kills at rest"
[ "$again" -eq 0 ] || fail "$again numbers were told twice"
! grep -m 1 gyrfalcon_lost_unsaved "$alerts" || fail 'something was lost at rest'
kill -CONT $sender

# In the middle of the work: what the process had read and not told goes with it.
round=0
while [ $round -lt "$kills" ]; do
  round=$((round + 1))
  sleep 1
  restarts=$(property NRestarts)
  kill_daemon KILL
  tries=100
  while [ "$(property NRestarts)" -eq "$restarts" ] && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
  done
  revived "SIGKILL under load $round"
done
kill -TERM $sender
wait_for_line '^sent=' "$scratch/sent" 20 || fail 'the sender does not end'
eval "$(grep '^sent=' "$scratch/sent")"
quiet
read_told
known
[ "$heard" -eq "$connections" ] || fail "$heard of $connections connections were heard"
[ "$again" -eq 0 ] || fail "$again numbers were told twice"
# Of each kill no more than two workers' batches of 128 messages, and what waited for the channel.
[ "$missing" -le $((kills * 64)) ] || fail "$missing of $told numbers were lost by $kills kills"
# What was read and is in no state is told of each sandbox, with its number.
lost=$(grep -o 'gyrfalcon_lost_unsaved=[0-9]*' "$alerts" | awk -F= '{ sum += $2 } END { print sum + 0 }')
[ "$lost" -gt 0 ] || fail "$kills kills under load, and nothing is told to be lost"
# Ends are removed, one by one.
exec 9>&-
wait $sender || true
sender=''
tries=100
while [ "$(stored)" -gt 3 ] && [ $tries -gt 0 ]; do
  tries=$((tries - 1))
  sleep 0.1
done
[ "$(stored)" -le 3 ] || fail "$(stored) descriptors are stored when all sandboxes have ended"
end_machine
# shellcheck disable=SC2154 # the sender's own figures, by the eval above
echo "$connections connections, 2 restarts, 2 kills at rest, $kills under load: sent=$sent told=$told missing=$missing lost=$lost full=$full clients=$clients refused=$refused"
