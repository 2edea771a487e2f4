#!/bin/sh
# The daemon attaches what runs and is not traced: sandboxes from before its start, with new rules a new session; its own after SIGKILL
# (with what was lost), one whose session was deleted while another one hangs; of a pod the sandbox only. Somebody else's session is left
# alone until its drops rise, or --takeover-sessions. usage: reconcile_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
hung='' sandbox_seconds=170
cleanup_more() { [ -z "$hung" ] || kill -CONT "$hung" 2>/dev/null || true; }

rules=$scratch/rules.yaml
cp tests/e2e/rules/below_bin.yaml "$rules"
socket=$scratch/run/gvisor.sock
# At /tmp/go1, /tmp/go2, …: a file below /bin.
# shellcheck disable=SC2016 # expanded inside
waiter='i=1; while :; do if [ -e /tmp/go$i ]; then /bin/touch /bin/foo$i; i=$((i + 1)); fi; sleep 0.1; done'
list() { "$RUNSC" --root="$scratch/state" "$@"; }
go() { list exec "$1" touch "/tmp/go$2" >"$scratch/exec.log" 2>&1 || fail "no exec in $1"; }
alerts_of() { grep -c "command=touch /bin/foo[0-9]* .* container_id=$(echo "$1" | cut -c1-12)" "$alerts" || true; }
# alert_comes ID N REASON: the Nth of this daemon.
alert_comes() {
  tries=300
  until [ "$(alerts_of "$1")" -ge "$2" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$3"
    sleep 0.05
  done
}
# told REGEX SECONDS REASON: in the log.
told() { wait_for_line "$1" "$log" "$2" || fail "$3"; }
# daemon ARGUMENT…: anew; -g is not given, so that the session config is its own.
restart() {
  : >"$log" # what the one before said is no sign of this one
  start_gyrfalcon run -r "$rules" --gvisor-root="$scratch/state" -o gvisor.socket="$socket" -o gvisor.runsc="$RUNSC" \
    -o gvisor.usual_roots=false -o gvisor.reconcile_interval_ms=1000 -o gvisor.watch_interval_ms=500 "$@"
}
traced() {
  "$GYRFALCON" session list --root="$scratch/state" --runsc "$RUNSC" -c "$scratch/empty.yaml" >"$scratch/list.log" 2>&1 || true
  grep -Eq "^$1 +$2 " "$scratch/list.log" || fail "sandbox $1 is not traced by $2"
}
printf 'gvisor:\n  socket: %s\n' "$socket" >"$scratch/empty.yaml"

make_rootfs "$scratch/rootfs"
start_sandbox '' "$waiter"
first=$id
start_sandbox '' "$waiter"
second=$id
need_reach "$first"

# pod_container ID TYPE [SANDBOX]: as containerd makes the sandbox of a pod, and a container in it; both run the waiter.
pod_container() {
  bundle=$scratch/state.bundles/$1
  mkdir -p "$bundle"
  sandbox_of=${3:+", \"io.kubernetes.cri.sandbox-id\": \"$3\""}
  cat >"$bundle/config.json" <<EOF
{"ociVersion": "1.0.2", "hostname": "pod", "root": {"path": "$scratch/rootfs"},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "args": ["sh", "-c", "$(json_escape "$waiter")"]},
 "annotations": {"io.kubernetes.cri.container-type": "$2"$sandbox_of},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}}
EOF
  # shellcheck disable=SC2086 # words on purpose
  for step in "create --bundle=$bundle $1" "start $1"; do
    "$RUNSC" --root="$scratch/state" --network=none $flags --overlay2=root:memory $step </dev/null >"$scratch/pod.log" 2>&1 ||
      fail "the pod's container $1 did not start"
  done
}
pod=$(new_container_id)
in_pod=$(new_container_id)
pod_container "$pod" sandbox
pod_container "$in_pod" container "$pod"

began=$(date +%s%N)
restart
for sandbox in "$first" "$second" "$pod"; do
  told "sandbox $sandbox below .* was not traced: attached" 15 "$sandbox, which ran before, was not attached"
