#!/bin/sh
# Visibility policies: what is wrong with one, the session that it gives, the smallest one, how two differ.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
policy=tests/data/policy/shapes.toml
cat >"$scratch/rules.yaml" <<'EOF2'
- rule: Opened
  desc: d
  condition: evt.type = openat and fd.name startswith /etc
  output: o
  priority: INFO
  tags: [files]
- rule: Renamed
  desc: d
  condition: evt.type = rename
  output: o
  priority: INFO
EOF2
points() { grep -o '"name": "[a-z_]*/[^"]*"' "$1" | cut -d'"' -f4; }
# json_is EXPRESSION: holds for the JSON in $scratch/out as `j`; python3 is asked where it is there.
if python3 -c 'import json' 2>/dev/null; then
  json_is() {
    python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' \
      "$scratch/out" "$1" || fail "the JSON does not hold: $1"
  }
else
  echo 'skipped: JSON is not looked into without python3'
  json_is() { :; }
fi

# The numbers, counted with a shell's means: entries, names, names that repeat.
sed -e 's/#.*//' $policy | sed -n '/\[/,/\]/p' | grep -o '"[^"]*"' | tr -d '"' >"$scratch/entries"
entries=$(wc -l <"$scratch/entries")
names=$(sort -u "$scratch/entries" | wc -l)
repeated=$(sort "$scratch/entries" | uniq -d | wc -l)
expect 1 policy check $policy
says out "^$policy: $entries entries, $names names: $repeated repeated, 4 unknown, 3 that gVisor never implements\$"
[ "$entries $names $repeated" = '24 20 3' ] || fail "the file has other numbers: $entries $names $repeated"
header=/usr/include/x86_64-linux-gnu/asm/unistd_64.h
if [ -r $header ]; then
  sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' $header | sort -u >"$scratch/calls"
  unknown=$(sort -u "$scratch/entries" | comm -23 - "$scratch/calls" | tr '\n' ' ')
  [ "$unknown" = 'eventfd_read mkfifo sched_exit sigaction ' ] || fail "the kernel's header says otherwise: $unknown"
else
  echo "skipped: the kernel's own list of names, $header is not there"
fi
says out 'shapes\.toml:12:3: no system call `mkfifo`; did you mean `mknod`\?'
says out 'shapes\.toml:19:3: no system call `eventfd_read`; did you mean `read`\?'
says out 'shapes\.toml:8:11: `openat` again in lines 20, 27'
says out '`perf_event_open`: always fails'
says out '`openat2`: fails on a runsc of 2022'
says out "tried in sandboxes of Debian's runsc"
says out '^  rename +raw syscall/sysno/82 +without the path'
says out '^  futex +raw syscall/sysno/202 +hot'
says out '^  openat +syscall/openat +hot'
says out '^  vfork +syscall/vfork, sentry/clone'
says out '^  futex_waitv +no point'
silent err
expect 1 policy check --json $policy
silent err
json_is 'j["entries"] == 24 and j["names"] == 20 and len(j["unknown"]) == 4 and len(j["duplicates"]) == 3'
json_is '{"name": "openat", "line": 8, "column": 11, "repeated_in_lines": [20, 27]} in j["duplicates"]'
printf 'syscall_allowlist = ["openat"]\nintercept = true\n' >"$scratch/good.toml"
expect 0 policy check "$scratch/good.toml"
says err 'warning: .*good\.toml:2:1: unknown key `intercept`'

# What is no policy: with place, exit code 1.
broken() {
  printf "$1" >"$scratch/broken.toml"
  for words in 'policy check' 'session generate --policy' "policy diff $policy"; do
    # shellcheck disable=SC2086 # words on purpose
    expect 1 $words "$scratch/broken.toml"
    silent out
    says err "^gyrfalcon: .*broken\.toml:$2"
  done
}
broken 'syscall_allowlist = [\n"read"\n"write"\n]\n' '3:1: not TOML: '
broken 'syscall_allowlist = "read"\n' '1:21: .*is a text; write a list'
broken 'syscall_allowlist = ["read",\n 59]\n' '2:2: a number in '
broken 'intercept_syscalls = true\n' '1:1: no `syscall_allowlist`'
awk 'BEGIN { print "syscall_allowlist = ["; for (i = 0; i < 100000; i++) print "\"read\","; print "]" }' >"$scratch/many.toml"
expect 1 policy check "$scratch/many.toml"
says err 'many\.toml:10002:1: more than 10000 names'
cat "$scratch/many.toml" "$scratch/many.toml" >"$scratch/large.toml"
expect 1 policy check "$scratch/large.toml"
says err 'large\.toml: larger than 1048576 bytes'
expect 3 policy check "$scratch/absent.toml"
expect 3 policy check "$scratch"
expect 2 policy check
expect 2 policy chekc
says err 'did you mean `policy check`'

