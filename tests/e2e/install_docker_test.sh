#!/bin/sh
# `install docker` with a Docker daemon and runsc: dry run, proof, reload, alert, undo byte for byte, somebody else's edit in
# between, a reload that Docker refuses. usage: install_docker_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/docker_lib.sh
. tests/e2e/docker_lib.sh
runsc_of "$1"

# Not below /tmp, which install refuses: a service with PrivateTmp= has another one.
socket_folder=$(mktemp -d /run/gyrfalcon-e2e.XXXXXX)
cleanup_more() {
  rm -rf "$socket_folder"
  stop_docker
}

# One of its own, for it is replaced below.
runsc=$scratch/runsc
cp "$RUNSC" "$runsc"
# Laid out by hand, and without a newline at its end.
config=$scratch/daemon.json
# shellcheck disable=SC2046,SC2086 # words on purpose
printf '{ "labels" : ["a=b"],\n\t"runtimes": {\n\t\t"runsc":   {"path": "%s",\n\t\t\t"runtimeArgs": [ "--network=none"%s ] }}}' \
  "$runsc" "$(printf ', "%s"' $flags)" >"$config"
cp "$config" "$scratch/original"

start_dockerd "$config"
make_rootfs "$scratch/rootfs"
tar -C "$scratch/rootfs" -c . | $docker import - busybox >/dev/null || fail "docker import failed"

# Both find the daemon and its config by DOCKER_HOST.
install() {
  "$GYRFALCON" install docker --session-config="$session" "$@" >"$scratch/install.log" 2>&1
}
args() { $docker info --format '{{json .Runtimes.runsc}}' 2>/dev/null; }
same() { cmp -s "$1" "$2" || fail "$3: $(diff "$1" "$2")"; }

$docker run --detach --name=before --runtime=runsc --network=none busybox sleep 300 >"$scratch/docker.log" 2>&1 ||
  fail "docker run --detach ended with $?"

install --dry-run --socket="$socket_folder/gvisor.sock" || fail "install --dry-run ended with $?"
grep -q "^+.*--pod-init-config=$session" "$scratch/install.log" || fail "the dry run shows no diff"
same "$scratch/original" "$config" "a dry run changed daemon.json"
[ ! -e "$session" ] || fail "a dry run wrote the session config"

install --prove --socket="$socket_folder/gvisor.sock" -r tests/e2e/rules/below_bin.yaml || fail "install ended with $?"
grep -q 'proven: a sandbox of .* sent [1-9]' "$scratch/install.log" || fail "nothing was proven"
grep -q 'nobody listens at' "$scratch/install.log" || fail "it did not say that nobody listens"
args | grep -q -- "--pod-init-config=$session" || fail "docker info does not show the session config: $(args)"
[ "$($docker inspect --format '{{.State.Running}}' before)" = true ] || fail "a container that ran was stopped"
cp "$config" "$scratch/installed"

start_gyrfalcon -r tests/e2e/rules/below_bin.yaml -g "$session" -o gvisor.runsc="$RUNSC" -o gvisor.usual_roots=false
timeout 60 $docker run --rm --runtime=runsc --network=none busybox touch /bin/foo >"$scratch/docker.log" 2>&1 ||
  fail "docker run ended with $?"
check_alert "$(expected_alert 'parent=[^ ]+' 'container=[0-9a-f]{12}')"

# Again: nothing to do.
install --socket="$socket_folder/gvisor.sock" -r tests/e2e/rules/below_bin.yaml || fail "a second install ended with $?"
grep -q 'all is as it is to be already' "$scratch/install.log" || fail "a second install found something to do"
same "$scratch/installed" "$config" "a second install changed daemon.json"

# The runtime loses it: `runsc install`, run again, writes the runtime anew.
# shellcheck disable=SC2086 # words on purpose
"$runsc" $flags install --config_file="$config" -- --network=none $flags >"$scratch/runsc.log" 2>&1 </dev/null ||
  fail "runsc install ended with $?"
wait_for_line 'gyrfalcon: runtime no longer configured: .*gyrfalcon_setup_file='"$config"' .*runtime runsc without --pod-init-config' \
  "$alerts" 40 || fail "no alert for the runtime that lost the session config"
