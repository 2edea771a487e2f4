#!/bin/sh
# The demo's own claim: every alert that it promises comes, in the time that it promises.
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of debian

started=$(date +%s)
GYRFALCON=$GYRFALCON RUNSC=$RUNSC NO_COLOR=1 sh scripts/demo.sh || fail "the demo ended with $?"
seconds=$(($(date +%s) - started))
[ $seconds -lt 20 ] || fail "the demo took $seconds s, not under 20"
