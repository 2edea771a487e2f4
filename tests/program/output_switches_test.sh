#!/bin/sh
# What config and flags do to alerts, each switch through `replay` of one small capture: one event, of
# `echo` in a container, and three rules that fit it.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
TZ=UTC
export TZ
capture=$data/new/docker-hello.trace

cat >"$scratch/rules.yaml" <<'EOF'
- rule: First start
  desc: a program starts
  condition: evt.type = execve
  output: first %proc.name
  priority: NOTICE
  tags: [start, one]
- rule: Second start
  desc: a program starts
  condition: evt.type = execve
  output: second %proc.name %container.info
  priority: WARNING
  tags: [start, two]
- rule: Third start
  desc: a program starts
  condition: evt.type = execve
  output: third
  priority: DEBUG
  tags: [three]
EOF

replay() { expect 0 replay "$capture" -r "$scratch/rules.yaml" "$@"; }
# alerts NAME…: just these rules were told, in this order.
alerts() {
  told=$(sed -n 's/^[0-9:.TZ+-]*: [A-Z][a-z]* \([a-z]*\).*/\1/p' "$scratch/out" | tr '\n' ' ')
  [ "$told" = "$*${1:+ }" ] || fail "told: $told; expected: $*"
}

# Which rule tells an event.
replay
alerts first
says out '^08:27:31\.095754882: Notice first echo$'
replay -o rule_matching=first
alerts first
replay -o rule_matching=all
alerts first second third

# The priority from which on rules are loaded.
replay -o rule_matching=all -o priority=notice
alerts first second
replay -o rule_matching=all -o priority=Warning
alerts second
replay -o rule_matching=all -o priority=emergency
alerts
expect 2 replay "$capture" -r "$scratch/rules.yaml" -o priority=WARN
says err 'did you mean `Warning`'

# Rules enabled and disabled in order, by pattern and tag.
replay -o rule_matching=all -o 'rules[].disable.rule=*'
alerts
replay -o rule_matching=all -o 'rules[].disable.rule=*' -o 'rules[].enable.tag=start'
alerts first second
replay -o rule_matching=all -o 'rules[].disable.rule=*' -o 'rules[].enable.tag=start' -o 'rules[].disable.rule=Second*'
alerts first
replay -o rule_matching=all -o 'rules[].enable.tag=start' -o 'rules[].disable.rule=* start'
alerts
replay -o rule_matching=all -o 'rules[].disable.rule=Second'
alerts first second third # a pattern fits the whole name
cat >"$scratch/order.yaml" <<'EOF'
rule_matching: all
rules:
  - disable: {rule: "*"}
  - enable: {tag: two}
  - enable: {rule: T*d start}
EOF
replay -c "$scratch/order.yaml"
alerts second third

# The older flags for it.
replay -o rule_matching=all -t two -t three
alerts second third
replay -o rule_matching=all -T two -T three
alerts first
replay -o rule_matching=all -D irs -D Third
alerts second
replay -o rule_matching=all -D irs -T three
alerts second
expect 2 replay "$capture" -r "$scratch/rules.yaml" -t one -T two
says err 'You can not specify both disabled \(-D/-T\) and enabled \(-t\) rules'
expect 2 replay "$capture" -r "$scratch/rules.yaml" -t one -D Second
says err 'You can not specify both'
expect 2 replay "$capture" -r "$scratch/rules.yaml" -t one -o 'rules[].disable.rule=*'
says err 'do not go together with `rules`'

