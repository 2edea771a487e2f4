#!/bin/sh
# Rules on the image, the name and the pod of a container hold for its first program, with every processor busy.
# usage: metadata_test.sh debian|current [STARTS]: so many starts under Docker (10; GYRFALCON_LONG=1: 50)
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/docker_lib.sh
. tests/e2e/docker_lib.sh
starts=10
[ -z "${GYRFALCON_LONG:-}" ] || starts=50
starts=${2:-$starts}
runsc_of "$1"

busy=''
be_idle() {
  for pid in $busy; do kill "$pid" 2>/dev/null || true; done
  busy=''
}
cleanup_more() {
  be_idle
  stop_docker
  remove_sandboxes "$RUNSC" "$scratch/state"
}
be_busy() {
  n=$(nproc)
  while [ "$n" -gt 0 ]; do
    (while :; do :; done) &
    busy="$busy $!"
    n=$((n - 1))
  done
}

# start_it [WRAPPER…]: gyrfalcon with the outputs that a daemon has by itself.
start_it() {
  : >"$log"
  "$@" "$GYRFALCON" run -r tests/e2e/rules/metadata.yaml -g "$session" -o metadata.wait_ms="$wait_ms" \
    -o metadata.docker_socket="$scratch/docker.sock" -o gvisor.attach=false >"$alerts" 2>"$log" &
  daemon=$!
  wait_for_line 'event collection from gVisor is enabled' "$log" 10 || fail "gyrfalcon did not say that it listens"
}

# count REGEX: how many alerts there are of it, once there are $2 of them or none has come for a while.
count() {
  tries=100
  n=0
  while [ "$n" -lt "$2" ] && [ $tries -gt 0 ]; do
    n=$(grep -Ec -- "$1" "$alerts" || true)
    tries=$((tries - 1))
    sleep 0.05
  done
  echo "$n"
}

# run_containers NAME N: so many containers, one after the other, each of which runs two programs.
run_containers() {
  i=0
  while [ $i -lt "$2" ]; do
    i=$((i + 1))
    timeout 120 $docker run --rm --name="$1$i" --label=team=shop --runtime=runsc --network=none gyrfalcon-e2e/web:1.2 \
      sh -c 'true; /bin/ls /etc/passwd; true' >"$scratch/docker.log" 2>&1 || fail "docker run $i ended with $?"
  done
}

# expect_all NAME N: each of them has alerts for its first program and for the one behind it, with its own name.
expect_all() {
  first="first name=$1[0-9]+ image=gyrfalcon-e2e/web:1.2 tag=1.2 type=docker label=shop privileged=$3 program=sh -c"
  n=$(count "$first" "$2")
  [ "$n" -eq "$2" ] || fail "$n of $2 first programs were seen with their image"
  n=$(grep -E "$first" "$alerts" | grep -Eo "name=$1[0-9]+" | sort -u | wc -l)
  [ "$n" -eq "$2" ] || fail "$n names of $2 containers"
  n=$(count "later name=$1[0-9]+ program=ls /etc/passwd" "$2")
  [ "$n" -eq "$2" ] || fail "$n of $2 later programs were seen with their image"
}

wait_ms=5000 # a busy machine is no reason for a test to fail; what really waited is printed
"$GYRFALCON" session generate -r tests/e2e/rules/metadata.yaml --socket "$scratch/run/gvisor.sock" >"$session" ||
  fail "no session config"
make_rootfs "$scratch/rootfs"
start_docker
tar -C "$scratch/rootfs" -c . | $docker import - gyrfalcon-e2e/web:1.2 >/dev/null || fail "docker import failed"

# Docker's own files.
start_it
be_busy
run_containers web "$starts"
expect_all web "$starts" false
be_idle
# Each alert says who, whatever its rule shows.
grep -Eq 'later name=web1 .* container_id=[0-9a-f]{12} container_name=web1 container_image_repository=gyrfalcon-e2e/web container_image_tag=1.2 k8s_pod_name=<NA> k8s_ns_name=<NA>$' \
  "$alerts" || fail "an alert does not say whose it is"
stop_gyrfalcon
held=$(grep -Eo 'messages_held[ =:]+[0-9]+' "$log" | tail -n 1 || true)

# Without them: the list of Docker's daemon. The bundle and runsc's state are out of reach, too.
cat >"$scratch/hide.sh" <<'EOF'
mount -t tmpfs none "$SCRATCH/data/containers" && mount -t tmpfs none "$SCRATCH/exec" && exec "$@"
EOF
start_it env SCRATCH="$scratch" unshare --mount --propagation private sh "$scratch/hide.sh"
run_containers list 3
expect_all list 3 '<NA>'
stop_gyrfalcon
stop_docker

# A pod: runsc's state tells of its second container, the bundle of the first. Real containers of one real sandbox.
start_it
sandbox_id=$(new_container_id)
second_id=$(new_container_id)
# write_bundle ID TYPE NAME COMMAND
write_bundle() {
  mkdir -p "$scratch/bundles/$1"
  cat >"$scratch/bundles/$1/config.json" <<EOF
{"ociVersion": "1.0.2",
 "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", "$4"], "env": ["PATH=/bin"], "cwd": "/"},
 "root": {"path": "$scratch/rootfs", "readonly": true}, "hostname": "pod",
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]},
 "annotations": {"io.kubernetes.cri.container-type": "$2", "io.kubernetes.cri.sandbox-id": "$sandbox_id",
  "io.kubernetes.cri.sandbox-name": "web-7d4", "io.kubernetes.cri.sandbox-namespace": "shop",
  "io.kubernetes.cri.sandbox-uid": "0b9c"$3}}
EOF
}
image=', "io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.25"'
write_bundle "$sandbox_id" sandbox '' 'sleep 20'
write_bundle "$second_id" container "$image" 'true; /bin/ls /etc/passwd; true'
mkdir -p "$scratch/state"
for id in $sandbox_id $second_id; do
  # shellcheck disable=SC2086 # words on purpose
  timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" \
    create --bundle="$scratch/bundles/$id" "$id" </dev/null >"$scratch/runsc.log" 2>&1 || fail "runsc create ended with $?"
  # shellcheck disable=SC2086 # words on purpose
  timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags start "$id" </dev/null >"$scratch/runsc.log" 2>&1 ||
    fail "runsc start ended with $?"
done
pod="pod=web-7d4 ns=shop uid=0b9c sandbox=$sandbox_id"
wait_for_line "$pod name=<NA> image=<NA>:<NA> labels=<NA> container=$sandbox_id program=sh -c sleep 20" "$alerts" 20 ||
  fail "no alert of the pod's own container"
web="$pod name=web image=docker.io/library/nginx:1.25 labels=<NA> container=$second_id"
wait_for_line "$web program=sh -c true" "$alerts" 20 || fail "no alert of the second container's first program"
wait_for_line "$web program=ls /etc/passwd" "$alerts" 20 || fail "no alert of the second container's later program"
stop_gyrfalcon
echo "$starts of $starts starts with every processor busy, 3 of 3 by Docker's list, and a pod; $held"
