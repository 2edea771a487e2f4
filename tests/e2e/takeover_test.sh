#!/bin/sh
# A sandbox works on while three daemons watch it in turn, the last one in mount and PID namespaces of its own, as the pod
# of a DaemonSet's surge. Every file that it opens is told once, and it dropped nothing. usage: takeover_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
unshare -m -p --fork true 2>/dev/null || skip 'no namespaces can be made here'

cat >"$scratch/rules.yaml" <<'RULES'
- rule: Numbered
  desc: every file that the loop makes
  condition: evt.type in (open, openat, creat) and evt.is_open_write = true and fd.name startswith /tmp/n.
  output: told=%fd.name by=%proc.name under=%proc.pname in=%container.id
  priority: INFO
RULES
"$GYRFALCON" "--gvisor-generate-config=$scratch/run/gvisor.sock" -r "$scratch/rules.yaml" >"$session" || fail "no session config"

# next_daemon COMMAND…: takes over from the one before, which must end well. Its alerts are in $alerts, its log in $log.
generation=0
next_daemon() {
  before=$daemon
  generation=$((generation + 1))
  alerts=$scratch/alerts.$generation
  log=$scratch/daemon.$generation.log
  "$@" "$GYRFALCON" run --takeover -r "$scratch/rules.yaml" -g "$session" -o gvisor.runsc= >"$alerts" 2>"$log" &
  daemon=$!
  wait_for_line 'event collection from gVisor is enabled' "$log" 10 || fail "daemon $generation does not listen"
  [ -z "$before" ] || wait "$before" || fail "the daemon before ended with $?"
}

next_daemon env
# shellcheck disable=SC2016,SC2086 # expanded inside; words on purpose
timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" \
  "do" timeout 60 sh -c 'i=0; while [ $i -lt 600 ]; do : >/tmp/n.$i; i=$((i + 1)); sleep 0.005; done' \
  >"$scratch/runsc.log" 2>&1 </dev/null &
sandbox=$!
wait_for_line told= "$alerts" 20 || fail 'the sandbox is not heard'
next_daemon env
wait_for_line told= "$alerts" 20 || fail 'the sandbox is not heard by the second daemon'
next_daemon unshare -m -p --fork --mount-proc
wait_for_line told= "$alerts" 20 || fail 'the sandbox is not heard from another namespace'
next_daemon unshare -m -p --fork --mount-proc
wait_for_line told= "$alerts" 20 || fail 'the sandbox is not heard from a third namespace'
next_daemon env
kill -0 $sandbox 2>/dev/null || fail 'the sandbox ended before the last daemon had it'
wait $sandbox || fail "the sandbox ended with $?"
wait_for_line 'told=/tmp/n.599 ' "$alerts" 20 || fail 'the last file is not told'
stop_gyrfalcon

cat "$scratch"/alerts.* | sed -n 's|.*told=/tmp/n\.\([0-9]*\) .*|\1|p' >"$scratch/told"
[ "$(sort -n "$scratch/told" | uniq | wc -l)" -eq 600 ] || fail "$(sort -n "$scratch/told" | uniq | wc -l) of 600 files told"
[ "$(wc -l <"$scratch/told")" -eq 600 ] || fail "$(wc -l <"$scratch/told") alerts for 600 files"
for file in "$scratch"/daemon.*.log; do
  grep -q ' 0 dropped by sandboxes' "$file" || fail "$(grep -o '[0-9]* dropped by sandboxes' "$file") under $(basename "$file")"
done
# The last one tells as well as the first who did it and below whom: that was said at the start, and runsc is not asked.
by=$(sed -n 's/.*told=[^ ]* by=\([^ ]*\) under=\([^ ]*\) in=.*/\1 under \2/p' "$scratch"/alerts.* | sort | uniq -c | sed 's/^ *//')
[ "$by" = '600 sh under timeout' ] || fail "not always told by whom: $by"
echo "$flags: 600 files told once each by $generation daemons; $(grep -ho 'not read for.*' "$scratch"/daemon.*.log | tr '\n' ';') by: $by"
