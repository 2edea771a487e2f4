#!/bin/sh
# The seed scenario as Falco's documentation has it: Docker with the runtime runsc. usage: docker_test.sh debian|current
# Starts a Docker daemon of its own, in a scratch folder, without networks; the machine's own is not touched.
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
# shellcheck source=tests/e2e/docker_lib.sh
. tests/e2e/docker_lib.sh
have dockerd || skip "no dockerd (package docker.io)"
cleanup_more() { stop_docker; }

"$GYRFALCON" "--gvisor-generate-config=$scratch/run/gvisor.sock" >"$session" || fail "no session config"
start_gyrfalcon -r tests/e2e/rules/below_bin.yaml -r tests/e2e/rules/names.yaml -r tests/e2e/rules/terminal_shell.yaml \
  -g "$session" -o gvisor.runsc="$RUNSC"

start_docker

make_rootfs "$scratch/rootfs"
echo marker >"$scratch/rootfs/etc/marker"
echo 'inside:x:4242:4242::/home/inside:/bin/inside' >>"$scratch/rootfs/etc/passwd"
tar -C "$scratch/rootfs" -c . | $docker import - busybox >/dev/null || fail "docker import failed"
timeout 60 $docker run --rm --runtime=runsc --network=none busybox touch /bin/foo >"$scratch/docker.log" 2>&1 ||
  fail "docker run ended with $?"

# The container's first process: its parent, outside the sandbox, is not known.
check_alert "$(expected_alert 'parent=[^ ]+' 'container=[0-9a-f]{12}')"
check_only_one_alert

# The image's own names of users, by the bundle that containerd made.
timeout 60 $docker run --rm --runtime=runsc --network=none --user=4242:33 busybox cat /etc/marker \
  >"$scratch/docker.log" 2>&1 || fail "docker run as a user ended with $?"
wait_for_line 'user=inside home=/home/inside shell=/bin/inside group=www-data uid=4242$' "$alerts" 10 ||
  fail "the alert does not show the image's own names"

# A shell put into a running container: the alert comes for the one with a terminal.
if have script; then
  $docker run --detach --rm --name=web --runtime=runsc --network=none busybox sleep 60 >"$scratch/docker.log" 2>&1 ||
    fail "docker run --detach ended with $?"
  timeout 60 $docker exec web sh -c 'sleep 1; exit 0' >"$scratch/docker.log" 2>&1 || fail "docker exec ended with $?"
  timeout 60 script -qec "$docker exec --interactive --tty web sleep 1" /dev/null </dev/null >"$scratch/docker.log" 2>&1 ||
    fail "docker exec with a terminal ended with $?"
  ! grep -q 'A shell began' "$alerts" || fail "an alert for what is no shell with a terminal"
  timeout 60 script -qec "$docker exec --interactive --tty web sh -c 'sleep 3; true'" /dev/null </dev/null \
    >"$scratch/docker.log" 2>&1 || fail "docker exec with a terminal ended with $?"
  wait_for_line 'A shell began with a terminal \| .*command=sh -c sleep 3; true terminal=34816 ' \
    "$alerts" 10 || fail "no alert for docker exec with a terminal"
  $docker kill web >"$scratch/docker.log" 2>&1 || fail "docker kill ended with $?"
fi
stop_gyrfalcon
echo "$flags: $(cat "$alerts")"
