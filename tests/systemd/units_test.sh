#!/bin/sh
# gyrfalcon.service and gyrfalcon.socket under a real systemd: order at boot, and sandboxes that start while the
# daemon is stopped, restarting, killed, hanging, in a crash loop. usage: units_test.sh [--long]
set -eu
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

# --long: WatchdogSec= as shipped, as many connections as are promised.
watchdog_s=4 connections=1000
if [ "${1:-}" = --long ] || [ -n "${GYRFALCON_LONG:-}" ]; then
  watchdog_s=30 connections=16384
fi

sandboxes=''
clients=''
frozen=''
cleanup_test() {
  [ -z "$frozen" ] || kill -KILL "$frozen" 2>/dev/null || true
  [ -z "$clients" ] || kill -KILL "$clients" 2>/dev/null || true
  for kind in $kinds; do remove_sandboxes "$(runsc_path "$kind")" "$scratch/$kind"; done
}
runsc_path() {
  case $1 in
    debian) echo /usr/bin/runsc ;;
    current) echo "$ROOT/build/runsc-current/runsc" ;;
  esac
}

kinds=''
for kind in debian current; do
  [ ! -x "$(runsc_path $kind)" ] || kinds="$kinds $kind"
done
[ -n "$kinds" ] || skip "no runsc here"
make_machine
# shellcheck disable=SC2034 # of run_sandbox
sandbox_seconds=$((watchdog_s * 2 + 60)) # those that wait included
make_rootfs "$scratch/rootfs"
"$GYRFALCON" session generate -r tests/e2e/rules/below_bin.yaml --socket "$socket" >"$session" || fail "no session config"
for kind in $kinds; do
  mkdir -p "$scratch/$kind"
  found=$(pick_flags "$(runsc_path "$kind")" "$scratch/$kind")
  rm -f "$scratch/$kind.log"
  [ -n "$found" ] || skip "$kind runsc starts no sandbox here"
  eval "flags_$kind=\$found"
done

# start_one NAME: a sandbox of each kind that makes the file /bin/NAME, in the background. runs NAME: it started, and ended
# well; told_of NAME: and its alert came.
start_one() {
  for kind in $kinds; do
    eval "flags=\$flags_$kind"
    run_sandbox "$(runsc_path "$kind")" "$flags" "$scratch/$kind" "$scratch/rootfs" "$session" \
      "touch /bin/$1-$kind" >"$scratch/$1-$kind.log" 2>&1 &
    sandboxes="$sandboxes $!"
  done
}
waits_still() {
  for sandbox in $sandboxes; do
    kill -0 "$sandbox" 2>/dev/null || fail "a sandbox did not wait for the daemon: $1"
  done
}
runs() {
  for sandbox in $sandboxes; do
    wait "$sandbox" || fail "a sandbox did not start: $1"
  done
  sandboxes=''
}
told_of() {
  runs "$1"
  for kind in $kinds; do
    wait_for_line "file=/bin/$1-$kind " "$alerts" 20 || fail "no alert of a sandbox: $1, $kind"
  done
}

# restarted_after SECONDS: since $stopped_at; how long it took into $took.
restarted_after() {
  tries=$((watchdog_s * 20 + 100))
  while [ "$(property NRestarts)" -eq "$restarts" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "the watchdog did not restart the daemon"
    sleep 0.1
  done
  took=$(($(date +%s) - stopped_at))
  [ "$took" -le "$1" ] || fail "the watchdog took $took s, WatchdogSec= is $watchdog_s"
}

# Each of these would start before the socket, but for the order that the socket asks for.
for unit in docker containerd; do
  cat >"$machine/etc/systemd/system/$unit.service" <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/grep -q /run/gyrfalcon/gvisor.sock /proc/net/unix
[Install]
WantedBy=sysinit.target
UNIT
  enable_unit $unit.service sysinit.target
done
drop_in watchdog "[Service]
WatchdogSec=${watchdog_s}s"
# shellcheck disable=SC2119 # no options
boot_machine

said() { printf '%s s: %s\n' "$(($(date +%s) - began))" "$*"; }
began=$(date +%s)

listening=$(property ActiveEnterTimestampMonotonic gyrfalcon.socket)
for unit in docker containerd; do
  [ "$(property ActiveState $unit.service)" = active ] || fail "$unit started before the socket listened"
  started=$(property ExecMainStartTimestampMonotonic $unit.service)
  [ "$listening" -lt "$started" ] || fail "$unit started at $started, the socket at $listening"
done
wait_for_property ActiveState active 20
journal_has 'the socket is systemd' 5 || fail "the daemon did not take the socket of the unit"
property StatusText | grep -q '^listening on /run/gyrfalcon/gvisor.sock, 1 rules enabled' || fail "no status: $(property StatusText)"
inode=$(stat -c %i "$socket")
[ "$(stat -c %a "$socket")" = 600 ] || fail "the socket's mode is $(stat -c %a "$socket")"
inside systemd-analyze verify gyrfalcon.service gyrfalcon.socket >"$scratch/verify.log" 2>&1 || fail "systemd-analyze verify failed"
[ ! -s "$scratch/verify.log" ] || fail "systemd-analyze verify complains"
start_one plain
told_of plain
said "boot order, a sandbox that is served"

inside systemctl stop gyrfalcon.service 2>/dev/null
[ "$(property ActiveState)" = inactive ] || fail "the service does not stop"
grep -q 'totals:' <<LOG || fail "no totals at the stop"
$(inside journalctl -u gyrfalcon -o cat)
LOG
start_one stopped # its connection starts the service
told_of stopped
said "a sandbox that starts while the service is stopped"

drop_in slow "[Service]
ExecStartPre=/bin/sleep 3"
inside systemctl daemon-reload
inside systemctl restart --no-block gyrfalcon.service
wait_for_property ActiveState activating 10
start_one restarting
sleep 1.5
waits_still restarting
told_of restarting
rm "$machine/etc/systemd/system/gyrfalcon.service.d/slow.conf"
inside systemctl daemon-reload
said "a sandbox that starts while the service restarts"

restarts=$(property NRestarts)
kill_daemon KILL
start_one killed
told_of killed
[ "$(property NRestarts)" -gt "$restarts" ] || fail "systemd did not restart the daemon after SIGKILL"
[ "$(stat -c %i "$socket")" = "$inode" ] || fail "the socket is another one after SIGKILL"
said "SIGKILL"

restarts=$(property NRestarts)
wait_for_property ActiveState active 10
stopped_at=$(date +%s)
kill_daemon STOP
start_one hanging
restarted_after $((watchdog_s + 2))
journal_has 'Watchdog timeout' 5 || fail "systemd did not say that it was the watchdog"
told_of hanging
said "a daemon that hangs is restarted after $took s of $watchdog_s"

# One thread alone: all others go on, so it is for the daemon to see that.
for thread in handshakes 'worker 0'; do
  wait_for_property ActiveState active 10
  restarts=$(property NRestarts)
  tid=''
  for task in /proc/"$(outer_pid)"/task/*; do
    [ "$(cat "$task/comm")" != "$thread" ] || tid=${task##*/}
  done
  [ -n "$tid" ] || fail "no thread is called $thread"
  stopped_at=$(date +%s)
  perl tests/systemd/freeze.pl "$tid" >"$scratch/freeze" 2>"$scratch/freeze.log" &
  frozen=$!
  wait_for_line frozen "$scratch/freeze" 5 || skip "a thread can't be stopped here: $(cat "$scratch/freeze.log")"
  start_one "frozen-${thread%% *}"
  restarted_after $((watchdog_s + watchdog_s / 2 + 3))
  journal_has "no progress: $thread" 5 || fail "no word of which thread hangs"
  runs "frozen-${thread%% *}"
  start_one "after-${thread%% *}"
  told_of "after-${thread%% *}"
  said "a daemon whose thread $thread hangs is restarted after $took s"
