#!/bin/sh
# User and group names are those of the container's own files, by its bundle and by runsc's state; a container
# whose passwd leads to a file of the host shows the number. usage: names_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

"$GYRFALCON" session generate -r tests/e2e/rules/names.yaml --socket "$scratch/run/gvisor.sock" >"$session" ||
  fail "no session config"
start_gyrfalcon run -r tests/e2e/rules/names.yaml -g "$session"

make_rootfs "$scratch/rootfs"
echo marker >"$scratch/rootfs/etc/marker"
# An id that the host has no name for, and then one that "the host" has.
printf 'root:x:0:0::/root:/bin/sh\ninside:x:4242:4242::/home/inside:/bin/inside\n' >"$scratch/rootfs/etc/passwd"
printf 'root:x:0:\ninsiders:x:4242:\n' >"$scratch/rootfs/etc/group"
printf 'outside:x:4242:4242::/home/outside:/bin/outside\n' >"$scratch/host_passwd"

command='cat /etc/marker'

# expect_alert N TEXT: alert number N has this text.
expect_alert() {
  tries=200
  while [ "$(wc -l <"$alerts")" -lt "$1" ] && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.05
  done
  line=$(sed -n "$1p" "$alerts")
  case $line in
    *" $2") ;;
    *) fail "alert $1 is not \"$2\" but \"$line\"" ;;
  esac
}

run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$session" "$command" 4242 >"$scratch/runsc.log" 2>&1 ||
  fail "runsc run ended with $?"
expect_alert 1 'user=inside home=/home/inside shell=/bin/inside group=insiders uid=4242'

# The same bundle, not named on the command line: by the state file, which runsc writes meanwhile.
# shellcheck disable=SC2154 # set by run_sandbox
sed "s|cat /etc/marker|sleep 1; cat /etc/marker|" "$bundle/config.json" >"$bundle/config.new"
mv "$bundle/config.new" "$bundle/config.json"
# shellcheck disable=SC2086 # words on purpose
(cd "$bundle" && timeout 30 "$RUNSC" --root="$scratch/state" --network=none $flags --overlay2=root:memory \
  --pod-init-config="$session" run "$(new_container_id)" </dev/null) >"$scratch/runsc.log" 2>&1 ||
  fail "runsc run without a bundle ended with $?"
expect_alert 2 'user=inside home=/home/inside shell=/bin/inside group=insiders uid=4242'

number=2
for target in "$scratch/host_passwd" "../../../../../../../../$scratch/host_passwd"; do
  number=$((number + 1))
  ln -sf "$target" "$scratch/rootfs/etc/passwd"
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$session" "$command" 4242 >"$scratch/runsc.log" 2>&1 ||
    fail "runsc run ended with $?"
  expect_alert $number 'user=4242 home=<NA> shell=<NA> group=insiders uid=4242'
done
stop_gyrfalcon
cat "$alerts"
