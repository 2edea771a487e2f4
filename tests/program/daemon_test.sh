#!/bin/sh
# The daemon without a sandbox: start, status, reload of good and bad rules, a second one, the end.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"

rule() { printf -- '- rule: %s\n  desc: d\n  condition: evt.type = execve\n  output: o\n  priority: INFO\n' "$1"; }
rule One >"$scratch/rules.yaml"
socket=$scratch/run/gvisor.sock

echo 'json_output: false' >"$scratch/gyrfalcon.yaml"
"$GYRFALCON" -c "$scratch/gyrfalcon.yaml" -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" -o gvisor.usual_roots=false -P "$scratch/pid" >"$scratch/alerts" 2>"$scratch/log" &
daemon=$!
wait_for 'event collection from gVisor is enabled' "$scratch/log"
wait_for "rules file: $scratch/rules.yaml" "$scratch/log"
grep -q 'rules: 1 loaded' "$scratch/log" || fail 'the number of rules is not told'
grep -q "socket $socket" "$scratch/log" || fail 'the socket is not told'

wait_for 'no root of runsc known' "$scratch/log"

[ "$(stat -c %a "$scratch/run")" = 700 ] || fail 'the folder is open to others'
[ "$(stat -c %a "$socket")" = 600 ] || fail 'the socket is open to others'
[ "$(stat -c %a "$scratch/run/control.sock")" = 600 ] || fail 'the control socket is open to others'

expect 0 status --socket "$socket" --json
says out '^\{"sandboxes":0,"counters":\{.*"messages":0'
expect 0 status --socket "$socket"
says out '^messages +0$'

# A live socket is never stolen.
expect 3 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" -P "$scratch/pid"
says err "$daemon|in use|another"
[ "$(cat "$scratch/pid")" = "$daemon" ] || fail 'the pid file names the starter that failed'
expect 0 status --socket "$socket"

# A link that leads to itself is no reason to end.
mkdir "$scratch/links"
ln -s loop.yaml "$scratch/links/loop.yaml"
rule Linked >"$scratch/links/one.yaml"
expect 0 replay $data/new/docker-hello.trace -r "$scratch/links"

# A bad file changes nothing; a good one is taken up.
printf 'x' >"$scratch/rules.yaml"
kill -HUP $daemon
wait_for 'reload refused, the rules in force stay' "$scratch/log"
{ rule One; rule Two; } >"$scratch/rules.yaml"
kill -HUP $daemon
wait_for 'rules: 2 loaded' "$scratch/log"
wait_for 'rules reloaded' "$scratch/log"
echo 'builtin_alerts: [{name: events lost, enabled: false}]' >>"$scratch/gyrfalcon.yaml"
kill -HUP $daemon
wait_for 'changed, taken up at the next start: builtin_alerts' "$scratch/log"

kill -TERM $daemon
status=0
wait $daemon || status=$?
daemon=''
[ $status -eq 0 ] || fail "ended with $status after SIGTERM"
grep -q 'totals: 0 messages, 0 alerts' "$scratch/log" || fail 'no totals at the end'
[ ! -e "$socket" ] || fail 'the socket is left behind'
[ ! -e "$scratch/pid" ] || fail 'the pid file is left behind'

# A stale socket, left by a crash, is replaced.
"$GYRFALCON" -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" >"$scratch/alerts" 2>"$scratch/crash-log" &
daemon=$!
wait_for 'event collection' "$scratch/crash-log"
kill -KILL $daemon
wait $daemon 2>/dev/null || true
[ -S "$socket" ] || fail 'the crash should leave the socket'
expect 0 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" -M 0.3
says err 'event collection'
expect 0 run -r "$scratch/rules.yaml" -o "gvisor.socket=$socket" -M 0.3 --gvisor-root "$scratch/none" -D 'events lost'
says err "gvisor.root: $scratch/none is no folder"
says err "'events lost' is a built-in alert, not a rule"
daemon=''
echo 'the daemon starts, answers, reloads and ends as it should'
