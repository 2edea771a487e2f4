#!/bin/sh
# `doctor` beside a real daemon, on a node in a folder: nothing set up, all well, then one mistake after the other, most of them mended
# by the command that it prints.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$(dirname "$GYRFALCON"):$PATH
export PATH
# Not below /tmp, where a socket is a warning; short, for a socket's path is.
run=$(mktemp -d /dev/shm/gyrfalcon.XXXXXX)
finish() {
  [ -z "$daemon" ] || kill -CONT "$daemon" 2>/dev/null || true
  rm -rf "$run"
  cleanup
}
trap finish EXIT

# A node whose runsc answers as a real one does that runs no sandbox.
node=$scratch/node
mkdir -p "$node/usr/bin" "$node/etc/docker" "$node/proc/sys/net/core" "$scratch/roots"
cat >"$node/usr/bin/runsc" <<EOF
#!/bin/sh
case "\$*" in
  --version) echo 'runsc version of-a-test' ;;
  *'trace metadata') cat '$PWD/src/runsc/metadata/current.txt' ;;
  *'trace create'*) echo 'loading sandbox: file does not exist' >&2; exit 128 ;;
  *list*) echo null ;;
esac
EOF
chmod +x "$node/usr/bin/runsc"
printf '{"runtimes": {"runsc": {"path": "/usr/bin/runsc"},\n  "runsc-too": {"path": "/usr/bin/runsc"}}}\n' \
  >"$node/etc/docker/daemon.json"
echo 212992 >"$node/proc/sys/net/core/wmem_default"
echo 4096 >"$node/proc/sys/net/core/somaxconn"
start_rule >"$scratch/rules.yaml"
cat >"$scratch/config.yaml" <<EOF
gvisor:
  socket: $run/g.sock
  runsc: $node/usr/bin/runsc
  usual_roots: false
rules_files: [$scratch/rules.yaml]
store:
  path: $scratch/store/alerts.db
  max_bytes: 1048576
EOF

# doctor CODE ARGUMENT…
doctor() {
  code=$1
  shift
  expect "$code" doctor --node-root "$node" --root "$scratch/roots" --runsc "$node/usr/bin/runsc" \
    -c "$scratch/config.yaml" "$@"
}
# mends CHECK: runs the commands that the last call has printed for that check; it finds nothing then.
mends() {
  check=$1
  awk -v check="$check" '$1 == "mend:" && mine { sub(/^ *mend: /, ""); print; mine = 0 }
    $1 ~ /^(warning|broken)$/ { mine = $2 == check }' "$scratch/out" | sort -u >"$scratch/mends"
  [ -s "$scratch/mends" ] || fail "no mend for $check"
  sh -e "$scratch/mends" >"$scratch/mended" 2>&1 || fail "the mend of $check failed: $(cat "$scratch/mends" "$scratch/mended")"
  doctor 0 "$check"
  says out "^ok +$check "
}
started() {
  "$GYRFALCON" run -c "$scratch/config.yaml" >"$scratch/alerts" 2>"$scratch/log" &
  daemon=$!
  wait_for 'event collection from gVisor is enabled' "$scratch/log"
}

expect 2 doctor --no-such-flag
expect 2 doctor no-such-check
expect 0 doctor --help
says out 'Example: gyrfalcon doctor$'