# The session: what is named, of it what the rules need; what keeps the state true in any case.
generate() { expect 0 session generate -r "$scratch/rules.yaml" --profile lean "$@"; }
state='container/start sentry/clone sentry/execve sentry/task_exit syscall/open/exit syscall/openat/exit syscall/creat/exit syscall/execve/enter syscall/execveat/enter'
generate --policy $policy
points "$scratch/out" >"$scratch/points"
grep -qx syscall/sysno/82/exit "$scratch/points" || fail 'rename is named and needed, and is not asked for'
! grep -qx syscall/sysno/202/exit "$scratch/points" || fail 'futex is not needed, and is asked for'
printf 'syscall_allowlist = ["futex"]\n' >"$scratch/futex.toml"
generate --policy "$scratch/futex.toml"
[ "$(points "$scratch/out" | tr '\n' ' ')" = "$state " ] || fail 'not the state alone'
printf 'intercept_syscalls = false\nsyscall_allowlist = ["rename"]\n' >"$scratch/off.toml"
generate --policy "$scratch/off.toml"
says err 'off\.toml:1:22: .*only what keeps the state true'
[ "$(points "$scratch/out" | tr '\n' ' ')" = "$state " ] || fail 'not the state alone'
generate --policy $policy --explain
says out "^syscall/sysno/82/exit: policy $policy:10; rule \"Renamed\""
generate --policy $policy --explain --json
json_is '"policy tests/data/policy/shapes.toml:10" in [p for p in j["points"] if p["point"] == "syscall/sysno/82/exit"][0]["reasons"]'

# Who uses a policy hears of names that ask for nothing, as of its keys; control characters are shown.
printf 'syscall_allowlist = ["openat", "mkfifo"]\n' >"$scratch/names.toml"
expect 0 session generate --policy "$scratch/names.toml"
says err 'names.toml:1:32: no system call .mkfifo., nothing is asked for by it; did you mean .mknod.'

# At its word: it says what that costs, and asks.
expect 2 session generate --policy "$scratch/futex.toml" --literal
silent out
says err 'taken at its word'
says err '11 to 13 µs'
says err 'by ordinary programs: futex\.$'
says err 'no terminal to ask on: add --yes'
generate --policy "$scratch/futex.toml" --literal --yes
[ "$(points "$scratch/out" | tr '\n' ' ')" = "$state syscall/sysno/202/enter syscall/sysno/202/exit " ] || fail 'not what is named'
says err 'taken at its word'
if command -v script >/dev/null 2>&1; then
  for answer in y n; do
    printf '%s\n' $answer | script -qec "$GYRFALCON session generate --policy $scratch/futex.toml --literal >$scratch/$answer.json" \
      "$scratch/typescript" >"$scratch/log" 2>&1 || true
    grep -q 'Make it? \[y/N\]' "$scratch/log" || fail 'it does not ask on a terminal'
  done
  grep -q '"syscall/sysno/202/exit"' "$scratch/y.json" || fail 'a yes makes no session'
  [ ! -s "$scratch/n.json" ] || fail 'a no makes one'
else
  echo 'skipped: a terminal, script is not there'
fi
expect 2 session generate --literal
expect 2 session generate --yes
expect 2 session generate --all --policy $policy

