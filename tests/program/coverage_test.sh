#!/bin/sh
# `rules coverage`: verdicts for sessions and runscs that are there or not, its exit codes, bad input.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$scratch/rules.yaml" <<'EOF'
- rule: Opens
  desc: d
  condition: evt.type = openat and fd.name = /etc/shadow
  output: o
  priority: INFO
- rule: Removes <b>
  desc: d
  condition: evt.type = unlink and evt.arg.path = /etc/shadow
  output: o
  priority: INFO
- rule: Maps
  desc: d
  condition: evt.type in (map_file, openat) and proc.name = sh
  output: o
  priority: INFO
EOF
rules="$scratch/rules.yaml"

expect 0 rules coverage
says out '^[0-9]+ rules: [0-9]+ full, 0 degraded, 0 blind$'
grep -q "$(printf '\033')" "$scratch/out" && fail 'colour where there is no terminal'

expect 0 rules coverage -r "$rules"
says out '^blind     Removes <b>$'
says out 'evt.arg.path: raw points \(unlink\) have numbers'
says out 'instead: the raw point shows'
says out '^3 rules: 2 full, 0 degraded, 1 blind$'
expect 0 rules coverage -r "$rules" --json
says out '"summary": \{'
says out '"blind": 1'

# For CI: what is worse than asked for ends with 1.
expect 1 rules coverage -r "$rules" --fail-on blind
expect 1 rules coverage -r "$rules" -D Removes --runsc-metadata debian --fail-on degraded
says out '^degraded  Maps$'
says out 'mended by sentry/mmap \(needs a newer runsc\)'
expect 0 rules coverage -r "$rules" -D Removes --runsc-metadata debian --fail-on blind
expect 0 rules coverage -r "$rules" -D Removes --fail-on degraded

# A session; what would mend it can be pasted into it.
"$GYRFALCON" session generate -r "$rules" >"$scratch/session.json"
expect 0 rules coverage -r "$rules" --session "$scratch/session.json"
says out '^3 rules: 2 full'
printf '{"trace_session":{"points":[{"name":"sentry/clone","context_fields":["time"]}]}}' >"$scratch/thin.json"
expect 0 rules coverage -r "$rules" --session "$scratch/thin.json"
says out '^blind     Opens$'
says out '\{"name":"syscall/openat/exit","optional_fields":\["fd_path"\],"context_fields":\['
says out 'messages of 1,000'

# What a policy leaves to see.
cat >"$scratch/connects.yaml" <<'EOF'
- rule: Connects
  desc: d
  condition: evt.type = connect and fd.sport = 22
  output: o
  priority: INFO
EOF
echo 'syscall_allowlist = ["openat"]' >"$scratch/policy.toml"
expect 1 rules coverage -r "$scratch/connects.yaml" --policy "$scratch/policy.toml" --fail-on blind
says out '^blind     Connects$'
echo 'syscall_allowlist = ["connect"]' >"$scratch/policy.toml"
expect 0 rules coverage -r "$scratch/connects.yaml" --policy "$scratch/policy.toml" --fail-on blind
says out 'session generate --policy .*policy.toml'
echo 'syscall_allowlist = "connect"' >"$scratch/policy.toml"
expect 1 rules coverage -r "$scratch/connects.yaml" --policy "$scratch/policy.toml"
says err 'policy.toml:1:'
expect 2 rules coverage --policy "$scratch/policy.toml" --session "$scratch/session.json"

# What old runscs do not tell of a thread.
cat >"$scratch/exec.yaml" <<'EOF'
- rule: Came by exec
  desc: d
  condition: evt.type = openat and proc.is_exec_session = true
  output: o
  priority: INFO
EOF
expect 0 rules coverage -r "$scratch/exec.yaml" --fail-on degraded
expect 1 rules coverage -r "$scratch/exec.yaml" --runsc-metadata debian --fail-on blind
says out '^blind     Came by exec$'

# Sessions that send nothing; nothing that a file says reaches the terminal as it is.
printf '{"trace_session":{"points":[],"sinks":[]}}' >"$scratch/sinkless.json"
expect 1 rules coverage --session "$scratch/sinkless.json"
says err 'sinkless.json:1:[0-9]+: no sink "remote"'
printf '{"trace_session":{"name":"Other","points":[]}}' >"$scratch/named.json"
expect 1 rules coverage --session "$scratch/named.json"
says err 'named.json:1:[0-9]+: a session of another name'
printf '{"trace_session":{"poi\\u001b[31mnts":[]}}' >"$scratch/escape.json"
expect 1 rules coverage --session "$scratch/escape.json"
grep -q "$(printf '\033')" "$scratch/err" && fail 'an escape sequence on the terminal'