done
took=$((($(date +%s%N) - began) / 1000000))
go "$first" 1
go "$second" 1
alert_comes "$first" 1 "no alert of a sandbox that was attached"
alert_comes "$second" 1 "no alert of the second sandbox that was attached"
go "$in_pod" 1
alert_comes "$in_pod" 1 "no alert of a container in a pod that was attached"
! grep -q "$in_pod" "$log" || fail "a container of a pod was taken for a sandbox"
! grep -q 'not connected' "$alerts" || fail "an alert for a sandbox that was attached at once"

# Rules that need more: those that were attached get it.
! grep -q timerfd_create "$scratch/run/attach.json" || fail "the session has points that no rule needs"
cat >>"$rules" <<'EOF'
- rule: Timer
  desc: Any.
  condition: evt.type = timerfd_create and proc.name = nothing
  output: timer (command=%proc.cmdline)
  priority: ERROR
EOF
told 'have the new session config: 3; ' 20 "new rules did not give those that were attached a new session"
grep -q timerfd_create "$scratch/run/attach.json" || fail "the session was not made anew for the rules"

kill -KILL "$daemon"
wait "$daemon" 2>/dev/null || true
go "$first" 2
sleep 0.5 # the waiter has seen it
restart
told "sandbox $first below .*: attached again; [1-9][0-9]* messages were dropped" 15 "it did not come back after SIGKILL"
told "sandbox $second below .*: attached again" 15 "the second one did not come back after SIGKILL"
wait_for_line "events lost.* gyrfalcon_sandbox=$first .* gyrfalcon_lost_cause=nobody listened gyrfalcon_lost_dropped=[1-9]" \
  "$alerts" 5 || fail "no alert for what was lost"
lost=$(sed -n "s/.*sandbox $first below .*attached again; \([0-9]*\) messages.*/\1/p" "$log")
go "$first" 3
alert_comes "$first" 1 "no alert after it came back"

# Everything is sent to a listener that stops reading.
somebody_else "$scratch/other" --all
start_sandbox "$scratch/other.json" "$waiter"
others=$id
told "sandbox $others below .* is left alone: somebody else traces it, at $scratch/other/gvisor.sock" 15 "whose it is was not told"
sleep 2.5 # two rounds
traced "$others" other
[ "$(grep -c "sandbox $others .* left alone" "$log")" -eq 1 ] || fail "that it is left alone was told more than once"
kill -STOP "$listener"
told "sandbox $others below .*: taken from who traced it, for whom it had dropped [1-9]" 30 "drops that rise did not make it ours"
go "$others" 1
alert_comes "$others" 1 "no alert of a sandbox that was taken"
kill -CONT "$listener"

# A Sentry that does not answer makes `runsc list` hang.
hung=$(list state "$second" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
kill -STOP "$hung"
list trace delete --name Default "$first" >"$scratch/delete.log" 2>&1 || fail "a session could not be deleted"
tries=600
until [ "$(grep -c "sandbox $first below .*: attached again" "$log")" -eq 2 ]; do
  tries=$((tries - 1))
  [ $tries -gt 0 ] || fail "one that hangs kept another from being attached"
  sleep 0.05
done
kill -CONT "$hung"
hung=''
stop_gyrfalcon
traced "$first" nobody

start_sandbox "$scratch/other.json" "$waiter"
theirs=$id
restart --takeover-sessions --detach-at-stop
told "sandbox $theirs below .*: taken from who traced it" 15 "--takeover-sessions did not take it"
told "sandbox $first below .*: attached again" 15 "it did not come back after SIGTERM"
go "$theirs" 1
alert_comes "$theirs" 1 "no alert of a sandbox that was taken over"
traced "$theirs" gyrfalcon
stop_gyrfalcon
traced "$theirs" none
traced "$first" none
echo "$flags: attached ${took} ms after the start, again after SIGKILL ($lost messages lost), beside one that hangs, taken by drops and by --takeover-sessions, detached"
