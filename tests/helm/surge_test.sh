#!/bin/sh
# The pods of the chart's DaemonSet while it is rolled out, on the scratch layout of a GKE node: mount namespaces for the node and each
# pod, PID namespaces as said. kubelet's part (restart whatever ends, until the pod is deleted) and the shim's (pod-init-config of its
# TOML becomes runsc's flag) are played here; daemon, runsc and sandboxes are real. usage: surge_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
if [ -z "${GYRFALCON_NODE:-}" ]; then
  is_root || skip 'not root: sandboxes and namespaces need it'
  unshare -m -p --fork true 2>/dev/null || skip 'no namespaces can be made here'
  GYRFALCON_NODE=$scratch/node
  export GYRFALCON_NODE
  mkdir -p "$scratch/node/run/containerd/runsc/k8s.io" "$scratch/node/run/containerd/io.containerd.runtime.v2.task" "$scratch/node/run/gyrfalcon" \
    "$scratch/node/home/containerd/usr/local/sbin" "$scratch/node/var/lib/gyrfalcon"
  status=0
  # shellcheck disable=SC2016 # expanded inside
  unshare -m sh -c '
    mount --make-rprivate / && mount --bind "$GYRFALCON_NODE/run" /run && mount --bind "$GYRFALCON_NODE/home" /home &&
      mount --bind "$GYRFALCON_NODE/var/lib" /var/lib && exec sh "$@"' sh "$0" "$@" || status=$?
  exit $status
fi

# Here / has the folders of a GKE node.
runsc_of "$1"
manifest=tests/helm/golden/gke.yaml
node_runsc=/home/containerd/usr/local/sbin/runsc
cp "$RUNSC" $node_runsc
RUNSC=$node_runsc
state=/run/containerd/runsc/k8s.io
toml=/run/containerd/runsc/config.toml
socket=/run/gyrfalcon/gvisor.sock
printf '# as GKE has it\n[runsc_config]\n  platform = "systrap"\n' >$toml

