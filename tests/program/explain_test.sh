#!/bin/sh
# `rules explain`: exit codes, what it says for people and for scripts.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"

hello=$data/new/hello.trace
cat >"$scratch/rules.yaml" <<'EOF'
- macro: in_bin
  condition: fd.directory in (/bin, /usr/bin)
- rule: Program file written
  desc: d
  condition: evt.type in (open, openat) and evt.is_open_write = true and in_bin
  output: "%fd.name"
  priority: WARNING
- rule: Never in this capture
  desc: d
  condition: evt.type in (openat, ptrace) and fd.name = /bin/bar and proc.name = touch
  output: "%fd.name"
  priority: NOTICE
- rule: Off
  desc: d
  condition: evt.type = openat
  output: "%fd.name"
  priority: NOTICE
  enabled: false
EOF

# Fired: 0, with what decided.
expect 0 rules explain 'Program file written' $hello -r "$scratch/rules.yaml"
silent err
says out '^"Program file written" fired [0-9]+ time'
says out '^  true    fd.directory in \(/bin, /usr/bin\)  saw /bin  \[macro in_bin\]$'
! grep -q "$(printf '\033')" "$scratch/out" || fail 'colour without a terminal'
event=$(sed -n 's/^event \([0-9]*\)  openat .*/\1/p' "$scratch/out" | head -n 1)
expect 0 dump $hello --json
sed -n "${event}p" "$scratch/out" | grep -q '"point":"syscall/openat/exit".*"pathname":"/bin/foo"' ||
  fail 'the event is not the one that dump shows'

# Did not fire: 1, the nearest miss first, and what never came.
expect 1 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml"
says out '^"Never in this capture" did not fire'
says out '^  openat [0-9]+, ptrace 0'
says out '^event [0-9]+  openat  touch .* 1 part in the way'
says out '^  false   fd.name = /bin/bar  saw '
says out '^  syscall/ptrace/exit +for ptrace$'
expect 1 rules explain 'Off' $hello -r "$scratch/rules.yaml"
says out 'did not fire: it is disabled'
says out 'held, but the rule is disabled'

# What no session mends is said to be so.
cat >"$scratch/blind.yaml" <<'EOF'
- rule: Renamed into a binary directory
  desc: d
  condition: evt.type in (rename, renameat) and fd.name startswith /bin
  output: "%proc.name"
  priority: NOTICE
EOF
expect 1 rules explain 'Renamed into a binary directory' $hello -r "$scratch/blind.yaml"
says out 'No session helps: .*fd.name: rename, renameat never have it'
! grep -q 'makes a session with all' "$scratch/out" || fail 'a session is advised that does not help'

# One event: 0, every part.
expect 0 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml" --event "$event"
says out '^  did not hold$'
says out '^    false   fd.name = /bin/bar  saw /bin/foo$'
says out '^    true    proc.name = touch  saw touch  \[left out\]$'
expect 0 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml" --event 198
expect 2 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml" --event 199
says err 'no event 199: it has 198 messages'
expect 2 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml" --event 0
expect 2 rules explain 'Never in this capture' $hello $hello -r "$scratch/rules.yaml" --event 1
says err '--event needs one CAPTURE'

# JSON is one document.
expect 1 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml" --json
[ "$(wc -l <"$scratch/out")" -eq 1 ] || fail 'not one line'
says out '^\{"rule":"Never in this capture","enabled":true,.*"fired":0,'
says out '"unsent":\[\{"point":"syscall/ptrace/exit","types":\["ptrace"\]\}\]'
says out '"misses":\[\{"capture":".*hello.trace","event":[0-9]+,"type":"openat"'

# A session says what was not asked for.
expect 0 session generate -r "$scratch/rules.yaml"
cp "$scratch/out" "$scratch/session.json"
expect 1 rules explain 'Never in this capture' $hello -r "$scratch/rules.yaml" --session "$scratch/session.json"
! grep -q 'ptrace/exit' "$scratch/out" || fail 'asked for, and told as not asked for'
expect 3 rules explain Off $hello -r "$scratch/rules.yaml" --session "$scratch/absent.json"
echo '{}' >"$scratch/broken.json"
expect 1 rules explain Off $hello -r "$scratch/rules.yaml" --session "$scratch/broken.json"

# The case of docs/tuning.md: a session that was made for another rule, and the one for the shipped rules.
shell='Shell connected to a network socket'
tuning=$data/tuning
cat >"$scratch/agent.yaml" <<'EOF'
- rule: Shell connected to a network socket
  exceptions:
    - name: agent_shell
      fields: [proc.pname, fd.sport]
      values:
        - [bash, 4441]
  override:
    exceptions: append
EOF
for runsc in old new; do
  expect 1 rules explain "$shell" $tuning/$runsc/narrow.trace --session $tuning/narrow.json
  says out '^  unseen  proc.stdin.type in \(ipv4, ipv6\)$'
  says out '^          would be told by: sentry/execve with fd_info$'
  says out '^The rule asks for what the session does not:$'
  says out '^  syscall/dup2/exit  *for dup2$'
  expect 0 rules explain "$shell" $tuning/$runsc/wide.trace --session $tuning/wide.json
  says out '^"Shell connected to a network socket" fired 1 time$'
  ! grep -q 'what the session does not' "$scratch/out" || fail 'the session that was made for the rule lacks something'
  expect 1 rules explain "$shell" $tuning/$runsc/wide.trace -r rules/gyrfalcon_rules.yaml -r "$scratch/agent.yaml" --limit 1
  says out '1 part in the way$'
  says out 'must not hold; exception agent_shell\]$'
done

# Values that a program chose can't write to the terminal, and long ones are cut.
expect 1 rules explain 'Never in this capture' $data/old/net.trace -r "$scratch/rules.yaml"
! grep -q "$(printf '\033')" "$scratch/out" || fail 'a control character'

# Usage, files.
expect 2 rules explain
expect 2 rules explain Off
expect 2 rules explain 'Program file writen' $hello -r "$scratch/rules.yaml"
says err 'no rule "Program file writen" in .*did you mean "Program file written"\?'
expect 2 rules explain 'gyrfalcon: events lost' $hello
says err 'built-in alert'
expect 2 rules explain Off $hello -r "$scratch/rules.yaml" -o priority=error
says err 'has priority Notice'
expect 2 rules explain Off $hello --limit 0
expect 3 rules explain Off "$scratch/absent.trace" -r "$scratch/rules.yaml"
expect 3 rules explain Off $hello -r "$scratch/absent.yaml"
echo 'rules explain says why'