# The smallest policy gives the same session, and names the rules.
for profile in lean standard strict; do
  for rules in "-r $scratch/rules.yaml" ''; do
    # shellcheck disable=SC2086 # words on purpose
    expect 0 policy suggest $rules --profile $profile
    cp "$scratch/out" "$scratch/small.toml"
    # shellcheck disable=SC2086
    expect 0 session generate $rules --profile $profile
    cp "$scratch/out" "$scratch/without"
    # shellcheck disable=SC2086
    expect 0 session generate $rules --profile $profile --policy "$scratch/small.toml"
    cmp -s "$scratch/out" "$scratch/without" || fail "another session with the suggested policy, $profile $rules"
  done
done
expect 0 policy suggest -r "$scratch/rules.yaml" --profile lean
says out '^  # rules: "Renamed"$'
says out '^  "rename",$'
expect 0 policy suggest -r "$scratch/rules.yaml" --profile lean -T files
! grep -q openat "$scratch/out" || fail 'a rule that is switched off is served'

expect 0 policy diff "$scratch/futex.toml" $policy -r "$scratch/rules.yaml" --profile lean
says out 'names only in .*futex\.toml: none$'
says out '^  \+ syscall/sysno/82/exit$'
says out '^  rename +0 -> 2$'
expect 0 policy diff "$scratch/futex.toml" $policy --literal --json
json_is '"openat" in j["names_only_in_b"] and j["a"]["names"] == 1'
json_is 'j["points_only_in_a"] == [] and "syscall/connect/enter" in j["points_only_in_b"]'

# Falco's flags choose the rules of a session; what makes no sense is refused.
generate -T files
! grep -q '"fd_path"' "$scratch/out" || fail 'a rule that is switched off is asked for'
generate -D Renamed
! points "$scratch/out" | grep -q sysno/82 || fail 'a rule that is switched off is asked for'
generate -o 'rules[].disable.rule=Renamed'
! points "$scratch/out" | grep -q sysno/82 || fail 'a rule that is switched off is asked for'
printf 'rules_files: [%s]\ngvisor: {socket: /run/of-config.sock}\n' "$scratch/rules.yaml" >"$scratch/config.yaml"
expect 0 session generate -c "$scratch/config.yaml"
says out '"endpoint": "/run/of-config\.sock"'
says out '"syscall/sysno/82/exit"'
printf -- '- rule: Every\n  desc: d\n  condition: proc.name = sh\n  output: o\n  priority: INFO\n' >"$scratch/every.yaml"
expect 0 session generate -r "$scratch/every.yaml"
says err 'warning: no evt\.type in rule "Every": every event'
silent_for='session generate -r'
expect 0 $silent_for "$scratch/rules.yaml"
silent err
expect 2 session generate --all --profile lean
expect 2 session generate --socket ''
says err 'not a path that a socket can have'
long=/$(printf '%0106d' 0)
expect 2 session generate --socket "$long"
says err 'is 107 bytes long, and at most 106 fit'
expect 0 session generate --socket "/$(printf '%0105d' 0)"
expect 3 --gvisor-generate-config="$long"

# A runsc: asked for what it knows.
cat >"$scratch/runsc" <<'EOF2'
#!/bin/sh
[ "$1 $2" = 'trace metadata' ] || exit 1
echo 'POINTS (3)'
echo 'Name: container/start, optional fields: [env], context fields: [time|thread_id|container_id]'
echo 'Name: sentry/clone, optional fields: [], context fields: [time|thread_id|container_id]'
echo 'Name: syscall/openat/exit, optional fields: [], context fields: [time|thread_id|group_id|container_id]'
echo
echo 'SINKS (1)'
echo 'Name: remote'
EOF2
chmod +x "$scratch/runsc"
generate --runsc "$scratch/runsc"
[ "$(points "$scratch/out" | tr '\n' ' ')" = 'container/start sentry/clone syscall/openat/exit ' ] || fail 'not what that runsc knows'
says err 'warning: .*runsc does not know these points, and the session is without: sentry/execve, '
says err 'these fields, .*fd_path of syscall/openat/exit'
generate --runsc "$scratch/runsc" --policy "$scratch/futex.toml"
! grep -q 'fd_path' "$scratch/err" || fail 'a field falls away that was not asked for'
expect 3 session generate --runsc "$scratch/no-runsc"
says err 'no-runsc'
echo 'policies are read, checked, suggested and compared, and narrow sessions'
