#!/bin/sh
# Builds the program (not its tests) in the release preset and installs it below a prefix (default /usr/local); DESTDIR is obeyed.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

prefix=${1:-/usr/local}
sh scripts/build.sh release package_texts
say "installing below ${DESTDIR:-}$prefix"
cmake --install build/release --prefix "$prefix"
