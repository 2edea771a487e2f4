#!/bin/sh
# Labels of a pod that change while its sandbox runs, by a real API server, with its RBAC and a token of a service account,
# and the role that the chart makes. There is no kubelet: the sandbox is started by hand, with the pod's uid.
# usage: pod_watch_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
apiserver=$ROOT/build/kube-apiserver/kube-apiserver
etcd=$ROOT/build/kube-apiserver/etcd
{ [ -x "$apiserver" ] && [ -x "$etcd" ]; } || skip "no API server of Kubernetes: $(cat build/kube-apiserver/why-not 2>/dev/null || echo 'run scripts/build-kube-apiserver.sh')"
for program in curl openssl; do
  have $program || skip "no $program (scripts/install-packages.sh apiserver)"
done

etcd_pid='' api_pid=''
cleanup_more() {
  for pid in $api_pid $etcd_pid; do kill -KILL "$pid" 2>/dev/null || true; done
}
port=$((20000 + $$ % 20000))
server=https://127.0.0.1:$port
keys=$scratch/keys
mkdir "$keys"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=apiserver -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$keys/tls.key" -out "$keys/ca.crt" 2>"$scratch/openssl.log"
openssl genrsa -out "$keys/account.key" 2048 2>"$scratch/openssl.log"
openssl rsa -in "$keys/account.key" -pubout -out "$keys/account.pub" 2>"$scratch/openssl.log"
echo 'an-administrator,admin,1,"system:masters"' >"$keys/tokens.csv"

"$etcd" --data-dir "$scratch/etcd" --listen-client-urls "http://127.0.0.1:$((port + 1))" \
  --advertise-client-urls "http://127.0.0.1:$((port + 1))" --listen-peer-urls "http://127.0.0.1:$((port + 2))" \
  --initial-advertise-peer-urls "http://127.0.0.1:$((port + 2))" --initial-cluster "default=http://127.0.0.1:$((port + 2))" \
  >"$scratch/etcd.log" 2>&1 </dev/null &
etcd_pid=$!

# api METHOD PATH [BODY]: as the administrator; the answer on standard output.
api() {
  curl --silent --show-error --fail --max-time 20 --cacert "$keys/ca.crt" -H 'Authorization: Bearer an-administrator' \
    -H "Content-Type: ${content:-application/json}" -X "$1" "$server$2" ${3:+--data-binary "$3"}
}
start_api() {
  "$apiserver" --etcd-servers="http://127.0.0.1:$((port + 1))" --secure-port=$port --bind-address=127.0.0.1 \
    --advertise-address=127.0.0.1 --tls-cert-file="$keys/ca.crt" --tls-private-key-file="$keys/tls.key" --cert-dir="$keys" \
    --service-cluster-ip-range=10.0.0.0/24 --service-account-issuer=https://kubernetes.default.svc \
    --service-account-signing-key-file="$keys/account.key" --service-account-key-file="$keys/account.pub" \
    --token-auth-file="$keys/tokens.csv" --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount \
    >"$scratch/apiserver.log" 2>&1 </dev/null &
  api_pid=$!
  tries=600
  until api GET /readyz >"$scratch/ready" 2>"$scratch/curl.log"; do
    tries=$((tries - 1))
    if [ $tries -eq 0 ] || ! kill -0 "$api_pid" 2>/dev/null; then fail "the API server does not run"; fi
    sleep 0.1
  done
}
start_api

# The account of the chart's golden manifest.
api POST /api/v1/namespaces '{"metadata": {"name": "gyrfalcon"}}' >"$scratch/made" || fail "no namespace"
api POST /api/v1/namespaces '{"metadata": {"name": "shop"}}' >"$scratch/made" || fail "no namespace"
api POST /api/v1/namespaces/gyrfalcon/serviceaccounts '{"metadata": {"name": "watcher"}}' >"$scratch/made" || fail "no account"
api POST /api/v1/namespaces/gyrfalcon/serviceaccounts/watcher/token '{"spec": {"expirationSeconds": 3600}}' >"$scratch/made" ||
  fail "no token"
sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' "$scratch/made" >"$keys/token"
[ -s "$keys/token" ] || fail "no token in the answer"

# make_pod NAME NODE: its uid.
make_pod() {
  api POST /api/v1/namespaces/shop/pods '{"metadata": {"name": "'"$1"'", "labels": {"app": "shop", "owner": "pool"}},
    "spec": {"nodeName": "'"$2"'", "automountServiceAccountToken": false, "containers": [{"name": "web", "image": "web:1"}]}}' \
    >"$scratch/made" || fail "no pod $1"
  sed -n 's/.*"uid": *"\([^"]*\)".*/\1/p' "$scratch/made" | head -n 1
}
# label_pod NAME OWNER
label_pod() {
  content=application/merge-patch+json api PATCH "/api/v1/namespaces/shop/pods/$1" '{"metadata": {"labels": {"owner": "'"$2"'"}}}' \
    >"$scratch/made" || fail "no label of pod $1"
}
uid=$(make_pod web-1 node-1)
[ -n "$uid" ] || fail "no uid of the pod"
make_pod elsewhere node-2 >"$scratch/other"

