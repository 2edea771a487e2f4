#!/bin/sh
# Sessions that a visibility policy gives, on a real runsc: accepted to the last point, with what is named and
# needed, or all that is named. And what `policy check` says of calls that gVisor does not implement is tried.
# usage: policy_test.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

rules=tests/e2e/rules/below_bin.yaml
socket=$scratch/run/gvisor.sock
cat >"$scratch/policy.toml" <<'EOF2'
syscall_allowlist = ["openat", "open", "execve", "clone", "futex", "rename", "mkdir", "mkdirat", "uname"]
EOF2
make_rootfs "$scratch/rootfs"

# generate FILE ARGUMENT…: a session; without ignore_missing, so that runsc refuses what it does not know.
generate() {
  file=$1
  shift
  "$GYRFALCON" session generate -r $rules --socket "$socket" --policy "$scratch/policy.toml" --runsc "$RUNSC" "$@" \
    >"$file" 2>"$scratch/generate.log" || fail "no session: $(cat "$scratch/generate.log")"
  sed -i 's/"ignore_missing": true/"ignore_missing": false/' "$file"
}
# points_sent FILE: runs a program under that session; the points that came, each once.
points_sent() {
  rm -rf "$scratch/captures"
  "$GYRFALCON" capture --listen "$socket" --dir "$scratch/captures" >"$scratch/files" 2>"$log" &
  daemon=$!
  wait_for_line 'recording connections' "$log" 10 || fail "gyrfalcon does not record"
  run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$1" \
    '/bin/mkdir /tmp/a; /bin/touch /bin/foo; true' >"$scratch/runsc.log" 2>&1 || fail "the sandbox did not start under $1"
  kill -TERM "$daemon"
  wait "$daemon" || fail "the recording ended badly"
  daemon=''
  "$GYRFALCON" dump --json "$(cat "$scratch/files")" | sed -n 's/.*"point":"\([^"]*\)".*/\1/p' | sort -u
}

generate "$scratch/needed.json"
points_sent "$scratch/needed.json" >"$scratch/needed"
grep -qx container/start "$scratch/needed" || fail "the session was refused: no message came"
grep -qx sentry/execve "$scratch/needed" || fail "no message of what keeps the state true: $(tr '\n' ' ' <"$scratch/needed")"
grep -qx syscall/openat/exit "$scratch/needed" || fail "no message of what is named and needed"
! grep -q sysno/83 "$scratch/needed" || fail "a message of what no rule needs"
generate "$scratch/literal.json" --literal --yes
points_sent "$scratch/literal.json" >"$scratch/literal"
grep -qx container/start "$scratch/literal" || fail "the literal session was refused: no message came"
for point in syscall/sysno/83/enter syscall/sysno/83/exit syscall/clone/enter; do # mkdir
  grep -qx $point "$scratch/literal" || fail "no message of $point, which is named: $(tr '\n' ' ' <"$scratch/literal")"
done
! grep -q syscall/close "$scratch/literal" || fail "a message of what is not named"

# And rules find in it what they find without a policy.
generate "$scratch/needed.json"
start_gyrfalcon run -r $rules -g "$scratch/needed.json"
run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$scratch/needed.json" 'touch /bin/foo; true' \
  >"$scratch/runsc.log" 2>&1 || fail "the sandbox did not start"
wait_for_line 'File below a known binary directory opened for writing' "$alerts" 10 || fail "no alert came"
check_only_one_alert
stop_gyrfalcon

header=/usr/include/x86_64-linux-gnu/asm/unistd_64.h
if [ ! -r $header ] || [ "$(uname -m)" != x86_64 ]; then
  echo "$flags: sessions accepted; skipped: which calls fail, for the kernel's list of them ($header) is not there"
  exit 0
fi
{
  echo 'syscall_allowlist = ['
  sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/"\1",/p' $header
  echo ']'
} >"$scratch/every.toml"
status=0
"$GYRFALCON" policy check --json "$scratch/every.toml" >"$scratch/every.json" || status=$?
[ $status -le 1 ] || fail "policy check ended with $status"
# NUMBER NAME KIND of each call that is said to fail.
perl -0777 -ne '
  my %number = map { reverse split } split /\n/, `sed -n "s/^#define __NR_\\([a-z0-9_]*\\) \\([0-9]*\\)\$/\\2 \\1/p" '$header'`;
  my ($list) = /"not_implemented": \[(.*?)\n  \]/s or exit 1;
  while ($list =~ /"name": "([a-z0-9_]+)".*?"never": (true|false),\s*"why": "([^"]*)"/gs) {
    my ($name, $never, $why) = ($1, $2, $3);
    my $kind = $never eq "true" ? "never" : $why =~ /^fails on a runsc of 2022/ ? "newer" : "off";
    print "$number{$name} $name $kind\n";
  }' "$scratch/every.json" >"$scratch/rootfs/calls"
cat >"$scratch/rootfs/try.pl" <<'EOF2'
open my $file, "<", "/calls" or die;
my @calls = <$file>;  # a child that ends would set the file's place back
close $file;
for (@calls) {
  my ($number, $name, $kind) = split;
  my $pid = fork // die;
  if ($pid == 0) {
    alarm 2;
    my $result = syscall($number, -1, -1, -1, -1, -1, -1);
    exit($result == -1 ? $! + 0 : 0);
  }
  waitpid $pid, 0;
  print "tried $kind $name ", $? >> 8, "\n";
}
EOF2
run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" '' 'perl /try.pl' >"$scratch/tried.log" 2>&1 ||
  fail "the calls could not be tried"
tried=$(grep -c '^tried never' "$scratch/tried.log") || fail "no call was tried"
[ "$tried" -gt 60 ] || fail "only $tried calls were tried"
# told KIND WORD REGEX: of those calls that are said to be so, WORD is `only`: all end with such an error; `never`: none.
told() {
  wrong=$(awk -v kind="$1" -v negated="$2" -v regex="$3" \
    '$1 == "tried" && $2 == kind && (($4 ~ regex) == (negated == "never")) { print $3, $4 }' "$scratch/tried.log")
  [ -z "$wrong" ] || fail "said to be \"$1\", and are not: $wrong"
}
# ENOSYS, or what stands in for it: EPERM, EACCES, ENODEV, EOPNOTSUPP.
told never only '^(38|1|13|19|95)$'
if [ "$1" = debian ]; then
  told newer only '^(38|1)$'
  told off never '^38$'
else
  told newer never '^38$'
  told off only '^38$'
fi
echo "$flags: $(wc -l <"$scratch/needed") and $(wc -l <"$scratch/literal") points came; $tried calls fail as is said"
