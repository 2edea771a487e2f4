# What every script here shares: where the tree is, how progress and failure are said. Sourced, not run.
# Meant for dash and busybox sh; the caller has `set -eu` and stands in the root of the tree.
# shellcheck shell=sh disable=SC2034 # set here, used by those that source this

ROOT=$(pwd)
export ROOT
JOBS=${GYRFALCON_JOBS:-$(nproc 2>/dev/null || echo 2)}

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$(printf '\033[1m') RED=$(printf '\033[31m') GREEN=$(printf '\033[32m') PLAIN=$(printf '\033[0m')
else
  BOLD='' RED='' GREEN='' PLAIN=''
fi
# The same for what goes to stdout.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  OUT_BOLD=$(printf '\033[1m') OUT_RED=$(printf '\033[31m') OUT_GREEN=$(printf '\033[32m') OUT_PLAIN=$(printf '\033[0m')
else
  OUT_BOLD='' OUT_RED='' OUT_GREEN='' OUT_PLAIN=''
fi

say() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*" >&2; }
warn() { printf '%swarning:%s %s\n' "$RED" "$PLAIN" "$*" >&2; }
# Exit code 3: the machine is at fault, as in the program itself.
die() {
  printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
  exit 3
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }
