#!/bin/sh
# `install` on the files alone: containerd's and GKE's layout in a scratch root, and what must be refused without a trace. GKE's is
# its layout only, rebuilt here; no GKE node runs. usage: install_files_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

node=$scratch/node
install() {
  "$GYRFALCON" install "$@" >"$scratch/install.log" 2>&1
}
same() { cmp -s "$1" "$2" || fail "$3: $(diff "$1" "$2")"; }
# refused CODE REGEX ARGUMENT…: with that exit code and reason, and every file in the node as it was, no other beside it.
refused() {
  code=$1 reason=$2
  shift 2
  snapshot >"$scratch/was"
  status=0
  install "$@" || status=$?
  [ $status -eq "$code" ] || fail "install $* ended with $status, not $code"
  grep -Eq -- "$reason" "$scratch/install.log" || fail "install $* does not say $reason"
  snapshot >"$scratch/is"
  same "$scratch/was" "$scratch/is" "install $*, which failed, left something"
}
snapshot() { (cd "$node" && find . -type f ! -path './proc/*' | sort | xargs -r md5sum); }
# A sandbox starts with the session config that the file names, below the node's root.
starts_with() {
  # shellcheck disable=SC2086 # words on purpose
  timeout 30 "$RUNSC" --root="$scratch/state" --network=none $flags --pod-init-config="$node$1" "do" true \
    >"$scratch/runsc.log" 2>&1 </dev/null || fail "no sandbox starts with $1"
}

# --- containerd, config version 2, two runtimes of gVisor, one with a TOML of its own
mkdir -p "$node/etc/containerd" "$node/usr/local/bin" "$node/run/containerd/runsc"
ln "$RUNSC" "$node/usr/local/bin/runsc" 2>/dev/null || cp "$RUNSC" "$node/usr/local/bin/runsc"
cat >"$node/etc/containerd/config.toml" <<'END'
version = 2
# the node's own
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
  runtime_type = "io.containerd.runsc.v1"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc-debug]
  runtime_type = "io.containerd.runsc.v1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc-debug.options]
    TypeUrl = "io.containerd.runsc.v1.options"
    ConfigPath = "/etc/containerd/debug.toml"
END
printf 'log_level = "debug"\n[runsc_config] # flags\n  debug = "true"' >"$node/etc/containerd/debug.toml"
cp -a "$node" "$scratch/node.was"
install containerd --root="$node" --dry-run || fail "install containerd --dry-run ended with $?"
grep -q '^+ *ConfigPath = "/etc/containerd/runsc.toml"' "$scratch/install.log" || fail "the dry run shows no ConfigPath"
[ ! -e "$node/etc/gyrfalcon" ] || fail "a dry run wrote something"
# written: the files in the order in which they are written.
written() { sed -n 's/^+++ \(.*\)/\1/p' "$scratch/install.log" | tr '\n' ' '; }
first=/etc/containerd/runsc.toml main=/etc/containerd/config.toml
case $(written) in *"$first "*"$main "*) ;; *) fail "config.toml names a TOML before it is there: $(written)" ;; esac
install containerd --root="$node" || fail "install containerd ended with $?"
for toml in runsc debug; do
  grep -q '^ *pod-init-config = "/etc/gyrfalcon/pod-init.json"$' "$node/etc/containerd/$toml.toml" ||
    fail "$toml.toml has no session config"
done
grep -q 'endpoint": "/run/gyrfalcon/gvisor.sock"' "$node/etc/gyrfalcon/pod-init.json" || fail "no session config was written"
if grep -Eq 'containerd needs no restart|systemctl restart' "$scratch/install.log"; then fail "a copy of a node was told to restart"; fi
install containerd --root="$node" || fail "a second install ended with $?"
grep -q 'all is as it is to be already' "$scratch/install.log" || fail "a second install found something to do"
# Somebody else edits one of them in between.
sed -i 's/^  debug = "true"/  debug = "false"/' "$node/etc/containerd/debug.toml"
install containerd --root="$node" --undo || fail "install containerd --undo ended with $?"
case $(written) in *"$main "*"$first "*) ;; *) fail "the undo touches a TOML that config.toml still names: $(written)" ;; esac
same "$scratch/node.was/etc/containerd/config.toml" "$node/etc/containerd/config.toml" "undone, config.toml is not what it was"
printf 'log_level = "debug"\n[runsc_config] # flags\n  debug = "false"' >"$scratch/edited"
same "$scratch/edited" "$node/etc/containerd/debug.toml" "somebody else's edit did not survive"
# containerd names it until it is restarted.
grep -q '^# Empty on purpose' "$node/etc/containerd/runsc.toml" || fail "runsc's TOML is gone"
starts_with /etc/gyrfalcon/pod-init.json