# A runsc that is asked, and what others say instead.
cat >"$scratch/runsc" <<'EOF'
#!/bin/sh
echo 'POINTS (1)'
echo 'Name: sentry/clone, optional fields: [], context fields: [time]'
EOF
chmod +x "$scratch/runsc"
expect 0 rules coverage -r "$rules" --runsc "$scratch/runsc"
says out '^3 rules: 0 full, 0 degraded, 3 blind$'
printf '#!/bin/sh\necho hello\n' >"$scratch/runsc"
expect 1 rules coverage --runsc "$scratch/runsc"
says err 'is no runsc'
expect 3 rules coverage --runsc "$scratch/absent"
says err 'absent'

# Bad input, with its place.
expect 1 rules coverage --runsc-metadata "$rules"
says err 'rules.yaml:1: not the output of .runsc trace metadata'
expect 3 rules coverage --runsc-metadata "$scratch/absent.txt"
printf '{\n "trace_session": {\n  "pionts": []}}' >"$scratch/typo.json"
expect 1 rules coverage --session "$scratch/typo.json"
says err 'typo.json:3:3: unknown key "pionts" \(did you mean "points"\?\)'
expect 3 rules coverage --session "$scratch/absent.json"
expect 3 rules coverage -r "$scratch/absent.yaml"
printf -- '- rule: x\n  condition: evt.type = nothing\n' >"$scratch/bad.yaml"
expect 1 rules coverage -r "$scratch/bad.yaml"
says err 'bad.yaml:'
expect 2 rules coverage --runsc x --runsc-metadata current
expect 2 rules coverage --fail-on worse

# The page: one file, nothing of a rule's name as markup.
expect 0 rules coverage -r "$rules" --html "$scratch/page.html"
grep -q 'Removes &lt;b&gt;' "$scratch/page.html" || fail 'the name is not in the page'
grep -q 'Removes <b>' "$scratch/page.html" && fail 'the name is markup in the page'
grep -Eq '(src|href)="?(https?:)?//' "$scratch/page.html" && fail 'the page needs something from elsewhere'
expect 3 rules coverage --html "$scratch/no/such/folder.html"
says err 'cannot write'

# Which of the known runscs has a point or a field first.
expect 0 points
says out '^sentry/mmap +map_file +current$'
says out '^sentry/clone +clone +debian$'
expect 0 points sentry/execve
says out 'since: runsc debian; later: .*fd_info \(current\)'
expect 0 points --since current
says out '^syscall/ptrace '
says out '^sentry/execve .*binary_sha256 \(current\)'
grep -q '^syscall/ptrace .*debian' "$scratch/out" && fail 'ptrace is new'
expect 0 points sentry/mmap --json
says out '"since":"current"'
expect 2 points --since never

# The daemon says it after a start and a reload, and keeps the figures.
socket=$scratch/run/gvisor.sock
"$GYRFALCON" run -r "$rules" -o "gvisor.socket=$socket" -o gvisor.runsc= >"$scratch/alerts" 2>"$scratch/log" &
daemon=$!
wait_for 'rules: 2 full, 0 degraded, 1 blind for the session that would be generated' "$scratch/log"
wait_for "rule 'Removes <b>' is blind: evt.arg.path: raw points" "$scratch/log"
expect 0 status --socket "$socket" --json
says out '"rules_full":2,"rules_degraded":0,"rules_blind":1'
expect 0 status --socket "$socket"
says out '^rules_blind +1$'
sed -i '/Removes/,/INFO/d' "$rules"
kill -HUP $daemon
wait_for 'rules: 2 full, 0 degraded, 0 blind' "$scratch/log"
kill -TERM $daemon
wait $daemon || true
"$GYRFALCON" session generate -r "$rules" --socket "$socket" |
  sed 's|syscall/openat/exit|syscall/openat/nowhere|' >"$scratch/blind.json"
"$GYRFALCON" run -r "$rules" -g "$scratch/blind.json" -o gvisor.runsc= >"$scratch/alerts" 2>"$scratch/log" &
daemon=$!
wait_for "rules: 0 full, 1 degraded, 1 blind for the session $scratch/blind.json" "$scratch/log"
wait_for "rule 'Opens' is blind: syscall/openat/exit: openat never comes" "$scratch/log"
