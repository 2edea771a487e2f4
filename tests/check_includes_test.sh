#!/bin/sh
# Proves that check_includes.sh refuses what it must and passes what it may, on scratch trees.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# expect EXIT_CODE WORDS_IN_OUTPUT FILE INCLUDE_LINE: a good tree plus one line in FILE.
expect() {
  code=$1 words=$2 file=$3 line=$4
  rm -rf "$scratch/src"
  mkdir -p "$scratch/src/base" "$scratch/src/wire" "$scratch/src/state" "$scratch/src/rules"
  echo '#include <string>' >"$scratch/src/base/text.h"
  echo '#include "base/text.h"' >"$scratch/src/wire/frame.h"
  printf '#include "state/b.h"\n#include <abc/def.h>\n' >"$scratch/src/state/a.cc"
  mkdir -p "$scratch/src/$(dirname "$file")"
  printf '// first line\n%s\n' "$line" >>"$scratch/src/$file"
  status=0
  output=$(sh "$here/check_includes.sh" "${edges:-$here/include_edges.txt}" "$scratch/src") || status=$?
  case $output in
    *"$words"*) ;;
    *) status=none ;;
  esac
  if [ "$status" != "$code" ]; then
    printf 'FAILED: %s in %s: wanted exit %s and "%s", got: %s\n' "$line" "$file" "$code" "$words" "$output"
    failed=1
  fi
}

expect 0 'files keep to' rules/a.cc '#include "base/text.h"'
expect 0 'files keep to' rules/a.cc '#include "points/event.h"'
expect 0 'files keep to' cli/main.cc '#include "wire/frame.h"'
expect 1 'wire/x.cc:2: wire may not include rules' wire/x.cc '#include "rules/a.h"'
expect 1 'base/x.h:2: base may not include wire' base/x.h '  #  include "wire/frame.h"'
expect 1 'state may not include metadata' state/x.cc '#include "metadata/image.h"'
expect 1 'rules may not include alerts' rules/x_test.cc '#include "alerts/format.h"'
expect 1 'names no folder: write "wire/frame.h"' wire/x.cc '#include "frame.h"'
expect 1 'no folder attic in' wire/x.cc '#include "attic/a.h"'
expect 1 'no folder .. in' wire/x.cc '#include "../base/text.h"'
expect 1 'folder attic has no line' attic/x.cc '#include <string>'
expect 1 'write it in quotes' wire/x.cc '#include <base/text.h>'
expect 1 'stands in no folder' loose.cc '#include <string>'

edges=$scratch/edges.txt
printf 'base: wire\nwire: base\nstate:\nrules:\n' >"$edges"
expect 1 'a cycle' rules/a.cc '#include <string>'
printf 'base:\nwire: base attic\nstate:\nrules:\n' >"$edges"
expect 1 'attic, which has no line' rules/a.cc '#include <string>'

[ $failed -eq 0 ] && echo "all cases as wanted"
exit $failed
