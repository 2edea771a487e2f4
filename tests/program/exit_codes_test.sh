#!/bin/sh
# Exit codes, help and what bad input is told: docs/operating.md holds on to these.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"

start_rule >"$scratch/good.yaml"
cat >"$scratch/bad1.yaml" <<'EOF'
- rule: Typo
  desc: a field that is not there
  condition: evt.type = execve and proc.nmae = sh
  output: x
  priority: NOTICE
- rule: Priority
  desc: a priority that is not there
  condition: evt.type = execve
  output: x
  priority: WARN
EOF
printf -- '- rule: Open\n  desc: [\n' >"$scratch/bad2.yaml"

# Usage.
expect 2
expect 2 replya
says err 'did you mean `replay`'
expect 2 replay
expect 2 run --no-such-flag
expect 2 replay --arch vax $data/new/hello.trace
expect 2 run -o no_such_key=1
says err 'unknown key'
expect 2 -o json_output=maybe -V "$scratch/good.yaml"
says err 'expected true or false'
expect 0 --version
says out '^gyrfalcon [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 --help
sed -En 's/^  ([a-z]+( [a-z]+)?) +[A-Z].*/\1/p' "$scratch/out" >"$scratch/commands"
[ "$(wc -l <"$scratch/commands")" -ge 23 ] || fail "few commands in --help: $(cat "$scratch/commands")"
while read -r command; do
  # shellcheck disable=SC2086 # words on purpose
  expect 0 $command --help
  says out 'Example: gyrfalcon'
  ! grep -Eq '[ :](TEXT|VALUE|U?INT|FLOAT)( |:|$)' "$scratch/out" || fail "$command: a type in place of a name"
done <"$scratch/commands"
# What a flag takes, and what holds without it.
expect 0 run --help
says out '\-\-list \[=SOURCE\]'
says out '\-\-gvisor-generate-config \[=SOCKET\]'
says out '\-\-config FILE '
says out 'By default: the config is /etc/gyrfalcon/gyrfalcon.yaml .* the socket is .*gvisor.sock'

# The first word of several commands: those commands.
for group in rules session install policy; do
  expect 0 $group --help
  says out "^  $group [a-z]+ +[A-Z]"
  expect 2 $group
  says out "^  $group [a-z]+ +[A-Z]"
done
expect 2 rules chekc
says err 'no command'

# Rules: all problems of all files at once, with place, caret and suggestion.
expect 0 -V "$scratch/good.yaml"
says out 'good.yaml: Ok'
expect 1 rules check "$scratch/bad1.yaml" "$scratch/bad2.yaml"
says err 'bad1.yaml:3:[0-9]+: .*proc\.nmae'
says err "did you mean 'proc\.name'"
says err '^ *\^'
says err 'bad1.yaml:10:[0-9]+: .*[Pp]riority'
says err 'bad2.yaml:'
expect 1 replay $data/new/hello.trace -r "$scratch/bad1.yaml"
silent out
expect 1 rules check --json "$scratch/bad1.yaml"
says out '^\{"falco_load_results":\['
expect 3 replay $data/new/hello.trace -r "$scratch/absent.yaml"
says err 'absent.yaml'
# Nobody writes into the pipe: it must not be waited on.
mkfifo "$scratch/pipe.yaml"
ln -s /dev/zero "$scratch/device.yaml"
for file in pipe device; do
  expect 3 -V "$scratch/$file.yaml"
  says err "$file.yaml: not a regular file"
done

# A field that gVisor never tells loads, and each rule that asks for it is told about once.
cat >"$scratch/never.yaml" <<'EOF'
- rule: Capable
  desc: asks for what never comes
  condition: evt.type = execve and thread.cap_effective contains CAP_SYS_ADMIN
  output: caps=%thread.cap_effective
  priority: NOTICE
EOF
expect 0 replay $data/new/docker-hello.trace -r "$scratch/never.yaml"
silent out
[ "$(grep -c "rule 'Capable': gVisor never tells these fields.*thread.cap_effective" "$scratch/err")" -eq 1 ] ||
  fail 'not one warning'