# --- version 3, a runtime in an imported file
rm -rf "${node:?}/etc" "${node:?}/var"
mkdir -p "$node/etc/containerd/conf.d"
printf 'version = 3\nimports = ["conf.d/*.toml"]\n' >"$node/etc/containerd/config.toml"
printf "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.sandboxed]\nruntime_type = 'io.containerd.runsc.v1'\n" \
  >"$node/etc/containerd/conf.d/gvisor.toml"
cp "$node/etc/containerd/conf.d/gvisor.toml" "$scratch/original"
install containerd --root="$node" || fail "install with an import ended with $?"
grep -q 'ConfigPath = "/etc/containerd/runsc.toml"' "$node/etc/containerd/conf.d/gvisor.toml" || fail "the imported file was not seen"
install containerd --root="$node" --undo || fail "its undo ended with $?"
same "$scratch/original" "$node/etc/containerd/conf.d/gvisor.toml" "undone, the imported file is not what it was"

# --- GKE's layout: config.toml names a TOML below /run, which may lie there alone, too
rm -rf "${node:?}/etc" "${node:?}/var" "${node:?}/usr"
mkdir -p "$node/etc/containerd" "$node/home/containerd/usr/local/sbin"
ln "$RUNSC" "$node/home/containerd/usr/local/sbin/runsc" 2>/dev/null || cp "$RUNSC" "$node/home/containerd/usr/local/sbin/runsc"
cat >"$node/etc/containerd/config.toml" <<'END'
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.gvisor]
  runtime_type = "io.containerd.runsc.v1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.gvisor.options]
    TypeUrl = "io.containerd.runsc.v1.options"
    ConfigPath = "/run/containerd/runsc/config.toml"
END
printf 'binary_name = "/home/containerd/usr/local/sbin/runsc"\n[runsc_config]\n  platform = "systrap"\n' \
  >"$node/run/containerd/runsc/config.toml"
cp "$node/run/containerd/runsc/config.toml" "$scratch/original"
for way in '' --runsc-config=/run/containerd/runsc/config.toml; do
  install containerd --root="$node" ${way:+"$way"} || fail "install on GKE's layout ended with $?"
  grep -q '^  pod-init-config = "/etc/gyrfalcon/pod-init.json"$' "$node/run/containerd/runsc/config.toml" || fail "GKE's TOML was not seen"
  install containerd --root="$node" --undo || fail "its undo ended with $?"
  same "$scratch/original" "$node/run/containerd/runsc/config.toml" "undone, GKE's TOML is not what it was"
done

# --- a session config that somebody else wrote: kept by install, and by the undo, with a record and without
mine=$node/etc/gyrfalcon/pod-init.json
printf '{"trace_session":{"name":"Default","points":[{"name":"container/start"}],"sinks":[{"name":"remote","config":{"endpoint":"/run/x.sock"}}]}}' \
  >"$mine"
cp "$mine" "$scratch/mine"
install containerd --root="$node" || fail "install with somebody else's session config ended with $?"
grep -q "pod-init.json is not of install's making" "$scratch/install.log" || fail "install does not say that it keeps the session config"
for record in there none; do
  install containerd --root="$node" --undo || fail "its undo (record: $record) ended with $?"
  grep -q "pod-init.json is not as install made it, and stays" "$scratch/install.log" || fail "the undo (record: $record) does not say it"
  same "$scratch/mine" "$mine" "undone (record: $record), somebody else's session config is not what it was"
done
# One that the daemon keeps has no record: the undo is told its name.
mv "$mine" "$node/etc/gyrfalcon/kept.json"
install containerd --root="$node" --undo --session-config=/etc/gyrfalcon/kept.json || fail "an undo with a name ended with $?"
grep -q 'asks for nothing any more' "$scratch/install.log" || fail "a session config that --session-config names was left as it was"

