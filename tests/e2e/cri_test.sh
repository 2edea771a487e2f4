#!/bin/sh
# Labels, digest and namespaces by the CRI socket of a real containerd. Its pod runs under runc, for its shim for
# gVisor needs more than a test machine has; the sandbox with the same ids is real. usage: cri_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
have containerd || skip "no containerd"
have ctr || skip "no ctr (package containerd)"
have runc || skip "no runc"
[ -x "${CRI_POD:?the program that makes a pod}" ] || die "no program at $CRI_POD"

containerd_pid='' pod_id=''
socket=$scratch/c.sock
cleanup_more() {
  [ -z "$pod_id" ] || "$CRI_POD" "$socket" stop "$pod_id" >/dev/null 2>&1 || true
  [ -z "$containerd_pid" ] || kill "$containerd_pid" 2>/dev/null || true
  remove_sandboxes "$RUNSC" "$scratch/state"
}

cat >"$scratch/config.toml" <<EOF
version = 2
root = "$scratch/root"
state = "$scratch/run"
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/gyrfalcon-e2e/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$scratch/cni"
    conf_dir = "$scratch/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
EOF
containerd -c "$scratch/config.toml" >"$scratch/containerd.log" 2>&1 </dev/null &
containerd_pid=$!
tries=100
until ctr -a "$socket" -n k8s.io images ls -q >/dev/null 2>&1; do
  tries=$((tries - 1))
  if [ $tries -eq 0 ] || ! kill -0 "$containerd_pid" 2>/dev/null; then
    skip "no containerd runs here: $(tail -n 1 "$scratch/containerd.log")"
  fi
  sleep 0.1
done

# import NAME: an image of one layer, whose program sleeps.
import() {
  image=$scratch/image
  mkdir -p "$image/rootfs/bin"
  cp "$(command -v busybox)" "$image/rootfs/bin/sleep"
  tar -C "$image/rootfs" -cf "$image/layer.tar" .
  printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/bin/sleep","1000"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(dpkg --print-architecture)" "$(sha256sum "$image/layer.tar" | cut -d' ' -f1)" >"$image/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$1" >"$image/manifest.json"
  tar -C "$image" -cf "$scratch/image.tar" manifest.json config.json layer.tar
  ctr -a "$socket" -n k8s.io images import --snapshotter native "$scratch/image.tar" >"$scratch/ctr.log" 2>&1 ||
    fail "ctr images import ended with $?"
}
import gyrfalcon-e2e/pause:1
import gyrfalcon-e2e/web:1.2
ids=$("$CRI_POD" "$socket" docker.io/gyrfalcon-e2e/web:1.2 2>"$scratch/cri.log") ||
  skip "containerd starts no pod here: $(tail -n 1 "$scratch/cri.log")"
pod_id=${ids% *}
container_id=${ids#* }

cat >"$scratch/rules.yaml" <<'EOF'
- rule: By the labels of the pod
  desc: What only the CRI socket tells.
  condition: evt.type = execve and k8s.pod.label.tier = front and container.label[team] = blue
  output: >
    labels=%k8s.pod.labels own=%container.labels id=%container.image.id name=%container.name
    network=%container.host_network type=%container.type program=%proc.cmdline
  priority: NOTICE
EOF
"$GYRFALCON" session generate -r "$scratch/rules.yaml" --socket "$scratch/run.sock/gvisor.sock" >"$session" ||
  fail "no session config"
start_gyrfalcon run -r "$scratch/rules.yaml" -g "$session" -o metadata.cri_socket="$socket" -o metadata.wait_ms=5000 \
  -o gvisor.attach=false

make_rootfs "$scratch/rootfs"
mkdir -p "$scratch/state"
for id in $pod_id $container_id; do
  type=container more=', "io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.image-name": "gyrfalcon-e2e/web:1.2"'
  command='true; /bin/ls /etc/passwd; true'
  if [ "$id" = "$pod_id" ]; then
    type=sandbox more='' command='sleep 20'
  fi
  mkdir -p "$scratch/bundles/$id"
  cat >"$scratch/bundles/$id/config.json" <<EOF
{"ociVersion": "1.0.2",
 "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", "$command"], "env": ["PATH=/bin"], "cwd": "/"},
 "root": {"path": "$scratch/rootfs", "readonly": true}, "hostname": "pod",
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]},
 "annotations": {"io.kubernetes.cri.container-type": "$type", "io.kubernetes.cri.sandbox-id": "$pod_id",
  "io.kubernetes.cri.sandbox-name": "web-7d4", "io.kubernetes.cri.sandbox-namespace": "shop"$more}}
EOF
  # shellcheck disable=SC2086 # words on purpose
  timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" \
    create --bundle="$scratch/bundles/$id" "$id" </dev/null >"$scratch/runsc.log" 2>&1 || fail "runsc create ended with $?"
  # shellcheck disable=SC2086 # words on purpose
  timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags start "$id" </dev/null >"$scratch/runsc.log" 2>&1 ||
    fail "runsc start ended with $?"
done
line='labels=app:shop, tier:front own=team:blue id=[0-9a-f]{12} name=web network=true type=containerd program='
wait_for_line "${line}sh -c true" "$alerts" 20 || fail "no alert of the first program, by the labels of its pod"
wait_for_line "${line}ls /etc/passwd" "$alerts" 20 || fail "no alert of the later program"
stop_gyrfalcon
cat "$alerts"
