#!/bin/sh
# `doctor` on real sandboxes: one that is not traced, one whose listener has gone and one of somebody else are found, and the commands that
# it prints, run as they stand there, mend that. Session configs that it calls silent or refused are so. usage: doctor_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
PATH=$(dirname "$GYRFALCON"):$PATH
export PATH
sandbox_seconds=120

# Not below /tmp, which install refuses: a service with PrivateTmp= has another one.
socket_folder=$(mktemp -d /run/gyrfalcon-e2e.XXXXXX)
cleanup_more() { rm -rf "$socket_folder"; }
rules=$PWD/tests/e2e/rules/below_bin.yaml
# shellcheck disable=SC2016 # expanded inside
waiter='i=1; while :; do if [ -e /tmp/go$i ]; then /bin/touch /bin/foo$i; i=$((i + 1)); fi; sleep 0.1; done'

node=$scratch/node
mkdir -p "$node/etc/docker"
# shellcheck disable=SC2046,SC2086 # words on purpose
printf '{"runtimes": {"runsc": {"path": "%s", "runtimeArgs": ["--network=none"%s]}}}\n' \
  "$RUNSC" "$(printf ', "%s"' $flags)" >"$node/etc/docker/daemon.json"
cat >"$scratch/config.yaml" <<EOF
gvisor:
  socket: $socket_folder/g.sock
  runsc: $RUNSC
  usual_roots: false
rules_files: [$rules]
EOF

# doctor CODE ARGUMENT…: its output is in doctor.log.
doctor() {
  wanted=$1 code=0
  shift
  "$GYRFALCON" doctor --node-root "$node" --root "$scratch/state" --runsc "$RUNSC" -c "$scratch/config.yaml" \
    -g /etc/gyrfalcon/pod-init.json "$@" >"$scratch/doctor.log" 2>&1 || code=$?
  [ $code -eq "$wanted" ] || fail "doctor ended with $code, not $wanted"
}
says() { grep -Eq -- "$1" "$scratch/doctor.log" || fail "the doctor does not say: $1"; }
# mends CHECK: runs what it has printed.
mends() {
  awk -v check="$1" '$1 == "mend:" && mine { sub(/^ *mend: /, ""); print; mine = 0 }
    $1 ~ /^(warning|broken)$/ { mine = $2 == check }' "$scratch/doctor.log" | sort -u >"$scratch/mends"
  [ -s "$scratch/mends" ] || fail "no mend for $1"
  sh -e "$scratch/mends" >"$scratch/mended.log" 2>&1 || fail "a mend of $1 failed: $(cat "$scratch/mends")"
  doctor 0 "$1"
  says "^ok +$1 "
}
go() { "$RUNSC" --root="$scratch/state" exec "$1" touch "/tmp/go$2" >"$scratch/exec.log" 2>&1 || fail "no exec in $1"; }
watch() {
  start_gyrfalcon run -c "$scratch/config.yaml" -g "$node/etc/gyrfalcon/pod-init.json" -o gvisor.attach=false
}

doctor 1 docker session
says '^broken +docker .*the runtime "runsc" names no session config'
mends docker
watch
make_rootfs "$scratch/rootfs"
doctor 0 --prove
says '^ok +platform +a sandbox of .* sent [1-9][0-9]* messages'
says '^ok +runsc .* knows [1-9][0-9]* points'
says '^0 broken, '

start_sandbox '' "$waiter"
need_reach "$id"
doctor 1 sandboxes
says "^broken +sandboxes +sandbox $id below .* runs, and is not traced"
mends sandboxes
go "$id" 1
wait_for_line 'command=touch /bin/foo1' "$alerts" 15 || fail "no alert of the sandbox that was attached by the doctor's command"

# Nobody listens; then again, and the sandbox has to be attached anew.
stop_gyrfalcon
doctor 1 handshake sandboxes
says '^broken +sandboxes .*nobody listens'
watch
doctor 1 sandboxes
mends sandboxes
go "$id" 2
wait_for_line 'command=touch /bin/foo2' "$alerts" 15 || fail "no alert after it was attached again"

# Somebody else's.
somebody_else "$scratch/other" -r "$rules"
start_sandbox "$scratch/other.json" "$waiter"
doctor 1 sandboxes
says "^broken +sandboxes +sandbox $id below .* somebody else, at $scratch/other/gvisor.sock"
mends sandboxes
go "$id" 1
wait_for_line "command=touch /bin/foo1 .* container_id=$(echo "$id" | cut -c1-12)" "$alerts" 15 ||
  fail "no alert of the sandbox that was somebody else's"

# What it says of a session config is what such a sandbox does.
session=$node/etc/gyrfalcon/pod-init.json
cp "$session" "$scratch/right.json"
refused_session
cp "$scratch/refused.json" "$session"
doctor 1 session platform --prove
says '^broken +session .*without ignore_missing its sandboxes send nothing|^broken +session .*does not take the session config'
says '^broken +platform '
sed 's/"ignore_missing"/"no_such_key"/' "$scratch/right.json" >"$session"
doctor 1 session platform --prove
says '^broken +session .*no_such_key'
says '^broken +platform .*no sandbox starts'
mends session
stop_gyrfalcon
echo "$flags: found and mended: a runtime without the session, sandboxes untraced, unheard and somebody else's, a session that runsc refuses"