done
frozen=''

inside systemctl reload gyrfalcon.service || fail "systemctl reload failed"
journal_has 'rules reloaded' 10 || fail "no reload"
cp "$machine/etc/gyrfalcon/rules.d/below_bin.yaml" "$scratch/kept.yaml"
echo '- rule: {' >"$machine/etc/gyrfalcon/rules.d/below_bin.yaml"
inside systemctl reload gyrfalcon.service || fail "systemctl reload failed"
wait_inside 10 sh -c 'systemctl show -p StatusText gyrfalcon | grep -q "a reload was refused"' || fail "no word of a refused reload"
[ "$(property ActiveState)" = active ] || fail "a refused reload ended the service"
said "reload, a refused one"

# The rules are still bad: the daemon can't start, and the sandbox waits.
inside systemctl restart gyrfalcon.service 2>/dev/null && fail "the service starts with bad rules"
restarts=$(property NRestarts)
start_one looping
sleep 3
waits_still looping
loops=$(($(property NRestarts) - restarts))
[ "$(property ActiveState gyrfalcon.socket)" = active ] || fail "the crash loop closed the socket"
# In one piece: a daemon that starts meanwhile would find no rule in it.
cp "$scratch/kept.yaml" "$machine/etc/gyrfalcon/kept"
mv "$machine/etc/gyrfalcon/kept" "$machine/etc/gyrfalcon/rules.d/below_bin.yaml"
told_of looping
[ "$(stat -c %i "$socket")" = "$inode" ] || fail "the socket is another one after a crash loop"
said "a crash loop, $loops starts in 3 s, one sandbox waiting"

echo 'gvisor: {socket: /run/elsewhere.sock}' >>"$machine/etc/gyrfalcon/gyrfalcon.yaml"
inside systemctl restart gyrfalcon.service 2>/dev/null && fail "the service starts with another socket than the unit's"
journal_has 'set ListenSequentialPacket=/run/elsewhere.sock' 5 || fail "no word of the two sockets"
sed -i '$d' "$machine/etc/gyrfalcon/gyrfalcon.yaml"
wait_for_property ActiveState active 10
inside systemctl restart gyrfalcon.socket || fail "the socket unit can't be restarted"
wait_for_property ActiveState active 10
start_one anew
told_of anew
said "two sockets, a socket unit that is restarted"

prlimit --nofile=20000:20000 perl tests/systemd/connect.pl "$socket" $connections >"$scratch/connect" 2>"$scratch/connect.log" &
clients=$!
wait_for_line ready "$scratch/connect" 60 || fail "not all of $connections connections were answered"
wait_inside 20 sh -c "gyrfalcon status --json | grep -Eq '\"sandboxes\":[[:space:]]*$connections\\b'" ||
  fail "not $connections sandboxes: $(inside gyrfalcon status | head -n 1)"
start_one beside
told_of beside
kill_daemon KILL
start_one full
told_of full
said "$connections connections, SIGKILL under them"

inside systemctl stop gyrfalcon.socket gyrfalcon.service 2>/dev/null
[ ! -e "$socket" ] || fail "the file of the socket is there without the socket unit"
[ "$(stat -c %a:%u "$alerts")" = 600:0 ] || fail "the alerts' file is not root's alone"
end_machine
echo "all under systemd, with runsc$kinds"
