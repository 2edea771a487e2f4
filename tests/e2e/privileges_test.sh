#!/bin/sh
# What works with which privileges: the daemon as different users with different capabilities, beside real sandboxes
# whose bundles and files only root may read. Every cell of the table in docs/privileges.md is tried.
# usage: privileges_test.sh debian|current [--long]; without --long two of the six modes
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"
have setpriv || skip "no setpriv (package util-linux)"
modes='collect unit'
[ "${2:-}${GYRFALCON_LONG:+--long}" = '' ] || modes='collect metadata watch attach root-without unit'

# expected MODE: alert, names, exe, watch, processes, attach, whose; the two runsc differ where two words stand.
expected() {
  case $1-$kind in
    collect-*) echo yes no no no no no no ;;
    metadata-debian) echo yes yes no no yes no no ;;
    metadata-current) echo yes yes no no no no no ;;
    watch-debian) echo yes yes yes yes yes yes yes ;;
    watch-current) echo yes yes yes yes no no no ;;
    root-without-debian) echo yes yes no yes yes yes no ;;
    root-without-current) echo yes yes no yes yes yes yes ;;
    attach-* | unit-*) echo yes yes yes yes yes yes yes ;;
  esac
}
kind=$1

# What a mode is: becomes the command, as that user with these capabilities. To be called in a subshell.
become() {
  case $1 in
    collect) shift && as_user -all '' "$@" ;;
    metadata) shift && as_user -all,+dac_read_search +dac_read_search "$@" ;;
    watch) shift && as_user -all,+dac_read_search,+sys_ptrace,+kill +dac_read_search,+sys_ptrace,+kill "$@" ;;
    attach) shift && as_user -all,+dac_override,+sys_ptrace,+kill +dac_override,+sys_ptrace,+kill "$@" ;;
    root-without) shift && exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@" ;;
    unit) shift && exec setpriv --no-new-privs --bounding-set="-all,$unit_capabilities" --inh-caps=-all "$@" ;;
    *) fail "no such mode: $1" ;;
  esac
}
uid=1979 # nobody's: neither a file's owner nor the sandbox's user
as_user() {
  set_of_all=$1 ambient=$2
  shift 2
  exec setpriv --no-new-privs --reuid=$uid --regid=$uid --clear-groups --bounding-set="$set_of_all" \
    --inh-caps="$set_of_all" ${ambient:+--ambient-caps="$ambient"} "$@"
}
unit_capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' deploy/systemd/gyrfalcon.service |
  sed -e 's/CAP_/+/g' -e 's/ /,/g' | tr '[:upper:]' '[:lower:]')
[ -n "$unit_capabilities" ] || fail "gyrfalcon.service bounds no capabilities"

# The programs and rules, where every user reaches them; bundles and root file systems, where only root does.
chmod 755 "$scratch"
mkdir "$scratch/bin"
cp "$GYRFALCON" "$scratch/bin/gyrfalcon"
cp "$RUNSC" "$scratch/bin/runsc"
cp -r tests/e2e/rules "$scratch/rules"
chmod -R a+rX "$scratch/rules"
GYRFALCON=$scratch/bin/gyrfalcon
RUNSC=$scratch/bin/runsc
rules="-r $scratch/rules/names.yaml -r $scratch/rules/attached.yaml"
mkdir -m 700 "$scratch/state.bundles" "$scratch/images"
rootfs=$scratch/images/rootfs
sandbox_seconds=60
make_rootfs "$rootfs"
echo marker >"$rootfs/etc/marker"
printf 'root:x:0:0::/root:/bin/sh\ninside:x:4242:4242::/home/inside:/bin/inside\n' >"$rootfs/etc/passwd"
printf 'root:x:0:\ninsiders:x:4242:\n' >"$rootfs/etc/group"