cp "$scratch/installed" "$config"
wait_for_line 'is as .gyrfalcon install. left it again' "$log" 20 || fail "it was not seen that the runtime has it again"
# The session config goes.
cp "$session" "$scratch/session.was"
rm "$session"
wait_for_line 'was gone, and is written again' "$log" 20 || fail "the session config that was removed was not written again"
same "$scratch/session.was" "$session" "written again, the session config is another one"
# runsc is replaced by one that knows other points.
other=/usr/bin/runsc
[ "$1" = current ] || other=$ROOT/build/runsc-current/runsc
if [ -x "$other" ]; then
  cp "$other" "$runsc.new" && mv "$runsc.new" "$runsc"
  wait_for_line 'is another one than the session config was made for' "$log" 40 || fail "it was not seen that runsc was replaced"
  wait_for_line 'was made anew for it|is right for it as it is' "$log" 40 || fail "the session config was not made anew"
  cp "$RUNSC" "$runsc.new" && mv "$runsc.new" "$runsc"
fi

install --undo || fail "install --undo ended with $?"
same "$scratch/original" "$config" "undone, daemon.json is not what it was"
if args | grep -q pod-init-config; then fail "docker info still has the session config: $(args)"; fi
[ "$($docker inspect --format '{{.State.Running}}' before)" = true ] || fail "the undo stopped a container"
stop_gyrfalcon
# Whoever still names the session config can start: it asks for nothing.
# shellcheck disable=SC2086 # words on purpose
timeout 30 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" "do" true \
  >"$scratch/runsc.log" 2>&1 </dev/null || fail "no sandbox starts with the session config that --undo leaves"
timeout 60 $docker run --rm --runtime=runsc --network=none busybox true >"$scratch/docker.log" 2>&1 ||
  fail "after the undo, docker run ended with $?"

# Somebody else's edit in between stays.
install --socket="$socket_folder/gvisor.sock" || fail "the install after the undo ended with $?"
sed -i 's/^{ "labels" : \["a=b"\],/{ "labels" : ["a=b"], "experimental": false,/' "$config"
sed 's/^{ "labels" : \["a=b"\],/{ "labels" : ["a=b"], "experimental": false,/' "$scratch/original" >"$scratch/edited"
install --undo || fail "the undo after somebody else's edit ended with $?"
same "$scratch/edited" "$config" "somebody else's edit did not survive"

# A daemon.json that dockerd does not take (a flag of its own stands in it): put back, nothing half done.
sed 's/^{ "labels"/{ "iptables": false, "labels"/' "$scratch/original" >"$config"
cp "$config" "$scratch/refused"
status=0
install --socket="$socket_folder/gvisor.sock" || status=$?
[ $status -eq 3 ] || fail "an install that Docker refuses ended with $status"
grep -q 'so it was put back.*a restart would stop a container: before' "$scratch/install.log" ||
  fail "it does not say that it was put back, and what a restart would stop"
same "$scratch/refused" "$config" "what Docker refuses was not put back"
[ ! -e "$STATE_DIRECTORY/install/docker.json" ] || fail "a record is left of an install that was put back"
$docker kill before >"$scratch/docker.log" 2>&1 || fail "docker kill ended with $?"

# Where daemon.json had no runtime before, dockerd keeps at the reload the one that the undo takes out.
printf '{"log-driver": "json-file"}\n' >"$config"
cp "$config" "$scratch/bare"
# shellcheck disable=SC2046,SC2086 # words on purpose
install --socket="$socket_folder/gvisor.sock" --runsc="$RUNSC" --runtime-arg=--network=none \
  $(printf -- '--runtime-arg=%s ' $flags) || fail "the install into a daemon.json without runtimes ended with $?"
args | grep -q -- "--pod-init-config=$session" || fail "docker info does not show the added runtime: $(args)"
install --undo || fail "the undo back to a daemon.json without runtimes ended with $?"
grep -q 'Docker keeps the runtime runsc .*until its next restart' "$scratch/install.log" ||
  fail "it does not say that Docker keeps the runtime"
grep -q 'asks for nothing any more' "$scratch/install.log" || fail "it does not say that the session config asks for nothing"
same "$scratch/bare" "$config" "undone, a daemon.json without runtimes is not what it was"
[ ! -e "$STATE_DIRECTORY/install/docker.json" ] || fail "a record is left of an install that was undone"
timeout 60 $docker run --rm --runtime=runsc --network=none busybox true >"$scratch/docker.log" 2>&1 ||
  fail "with the runtime that Docker keeps, docker run ended with $?"
echo "install, alert, undo: $(cat "$alerts")"
