#!/bin/sh
# `install systemd` on a systemd that has never heard of gyrfalcon: units, start, once more, undo; and what is refused.
set -eu
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/lib.sh"

make_machine
units=$machine/etc/systemd/system
rm -f "$units"/gyrfalcon.* "$units"/*.wants/gyrfalcon.*
# shellcheck disable=SC2119 # no options
boot_machine

install() { inside gyrfalcon install "$@" >"$scratch/install.log" 2>&1; }

install systemd --dry-run || fail "install systemd --dry-run ended with $?"
grep -q '^+ExecStart=gyrfalcon run$' "$scratch/install.log" || fail "the dry run does not show the unit"
[ ! -e "$units/gyrfalcon.service" ] || fail "a dry run wrote a unit"

install systemd || fail "install systemd ended with $?"
for unit in gyrfalcon.socket gyrfalcon.service; do
  cmp -s "deploy/systemd/$unit" "$units/$unit" || fail "$unit is not the one of deploy/systemd"
  [ "$(inside systemctl is-active "$unit")" = active ] || fail "$unit does not run"
  [ "$(inside systemctl is-enabled "$unit")" = enabled ] || fail "$unit is not enabled"
done
install systemd || fail "a second install ended with $?"

# With sandboxes that don't start without it, it stays.
mkdir -p "$machine/etc/gyrfalcon" "$machine/var/lib/gyrfalcon/install"
inside gyrfalcon session generate --on-failure closed >"$machine/etc/gyrfalcon/closed.json" || fail "no session config"
printf '{"version": 1, "session_file": "/etc/gyrfalcon/closed.json", "files": []}\n' >"$machine/var/lib/gyrfalcon/install/docker.json"
status=0
install systemd --undo || status=$?
[ $status -eq 1 ] || fail "an undo that would keep sandboxes from starting ended with $status"
grep -q 'gyrfalcon install docker --undo' "$scratch/install.log" || fail "it does not say what to do first"
[ "$(inside systemctl is-active gyrfalcon.service)" = active ] || fail "it was stopped all the same"
rm "$machine/var/lib/gyrfalcon/install/docker.json"

install systemd --undo || fail "install systemd --undo ended with $?"
for unit in gyrfalcon.socket gyrfalcon.service; do
  [ ! -e "$units/$unit" ] || fail "$unit is left"
  [ "$(inside systemctl is-active "$unit" || true)" != active ] || fail "$unit still runs"
done
echo "installed, started, undone"
