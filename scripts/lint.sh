#!/bin/sh
# Checks formatting and scripts of the whole tree, and clang-tidy on changed sources (--all: every source).
# "Changed" is: against the merge base with main, and what is not committed yet.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

all=no
case ${1:-} in
  '') ;;
  --all) all=yes ;;
  *)
    echo "usage: ./dev lint [--all]" >&2
    exit 2
    ;;
esac

sh scripts/install-packages.sh build lint sanitizers
failed=''

say "clang-format"
find src tests bench \( -name '*.cc' -o -name '*.c' -o -name '*.h' \) -exec clang-format-19 --dry-run -Werror {} + || failed="$failed clang-format"

say "shellcheck"
# The scripts name each other from the root of the tree; shellcheck is told to look there.
shellcheck -x -s sh dev bench/sandbox_cost scripts/*.sh tests/*.sh tests/e2e/*.sh tests/systemd/*.sh tests/helm/*.sh tests/observability/*.sh tests/package/*.sh deploy/debian/p* tests/attacks/*.sh tests/coverage/*.sh || failed="$failed shellcheck"
shellcheck -x .ci/run || failed="$failed shellcheck"

if [ $all = yes ]; then
  sources=$(find src tests -name '*.cc')
else
  base=$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD)
  sources=$({
    git diff --name-only --diff-filter=d "$base" -- '*.cc'
    git ls-files --others --exclude-standard -- '*.cc'
  } | sort -u)
fi
if [ -z "$sources" ]; then
  say "clang-tidy: no changed source"
else
  # A compilation database of its own, made by clang: GCC's flags would confuse the tool.
  say "clang-tidy on $(echo "$sources" | wc -w) files"
  mkdir -p build
  cmake --preset dev -B build/tidy -DCMAKE_CXX_COMPILER=clang++-19 -DGYRFALCON_BENCH=ON >build/configure-tidy.log 2>&1 ||
    { tail -n 20 build/configure-tidy.log >&2; die "configuring build/tidy failed"; }
  # Only what the database knows: a source outside the build has no flags.
  known=''
  for source in $sources; do
    if grep -q "\"file\": \"$ROOT/$source\"" build/tidy/compile_commands.json; then
      known="$known $source"
    fi
  done
  if [ -n "$known" ]; then
    # shellcheck disable=SC2086 # words on purpose
    printf '%s\n' $known | xargs -n 1 -P "$JOBS" clang-tidy-19 --quiet -p build/tidy 2>build/tidy.log ||
      { failed="$failed clang-tidy"; grep -v 'warnings generated\|warnings treated' build/tidy.log >&2 || true; }
  fi
fi

[ -z "$failed" ] || { printf '%slint: not clean:%s%s\n' "$RED" "$PLAIN" "$failed" >&2; exit 1; }
say "lint: clean"