# The verdict is Falco's, which has no such warning: it is not part of it, in either form.
expect 0 rules check "$scratch/never.yaml"
says out 'never.yaml: Ok$'
says err "rule 'Capable': gVisor never tells these fields.*thread.cap_effective"
expect 0 rules check --json "$scratch/never.yaml"
says out '"warnings":\[\]'
silent err
expect 0 fields thread.cap_effective
says out 'available under gVisor: never'
expect 0 fields --json evt.around
says out '"falco_type":"UINT64"'

# Captures. A flag takes one value, so captures may stand behind it.
expect 0 replay -r "$scratch/good.yaml" $data/new/hello.trace $data/old/hello.trace --summary
says err '"messages":336,'
expect 0 replay $data/new/hello.trace -r "$scratch/good.yaml" --summary
says out 'Notice started '
says err '^\{"messages":198,"undecodable":0,"unknown_types":0,"dropped":0,"alerts":[0-9]+\}$'
expect 0 replay $data/new/empty-session.trace -r "$scratch/good.yaml"
silent out
expect 3 replay "$scratch/absent.trace" -r "$scratch/good.yaml"
expect 1 replay "$scratch/good.yaml" -r "$scratch/good.yaml"
says err 'good.yaml'
# Everything before a cut is evaluated, then a warning with the offset.
head -c 9000 $data/new/hello.trace >"$scratch/cut.trace"
expect 0 replay "$scratch/cut.trace" -r "$scratch/good.yaml"
says out 'Notice started '
says err 'warning: .*cut.trace.*[0-9]{4}'
expect 0 replay "$scratch/cut.trace" $data/old/hello.trace -r "$scratch/good.yaml" --summary
messages=$(sed -n 's/.*"messages":\([0-9]*\).*/\1/p' "$scratch/err")
[ "$messages" -gt 138 ] || fail "the file after the cut one was not replayed"
expect 0 replay $data/new/hello.trace -r "$scratch/good.yaml" -o json_output=true
says out '^\{"hostname":.*"rule":"Start".*\}$'

# The session config and the socket.
expect 3 run -r "$scratch/good.yaml" -g "$scratch/absent.json"
says err 'session generate'
printf '{' >"$scratch/broken.json"
expect 3 run -r "$scratch/good.yaml" -g "$scratch/broken.json"
says err 'broken.json: not JSON'
printf '{"trace_session":{"sinks":[]}}' >"$scratch/sinkless.json"
expect 3 run -r "$scratch/good.yaml" -g "$scratch/sinkless.json"
says err 'remote'
expect 3 run -r "$scratch/good.yaml" -o "gvisor.socket=$scratch/no/such/folder/g.sock"
says err 'no/such'
expect 0 session generate -r "$scratch/good.yaml" --socket /run/x.sock
says out '"endpoint": "/run/x.sock"'
expect 0 --gvisor-generate-config=/run/y.sock -r "$scratch/good.yaml"
says out '"endpoint": "/run/y.sock"'
expect 3 status --socket "$scratch/nobody.sock"
says err 'gyrfalcon run'
# Which session config one may have.
if [ ! -e /etc/gyrfalcon/pod-init.json ]; then
  printf 'gvisor:\n  socket: %s/g.sock\n' "$scratch" >"$scratch/attach.yaml"
  expect 2 session attach -c "$scratch/attach.yaml"
  says err 'no session config: .*`gyrfalcon session generate > FILE` makes one'
  echo '{}' >"$scratch/attach.json"
  expect 2 session attach -c "$scratch/attach.yaml"
  says err "the daemon's own is $scratch/attach.json"
fi

# The config: Falco's keys.
printf 'json_output: true\ngrpc:\n  enabled: false\npriorty: debug\n' >"$scratch/falco.yaml"
expect 1 run -c "$scratch/falco.yaml"
says err 'falco.yaml:4:1: unknown key `priorty`; did you mean `priority`'
printf 'json_output: true\ngrpc:\n  enabled: false\n' >"$scratch/falco.yaml"
expect 0 replay $data/new/docker-hello.trace -c "$scratch/falco.yaml" -r "$scratch/good.yaml"
says out '^\{"hostname"'
says err 'ignored: grpc'

expect 1 replay $data/new/docker-hello.trace -r "$scratch/good.yaml" -o file_output.enabled=true
says err 'file_output.filename'
expect 2 --modern-bpf
says err 'has no meaning here'
expect 0 run --dry-run -r "$scratch/good.yaml"
says out 'rules are valid: 1 rules, 1 of them enabled'
expect 0 session generate -r "$scratch/good.yaml" --socket relative.sock
says out '"endpoint": "/.*/relative.sock"'

