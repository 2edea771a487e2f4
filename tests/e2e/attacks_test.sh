#!/bin/sh
# Attacks on the sensor and their honest twins in live sandboxes, with the strict session: all of tests/attacks/expected.txt.
# usage: attacks_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
kind=$1

expected=tests/attacks/expected.txt
make_rootfs "$scratch/rootfs"
sh tests/attacks/build.sh "$scratch/rootfs/bin/attack" || skip "the attacks can't be built: no static C library"
echo sandbox >"$scratch/rootfs/etc/hostname"
"$GYRFALCON" session generate --profile strict --socket "$scratch/run/gvisor.sock" >"$session" || fail "no session config"
for name in $("$scratch/rootfs/bin/attack" list); do
  grep -q "^$name|" $expected || fail "$expected has no line for $name"
done

# run COMMAND: the alerts of one sandbox are in $alerts afterwards.
run() {
  : >"$log" # of the run before: it says already that it listens
  start_gyrfalcon -g "$session" -o json_output=true
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$session" "$1 true" \
    >"$scratch/runsc.log" 2>&1 || fail "$1 the sandbox ended with $?"
  stop_gyrfalcon
}

# alerts_of RULE: their number.
alerts_of() {
  grep -Fc "\"rule\":\"$1\"" "$alerts" || true
}

# Those that raise something which this runsc can tell, by rule.
grep -v '^#' $expected | while IFS='|' read -r name rule who; do
  [ "$rule" != - ] || continue
  if [ "$who" = new ] && [ "$kind" = debian ]; then
    say "SKIPPED: $name: $kind runsc tells too little for \"$rule\""
    continue
  fi
  echo "$rule|$name"
done | sort >"$scratch/wanted"
[ -s "$scratch/wanted" ] || fail "nothing to do in $expected"

while IFS='|' read -r rule name <&3; do
  run "/bin/attack $name attack;"
  count=$(alerts_of "$rule")
  [ "$count" -gt 0 ] || fail "$name did not raise: $rule"
  echo "$name: $rule: $count"
done 3<"$scratch/wanted"

# The twins of all that raise one rule work in one sandbox.
cut -d'|' -f1 "$scratch/wanted" | uniq >"$scratch/rules"
while read -r rule <&3; do
  twins=$(sed -n "s/^$rule|\(.*\)/\1/p" "$scratch/wanted")
  commands=''
  for name in $twins; do commands="$commands /bin/attack $name benign;"; done
  run "$commands"
  [ "$(alerts_of "$rule")" -eq 0 ] || fail "one of the twins raised: $rule: $twins"
  ! grep -F '"rule":"gyrfalcon: ' "$alerts" || fail "one of the twins raised a built-in alert: $twins"
done 3<"$scratch/rules"
