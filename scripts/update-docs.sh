#!/bin/sh
# Makes the parts of docs/ and config/ anew that come from tables in the code. Needs the release build's tool.
set -eu
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release --target gyrfalcon_docs >/dev/null
exec build/release/src/cli/gyrfalcon_docs --write .
