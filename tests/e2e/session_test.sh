#!/bin/sh
# `session list`, `session attach` and `session detach` on sandboxes that run: three states of tracing; an update that
# keeps what is known of processes and says what it lost; a session config that is refused; and a visibility policy
# that is edited while a sandbox runs. usage: session_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

rules=tests/e2e/rules/below_bin.yaml
socket=$scratch/run/gvisor.sock
# At /tmp/go1, /tmp/go2, …: a file below /bin, and a connection. The shell is there from the start on.
# shellcheck disable=SC2016 # expanded inside
waiter='i=1; while :; do if [ -e /tmp/go$i ]; then /bin/touch /bin/foo; /bin/nc 127.0.0.1 1; i=$((i + 1)); fi; sleep 0.1; done'

# go ID N: the Nth time. The alerts before are put aside.
go() {
  "$RUNSC" --root="$scratch/state" exec "$1" touch "/tmp/go$2" >"$scratch/exec.log" 2>&1 || fail "no exec in $1"
}
# session WORDS…: gyrfalcon session, for the sandboxes of this test; its output is in out and err, its exit code in code.
session() {
  code=0
  subcommand=$1
  shift
  "$GYRFALCON" session "$subcommand" --root="$scratch/state" --runsc "$RUNSC" "$@" >"$scratch/out.log" 2>"$scratch/err.log" ||
    code=$?
}
expect_code() { [ "$code" -eq "$1" ] || fail "exit code $code, not $1: $2"; }
expect_out() { grep -Eq -- "$1" "$scratch/out.log" || fail "$2"; }
expect_err() { grep -Eq -- "$1" "$scratch/err.log" || fail "$2"; }
# traced ID STATE: as `session list` has it now.
traced() {
  session list -g "$session"
  grep -Eq "^$1 +$2 " "$scratch/out.log" || fail "sandbox $1 is not listed as traced by $2"
}
# alert_of ID COMMAND REASON: by a child of the shell that was there before.
alert_of() {
  wait_for_line "command=$2 .*parent=sh pcmdline=sh -c i=1; while .* container_id=$(echo "$1" | cut -c1-12)" \
    "$alerts" 15 || fail "$3"
}

"$GYRFALCON" session generate -r $rules --socket "$socket" >"$session" || fail "no session config"
start_gyrfalcon run -r $rules -g "$session" --gvisor-root="$scratch/state" -o gvisor.runsc="$RUNSC" -o gvisor.attach=false
make_rootfs "$scratch/rootfs"

start_sandbox "$session" "$waiter"
ours=$id
need_reach "$ours"
start_sandbox '' "$waiter"
untraced=$id
somebody_else "$scratch/other" -r $rules
start_sandbox "$scratch/other.json" "$waiter"
others=$id

session list -g "$session"
expect_code 0 "session list"
expect_out "^$ours +gyrfalcon +[0-9]+ +$socket " "ours is not listed as ours"
expect_out "^$untraced +none +- " "the one without a session is not listed as such"
expect_out "^$others +other +[0-9]+ +$scratch/other/gvisor.sock " "the others' is not listed as theirs"
session list -g "$session" --json
expect_out '"traced_by": "gyrfalcon"' "no JSON list"

session attach -g "$session"
expect_code 0 "session attach"
expect_out "^$untraced: attached\$" "the one without a session was not attached"
expect_out '1 attached, 0 updated, 0 detached, 2 left alone, 0 failed' "another sum"
expect_err "$others .* left alone: somebody else traces it, at $scratch/other/gvisor.sock" "the others' was not told"
traced "$untraced" gyrfalcon
traced "$others" other
session attach -g "$session" "$others"
expect_code 1 "session attach of somebody else's"
session attach -g "$session" no-such-sandbox
expect_code 1 "session attach of one that is not there"
session attach -g "$scratch/no-such.json"
expect_code 3 "session attach without a session config"

