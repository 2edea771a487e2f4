#!/bin/sh
# The attacks build; each has its captures, its twin's, and its row in their README; and the captures hold what evidence.txt says.
# usage, from anywhere: GYRFALCON=PROGRAM check.sh
set -eu
cd "$(dirname "$0")/../data/captures/attacks"
: "${GYRFALCON:?the program that reads captures}"
scratch=$(mktemp -d /tmp/gyrfalcon-attacks.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
failed=no
complain() {
  printf 'FAILED: %s\n' "$*"
  failed=yes
}

sh ../../../attacks/build.sh "$scratch/attack"
for name in $("$scratch/attack" list) exec-session; do
  grep -q "^| $name |" README.md || complain "README.md has no row for $name"
  for capture in "$name" "$name-benign" "$name.strict" "$name-benign.strict"; do
    for kind in old new; do
      [ -s "$kind/$capture.trace" ] || complain "no capture $kind/$capture.trace"
    done
  done
done
perl ../../../attacks/evidence.pl old/*.trace new/*.trace >"$scratch/evidence.txt"
diff evidence.txt "$scratch/evidence.txt" || complain "the captures hold something else than evidence.txt says (< says, > they hold)"
[ $failed = no ] || exit 1
echo "$(grep -c trace evidence.txt) captures hold what they should"