# JSON, and what is in it.
replay -o json_output=true
says out '^\{"hostname":"[^"]+","output":"08:27:31\.095754882: Notice first echo","output_fields":\{"evt\.time":[0-9]+,"proc\.name":"echo"\},"priority":"Notice","rule":"First start","source":"syscall","tags":\["one","start"\],"time":"2026-11-22T08:27:31\.095754882Z"\}$'
lacks() { ! grep -q "\"$1\":" "$scratch/out" || fail "there is \"$1\""; }
replay -o json_output=true -o json_include_output_property=false
lacks output
replay -o json_output=true -o json_include_output_fields_property=false
lacks output_fields
replay -o json_output=true -o json_include_tags_property=false
lacks tags
replay -o json_output=true
lacks message
replay -o json_output=true -o json_include_message_property=true
says out '"message":"first echo"'

# Times.
replay -o time_format_iso_8601=true
says out '^2026-11-22T08:27:31\.095754882\+0000: Notice first echo$'

# Outputs with something added.
replay -o rule_matching=all -o 'append_output[]={"extra_output": "cpu=%evt.type"}'
says out 'Notice first echo cpu=execve$'
says out 'Debug third cpu=execve$'
replay -o rule_matching=all -o 'append_output[]={"match": {"rule": "Third start"}, "extra_output": "x"}'
says out 'Debug third x$'
says out 'Notice first echo$'
replay -o rule_matching=all -o 'append_output[]={"match": {"tags": ["start", "two"]}, "extra_output": "x"}'
says out 'Warning second echo  ?x$'
says out 'Notice first echo$'
replay -o 'append_output[]={"match": {"source": "k8s_audit"}, "extra_output": "x"}'
says out 'Notice first echo$'
replay -o 'append_output[]={"match": {"source": "syscall"}, "extra_output": "x"}' -o 'append_output[]={"extra_output": "y"}'
says out 'Notice first echo x y$'
replay -o json_output=true -o 'append_output[]={"extra_fields": ["proc.pid", {"what": "%proc.name did %evt.type"}]}'
says out '"proc\.pid":[0-9]+,"what":"echo did execve"'
says out '"output":"[^"]*Notice first echo"'
replay -o 'append_output[].suggested_output=true'
says out 'Notice first echo container_id=[0-9a-f]{12} container_name=<NA> container_image_repository=<NA> container_image_tag=<NA> k8s_pod_name=<NA> k8s_ns_name=<NA>$'
cat >"$scratch/append.yaml" <<'EOF'
append_output:
  - suggested_output: true
  - extra_output: "text=${GYR_TEST_TEXT}"
    extra_fields: [proc.pid]
EOF
GYR_TEST_TEXT=word
export GYR_TEST_TEXT
replay -c "$scratch/append.yaml"
says out 'Notice first echo container_id=.* text=word$'
replay -c "$scratch/append.yaml" -o append_output.suggested_output=false
says out 'Notice first echo$'
replay -p 'on %evt.type'
says out 'Notice first echo on execve$'
replay -pk
says out 'Notice first echo$'
says err 'warning: -p k adds nothing'
expect 1 replay "$capture" -r "$scratch/rules.yaml" -p '%no.such'

# The built-in rules leave the container to the config, and replay names it there as the daemon does.
expect 0 replay $data/old/docker-exec.trace
says out 'Interactive session in a container [|] .* container_id=[0-9a-f]{12} container_name='
! grep -q 'container_id=.*container_id=' "$scratch/out" || fail 'the container is named twice'
expect 0 replay $data/old/docker-exec.trace -o append_output.suggested_output=false
! grep -q 'container_id=' "$scratch/out" || fail 'the container is named in spite of the config'

# %container.info prints nothing.
replay -o rule_matching=all
says out 'Warning second echo $' # as in Falco, the blank before it stays
says err 'rules.yaml: 1 warning; '

# Where alerts go.
replay -o stdout_output.enabled=false
silent out
replay -o file_output.enabled=true -o "file_output.filename=$scratch/alerts" -o buffered_outputs=true
replay -o file_output.enabled=true -o "file_output.filename=$scratch/alerts" -o file_output.keep_alive=true
[ "$(grep -c 'Notice first echo' "$scratch/alerts")" -eq 2 ] || fail 'the file has not both alerts'
[ "$(stat -c %a "$scratch/alerts")" = 600 ] || fail 'the file is open to others'
says out 'Notice first echo'
replay -o buffered_outputs=false -o rule_matching=all -o outputs_queue.capacity=1
alerts first second third

