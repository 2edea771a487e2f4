#!/bin/sh
# The store as users meet it: what `run` keeps, what `alerts` prints of it, and what `replay` leaves alone.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
capture=$data/new/docker-hello.trace
store=$scratch/store/alerts.db
rule() { printf -- '- rule: %s\n  desc: d\n  condition: evt.type = execve\n  output: %s %%proc.name\n  priority: %s\n' "$1" "$1" "$2"; }
rule One WARNING >"$scratch/rules.yaml"

# Without a config `replay` keeps nothing; with one that says so it does.
expect 0 replay "$capture" -r "$scratch/rules.yaml"
[ ! -e "$store" ] || fail 'replay wrote a store unasked'
expect 3 alerts
says err "there is no store $store \(yet\)"
cp "$scratch/out" "$scratch/plain"
expect 0 replay "$capture" -r "$scratch/rules.yaml" -o store.enabled=true -o json_output=true
says out '"boot_id":"[0-9a-f]{32}".*"sequence":1,'
lines=$(wc -l <"$scratch/out")
[ "$lines" -gt 0 ] || fail 'no alert in the capture'
[ "$(stat -c %a "$store")" = 600 ] || fail 'the store is open to others'
cp "$scratch/out" "$scratch/replayed"

expect 0 alerts --json
cmp -s "$scratch/out" "$scratch/replayed" || fail 'the history is not what was printed'
expect 0 alerts --store "$store" --rule One --priority warning
[ "$(wc -l <"$scratch/out")" -eq "$lines" ] || fail 'a filter that fits takes alerts away'
says out '^20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:.]{18}: Warning One '
for filter in '--rule Two' '--priority error' '--sandbox nosuch' '--since 1s'; do
  # shellcheck disable=SC2086 # two words
  expect 0 alerts $filter
  silent out
done
expect 0 alerts --since 9000d
[ "$(wc -l <"$scratch/out")" -eq "$lines" ] || fail '--since takes too much away'
for since in soon 5; do
  expect 2 alerts --since $since
  says err 'expected a duration like'
done
expect 0 alerts --rule Onee
silent out
says err 'no alert of a rule named .Onee.; did you mean .One.\?'
expect 2 alerts --follow=3
expect 3 alerts --store "$scratch"
says err 'it is a folder'
expect 2 alerts --priority loud
expect 3 alerts -c /dev/null --store "$scratch/none.db"
says err 'none\.db'

# --follow prints the last ten and what comes, until its reader goes.
shown=$((lines < 10 ? lines : 10))
: >"$scratch/followed"
timeout 60 "$GYRFALCON" alerts --follow >"$scratch/followed" 2>"$scratch/err" &
daemon=$!
tries=0
until [ "$(wc -l <"$scratch/followed")" -ge $shown ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || fail '--follow does not begin'
  sleep 0.1
done
[ "$(wc -l <"$scratch/followed")" -eq $shown ] || fail '--follow begins with more than ten'
expect 0 replay "$capture" -r "$scratch/rules.yaml" -o store.enabled=true
tries=0
until [ "$(wc -l <"$scratch/followed")" -ge $((shown + lines)) ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || fail '--follow does not follow'
  sleep 0.1
done
kill $daemon
wait $daemon 2>/dev/null || true
daemon=''

# A store that can't be made is told, and the daemon runs.
socket=$scratch/run/gvisor.sock
expect 0 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" -M 0.5 -o store.path=/proc/nowhere/alerts.db
says err "can't be kept in the store /proc/nowhere/alerts.db"
# So is one that is no store, and it is left as it is.
echo 'no database, but a text' >"$scratch/text.db"
expect 0 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" -M 0.5 -o "store.path=$scratch/text.db"
says err "$scratch/text.db is no store of gyrfalcon's and is left as it is"
! grep -q 'alerts are kept in' "$scratch/err" || fail 'a store is told that is none'
[ "$(cat "$scratch/text.db")" = 'no database, but a text' ] || fail 'a file that is no store was changed'
expect 3 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" --dry-run -o "store.path=$scratch/text.db"
says err "is left as it is"

# --dry-run writes nothing; a start that fails says why, and leaves no store behind.
expect 0 run -r "$scratch/rules.yaml" --dry-run -o file_output.enabled=true -o "file_output.filename=$scratch/dry.jsonl"
[ ! -e "$scratch/dry.jsonl" ] || fail '--dry-run made a file'
expect 3 run -r "$scratch/rules.yaml" -o "gvisor.socket=/proc/nowhere/gvisor.sock" -o "store.path=$scratch/new/alerts.db"
[ ! -e "$scratch/new" ] || fail 'a start that failed made a store'
[ "$(grep -c 'error' "$scratch/err")" -le 1 ] || fail 'a start that failed says more than one error'
expect 3 run -c "$scratch/none.yaml" --dry-run
says err "there is no config file $scratch/none.yaml; -c names it"

# What is counted, in status and metrics.
"$GYRFALCON" run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" >"$scratch/alerts" 2>"$scratch/log" &
daemon=$!
wait_for 'event collection from gVisor is enabled' "$scratch/log"
wait_for "alerts are kept in $store" "$scratch/log"
expect 0 status --socket "$socket" --json
says out '"alerts_spooled":0'
says out '"store":\{"spooling":true,"bytes":[0-9]+,"alerts":'$((2 * lines))
says out '"outputs":\[\{"name":"standard output","failing":false,"waiting":0'
expect 0 status --socket "$socket"
says out '^store_spooling +true$'
says out '^output standard output: failing false waiting 0 '
kill -TERM $daemon
wait $daemon || fail "ended with $?"
daemon=''
echo 'alerts are kept, and found again'
