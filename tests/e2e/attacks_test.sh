#!/bin/sh
# Attacks on the sensor and their honest twins in live sandboxes, with the strict session. usage: attacks_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

make_rootfs "$scratch/rootfs"
sh tests/attacks/build.sh "$scratch/rootfs/bin/attack" || skip "the attacks can't be built: no static C library"
echo sandbox >"$scratch/rootfs/etc/hostname"
"$GYRFALCON" session generate --profile strict --socket "$scratch/run/gvisor.sock" >"$session" || fail "no session config"

# run NAME attack|benign: the alerts of one sandbox are in $alerts afterwards.
run() {
  : >"$log" # of the run before: it says already that it listens
  start_gyrfalcon -g "$session"
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$session" "/bin/attack $1 $2; true" \
    >"$scratch/runsc.log" 2>&1 || fail "$1 $2: the sandbox ended with $?"
  stop_gyrfalcon
}

# must_raise NAME TEXT: the attack does, the twin has no built-in alert and not that text.
must_raise() {
  run "$1" attack
  grep -Fq -- "$2" "$alerts" || fail "$1 did not raise: $2"
  echo "$1: $(grep -Fc -- "$2" "$alerts")"
  run "$1" benign
  ! grep -F -- "$2" "$alerts" || fail "the twin of $1 raised: $2"
  ! grep -F gyrfalcon_sandbox= "$alerts" || fail "the twin of $1 raised a built-in alert"
}

must_raise path-race 'changed while the system call'
must_raise bad-path 'A system call was hidden'
must_raise bad-name 'A system call was hidden'
must_raise bad-cwd 'A system call was hidden'
must_raise symlink 'gyrfalcon_path_true=/etc/shadow'
must_raise big-argv 'Events of a sandbox were lost'
