#!/bin/sh
# gyrfalcon.service as shipped, with runsc and sandboxes in the same machine: everything that the daemon does beyond
# reading its socket still works within the unit's walls. docs/privileges.md names what needs which.
set -eu
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

kind=current
runsc=$ROOT/build/runsc-current/runsc
if [ ! -x "$runsc" ]; then
  kind=debian
  runsc=/usr/bin/runsc
fi
[ -x "$runsc" ] || skip "no runsc here"
make_machine
cp "$runsc" "$machine/usr/bin/runsc"
for library in $(ldd "$runsc" 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
  [ -e "$machine$library" ] || cp -L "$library" "$machine$library"
done
mkdir -m 700 "$machine/srv/images" "$machine/srv/state" "$machine/srv/state.bundles"
cp -r scripts "$machine/srv/scripts"
make_rootfs "$machine/srv/images/rootfs"
echo marker >"$machine/srv/images/rootfs/etc/marker"
printf 'root:x:0:0::/root:/bin/sh\ninside:x:4242:4242::/home/inside:/bin/inside\n' >"$machine/srv/images/rootfs/etc/passwd"
printf 'root:x:0:\ninsiders:x:4242:\n' >"$machine/srv/images/rootfs/etc/group"
cp tests/e2e/rules/names.yaml tests/e2e/rules/attached.yaml "$machine/etc/gyrfalcon/rules.d/"
cat >>"$machine/etc/gyrfalcon/gyrfalcon.yaml" <<YAML
gvisor: {root: /srv/state, runsc: /usr/bin/runsc, watch_interval_ms: 300, watch_grace_ms: 1500, attach: false}
YAML
"$GYRFALCON" session generate -r "$machine/etc/gyrfalcon/rules.d" --socket /run/gyrfalcon/gvisor.sock \
  >"$machine/etc/gyrfalcon/pod-init.json" || fail "no session config"
# The walls of the service, around another command.
sed -e 's,^ExecStart=.*,ExecStart=/bin/sh /srv/attach,' -e 's/^Type=.*/Type=oneshot/' \
  -e '/^Requires=/d' -e '/^After=/d' -e '/^Restart/d' -e '/^WatchdogSec=/d' -e '/^ExecReload=/d' -e '/^FileDescriptorStoreMax=/d' \
  deploy/systemd/gyrfalcon.service >"$machine/etc/systemd/system/attach.service"
# shellcheck disable=SC2119 # no options
boot_machine
wait_for_property ActiveState active 20

# in_machine COMMAND: with the functions of scripts/sandbox.sh.
in_machine() { inside sh -c "set -eu; cd /srv; . scripts/lib.sh; . scripts/sandbox.sh; $1"; }
flags=$(in_machine 'mkdir -p /tmp/try; pick_flags runsc /tmp/try')
[ -n "$flags" ] || skip "$kind runsc starts no sandbox in a machine: $(tail -n 1 "$machine/tmp/try.log")"
# start SESSION COMMAND [ID]: its id into $id.
start() {
  known=$(inside runsc --root=/srv/state list -quiet)
  in_machine "sandbox_seconds=120 run_sandbox runsc '$flags' /srv/state /srv/images/rootfs '$1' '$2' '${3:-0}'" >"$scratch/runsc.log" 2>&1 &
  tries=200
  while :; do
    id=$(inside runsc --root=/srv/state list 2>/dev/null |
      awk -v known="$known" '$3 == "running" && index(known, $1) == 0 { print $1 }')
    [ -z "$id" ] || return 0
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "the sandbox did not start"
    sleep 0.1
  done
}
session=/etc/gyrfalcon/pod-init.json

start $session 'sleep 2; cat /etc/marker; sleep 100' 4242
traced=$id
wait_for_line 'user=inside .* uid=4242$' "$alerts" 20 || fail "names of users are not found in the container's files"
start '' 'while :; do /bin/sleep 1; done'
untraced=$id
wait_for_line "A sandbox runs that is not connected.* gyrfalcon_sandbox=$untraced " "$alerts" 20 || fail "runsc list does not work"
echo "exec gyrfalcon session attach --root=/srv/state --runsc /usr/bin/runsc -g $session $untraced" >"$machine/srv/attach"
inside systemctl start attach.service || fail "nothing is attached: $(inside journalctl -u attach -o cat)"
wait_for_line 'slept under sh -c while :; do /bin/sleep 1; done$' "$alerts" 20 || fail "runsc trace procfs does not work"
"$GYRFALCON" session generate -r "$machine/etc/gyrfalcon/rules.d" --socket /run/other/gvisor.sock >"$machine/srv/other.json"
# A unit of its own: nsenter stops for good when systemd, at its end, stops what it runs.
inside systemd-run --quiet gyrfalcon capture --listen /run/other/gvisor.sock --dir /run/other/captures
wait_inside 10 test -S /run/other/gvisor.sock || fail "no other listener"
inside runsc --root=/srv/state trace create --force --config /srv/other.json "$traced" >"$scratch/taken.log" 2>&1 ||
  fail "the session could not be taken"
wait_for_line "somebody else.* gyrfalcon_sandbox=$traced .* gyrfalcon_sink_endpoint=/run/other/gvisor.sock " "$alerts" 20 ||
  fail "who has taken a session is not known"
inside gyrfalcon status >"$scratch/status.log" 2>&1 || fail "the control socket does not work"
in_machine 'remove_sandboxes runsc /srv/state'
end_machine
echo "within the unit's walls: names, list, attach, procfs, who listens, with $kind runsc"
