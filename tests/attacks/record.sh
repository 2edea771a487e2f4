#!/bin/sh
# Records every attack and its benign twin in a real sandbox, with each session that concerns it.
# Usage, as root on x86-64, from the root of the tree:
#   GYRFALCON=build/release/gyrfalcon sh tests/attacks/record.sh RUNSC FOLDER [RUNSC FLAG...]
# e.g. record.sh /usr/bin/runsc tests/data/captures/attacks/old --platform=ptrace; with ONLY='name…' just those.
set -eu
. tests/record_lib.sh

begin_recording "$@"
sh tests/attacks/build.sh "$scratch/rootfs/bin/attack"
echo sandbox >"$scratch/rootfs/etc/hostname"

# full: every schematised point with every field. strict, standard, thin: as the files say. Patient, so that a busy machine
# loses no message: what is missing in a capture was never sent.
"$GYRFALCON" session generate --all >"$scratch/full.in"
cp tests/attacks/sessions/strict.json "$scratch/strict.in"
cp tests/attacks/sessions/standard.json "$scratch/standard.in"
cp tests/attacks/sessions/thin.json "$scratch/thin.in"
for profile in full strict standard thin; do
  sed -e "s|\"endpoint\": \"[^\"]*\"|\"endpoint\": \"$socket\"|" -e 's/"retries": 3/"retries": 100/' \
    "$scratch/$profile.in" >"$scratch/$profile.json"
done

# record CAPTURE SESSION COMMAND: lines of COMMAND become one, for JSON.
record() {
  start_recorder
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/$2.json" \
    "$(printf '%s' "$3" | tr '\n' ' '); true" \
    >"$scratch/sandbox.log" 2>&1 || say "$1: the command returned $?"
  # What an attack says went wrong belongs to the record: another runsc knows other calls.
  grep -v '^true$' "$scratch/sandbox.log" >&2 || true
  keep "$1"
}

wanted() {
  case " ${ONLY:-$1} " in
    *" $1 "*) ;;
    *) return 1 ;;
  esac
}

# twins NAME SESSION [NUMBER]
twins() {
  suffix=$([ "$2" = full ] || echo ".$2")
  record "$1$suffix" "$2" "/bin/attack $1 attack ${3:-}"
  record "$1-benign$suffix" "$2" "/bin/attack $1 benign ${3:-}"
}

# attack NAME [SESSION…]: both twins with full and strict, and with those sessions.
attack() {
  name=$1
  shift
  wanted "$name" || return 0
  # run_sandbox has a $session of its own.
  for profile in full strict "$@"; do twins "$name" "$profile"; done
}

# A thousand processes, and what fits into the tree of them with more to tell of each.
fork_storm() {
  wanted fork-storm || return 0
  for profile in full strict; do twins fork-storm "$profile" 400; done
  twins fork-storm thin 1000
}

runsc() {
  # shellcheck disable=SC2086 # words on purpose
  "$RUNSC" --root="$scratch/state" --network=none $flags --overlay2=root:memory "$@"
}

# Programs that come into a running container from outside, without and with a terminal. While the second one lives,
# the dump of its processes is taken too.
exec_session() {
  echo '{"terminal": true, "user": {"uid": 0, "gid": 0}, "args": ["/bin/sh"], "cwd": "/",' \
    '"env": ["PATH=/usr/bin:/bin", "HOME=/root"]}' >"$scratch/terminal.json"
  start_recorder
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/$2.json" 'sleep 6; true' >/dev/null 2>&1 &
  container=$!
  tries=100
  # shellcheck disable=SC2154 # set by run_sandbox, but in a subshell
  while ! runsc list -quiet 2>/dev/null | grep -q . || ! runsc list 2>/dev/null | grep -q running; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || break
    sleep 0.05
  done
  id=$(runsc list -quiet)
  runsc "exec" "$id" /bin/sh -c ': </etc/shadow; cat /etc/hostname' </dev/null >/dev/null 2>&1 || say "exec: $?"
  runsc "exec" -user 33:33 "$id" /bin/true </dev/null >/dev/null 2>&1 || say "exec as 33: $?"
  { sleep 1.2; echo id; sleep 0.2; echo exit; } |
    script -qec "'$RUNSC' --root='$scratch/state' --network=none $flags exec --process='$scratch/terminal.json' $id" \
      /dev/null >/dev/null 2>&1 &
  terminal=$!
  sleep 0.8
  runsc trace procfs "$id" >"$scratch/procfs" 2>&1 || say "trace procfs: $?"
  [ "$2" != full ] || sed "s|$id|CONTAINER|g" "$scratch/procfs" >"tests/data/procfs/$(basename "$folder").txt"
  wait $terminal || true
  wait $container || true
  keep "$1"
}

for name in $("$scratch/rootfs/bin/attack" list); do
  case $name in
    fork-storm) fork_storm ;;
    # Where an exec is all that is watched for.
    bad-name | bad-argv | bad-env | big-argv | memfd-exec | thread-exec) attack "$name" standard ;;
    *) attack "$name" ;;
  esac
done
# Nothing but work, by eight processes and their threads at once: their messages mix.
if wanted busy; then
  # shellcheck disable=SC2016 # expanded in the sandbox
  record busy-benign.strict strict 'for i in 1 2 3 4 5 6 7 8; do
(for j in 1 2 3; do /bin/attack thread-exec; /bin/attack path-race benign 12; done) & done; wait'
fi
if wanted exec-session; then
  mkdir -p tests/data/procfs
  for profile in full strict standard; do
    suffix=$([ "$profile" = full ] || echo ".$profile")
    exec_session "exec-session$suffix" "$profile"
    record "exec-session-benign$suffix" "$profile" "sh -c ': </etc/shadow; cat /etc/hostname'"
  done
fi
say "all: $(cat "$folder"/*.trace | wc -c) bytes"