# The manifest's args; a rule of the test's own, and what the other pods of the machine should not disturb.
args=$(awk '/^kind: DaemonSet/ { ++sets } sets == 1 && $1 == "args:" { inside = 1; next } sets == 1 && inside && $1 != "-" { exit }
  inside { print $2 }' $manifest)
echo "$args" | grep -qx -- --takeover || fail "no --takeover among the manifest's args: $args"
cat >/var/lib/gyrfalcon/rules.yaml <<'RULES'
- rule: Numbered
  desc: every file that the loop makes
  condition: evt.type in (open, openat, creat) and evt.is_open_write = true and fd.name startswith /tmp/n.
  output: told=%fd.name by=%proc.name in=%container.id
  priority: WARNING
RULES

# pod NAME host|own: its container is started, and whenever it ends started again, until the pod is deleted.
pod() {
  mkdir -p "$scratch/$1/root"
  : >"$scratch/$1/starts"
  (
    while [ ! -e "$scratch/$1/deleted" ]; do
      own=''
      [ "$2" = host ] || own='-p --fork --kill-child'
      # shellcheck disable=SC2086,SC2046 # words on purpose
      unshare -m $own sh tests/helm/pod.sh $manifest "$scratch/$1/root" "$2" "$1" /usr/bin/gyrfalcon \
        $(echo "$args" | sed "s/^\$(GYRFALCON_INSTANCE)\$/$1/") -r /var/lib/gyrfalcon/rules.yaml $faster >>"$scratch/alerts.$1" 2>>"$scratch/$1.log" &
      echo "$! $2" >"$scratch/$1/process"
      echo start >>"$scratch/$1/starts"
      wait $! || true
      sleep 0.3
    done
  ) >"$scratch/$1/log" 2>&1 &
}
faster='-o gvisor.runsc_toml_interval_ms=500 -o gvisor.reconcile_interval_ms=1000 -o gvisor.watch_interval_ms=500 -o webserver.enabled=false'
starts() { wc -l <"$scratch/$1/starts"; }
# pid_of NAME: the daemon's, as seen from here; false until it is the daemon.
pid_of() {
  [ -s "$scratch/$1/process" ] || return 1
  read -r pid pids <"$scratch/$1/process"
  if [ "$pids" = own ]; then pid=$(cut -d ' ' -f 1 "/proc/$pid/task/$pid/children" 2>/dev/null); fi
  [ "$(tr '\0' '\n' 2>/dev/null <"/proc/${pid:-self}/cmdline" | head -n 1)" = /usr/bin/gyrfalcon ] || return 1
  echo "$pid"
}
# probe NAME: the manifest's, in the pod.
probe() {
  : >"$scratch/probe"
  pid=$(pid_of "$1") || return 1
  GYRFALCON_INSTANCE=$1 timeout 5 nsenter -t "$pid" -m -r /usr/bin/gyrfalcon status --socket $socket --instance >"$scratch/probe" 2>&1
}
# probe_says NAME WORDS: within ten seconds.
probe_says() {
  tries=100
  until probe "$1" && grep -q "$2" "$scratch/probe"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "the probe of $1 does not say '$2' but: $(cat "$scratch/probe")"
    sleep 0.1
  done
}
delete_pod() {
  : >"$scratch/$1/deleted"
  pid=$(pid_of "$1") || fail "pod $1 has no process"
  kill -TERM "$pid"
  tries=100
  while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "pod $1 does not end"
    sleep 0.1
  done
}
cleanup_more() {
  for name in a b c d; do
    [ -d "$scratch/$name" ] || continue
    : >"$scratch/$name/deleted"
    read -r pid pids <"$scratch/$name/process" || continue
    kill -KILL "$pid" || true # a PID namespace goes with its first process' parent: --kill-child
  done 2>/dev/null
  sleep 0.5
  remove_sandboxes $node_runsc $state
  rm -rf "$state.bundles"
}

# The shim's part: what the TOML says at this sandbox's start.
sandbox() {
  session=$(sed -n 's/^ *pod-init-config = "\(.*\)"$/\1/p' $toml)
  [ -n "$session" ] || fail 'the TOML names no session config'
  sandbox_seconds=120 run_sandbox $RUNSC "$flags" $state "$scratch/rootfs" "$session" "$1" >"$scratch/runsc.log" 2>&1 &
  sandbox=$!
}
# told_more NAME: alerts of that pod grow.
told_more() {
  count=$(wc -l <"$scratch/alerts.$1")
  tries=200
  until [ "$(wc -l <"$scratch/alerts.$1")" -gt "$count" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "pod $1 tells nothing"
    sleep 0.1
  done
}

make_rootfs "$scratch/rootfs"
pod a host
probe_says a listens
# The daemon has made the session config, and named it in the shim's TOML; who writes that anew has not the last word.
keeps_toml() {
  wait_for_line '^ *pod-init-config = "/var/lib/gyrfalcon/pod-init.json"$' $toml 10 || fail "the TOML does not name the session config: $(cat $toml)"
}
keeps_toml
grep -q '^# as GKE has it$' $toml || fail "the TOML has lost its comment: $(cat $toml)"
printf '# made anew\n[runsc_config]\n  platform = "systrap"\n' >$toml
keeps_toml
# So does the session config, without which no sandbox would start; this runsc was asked whether it takes it.
rm /var/lib/gyrfalcon/pod-init.json
wait_for_line 'pod-init.json was gone, and is written again' "$scratch/a.log" 10 || fail 'the session config does not come back'
! grep 'not known whether runsc takes' "$scratch/a.log" || fail 'runsc could not be asked about the session config'
# shellcheck disable=SC2016 # expanded inside
sandbox 'i=0; while [ $i -lt 100000 ]; do : >/tmp/n.$i; i=$((i + 1)); sleep 0.02; done'
wait_for_line told= "$scratch/alerts.a" 20 || fail 'the sandbox is not heard'

# The surge: the new pod is beside the old one, and takes over. kubelet has nothing to restart.
pod b host
probe_says b listens
told_more b
probe_says a 'stands by'
sleep 2
[ "$(starts a) $(starts b)" = '1 1' ] || fail "containers were restarted: a $(starts a), b $(starts b) starts"
# The old container ends all the same, and comes back: it must not take the sandboxes.
before=$(wc -l <"$scratch/alerts.a")
kill -KILL "$(pid_of a)"
sleep 1
probe_says a 'stands by'
[ "$(starts a)" -eq 2 ] || fail "pod a was started $(starts a) times"
told_more b
[ "$(wc -l <"$scratch/alerts.a")" -eq "$before" ] || fail 'the restarted old pod has the sandbox again'
seen_until=$(sed -n 's|.*told=/tmp/n\.\([0-9]*\) .*|\1|p' "$scratch/alerts.b" | sort -n | tail -n 1)

# The new one dies: the old one is there at once, and gives everything back when the new one is back.
kill -KILL "$(pid_of b)"
probe_says b listens
[ "$(starts b)" -eq 2 ] || fail "pod b was started $(starts b) times"
probe_says a 'stands by'
grep -q 'the newer instance does not listen any more' "$scratch/a.log" || fail 'the old one has not noticed'
told_more b

# The rollout ends: the old pod is deleted, the new one goes on. Two more, with PID namespaces of their own, where less can be
# seen (docs/kubernetes.md, hostPID), but taken over all the same.
delete_pod a
told_more b
before=b
for next in c d; do
  pod $next own
  probe_says $next listens
  told_more $next
  probe_says $before 'stands by'
  delete_pod $before
  told_more $next
  probe_says $next listens
  before=$next
done

# Up to the kill of pod b nothing was missing, and nothing was told twice (the same alert may come again after a kill: docs/delivery.md).
sort -u "$scratch/alerts.a" "$scratch/alerts.b" | sed -n 's|.*told=/tmp/n\.\([0-9]*\) .*|\1|p' |
  awk -v last="$seen_until" '$1 <= last' | sort -n >"$scratch/told"
files=$(uniq "$scratch/told" | wc -l)
[ "$files $(wc -l <"$scratch/told")" = "$((seen_until + 1)) $((seen_until + 1))" ] ||
  fail "$files of $((seen_until + 1)) files told, by $(wc -l <"$scratch/told") alerts"
kill -0 $sandbox 2>/dev/null || fail 'the sandbox ended before its time'
delete_pod d

# No daemon any more, and the TOML still names the session config: a sandbox starts, unwatched.
sandbox true
wait $sandbox || fail "without a daemon no sandbox starts: $(cat "$scratch/runsc.log")"

# What the chart's cleanup runs on each node before it is deleted.
cleaned='the cleanup was not tried, for this program has no install command'
if "$GYRFALCON" install containerd --help >"$scratch/help" 2>&1; then
  undo=$(awk '$2 == "name:" && $3 == "undo-0" { inside = 1 } inside && $1 == "args:" { args = 1; next } args && $1 != "-" { exit } args { print $2 }' $manifest)
  mkdir -p "$scratch/cleanup"
  # shellcheck disable=SC2086 # words on purpose
  unshare -m sh tests/helm/pod.sh $manifest "$scratch/cleanup" host cleanup /usr/bin/gyrfalcon $undo >"$scratch/cleanup.log" 2>&1 ||
    fail "the cleanup ended with $?"
  ! grep pod-init-config $toml || fail 'the cleanup has left pod-init-config in the TOML'
  grep -q '^# made anew$' $toml || fail "the TOML has lost its comment: $(cat $toml)"
  [ -s /var/lib/gyrfalcon/pod-init.json ] || fail 'the cleanup has removed the session config'
  cleaned='the cleanup took the line out'
fi
echo "$flags: files 0 to $seen_until told once each by pods a and b; a restarted old pod takes nothing back; $cleaned; $(
  grep -ho 'not read for [0-9.]* ms' "$scratch"/*.log | tr '\n' ';')"
