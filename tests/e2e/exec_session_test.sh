#!/bin/sh
# A shell with a terminal that is put into a running sandbox: no message tells its start, so the rule needs what
# `runsc trace procfs` knows. And a sandbox that is attached late, whose processes nobody told. usage: exec_session_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
have script || skip "no script (package bsdutils), which makes the terminal"

rules=tests/e2e/rules/terminal_shell.yaml
"$GYRFALCON" session generate -r $rules -r tests/e2e/rules/attached.yaml --socket "$scratch/run/gvisor.sock" >"$session" || fail "no session config"
# Falco's own rule, where it is at hand, must find it as ours does.
falco=$ROOT/../shared/falco-rules/falco_rules.yaml
[ -f "$falco" ] || falco=''
# shellcheck disable=SC2086 # a word or none
start_gyrfalcon run -r $rules -r tests/e2e/rules/attached.yaml -r rules/gyrfalcon_rules.yaml ${falco:+-r "$falco"} -g "$session" -o gvisor.attach=false \
  -o gvisor.runsc="$RUNSC" -o rule_matching=all

make_rootfs "$scratch/rootfs"
ln -s busybox "$scratch/rootfs/bin/ash"
ln -s busybox "$scratch/rootfs/bin/env"
start_sandbox '' 'while :; do /bin/sleep 1; done'
attached=', nothing attached (trace create failed)'
# Old runsc can't reach a sandbox in another network namespace, nor can some tests' chroots.
if "$RUNSC" --root="$scratch/state" trace create --config "$session" "$id" >"$scratch/create.log" 2>&1; then
  wait_for_line 'slept under sh -c while :; do /bin/sleep 1; done$' "$alerts" 10 ||
    fail "the parent of a program in a sandbox attached late is not known"
  attached=', attached late'
fi
"$RUNSC" --root="$scratch/state" kill "$id" KILL >"$scratch/kill.log" 2>&1 || fail "runsc kill ended with $?"

start_sandbox "$session" 'sleep 25'

# in_sandbox COMMAND…: `runsc exec`, with the descriptors of the caller.
# shellcheck disable=SC2086 # words on purpose
in_sandbox() { timeout 20 "$RUNSC" --root="$scratch/state" --network=none $flags exec --user 33:33 --cwd /tmp "$id" "$@"; }

# The honest twins first: a shell without a terminal, and a terminal without a shell.
in_sandbox /bin/sh -c 'echo benign; sleep 1.5' </dev/null >"$scratch/exec.log" 2>&1 || fail "runsc exec ended with $?"
grep -q benign "$scratch/exec.log" || fail "nothing ran in the sandbox"
script -qec "timeout 20 $RUNSC --root=$scratch/state --network=none $flags exec $id /bin/sleep 1.5" /dev/null \
  </dev/null >"$scratch/exec.log" 2>&1 || fail "runsc exec with a terminal ended with $?"
! grep -Eq 'A shell (began|was spawned)' "$alerts" || fail "an alert for what is no shell with a terminal"

script -qec "timeout 20 $RUNSC --root=$scratch/state --network=none $flags exec --user 33:33 --cwd /tmp $id /bin/sh -c 'sleep 3; true'" \
  /dev/null </dev/null >"$scratch/exec.log" 2>&1 || fail "runsc exec with a terminal ended with $?"
wait_for_line 'A shell began with a terminal \| .*command=sh -c sleep 3; true terminal=34816 ' \
  "$alerts" 5 || fail "no alert for a shell with a terminal"
[ -z "$falco" ] ||
  wait_for_line 'A shell was spawned in a container with an attached terminal \| .*command=sh -c sleep 3; true terminal=34816 ' \
    "$alerts" 5 || fail "no alert by Falco's rule"
# How long after the shell's first message the alert was written.
told_ns=$(stat -c %.9Y "$alerts" | tr -d .)
met_ns=$(sed -n 's/.* at=\([0-9]*\) .*/\1/p' "$alerts")
# Sessions whose first message is an exec: a static shell with one command, and a program that becomes a shell.
in_sandbox /bin/ash -c 'cat /etc/passwd' </dev/null >"$scratch/exec.log" 2>&1 || fail "runsc exec ended with $?"
wait_for_line 'Interactive session in a container \| command=ash ' "$alerts" 5 || fail "no alert for a static shell"
in_sandbox /bin/env sh -c 'sleep 0.6; true' </dev/null >"$scratch/exec.log" 2>&1 || fail "runsc exec ended with $?"
wait_for_line 'Interactive session in a container \| command=(sh|exe) -c sleep 0.6; true ' "$alerts" 5 ||
  fail "no alert for a shell that env became"
# What one question costs: user and system time of five calls.
(
  for _ in 1 2 3 4 5; do "$RUNSC" --root="$scratch/state" trace procfs "$id" >/dev/null 2>&1 || :; done
  times
) | tail -n 1 >"$scratch/times"
stop_gyrfalcon
count=$(grep -c 'A shell began' "$alerts")
[ "$count" -eq 1 ] || fail "$count alerts for one shell"
echo "$flags$attached${falco:+, also by the rule of Falco}: alert $(((told_ns - met_ns) / 1000000)) ms after the first message; five calls of runsc took $(cat "$scratch/times")"
grep 'A shell began' "$alerts"
