#!/bin/sh
# `dump`: one line a message, JSON that scripts read.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"

expect 0 dump $data/new/hello.trace --json
[ "$(wc -l <"$scratch/out")" -eq 198 ] || fail 'not one line for each message'
head -n 1 "$scratch/out" | grep -q '^{"num":1,"time_ns":[0-9]*,"type":1,"point":"container/start",' ||
  fail 'the first message is not as the contract has it'
for key in sandbox container_id tid tgid pathname; do
  grep -q "\"$key\":" "$scratch/out" || fail "no \"$key\""
done
grep '"point":"syscall/openat/exit"' "$scratch/out" | grep -q '"pathname":"/bin/foo"' || fail 'no open of /bin/foo'
expect 0 dump $data/old/docker-hello.trace
[ "$(wc -l <"$scratch/out")" -eq 6 ] || fail 'text has not one line for each message'
says out 'point="sentry/task_exit"'
expect 0 dump $data/old/empty-session.trace
silent out
expect 3 dump "$scratch/absent.trace"
echo 'dump shows every message'