# A reader that goes away ends the program quietly.
"$GYRFALCON" dump $data/new/hello.trace 2>"$scratch/err" | head -n 1 >/dev/null
silent err

# The tables.
expect 0 fields proc.name
says out 'available under gVisor: yes'
expect 1 fields proc.nmae
says err 'did you mean `proc.name`'
expect 0 fields --json
says out '"name":"container.id"'
expect 0 points syscall/openat
says out 'fd_path'
expect 1 points syscall/opneat
expect 0 --list -N
says out '^proc\.cmdline$'
expect 0 -L -r "$scratch/good.yaml"
says out '^Start +a program starts'
expect 1 -l Nothing -r "$scratch/good.yaml"
says err 'Rule "Nothing" is not loaded'
expect 2 --list=k8s_audit
says err 'the only source is'
expect 0 --list
says out '^Field Class: +proc$'
expect 0 --list=syscall --markdown
says out '^`proc\.name` \| CHARBUF \| '
expect 0 --list-events
says out '^< asyncevent$'
expect 0 --list-syscall-events --markdown
says out '^Yes \| `<` \| \*\*openat\*\*$'
! grep -q asyncevent "$scratch/out" || fail 'asyncevent is no system call'
expect 0 -i
says out '^Ignored syscall'
expect 0 --rule-schema
says out '"skip-if-unknown-filter"'
expect 0 --support -r "$scratch/good.yaml"
says out '^\{"cmdline":"gyrfalcon --support .*"rules_files":\[\{"name":".*good.yaml"'
expect 0 --version
says out '^Falco version: +[0-9]+\.[0-9]+\.[0-9]+$'
expect 0 --version -o json_output=true
says out '"engine_version_semver":"0\.63\.0"'

# A result that does not get out is an error; of a daemon's default socket nothing is taken by mistake.
for words in 'session generate' '--list' 'fields --json' 'points' '--version' '--help' '--rule-schema' 'rules check rules/gyrfalcon_rules.yaml'; do
  status=0
  # shellcheck disable=SC2086 # words on purpose
  "$GYRFALCON" $words >/dev/full 2>"$scratch/err" || status=$?
  [ $status -eq 3 ] || fail "\`$words\` on a full disk ended with $status, not 3"
  grep -q 'standard output: No space left' "$scratch/err" || fail "\`$words\` does not say why"
done
expect 2 -N
expect 2 -l ''
expect 2 run -M -1

# --dry-run tries what a start would.
expect 1 --dry-run -o file_output.enabled=true
says err 'without a file_output.filename'
expect 3 --dry-run -o file_output.enabled=true -o file_output.filename=/nowhere/x
expect 0 --dry-run -t nosuch
says out '^config and rules are valid: [0-9]+ rules, 0 of them enabled'
says err 'no rule is enabled'
says err "no rule has the tag 'nosuch'"

# What fits nothing is told; where alerts go nowhere, too.
expect 0 replay $data/new/docker-hello.trace -o 'rules[].disable.rule=Nope' -o stdout_output.enabled=false
says err "no rule has the name 'Nope' that is to be disabled"
says err 'no output is enabled: alerts go nowhere'

# A session made for a config has the endpoint where `run` listens.
printf '{"trace_session":{"sinks":[{"name":"remote","config":{"endpoint":"/run/elsewhere.sock"}}]}}' >"$scratch/pod.json"
expect 0 --gvisor-generate-config -g "$scratch/pod.json"
says out '"endpoint": "/run/elsewhere.sock"'

# A plugin that is not there is told about, and stops nothing.
{
  printf -- '- required_plugin_versions: [{name: json, version: 0.7.0}]\n'
  cat "$scratch/good.yaml"
} >"$scratch/plugin.yaml"
expect 0 -V "$scratch/plugin.yaml"
says out 'plugin.yaml: Ok'
says err 'warning: .*plugin.yaml:1:30: requires the plugin json'
expect 0 replay $data/new/docker-hello.trace -r "$scratch/plugin.yaml"
says err 'requires the plugin json'

# No colour in a pipe.
! grep -q "$(printf '\033')" "$scratch/out" "$scratch/err" || fail 'an escape sequence in a pipe'
echo 'exit codes and messages hold'
