# What the tests of the program's commands share. Sourced, not run; GYRFALCON is the program, from ctest.
# shellcheck shell=sh
set -eu
cd "$(dirname "$0")/../.."
: "${GYRFALCON:?the program under test}"
data=tests/data/captures
scratch=$(mktemp -d /tmp/gyrfalcon-test.XXXXXX)
# Where the daemon keeps alerts: no test meets another one's.
STATE_DIRECTORY=$scratch/store
export STATE_DIRECTORY
daemon=''
cleanup() {
  [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT

fail() {
  printf 'FAILED: %s\n' "$*"
  for file in "$scratch/out" "$scratch/err" "$scratch/log"; do
    [ ! -s "$file" ] || { printf -- '--- %s\n' "$(basename "$file")"; tail -n 20 "$file"; }
  done
  exit 1
}

# expect CODE ARGUMENT…: runs the program; its output is in $scratch/out and $scratch/err.
expect() {
  code=$1
  shift
  status=0
  timeout 60 "$GYRFALCON" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
  [ "$status" -eq "$code" ] || fail "\`$*\` ended with $status, not $code"
}
# says FILE REGEX: out or err has such a line.
says() { grep -Eq -- "$2" "$scratch/$1" || fail "no line of $1 matches: $2"; }
silent() { [ ! -s "$scratch/$1" ] || fail "$1 is not empty"; }

# start_rule: a rules file with the rule "Start", for each program that starts.
start_rule() {
  cat <<'EOF'
- rule: Start
  desc: a program starts
  condition: evt.type = execve
  output: started %proc.cmdline
  priority: NOTICE
EOF
}

wait_for() {
  tries=0
  until grep -Eq -- "$1" "$2" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "waited in vain for: $1"
    sleep 0.1
  done
}
