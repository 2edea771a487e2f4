#!/bin/sh
# The deeds of tests/coverage, live, once with the session that is generated for the rules and once with every point: the
# alerts must be the same, the messages fewer. usage: session_cost_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
. tests/coverage/deeds.sh
. tests/coverage/everything.sh
runsc_of "$1"

make_rootfs "$scratch/rootfs"
prepare_rootfs "$scratch/rootfs" || skip "the deeds can't be built: no static C library"

# All in one sandbox, one after the other; the one that needs a terminal is left out. A deed that ends its shell ends no other.
script=''
process_more=''
deed_with() {
  case $1 in
    *terminal*) ;;
    *) process_more=$1 script="$script ($3);" ;;
  esac
}
deeds

rules='-r rules/gyrfalcon_rules.yaml'
falco=../shared/falco-rules/falco_rules.yaml
[ ! -f $falco ] || rules="$rules -r $falco"

# run SESSION: the alerts of all rules, without what differs from run to run, into $scratch/NAME.found.
run() {
  : >"$log"
  # shellcheck disable=SC2086 # words on purpose
  start_gyrfalcon run $rules -g "$scratch/$1.json" -o json_output=true -o rule_matching=all \
    -o json_include_sequence_property=false
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/$1.json" "$(echo "$script" | tr '\n' ' ') true" \
    >"$scratch/runsc.log" 2>&1 || fail "$1: the sandbox ended with $?"
  stop_gyrfalcon
  sed -e 's/.*"output":"[^ ]* [A-Za-z]* //' -e 's/","output_fields":.*"rule":"/ | /' -e 's/","source".*//' \
    -e 's/[0-9a-f]\{12,\}/ID/g' -e 's/[0-9]\{6,\}/N/g' "$alerts" | sort >"$scratch/$1.found"
  messages=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\) messages.*/\1/p' "$log" | tail -n 1)
  echo "$1: $(wc -l <"$scratch/$1.found") alerts, $messages messages"
}

# Patient, so that a busy machine loses no message. Raw points beside schematised ones are tripwires, not part of it all.
raw_calls='86 265 88 266 87 263 82 264 316 84 83 258 90 91 268 165 308 272 321 175 313 323 437 44 46 45 47'
everything "$scratch/run/gvisor.sock" >"$scratch/everything.json"
# shellcheck disable=SC2086 # words on purpose
"$GYRFALCON" session generate $rules --socket "$scratch/run/gvisor.sock" | sed 's/"retries": 3/"retries": 100/' \
  >"$scratch/standard.json"

run everything
all=$messages
run standard
[ -s "$scratch/standard.found" ] || fail "no alert at all"
diff "$scratch/everything.found" "$scratch/standard.found" ||
  fail "the generated session gives other alerts (< with every point, > with the generated session)"
[ "$messages" -lt "$all" ] || fail "the generated session is not quieter: $messages messages, with every point $all"
echo "$flags: the same $(wc -l <"$scratch/standard.found") alerts; $((messages * 1000 / all)) of 1000 messages"
