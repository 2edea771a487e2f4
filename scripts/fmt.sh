#!/bin/sh
# Formats every C and C++ source of the tree in place, with the pinned clang-format.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

have clang-format-19 || sh scripts/install-packages.sh lint
find src tests bench \( -name '*.cc' -o -name '*.c' -o -name '*.h' \) -exec clang-format-19 -i {} +
