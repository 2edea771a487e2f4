#!/bin/sh
# Builds the pinned current runsc into build/runsc-current/ where a Go that can is present; exit 77 where not.
# The only place that names the version; tests read the binary, not the version.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

RUNSC_VERSION=v0.0.0-20260905035102-160fafc42237
GO_NEEDED=1.26.3

folder=$ROOT/build/runsc-current
if [ -x "$folder/runsc" ] && [ "$(cat "$folder/version" 2>/dev/null)" = $RUNSC_VERSION ]; then
  exit 0
fi

skip() {
  printf 'current runsc: skipped: %s\n' "$1" >&2
  mkdir -p "$folder"
  printf '%s\n' "$1" >"$folder/why-not"
  exit 77
}

PATH=$PATH:/usr/local/go/bin
have go || skip "no Go here (it needs Go $GO_NEEDED or later)"
# Not go's own toolchain switch: it would download one.
export GOTOOLCHAIN=local
version=$(go env GOVERSION | sed 's/^go//')
lowest=$(printf '%s\n%s\n' "$GO_NEEDED" "$version" | sort -V | head -n 1)
[ "$lowest" = $GO_NEEDED ] || skip "Go $version is too old (it needs Go $GO_NEEDED or later)"

say "building the current runsc ($RUNSC_VERSION; about 3 minutes when nothing is cached)"
mkdir -p "$folder"
if ! GOBIN=$folder CGO_ENABLED=0 go install "gvisor.dev/gvisor/runsc@$RUNSC_VERSION" >"$folder/log" 2>&1; then
  tail -n 5 "$folder/log" >&2
  skip "go install failed (log: build/runsc-current/log)"
fi
rm -f "$folder/why-not"
printf '%s\n' $RUNSC_VERSION >"$folder/version"