cat >"$scratch/rules.yaml" <<'EOF'
- rule: Of alice
  desc: By a label that comes later.
  condition: evt.type = execve and proc.name = ls and k8s.pod.label.owner = alice
  output: alice runs %proc.cmdline labels=%k8s.pod.labels
  priority: NOTICE
- rule: Whoever
  desc: With the labels as they are.
  condition: evt.type = execve and proc.name = ls
  output: labels=%k8s.pod.labels pod=%k8s.pod.name
  priority: NOTICE
EOF
"$GYRFALCON" session generate -r "$scratch/rules.yaml" --socket "$scratch/run.sock/gvisor.sock" >"$session" || fail "no session config"
start_gyrfalcon run -r "$scratch/rules.yaml" -g "$session" -o gvisor.attach=false -o alerts.per_rule_burst=0 \
  -o metadata.pods.watch=true -o metadata.pods.node=node-1 -o metadata.pods.server="$server" \
  -o metadata.pods.token_file="$keys/token" -o metadata.pods.ca_file="$keys/ca.crt"

wait_for_line 'status 403: .*; a ClusterRole must allow its service account to list and watch pods' "$log" 10 ||
  fail "that the account may do nothing is not told"
# doc_of KIND: of the golden manifest.
doc_of() { awk -v kind="$1" 'BEGIN { RS = "---\n" } index($0, "\nkind: " kind "\n") { print }' tests/helm/golden/pod-watch.yaml; }
for kind in ClusterRole ClusterRoleBinding; do
  path=/apis/rbac.authorization.k8s.io/v1/$(echo "$kind" | tr '[:upper:]' '[:lower:]')s
  content=application/yaml api POST "$path" "$(doc_of $kind)" >"$scratch/made" || fail "no $kind"
done
wait_for_line "labels of this node's pods are watched at the API server" "$log" 20 || fail "the pods are not watched"

make_rootfs "$scratch/rootfs"
mkdir -p "$scratch/bundle"
cat >"$scratch/bundle/config.json" <<EOF
{"ociVersion": "1.0.2",
 "process": {"user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", "while true; do /bin/ls /etc/passwd; sleep 0.2; done"],
  "env": ["PATH=/bin"], "cwd": "/"},
 "root": {"path": "$scratch/rootfs", "readonly": true}, "hostname": "pod",
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]},
 "annotations": {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "pod-1",
  "io.kubernetes.cri.sandbox-uid": "$uid", "io.kubernetes.cri.sandbox-name": "web-1", "io.kubernetes.cri.sandbox-namespace": "shop"}}
EOF
# shellcheck disable=SC2086 # words on purpose
timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$session" \
  create --bundle="$scratch/bundle" pod-1 </dev/null >"$scratch/runsc.log" 2>&1 || fail "runsc create ended with $?"
# shellcheck disable=SC2086 # words on purpose
timeout 60 "$RUNSC" --root="$scratch/state" --network=none $flags start pod-1 </dev/null >"$scratch/runsc.log" 2>&1 ||
  fail "runsc start ended with $?"

wait_for_line 'labels=app:shop, owner:pool pod=web-1' "$alerts" 20 || fail "not the labels that the pod was made with"
! grep -q 'alice' "$alerts" || fail "alice came too early"
label_pod web-1 alice
wait_for_line 'alice runs ls /etc/passwd labels=app:shop, owner:alice' "$alerts" 10 || fail "the new label is not seen"

kill -KILL "$api_pid"
wait "$api_pid" 2>/dev/null || true
tries=200
until [ "$(grep -c 'labels of pods are not watched' "$log")" -ge 2 ]; do
  tries=$((tries - 1))
  [ $tries -gt 0 ] || fail "that the API server is away is not told"
  sleep 0.1
done
start_api
label_pod web-1 bob
wait_for_line 'labels=app:shop, owner:bob pod=web-1' "$alerts" 90 || fail "after the API server was away the label is not seen"
grep -q 'owner:pool' "$alerts" || fail "alerts are gone"

# pod_changes: as the daemon counts them.
pod_changes() { "$GYRFALCON" status --json --socket "$scratch/run.sock/gvisor.sock" | sed -n 's/.*"pod_changes": *\([0-9]*\).*/\1/p' | head -n 1; }
api DELETE '/api/v1/namespaces/shop/pods/web-1?gracePeriodSeconds=0' >"$scratch/made" || fail "the pod is not deleted"
# What is told of another pod is told behind it.
before=$(pod_changes)
make_pod web-2 node-1 >"$scratch/other"
tries=100
until [ "$(pod_changes)" -gt "$before" ]; do
  tries=$((tries - 1))
  [ $tries -gt 0 ] || fail "the next pod is not seen"
  sleep 0.1
done
: >"$alerts"
wait_for_line 'labels=app:shop, owner:bob pod=web-1' "$alerts" 10 || fail "what still runs has lost the labels of its pod"
stop_gyrfalcon
