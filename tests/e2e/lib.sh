# What every whole-program test shares: scratch folder, skipping, gyrfalcon started and stopped. Sourced, not run.
# The test is started by ctest with GYRFALCON set to the program; it stands in the root of the tree.
# shellcheck shell=sh disable=SC2034 # set here, used by those that source this

cd "$(dirname "$0")/../.." || exit 3
. scripts/lib.sh
. scripts/sandbox.sh

ensure_root_is_mounted "tests/$(basename "$(dirname "$0")")/$(basename "$0")" "$@"
[ -x "${GYRFALCON:?the program under test}" ] || die "no program at $GYRFALCON"

# ctest counts 77 as skipped; the reason is the last line.
skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}

# What was going on is in the logs, so they are part of the message. A test that has to fetch some first defines
# fetch_logs.
fetch_logs() { :; }
fail() {
  fetch_logs
  printf 'FAILED: %s\n' "$*"
  for file in "$scratch/log" "$scratch/alerts" "$scratch"/*.log; do
    [ -s "$file" ] || continue
    printf -- '--- the end of %s\n' "$(basename "$file")"
    tail -n 15 "$file"
  done
  exit 1
}

# Short, for a socket's path has at most 107 bytes.
scratch=$(mktemp -d /tmp/gyrfalcon-e2e.XXXXXX)
daemon='' listener=''
# A test with more to clean up than sandboxes, gyrfalcon and a listener defines cleanup_more.
cleanup_more() { :; }
cleanup() {
  trap - EXIT
  cleanup_more
  [ -z "$listener" ] || kill -KILL "$listener" 2>/dev/null || true
  [ -z "${RUNSC:-}" ] || remove_sandboxes "$RUNSC" "$scratch/state"
  [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
  unmount_below "$scratch"
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' HUP INT PIPE TERM

# Where the daemon keeps alerts: no test meets another one's.
STATE_DIRECTORY=$scratch/store
export STATE_DIRECTORY

session=$scratch/session.json
alerts=$scratch/alerts
log=$scratch/log

# start_gyrfalcon ARGUMENT…: with the session of $session, in the background, once it listens. Alerts are the rules'
# own outputs, without what a daemon adds to them.
start_gyrfalcon() {
  "$GYRFALCON" "$@" -o append_output.suggested_output=false >"$alerts" 2>"$log" &
  daemon=$!
  wait_for_line 'event collection from gVisor is enabled' "$log" 10 || fail "gyrfalcon did not say that it listens"
}

# SIGTERM must drain, say the totals and end with 0.
stop_gyrfalcon() {
  kill -TERM "$daemon" || fail "gyrfalcon is gone before its time"
  status=0
  wait "$daemon" || status=$?
  daemon=''
  [ $status -eq 0 ] || fail "gyrfalcon ended with $status after SIGTERM, not 0"
  grep -Eq '[0-9]+ alerts?|alerts[ =:]+[0-9]+' "$log" || fail "no totals on stderr after SIGTERM"
}

# start_listener FOLDER: one that is not the daemon, in the background, at FOLDER/gvisor.sock; captures in FOLDER/captures.
start_listener() {
  "$GYRFALCON" capture --listen "$1/gvisor.sock" --dir "$1/captures" >"$scratch/listener.log" 2>&1 &
  listener=$!
  tries=100
  until [ -S "$1/gvisor.sock" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "nobody listens at $1/gvisor.sock"
    sleep 0.05
  done
}
stop_listener() {
  kill "-$1" "$listener"
  wait "$listener" 2>/dev/null || true
  listener=''
}
# somebody_else FOLDER ARGUMENT…: a listener, and its session config, with these of `session generate`, in $scratch/other.json.
somebody_else() {
  other=$1
  shift
  "$GYRFALCON" session generate "$@" --socket "$other/gvisor.sock" >"$scratch/other.json" || fail "no session config"
  start_listener "$other"
}

# runsc_of KIND: the program, `debian` or `current`; skips where it is not there.
runsc_of() {
  case $1 in
    debian)
      RUNSC=/usr/bin/runsc
      [ -x $RUNSC ] || skip "Debian's runsc is not installed (package runsc)"
      ;;
    current)
      RUNSC=$ROOT/build/runsc-current/runsc
      [ -x "$RUNSC" ] || skip "no current runsc: $(cat build/runsc-current/why-not 2>/dev/null || echo 'run scripts/build-current-runsc.sh')"
      ;;
    *) fail "no such runsc: $1" ;;
  esac
  is_root || skip "not root: sandboxes can't be started"
  mkdir -p "$scratch/state"
  flags=$(pick_flags "$RUNSC" "$scratch/state")
  [ -n "$flags" ] || skip "$RUNSC starts no sandbox here: $(tail -n 1 "$scratch/state.log")"
  mv "$scratch/state.log" "$scratch/tried"
}

# expected_alert FIELD=REGEX…: the regular expression of the one line that the seed scenario must give.
expected_alert() {
  parent='[^ ]+' pcmdline='.*' gparent='<NA>' container='[^ ]+'
  for pair in "$@"; do
    case $pair in
      parent=*) parent=${pair#*=} ;;
      pcmdline=*) pcmdline=${pair#*=} ;;
      container=*) container=${pair#*=} ;;
    esac
  done
  printf '%s' '^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{9}: Error ' \
    'File below a known binary directory opened for writing ' \
    '\(user=root user_loginuid=[^ ]+ command=touch /bin/foo pid=[0-9]+ file=/bin/foo ' \
    "parent=$parent pcmdline=$pcmdline gparent=$gparent " \
    "container_id=$container image=[^ ]+\) container=$container pid=[0-9]+ tid=[0-9]+\$"
}

# check_alert REGEX: exactly this one alert, and no other.
check_alert() {
  wait_for_line . "$alerts" 10 || fail "no alert came"
  grep -Eq -- "$1" "$alerts" || fail "the alert has not the expected form: $1"
}
check_only_one_alert() {
  count=$(wc -l <"$alerts")
  [ "$count" -eq 1 ] || fail "$count alerts for one happening"
}

# start_sandbox SESSION COMMAND [UID]: as run_sandbox, of $rootfs, in the background; its id into $id once it runs.
rootfs=$scratch/rootfs
start_sandbox() {
  known=$("$RUNSC" --root="$scratch/state" list -quiet | sort)
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$rootfs" "$1" "$2" "${3:-0}" >"$scratch/runsc.log" 2>&1 &
  tries=400
  while :; do
    id=$("$RUNSC" --root="$scratch/state" list 2>/dev/null | awk -v known="$known" '
      $3 == "running" && index(known, $1) == 0 { print $1 }')
    [ -z "$id" ] || return 0
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "the sandbox did not start"
    sleep 0.05
  done
}

# need_reach ID: skips where runsc can't talk to a sandbox that runs: Debian's not to one in another network namespace,
# nor any in some tests' chroots.
need_reach() {
  "$RUNSC" --root="$scratch/state" trace list "$1" >"$scratch/reach.log" 2>&1 ||
    skip "$RUNSC does not reach a sandbox from here: $(tail -n 1 "$scratch/reach.log")"
}

# refused_session: like the one of $session, but with a point that runsc does not know; into $scratch/refused.json.
refused_session() {
  sed -e 's/"ignore_missing": true/"ignore_missing": false/' -e 's,"sentry/task_exit","sentry/no_such_point",' \
    "$session" >"$scratch/refused.json"
  grep -q no_such_point "$scratch/refused.json" || fail "the session config has another form"
}