# Other points than before; what is known of the shell moves on.
"$GYRFALCON" session generate --all --socket "$socket" >"$scratch/all.json"
session attach -g "$scratch/all.json" --update "$(echo "$ours" | cut -c1-20)" "$untraced"
expect_code 0 "session attach --update"
expect_out "^$ours: updated; [0-9]+ dropped before; nothing was sent for at most [0-9.]+ ms\$" "the loss was not told"
expect_out '0 attached, 2 updated, 0 detached, 0 left alone, 0 failed; [0-9]+ dropped before; window at most' "another sum"
cp "$scratch/out.log" "$scratch/update.txt"
go "$ours" 1
alert_of "$ours" "touch /bin/foo" "no alert by a process from before the update, or without its parent"
moved=$("$GYRFALCON" status --socket "$socket" | awk '$1 == "sandboxes_moved" { print $2 }')
[ "${moved:-0}" -ge 1 ] || fail "the state did not move to the new connection"

# A config that runsc refuses costs the first its session, and no other's.
refused_session
session attach -g "$scratch/refused.json" --update "$ours" "$untraced"
expect_code 1 "a refused session config"
expect_err 'The session that it had is gone' "the lost session was not told"
expect_err 'not tried: the session config was refused for another sandbox' "the other one was not spared"
[ "$(grep -c 'is gone' "$scratch/err.log")" -eq 1 ] || fail "more than one sandbox has lost its session"
session attach -g "$session"
expect_out '^1 attached' "the one without a session was not attached again" 2>/dev/null ||
  expect_out '1 attached, 0 updated' "the one without a session was not attached again"

stop_listener KILL
traced "$others" nobody
session attach -g "$session" "$others"
expect_code 0 "session attach of one whose listener has gone"
traced "$others" gyrfalcon
session detach -g "$session" "$others"
expect_code 0 "session detach"
expect_out "^$others: detached" "detach says nothing"
traced "$others" none
stop_gyrfalcon
remove_sandboxes "$RUNSC" "$scratch/state"

# A policy that is edited is enough.
cat >"$scratch/connect.yaml" <<'END'
- rule: Connection
  desc: Any.
  condition: evt.type = connect and proc.name = nc
  output: connection (command=%proc.cmdline parent=%proc.pname pcmdline=%proc.pcmdline container_id=%container.id)
  priority: ERROR
END
rules=$scratch/connect.yaml
kept=$scratch/kept.json
policy=$scratch/policy.toml
printf 'intercept_syscalls = true\nsyscall_allowlist = ["execve", "clone"]\n' >"$policy"
start_gyrfalcon run -r "$rules" -g "$kept" --gvisor-root="$scratch/state" -o gvisor.runsc="$RUNSC" \
  -o visibility_policy="$policy" -o gvisor.socket="$socket"
wait_for_line "session config $kept is kept by gyrfalcon" "$log" 5 || fail "the kept session config is not told"
grep -q sentry/clone "$kept" || fail "no session config was made of the policy"
! grep -q syscall/connect "$kept" || fail "the policy did not narrow the session"
start_sandbox "$kept" "$waiter"
ours=$id
go "$ours" 1
sleep 1
[ ! -s "$alerts" ] || fail "an alert by a point that the policy does not name"
printf 'intercept_syscalls = true\nsyscall_allowlist = ["execve", "clone", "connect", 5]\n' >"$policy"
wait_for_line "policy.toml:2:[0-9]+: " "$log" 10 || fail "a broken policy is not told with its place"
! grep -q syscall/connect "$kept" || fail "a broken policy changed the session"
printf 'intercept_syscalls = true\nsyscall_allowlist = [\n  "execve", "clone",\n  "connect", # and this\n]\n' >"$policy.new"
mv "$policy.new" "$policy"
wait_for_line 'have the new session config: 1; [0-9]+ messages dropped before, nothing was sent for at most' \
  "$log" 15 || fail "the sandbox was not given the new session"
go "$ours" 2
alert_of "$ours" "nc 127.0.0.1 1" "no alert after the policy was edited"
updates=$("$GYRFALCON" status --socket "$socket" | awk '$1 == "session_updates" { print $2 }')
[ "${updates:-0}" -eq 1 ] || fail "session_updates is ${updates:-missing}, not 1"
cost=$(grep 'have the new session config' "$log" | sed 's/.*config: //')
stop_gyrfalcon
echo "$flags: listed, attached, updated, refused, detached; $(tail -n 1 "$scratch/update.txt"); by the policy: $cost"