# --- what is refused
docker="docker --root=$node --runsc=$RUNSC"
mkdir -p "$node/etc/docker"
json=$node/etc/docker/daemon.json
printf '{\n  // mine\n  "debug": true\n}\n' >"$json"
# shellcheck disable=SC2086 # words on purpose
refused 1 'daemon.json:2:3: not JSON: a comment' $docker
printf '{"runtimes": {"runsc": {"path": "/x/runsc"\n' >"$json"
# shellcheck disable=SC2086
refused 1 'daemon.json:2:1: not JSON: it ends where' $docker
printf '{"runtimes": {"runsc": {"path": "/x/runsc", "runtimeArgs": ["--pod-init-config=/etc/falco/pod-init.json"]}}}' >"$json"
# shellcheck disable=SC2086
refused 1 'has another session config.*--replace' $docker
rm "$json"
printf 'root = "/x"\n' >"$node/etc/containerd/config.toml"
refused 1 "config.toml:1:1: containerd's config of version 1" containerd --root="$node" --runsc="$RUNSC"
printf 'version = 4\n' >"$node/etc/containerd/config.toml"
refused 1 "config of version 4" containerd --root="$node" --runsc="$RUNSC"
printf 'version = 2\n[x\n' >"$node/etc/containerd/config.toml"
refused 1 "config.toml:2:.*: not TOML" containerd --root="$node" --runsc="$RUNSC"
printf 'version = 2\n' >"$node/etc/containerd/config.toml"
refused 1 "no runtime of gVisor in it" containerd --root="$node" --runsc="$RUNSC"
refused 3 'there is no program /no/runsc' docker --root="$node" --runsc=/no/runsc
refused 2 'empty after a restart' docker --root="$node" --session-config=/run/gyrfalcon/pod-init.json
refused 2 'runsc-config: an absolute path' containerd --root="$node" --runsc="$RUNSC" --runsc-config=etc/runsc.toml
refused 2 'config-file: an absolute path' containerd --root="$node" --runsc="$RUNSC" --config-file=./config.toml --undo
refused 2 'config-file: an absolute path' docker --root="$node" --runsc="$RUNSC" --config-file=daemon.json
refused 2 'PrivateTmp' docker --root="$node" --socket=/tmp/gvisor.sock
printf '#!/bin/sh\nexec sleep 60\n' >"$node/hangs"
printf '#!/bin/sh\necho not a runsc\n' >"$node/other"
chmod +x "$node/hangs" "$node/other"
refused 3 'took too long' docker --root="$node" --runsc="$node/hangs"
refused 3 'is no runsc' docker --root="$node" --runsc="$node/other"

# A file that is a mount of its own, and a file system that is read-only.
printf '{"debug": true}\n' >"$json"
touch "$scratch/mounted"
cp "$json" "$scratch/mounted"
if mount --bind "$scratch/mounted" "$json" 2>/dev/null; then
  mkdir -p "$node/etc/gyrfalcon" "$node/var/lib/gyrfalcon/install"
  cp "$json" "$scratch/original"
  status=0
  # shellcheck disable=SC2086
  install $docker || status=$?
  [ $status -eq 3 ] || fail "a file that is a mount ended with $status"
  grep -q 'it is a mount of its own: mount its folder instead' "$scratch/install.log" || fail "it does not say why"
  same "$scratch/original" "$json" "a file that is a mount was changed"
  [ "$(ls "$node/etc/docker")" = daemon.json ] || fail "something lies beside the file: $(ls "$node/etc/docker")"
  [ ! -e "$node/var/lib/gyrfalcon/install/docker.json" ] || fail "a record is left of what was not done"
  umount "$json"
  rm -rf "${node:?}/etc/gyrfalcon" "${node:?}/var"
  mount --bind "$node/etc" "$node/etc" || fail "no mount"
  mount -o remount,ro,bind "$node/etc" || fail "no read-only mount"
  # shellcheck disable=SC2086
  refused 3 'Read-only file system' $docker
  umount "$node/etc"
fi
echo "$1: containerd 2 and 3, GKE's layout, refusals"
