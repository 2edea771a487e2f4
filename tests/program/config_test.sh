#!/bin/sh
# Config files of the program: Falco's, included ones, the schema, and what a running daemon takes up.
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/lib.sh"
capture=$data/new/docker-hello.trace
rule() { printf -- '- rule: %s\n  desc: d\n  condition: evt.type = execve\n  output: o\n  priority: INFO\n' "$1"; }
rule One >"$scratch/rules.yaml"

# Falco's.
falco=tests/data/config/falco-0.43.yaml
expect 0 replay "$capture" -c $falco -r "$scratch/rules.yaml"
[ "$(grep -c 'ignored:' "$scratch/err")" -eq 1 ] || fail 'not one warning'
expect 1 replay "$capture" -c $falco
says err 'You must specify at least one rules file.*/nowhere/falco_rules\.yaml'
expect 0 -c $falco -V "$scratch/rules.yaml"
says out 'rules.yaml: Ok'
: >"$scratch/empty.yaml"
expect 1 run -c "$scratch/empty.yaml" -o append_output.suggested_output=false
says err 'You must specify at least one rules file'
expect 0 replay "$capture" -c "$scratch/empty.yaml" -r "$scratch/rules.yaml"
printf 'rules_files: [%s, %s]\n' "$scratch/rules.yaml" "$scratch/absent.yaml" >"$scratch/some.yaml"
expect 0 replay "$capture" -c "$scratch/some.yaml"
says err 'warning: rules files of the config that are not there: .*/absent\.yaml'
printf 'syscall_event_drops: {threshold: 1.1}\n' >"$scratch/drops.yaml"
expect 1 replay "$capture" -c "$scratch/drops.yaml" -r "$scratch/rules.yaml"
says err 'syscall event drops threshold must be a double in the range'
expect 3 replay "$capture" -c "$scratch/absent.yaml" -r "$scratch/rules.yaml"

# The default file, and the schema; python3-jsonschema is asked where it is there.
expect 0 replay "$capture" -c config/gyrfalcon.yaml -r "$scratch/rules.yaml"
silent err
expect 0 --config-schema
says out '"\$schema": "http://json-schema.org/draft-07/schema#"'
if python3 -c 'import jsonschema, yaml' 2>/dev/null; then
  python3 - "$scratch/out" config/gyrfalcon.yaml <<'EOF' || fail 'the default config does not fit the schema'
import json, jsonschema, sys, yaml
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
jsonschema.Draft7Validator(schema).validate(yaml.safe_load(open(sys.argv[2])))
EOF
else
  echo 'skipped: the schema against python3-jsonschema, which is not there'
fi

# Included files.
mkdir "$scratch/config.d"
printf 'json_output: true\n' >"$scratch/config.d/1.yaml"
printf 'config_files: [%s]\nrules_files: [%s]\n' "$scratch/config.d" "$scratch/rules.yaml" >"$scratch/main.yaml"
expect 0 replay "$capture" -c "$scratch/main.yaml"
says out '^\{"hostname"'
printf 'json_outptu: true\n' >"$scratch/config.d/2.yaml"
expect 1 replay "$capture" -c "$scratch/main.yaml"
says err 'config.d/2.yaml:1:1: unknown key `json_outptu`; did you mean `json_output`'
rm "$scratch/config.d/2.yaml"

# A running daemon takes up what changes, and a bad file changes nothing.
printf 'gvisor: {socket: %s}\n' "$scratch/g.sock" >>"$scratch/main.yaml"
"$GYRFALCON" -c "$scratch/main.yaml" >"$scratch/alerts" 2>"$scratch/log" &
daemon=$!
wait_for 'event collection from gVisor is enabled' "$scratch/log"
{ rule One; rule Two; } >"$scratch/rules.yaml"
wait_for 'rules: 2 loaded, 2 enabled' "$scratch/log"
printf 'rules: [{disable: {rule: One}}]\n' >"$scratch/config.d/2.yaml"
wait_for 'rules: 2 loaded, 1 enabled' "$scratch/log"
printf 'rlues: []\n' >"$scratch/config.d/3.yaml"
wait_for 'reload refused' "$scratch/log"
wait_for 'config.d/3.yaml:1:1: unknown key' "$scratch/log"
rm "$scratch/config.d/3.yaml"
printf 'json_output: false\nworkers: 2\n' >"$scratch/config.d/1.yaml"
wait_for 'taken up at the next start: json' "$scratch/log"
wait_for 'taken up at the next start: workers' "$scratch/log"
kill -HUP $daemon
wait_for 'SIGHUP received, restarting\.\.\.' "$scratch/log"
kill -TERM $daemon
wait $daemon || fail 'the daemon ended badly'
daemon=''

# And not where it is told not to look.
"$GYRFALCON" -c "$scratch/main.yaml" -o watch_config_files=false >"$scratch/alerts" 2>"$scratch/log" &
daemon=$!
wait_for 'event collection from gVisor is enabled' "$scratch/log"
rule One >"$scratch/rules.yaml"
sleep 0.5
! grep -q 'files changed' "$scratch/log" || fail 'a change is taken up though watch_config_files is false'
kill -HUP $daemon
wait_for 'rules: 1 loaded' "$scratch/log"
kill -TERM $daemon
wait $daemon || fail 'the daemon ended badly'
daemon=''
echo 'config files are read, checked, included and watched'
