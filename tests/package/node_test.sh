#!/bin/sh
# The package on a node, under a real systemd: installed, set up, upgraded, removed, purged. After each step sandboxes start
# with what the runtimes' configs say then, by both runsc.
set -eu
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"

kinds=''
make_package_machine
# In there under its own name, so that it is asked as the node's runsc.
add_runsc() {
  [ -x "$2" ] || return 0
  cp "$2" "$machine/usr/bin/runsc-$1"
  for library in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
    [ -e "$machine$library" ] || cp -L "$library" "$machine$library"
  done
  kinds="$kinds $1"
}
add_runsc debian /usr/bin/runsc
add_runsc current "$ROOT/build/runsc-current/runsc"
[ -n "$kinds" ] || skip "no runsc here"

# A node as its administrator has left it.
json=$machine/etc/docker/daemon.json toml=$machine/etc/containerd/runsc.toml
mkdir -p "$machine/etc/docker" "$machine/etc/containerd"
{
  printf '{\n  "debug": false,\n  "runtimes": {\n'
  separator=''
  for kind in $kinds; do
    printf '%s    "runsc-%s": {"path": "/usr/bin/runsc-%s"}' "$separator" "$kind" "$kind"
    separator=',
'
  done
  printf '\n  }\n}\n'
} >"$json"
main=${kinds##* } # containerd's
cat >"$machine/etc/containerd/config.toml" <<END
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
  runtime_type = "io.containerd.runsc.v1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc.options]
    TypeUrl = "io.containerd.runsc.v1.options"
    ConfigPath = "/etc/containerd/runsc.toml"
END
printf 'binary_name = "/usr/bin/runsc-%s"\n[runsc_config]\n  debug = "false" # ours\n' "$main" >"$toml"
cp "$json" "$scratch/daemon.json"
cp "$toml" "$scratch/runsc.toml"
# shellcheck disable=SC2119 # no options
boot_machine

for kind in $kinds; do
  found=''
  for candidate in --platform=systrap --platform=ptrace '--platform=systrap --TESTONLY-unsafe-nonroot' \
    '--platform=ptrace --TESTONLY-unsafe-nonroot'; do
    # shellcheck disable=SC2086 # words on purpose
    if inside timeout 20 "runsc-$kind" --root=/tmp/state --network=none $candidate "do" true >>"$scratch/tried" 2>&1 </dev/null; then
      found=$candidate
      break
    fi
  done
  [ -n "$found" ] || skip "the $kind runsc starts no sandbox in systemd-nspawn: $(tail -n 1 "$scratch/tried")"
  eval "flags_$kind=\$found"
done

# sandbox KIND SESSION COMMAND: as the node starts it, of its own files; SESSION '': without.
sandbox() {
  eval "flags=\$flags_$1"
  # shellcheck disable=SC2086,SC2154 # words on purpose; set by eval
  inside timeout 60 "runsc-$1" --root=/tmp/state --network=none $flags ${2:+"--pod-init-config=$2"} "do" sh -c "$3" \
    >"$scratch/runsc.log" 2>&1 </dev/null
}
docker_session() { sed -n "s/.*\"runsc-$1\".*--pod-init-config=\([^\"]*\)\".*/\1/p" "$scratch/flat"; }
containerd_session() { sed -n 's/^ *pod-init-config = "\(.*\)"$/\1/p' "$toml"; }
# start_all STEP: one for each runtime, with its config of that moment. And one for who has kept the name for himself.
start_all() {
  # A runtime a line.
  tr -d '\n' <"$json" | sed 's/"runsc-/\n&/g' >"$scratch/flat"
  for kind in $kinds; do
    sandbox "$kind" "$(docker_session "$kind")" "touch /bin/$1-docker-$kind" || fail "$1: Docker's $kind runsc starts no sandbox"
  done
  sandbox "$main" "$(containerd_session)" "touch /bin/$1-containerd" || fail "$1: containerd's runsc starts no sandbox"
  [ ! -e "$machine/etc/gyrfalcon/pod-init.json" ] || sandbox "$main" /etc/gyrfalcon/pod-init.json true ||
    fail "$1: no sandbox starts with the session config that is left"
}
told_of() {
  for kind in $kinds; do
    journal_has "$1-docker-$kind" 20 || fail "$1: no alert of Docker's $kind runsc"
  done
  journal_has "$1-containerd" 20 || fail "$1: no alert of containerd's runsc"
}
package() {
  status=0
  inside env DEBIAN_FRONTEND=noninteractive dpkg "$@" >"$scratch/dpkg.log" 2>&1 </dev/null || status=$?
  [ $status -eq 0 ] || fail "dpkg $* ended with $status"
}
set_up() {
  inside gyrfalcon install docker "$@" >"$scratch/install.log" 2>&1 || fail "install docker ended with $?"
  inside gyrfalcon install containerd "$@" >>"$scratch/install.log" 2>&1 || fail "install containerd ended with $?"
}
as_it_was() {
  cmp -s "$scratch/daemon.json" "$json" || fail "$1: daemon.json is not what it was: $(diff "$scratch/daemon.json" "$json")"
  cmp -s "$scratch/runsc.toml" "$toml" || fail "$1: runsc.toml is not what it was: $(diff "$scratch/runsc.toml" "$toml")"
}
began=$(date +%s)
said() { printf '%s s: %s\n' "$(($(date +%s) - began))" "$*"; }

start_all before
package -i /root/gyrfalcon.deb
for unit in gyrfalcon.socket gyrfalcon.service; do
  [ "$(inside systemctl is-active $unit)" = active ] || fail "$unit does not run after the installation"
  [ "$(inside systemctl is-enabled $unit)" = enabled ] || fail "$unit is not enabled after the installation"
done
as_it_was "installed, not set up"
cp tests/e2e/rules/below_bin.yaml "$machine/etc/gyrfalcon/rules.d/10-below_bin.yaml"
journal_has 'rules reloaded' 20 || fail "a rules file beside the package's is not taken up"
start_all installed
said "installed"

set_up
start_all set-up
told_of set-up
said "set up"

# An upgrade: runtimes, socket, connections and the administrator's edit of a conffile stay.
sed -i 's/^priority: debug/priority: info/' "$machine/etc/gyrfalcon/gyrfalcon.yaml"
inode=$(stat -c %i "$socket")
pid_before=$(property MainPID)
eval "flags=\$flags_$main"
# A unit of its own: nsenter, stopped by what it runs, would stay behind.
# shellcheck disable=SC2016,SC2086 # expanded inside; words on purpose
inside systemd-run --quiet --unit=going "/usr/bin/runsc-$main" --root=/tmp/state --network=none $flags \
  --pod-init-config=/etc/gyrfalcon/pod-init.json "do" sh -c 'for i in $(seq 60); do touch /bin/going-$i; sleep 0.5; done'
journal_has going-2 20 || fail "no alert of a sandbox that goes on"
package -i /root/gyrfalcon.deb
[ "$(property MainPID)" != "$pid_before" ] || fail "the daemon was not restarted by the upgrade"
[ "$(stat -c %i "$socket")" = "$inode" ] || fail "the upgrade made another socket"
grep -qx 'priority: info' "$machine/etc/gyrfalcon/gyrfalcon.yaml" || fail "the upgrade lost an edit of the config"
count() { inside sh -c 'journalctl -u gyrfalcon -o cat | grep -c "/going-"'; }
had=$(count)
tries=200
while [ "$(count)" -lt $((had + 2)) ]; do
  tries=$((tries - 1))
  [ $tries -gt 0 ] || fail "the upgrade lost a sandbox's connection"
  sleep 0.1
done
inside systemctl stop going 2>/dev/null || true
start_all upgraded
told_of upgraded
said "upgraded"

package -r gyrfalcon
as_it_was removed
[ ! -e "$socket" ] || fail "the socket is there without the package"
start_all removed
said "removed"

# The worst case: no sandbox starts without a listener, and an undo that can't be done. Docker's config lies elsewhere.
mkdir -p "$machine/srv/docker"
mv "$json" "$machine/srv/docker/"
ln -s ../../srv/docker/daemon.json "$json"
package -i /root/gyrfalcon.deb
set_up --on-failure closed
start_all closed
told_of closed
sed -i --follow-symlinks '1a // somebody was here' "$json"
package -P gyrfalcon
grep -q 'install docker --undo` failed' "$scratch/dpkg.log" || fail "no word of an undo that failed"
grep -q 'pod-init.json stays' "$scratch/dpkg.log" || fail "no word of the session config that stays"
grep -q pod-init-config "$json" || fail "the runtimes' config is not as it was to be for this"
[ "$(tr -d '[:space:]' <"$machine/etc/gyrfalcon/pod-init.json")" = '{"trace_session":{"name":"Default","points":[],"sinks":[]}}' ] ||
  fail "the session config that is left asks for something"
start_all purged-in-trouble
said "purged with an undo that failed"

# Mended: the package undoes what it has not undone then, and leaves nothing.
sed -i --follow-symlinks 2d "$json"
package -i /root/gyrfalcon.deb
start_all back
package -P gyrfalcon
as_it_was purged
left=$(cd "$machine" && find etc/gyrfalcon ! -type d)
[ "$left" = etc/gyrfalcon/rules.d/10-below_bin.yaml ] || fail "the purge left not just the file of rules that is not the package's: $left"
for path in var/lib/gyrfalcon var/log/gyrfalcon etc/systemd/system/multi-user.target.wants/gyrfalcon.service; do
  [ ! -e "$machine/$path" ] || fail "the purge left /$path: $(ls -la "$machine/$path")"
done
start_all purged
said "purged"
end_machine
echo "installed, set up, upgraded, removed, purged, with runsc$kinds"