# A recording leaves the machine only where that is wished.
replay -o program_output.enabled=true -o "program_output.program=touch $scratch/started" -o http_output.enabled=true -o syslog_output.enabled=true
[ ! -e "$scratch/started" ] || fail 'replay has started a program'
says err 'replay has left out: syslog_output, program_output, http_output; --outputs uses them too'
replay --outputs -o program_output.enabled=true -o "program_output.program=sh -c 'cat >>\"\$0\"' $scratch/from-program"
replay --outputs -o program_output.enabled=true -o program_output.keep_alive=true -o json_output=true \
  -o "program_output.program=sh -c 'cat >>\"\$0\"' $scratch/from-program"
[ "$(grep -c 'Notice first echo' "$scratch/from-program")" -eq 2 ] || fail 'the program has not both alerts'

# Outputs that can't work say so at once, and no secret.
expect 1 replay "$capture" --outputs -r "$scratch/rules.yaml" -o program_output.enabled=true -o 'program_output.program=cat >/dev/null'
says err 'the `>` at character 5 needs a shell'
expect 3 replay "$capture" --outputs -r "$scratch/rules.yaml" -o program_output.enabled=true -o program_output.program=/no/such/program
says err 'there is no program /no/such/program'
expect 1 replay "$capture" --outputs -r "$scratch/rules.yaml" -o http_output.enabled=true
says err 'without an http_output\.url'
expect 1 replay "$capture" --outputs -r "$scratch/rules.yaml" -o http_output.enabled=true -o http_output.url=ftp://user:sesame@host/
says err 'http_output\.url is no URL of http: or https:'
! grep -q sesame "$scratch/err" || fail 'the error has the password'
expect 3 replay "$capture" --outputs -r "$scratch/rules.yaml" -o http_output.enabled=true -o http_output.url=https://host/ \
  -o http_output.ca_cert=/no/such/ca.pem
says err 'http_output\.ca_cert: cannot read /no/such/ca\.pem'
expect 3 replay "$capture" --outputs -r "$scratch/rules.yaml" -o http_output.enabled=true -o http_output.url=http://user:sesame@127.0.0.1:1/T0KEN
says err 'http_output to http://127\.0\.0\.1:1: '
! grep -Eq 'sesame|T0KEN' "$scratch/err" || fail 'the error has a secret'
expect 3 replay "$capture" --outputs -r "$scratch/rules.yaml" -o syslog_output.enabled=true -o "syslog_output.socket=$scratch/none"
says err 'does a syslog daemon run here\?'

# Outputs of a later release are named.
replay -o log_syslog=true -o grpc.enabled=true
says err 'not there yet in this release, ignored: log_syslog, grpc$'
[ "$(grep -c 'ignored:' "$scratch/err")" -eq 1 ] || fail 'not one warning'

# The log.
replay -o engine.kind=kmod
says err 'engine\.kind'
replay -o engine.kind=kmod -o log_level=error
silent err
replay -o engine.kind=kmod -o log_stderr=false
silent err
printf 'gvisor:\n  socket: %s\n' "$scratch/g.sock" >"$scratch/log.yaml"
expect 0 run -c "$scratch/log.yaml" -r "$scratch/rules.yaml" -M 0.1
says err 'info: rules: 3 loaded'
expect 0 run -c "$scratch/log.yaml" -r "$scratch/rules.yaml" -M 0.1 -o log_level=warning
! grep -q 'info:' "$scratch/err" || fail 'info at log_level warning'
expect 0 run -c "$scratch/log.yaml" -r "$scratch/rules.yaml" -M 0.1 -o log_stderr=false
silent err
echo 'each switch does what it says'
