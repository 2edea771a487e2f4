#!/bin/sh
# The root file system of the image (a Debian and the package), run by runc with deploy/container/config.json; sandboxes of
# the host, of both runsc, connect to its socket through the shared folder.
set -eu
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"

have runc || skip "no runc (package runc)"
container=gyrfalcon-test-$$
runc=''
cleanup_test() {
  [ -z "$runc" ] || runc --root "$scratch/runc" delete --force $container >/dev/null 2>&1 || true
  for kind in debian current; do remove_sandboxes "$(runsc_path $kind)" "$scratch/state-$kind"; done
}
runsc_path() {
  case $1 in
    debian) echo /usr/bin/runsc ;;
    current) echo "$ROOT/build/runsc-current/runsc" ;;
  esac
}

make_package_machine
DEBIAN_FRONTEND=noninteractive chroot "$machine" dpkg -i /root/gyrfalcon.deb >"$scratch/dpkg.log" 2>&1 </dev/null ||
  fail "the package can't be installed without systemd"

# As shipped but for the places, and a limit of open files that may be raised here: nothing outside the scratch folder is written.
files_max=$(awk '/^Max open files/ { print $5 }' /proc/self/limits)
[ "$files_max" != unlimited ] && [ "$files_max" -lt 40960 ] || files_max=40960
mkdir -p "$scratch/var" "$scratch/bundle"
cp -a "$machine/etc/gyrfalcon" "$scratch/etc"
cp tests/e2e/rules/below_bin.yaml "$scratch/etc/rules.d/10-below_bin.yaml"
sed -e "s#\"rootfs\"#\"$machine\"#" -e "s#\"/run/containerd\"#\"$scratch\"#g" -e "s#\"/run/gyrfalcon\"#\"$socket_folder\"#g" \
  -e "s#40960#$files_max#g" -e "s#\"source\": \"/var/lib/gyrfalcon\"#\"source\": \"$scratch/var\"#" \
  -e "s#\"source\": \"/etc/gyrfalcon\"#\"source\": \"$scratch/etc\"#" \
  -e "s#\"run\"\]#\"run\", \"-o\", \"gvisor.socket=$socket\"]#" \
  deploy/container/config.json >"$scratch/bundle/config.json"
runc --root "$scratch/runc" run --bundle "$scratch/bundle" $container >"$alerts" 2>"$log" </dev/null &
runc=$!
wait_for_line 'event collection from gVisor is enabled' "$log" 20 || {
  kill -0 $runc 2>/dev/null || grep -qi 'gyrfalcon' "$log" || skip "runc starts no container here: $(tail -n 1 "$log")"
  fail "gyrfalcon did not say that it listens"
}
pid=$(sed -n 's/.*"init_process_pid":\([0-9]*\).*/\1/p' "$scratch/runc/$container/state.json")
[ "$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$pid/status")" = 0000000000080004 ] || fail "it has other capabilities than config.json says"
[ "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' "/proc/$pid/status")" = 1 ] || fail "it may gain privileges"
if touch "/proc/$pid/root/usr/written" 2>/dev/null; then fail "its root file system can be written"; fi

make_rootfs "$scratch/rootfs"
"$GYRFALCON" session generate -r tests/e2e/rules/below_bin.yaml --socket "$socket" >"$session" || fail "no session config"
tried=''
for kind in debian current; do
  [ -x "$(runsc_path $kind)" ] || continue
  mkdir -p "$scratch/state-$kind"
  found=$(pick_flags "$(runsc_path $kind)" "$scratch/state-$kind")
  [ -n "$found" ] || continue
  run_sandbox "$(runsc_path $kind)" "$found" "$scratch/state-$kind" "$scratch/rootfs" "$session" "touch /bin/seen-$kind" \
    >"$scratch/$kind.log" 2>&1 || fail "a sandbox of the $kind runsc did not start"
  wait_for_line "file=/bin/seen-$kind " "$alerts" 20 || fail "no alert of the $kind runsc"
  # Read from the container's own files, through the shared folder.
  grep "file=/bin/seen-$kind " "$alerts" | grep -q 'user=root ' || fail "the user's name is not known: $(cat "$alerts")"
  tried="$tried $kind"
done
[ -n "$tried" ] || skip "no runsc starts a sandbox here"
runc --root "$scratch/runc" kill $container TERM || fail "the container is gone before its time"
status=0
wait $runc || status=$?
runc=''
[ $status -eq 0 ] || fail "it ended with $status after SIGTERM"
echo "in a container of runc:$tried"