# Nothing is set up yet.
doctor 1
says out '^broken +docker +.*daemon.json:1:15: the runtime "runsc" names no session config'
says out '^broken +docker +.*daemon.json:2:3: the runtime "runsc-too" names no session config'
says out "^broken +socket +there is no $run/g.sock"
says out "mend: gyrfalcon run -c $scratch/config.yaml"
says out '^skipped +handshake +there is no socket'
says out '^3 broken, '
mends docker
started
doctor 0
# A /tmp in memory is a warning for the store.
says out '^0 broken, [01] warnings?$'
says out '^ok +session +/etc/gyrfalcon/pod-init.json: [1-9][0-9]* points, sent to '
says out "^ok +handshake +answered at $run/g.sock"
says out "^ok +daemon +ready \\(pid $daemon\\)"
says out '^ok +runsc +.* \(of-a-test\) knows [1-9][0-9]* points'
says out '^ok +coverage +1 rules see all'
silent err
! grep -q "$(printf '\033')" "$scratch/out" || fail 'an escape sequence in a pipe'
doctor 0 --json
says out '^  "broken": 0,$'
says out '^  "warnings": [01]$'
says out '"id": "handshake",$'
[ "$(grep -c '"title": "' "$scratch/out")" -eq 19 ] || fail 'not every check is in the JSON'

# The questions were no sandboxes that were turned away.
expect 0 status --socket "$run/g.sock"
says out '^handshakes_rejected +0$'
says out '^probes +[1-9]'

# A runtime loses it; the session config goes; somebody opens the socket.
printf '{"runtimes": {"runsc": {"path": "/usr/bin/runsc"}}}\n' >"$node/etc/docker/daemon.json"
doctor 1 docker
mends docker
rm "$node/etc/gyrfalcon/pod-init.json"
doctor 1 session --json
says out '"status": "broken",$'
says out '"mistake": "session-absent"'
doctor 1 session
says out 'pod-init.json is not there, and .*daemon.json:1:15 names it'
mends session
chmod 666 "$run/g.sock"
doctor 0 socket
says out '^warning +socket .* has mode 666'
mends socket
# Another one's session, a place that a reboot empties, and a session for other rules.
sed "s,$run/g.sock,/run/falco/gvisor.sock," "$node/etc/gyrfalcon/pod-init.json" >"$scratch/other.json"
cp "$scratch/other.json" "$node/etc/gyrfalcon/pod-init.json"
doctor 1 session
says out 'sends to /run/falco/gvisor.sock, which is Falco.s, and gyrfalcon listens at '
expect 0 install docker --dry-run --root "$node" --socket "$run/g.sock" -r "$scratch/rules.yaml"
says out 'an install made it, and it was changed since:'
says out '^\+.*/run/falco/gvisor.sock'
says out "to have it made anew, for $run/g.sock: mv $node/etc/gyrfalcon/pod-init.json"
cp "$node/etc/gyrfalcon/pod-init.json" "$node/etc/falco.json"
rm "$node/etc/gyrfalcon/pod-init.json"
sed 's,/etc/gyrfalcon/pod-init.json,/etc/falco.json,' "$node/etc/docker/daemon.json" >"$scratch/daemon.json"
cp "$scratch/daemon.json" "$node/etc/docker/daemon.json"
doctor 1 session
mends session
mkdir -p "$node/run/gyrfalcon"
cp "$node/etc/gyrfalcon/pod-init.json" "$node/run/gyrfalcon/s.json"
sed 's,/etc/gyrfalcon/pod-init.json,/run/gyrfalcon/s.json,' "$node/etc/docker/daemon.json" >"$scratch/daemon.json"
cp "$scratch/daemon.json" "$node/etc/docker/daemon.json"
doctor 1 session
says out '/run/gyrfalcon/s.json does not outlive a reboot'
mends session
sed 's,"sentry/execve","sentry/nothing",' "$node/etc/gyrfalcon/pod-init.json" >"$scratch/other.json"
cp "$scratch/other.json" "$node/etc/gyrfalcon/pod-init.json"
doctor 0 coverage session
says out '^warning +session .* no runsc here knows 1 of its points.* as sentry/nothing'
gyrfalcon session generate -c "$scratch/config.yaml" --socket "$run/g.sock" >"$node/etc/gyrfalcon/pod-init.json"

# The kernel's settings.
echo 4096 >"$node/proc/sys/net/core/wmem_default"
doctor 0 queue
says out 'mend: sysctl -w net.core.wmem_default=212992'
echo 212992 >"$node/proc/sys/net/core/wmem_default"

# Rules that do not load: the daemon has refused them, too.
cp "$scratch/rules.yaml" "$scratch/rules.was"
sed 's/evt.type/evt.tpye/' "$scratch/rules.was" >"$scratch/rules.yaml"
wait_for 'evt.tpye' "$scratch/log"
doctor 1 rules daemon
says out "^broken +rules +$scratch/rules.yaml:3:"
says out "mend: \\\$\\{EDITOR:-vi\\} \\+3 $scratch/rules.yaml && gyrfalcon rules check $scratch/rules.yaml"
says out '^broken +daemon +reload refused.* …$'
says out "mend: gyrfalcon run --dry-run -c $scratch/config.yaml"
cp "$scratch/rules.was" "$scratch/rules.yaml"
printf 'priorty: debug\n' >>"$scratch/config.yaml"
doctor 1 config rules
says out "^broken +config +$scratch/config.yaml:9:1: unknown key"
says out '^skipped +rules '
sed -i '$d' "$scratch/config.yaml"

# A daemon that hangs, and one that is gone; neither keeps the doctor waiting.
kill -STOP "$daemon"
began=$(date +%s)
doctor 1 handshake daemon
[ $(($(date +%s) - began)) -lt 30 ] || fail 'a daemon that hangs keeps the doctor waiting'
says out '^broken +handshake +no handshake .*no answer in time'
says out '^broken +daemon +somebody listens .*does not answer in time'
kill -CONT "$daemon"
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null || true
daemon=''
doctor 1 handshake
says out '^broken +handshake +nobody listens .*sandboxes that start now are not watched'
# A runsc that hangs.
cp "$node/usr/bin/runsc" "$scratch/runsc.was"
printf '#!/bin/sh\nexec sleep 100\n' >"$node/usr/bin/runsc"
began=$(date +%s)
doctor 1 runsc session sandboxes coverage
[ $(($(date +%s) - began)) -lt 30 ] || fail 'a runsc that hangs keeps the doctor waiting'
says out '^broken +runsc .*trace metadata'
cp "$scratch/runsc.was" "$node/usr/bin/runsc"
# A store that is somebody else's.
sed "s,$scratch/store/alerts.db,$scratch/rules.yaml," "$scratch/config.yaml" >"$scratch/store.yaml"
expect 1 doctor -c "$scratch/store.yaml" store
says out '^broken +store +.*no store of gyrfalcon'
# Who is not root hears what can't be seen.
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 --clear-groups "$GYRFALCON" --version >/dev/null 2>&1; then
  chmod 755 "$scratch"
  setpriv --reuid=65534 --clear-groups "$GYRFALCON" doctor --node-root "$node" --root "$scratch/roots" \
    --runsc "$node/usr/bin/runsc" -c "$scratch/config.yaml" sandboxes socket >"$scratch/out" 2>"$scratch/err" ||
    fail "the doctor of another user ended with $?"
  says out '^skipped +sandboxes +only root'
  says out '^skipped +socket '
  mkdir -p "$STATE_DIRECTORY/install"
  echo '{}' >"$STATE_DIRECTORY/install/docker.json"
  chmod 700 "$STATE_DIRECTORY"
  setpriv --reuid=65534 --clear-groups "$GYRFALCON" install docker >"$scratch/out" 2>"$scratch/err" &&
    fail 'install was taken from another user'
  says err 'Permission denied.*`gyrfalcon install docker` needs root'
fi
echo 'the doctor finds what is broken, and its commands mend it'