# The cells of a mode, in the order of the table; what is expected of the next one is the first word of $wanted.
next_cell() { # NAME COMMAND…: whether the command succeeds
  want=${wanted%% *} wanted=${wanted#* } name=$1
  shift
  if "$@"; then got=yes; else got=no; fi
  row="$row $name=$got"
  [ $got = "$want" ] || fail "$mode, $kind: $name=$got, not $want"
}
# What is expected may be late on a busy machine; what is not would be there by then.
alert_comes() { wait_for_line "$1" "$alerts" "$([ "$want" = yes ] && echo 20 || echo 4)"; }
can() { (become "$mode" "$@") >>"$scratch/can.log" 2>&1; }
alert_has() { grep -Eq "$1" "$alerts"; }

# The process that waits for the sandbox: root, with all capabilities.
runsc_of_sandbox() {
  for command in /proc/[0-9]*/cmdline; do
    folder=${command%/cmdline}
    grep -qs -- "--bundle=.*$1" "$command" || continue
    case $(readlink "$folder/exe") in
      "$RUNSC") echo "${folder#/proc/}" && return ;;
    esac
  done
}

measure() {
  mode=$1 row='' wanted="$(expected "$1") "
  folder=$scratch/$mode
  mkdir -m 700 "$folder"
  case $mode in unit | root-*) ;; *) chown $uid:$uid "$folder" ;; esac
  socket=$folder/s alerts=$folder/alerts log=$folder/log
  # shellcheck disable=SC2086 # words on purpose
  "$GYRFALCON" session generate $rules --socket "$socket" >"$session" || fail "no session config"
  chmod 644 "$session"
  # shellcheck disable=SC2086
  (become "$mode" "$GYRFALCON" run $rules -g "$session" --gvisor-root="$scratch/state" -o gvisor.runsc="$RUNSC" -o append_output.suggested_output=false \
    -o gvisor.watch_interval_ms=300 -o gvisor.watch_grace_ms=1500) >"$alerts" 2>"$log" &
  daemon=$!
  wait_for_line 'event collection from gVisor is enabled' "$log" 10 || fail "$mode: gyrfalcon did not say that it listens"

  start_sandbox "$session" 'sleep 2; cat /etc/marker; sleep 55' 4242
  traced=$id
  next_cell alert alert_comes 'user=.* uid=4242$'
  next_cell names alert_has 'user=inside .* uid=4242$'
  next_cell exe can readlink "/proc/$(runsc_of_sandbox "$traced")/exe"
  start_sandbox '' 'while :; do /bin/sleep 1; done'
  untraced=$id
  next_cell watch alert_comes "A sandbox runs that is not connected.* gyrfalcon_sandbox=$untraced "

  # Traced by root, so that the next question is only whether its processes are found.
  "$RUNSC" --root="$scratch/state" trace create --config "$session" "$untraced" >"$scratch/create.log" 2>&1 ||
    skip "$RUNSC does not reach a sandbox from here: $(tail -n 1 "$scratch/create.log")"
  next_cell processes alert_comes 'slept under sh -c while :; do /bin/sleep 1; done$'
  "$RUNSC" --root="$scratch/state" trace delete --name Default "$untraced" >"$scratch/delete.log" 2>&1 || fail "no delete"
  next_cell attach can "$GYRFALCON" session attach --root="$scratch/state" --runsc "$RUNSC" -g "$session" "$untraced"

  somebody_else "$folder.other" -r tests/e2e/rules/below_bin.yaml
  "$RUNSC" --root="$scratch/state" trace create --force --config "$scratch/other.json" "$traced" >"$scratch/taken.log" 2>&1 ||
    fail "the session could not be taken"
  next_cell whose alert_comes "somebody else.* gyrfalcon_sandbox=$traced .* gyrfalcon_sink_endpoint=$folder.other/gvisor.sock "
  stop_listener KILL
  stop_gyrfalcon
  remove_sandboxes "$RUNSC" "$scratch/state"
  echo "$mode:$row"
}
for mode in $modes; do measure "$mode"; done
