#!/bin/sh
# The session config that the daemon keeps, and the shim's TOML that names it, whoever takes either away.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
socket=$scratch/gvisor.sock session=$scratch/pod-init.json toml=$scratch/runsc.toml

# start ARGUMENT…: the daemon, which keeps the session config; its log is $scratch/log.
start() {
  : >"$scratch/log" # the one before has said it, too
  "$GYRFALCON" run -o "gvisor.socket=$socket" -g "$session" -o gvisor.attach=false -o gvisor.runsc_toml_interval_ms=200 "$@" \
    >"$scratch/out" 2>"$scratch/log" &
  daemon=$!
  wait_for 'event collection from gVisor is enabled' "$scratch/log"
}
stop() {
  kill -TERM "$daemon"
  wait "$daemon" || fail "ended with $?"
  daemon=''
}
# comes_back: the session config, as it was.
comes_back() {
  cp "$session" "$scratch/as-it-was"
  rm "$session"
  wait_for "pod-init.json was gone, and is written again" "$scratch/log"
  cmp -s "$session" "$scratch/as-it-was" || fail 'the session config is written again, but not as it was'
}

printf '[runsc_config]\n  platform = "systrap"\n' >"$toml"
start -o gvisor.runsc= -o "gvisor.runsc_toml[]=$toml"
wait_for "pod-init-config = \"$session\"" "$toml"
comes_back
stop

printf 'syscall_allowlist = ["execve"]\n' >"$scratch/policy.toml"
start -o gvisor.runsc= -o "visibility_policy=$scratch/policy.toml"
comes_back
stop

# A runsc that takes no such session config: it is neither written, nor named where every sandbox would read it.
cat >"$scratch/runsc" <<'RUNSC'
#!/bin/sh
case $* in
  'trace metadata')
    echo 'POINTS (1)'
    echo 'Name: container/start, optional fields: [env], context fields: [time|container_id]'
    ;;
  *'trace create'*)
    echo 'json: unknown field "trace_session"' >&2
    exit 128
    ;;
  *) echo '[]' ;;
esac
RUNSC
chmod +x "$scratch/runsc"
rm -f "$session" "$session.bak"
printf '[runsc_config]\n  platform = "systrap"\n' >"$toml"
cp "$toml" "$scratch/toml-before"
start -o "gvisor.runsc=$scratch/runsc" -o "gvisor.runsc_toml[]=$toml"
sleep 0.5
stop
grep -q 'error: .*stays as it is, and no TOML is made to name it: .*unknown field' "$scratch/log" || fail 'not told that runsc refuses it'
[ ! -e "$session" ] || fail 'a session config that runsc refuses is written'
cmp -s "$toml" "$scratch/toml-before" || fail 'a session config that runsc refuses is named in the TOML'
echo 'a session config that is kept comes back, and none is that runsc refuses'
