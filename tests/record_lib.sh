# What the recorders of captures share: `. tests/record_lib.sh`, then `begin_recording RUNSC FOLDER [RUNSC FLAG...]`.
# Sourced from the root of the tree, as root, with GYRFALCON set to the program that records.
# shellcheck shell=sh disable=SC2034 # set here, used by those that source this
. scripts/lib.sh
. scripts/sandbox.sh

cleanup() {
  trap - EXIT
  [ -z "$recorder" ] || kill "$recorder" 2>/dev/null || true
  remove_sandboxes "$RUNSC" "$scratch/state"
  unmount_below "$scratch"
  rm -rf "$scratch"
}

# Sets RUNSC, folder, flags and scratch, with the state's folder, an output folder and a root file system in it; all
# goes away again at the end.
begin_recording() {
  [ $# -ge 2 ] || die "usage: record.sh RUNSC FOLDER [RUNSC FLAG...]"
  RUNSC=$1 folder=$2
  shift 2
  flags=${*:-}
  : "${GYRFALCON:?the program that records}"
  recorder=''
  scratch=$(mktemp -d /tmp/gyrfalcon-record.XXXXXX)
  trap cleanup EXIT
  trap 'exit 130' HUP INT PIPE TERM
  mkdir -p "$scratch/state" "$scratch/out" "$folder"
  [ -n "$flags" ] || flags=$(pick_flags "$RUNSC" "$scratch/state")
  make_rootfs "$scratch/rootfs"
  socket=$scratch/run/gvisor.sock
}

# Listens at $socket, in place of who did.
start_recorder() {
  rm -f "$scratch/out"/* "$socket"
  "$GYRFALCON" capture --listen "$socket" --dir "$scratch/out" >"$scratch/names" 2>"$scratch/log" &
  recorder=$!
  tries=100
  while [ ! -S "$socket" ] && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.05
  done
}

# keep CAPTURE: the connection with the most bytes, for a failed attempt leaves an empty one.
keep() {
  sleep 0.3
  kill -TERM "$recorder"
  wait "$recorder" || true
  recorder=''
  # shellcheck disable=SC2012 # names without blanks
  cp "$(ls -S "$scratch/out"/* | head -n 1)" "$folder/$1.trace"
  chmod 0644 "$folder/$1.trace"
  say "$1: $(wc -c <"$folder/$1.trace") bytes"
}
