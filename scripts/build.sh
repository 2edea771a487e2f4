#!/bin/sh
# Configures and builds one CMake preset (default release), or one target of it; missing packages are installed first.
# usage: build.sh [PRESET [TARGET]]
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

preset=${1:-release}
target=${2:-all}
case $preset in
  asan | tsan | fuzz) sh scripts/install-packages.sh build sanitizers ;;
  *) sh scripts/install-packages.sh build ;;
esac

say "configuring $preset"
mkdir -p build
log=build/configure-$preset.log
if ! cmake --preset "$preset" >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  die "configuring failed (whole log: $log)"
fi
say "building $preset with $JOBS jobs"
cmake --build --preset "$preset" --target "$target" -j "$JOBS"
if [ -x "build/$preset/gyrfalcon" ]; then
  say "built build/$preset/gyrfalcon"
fi
