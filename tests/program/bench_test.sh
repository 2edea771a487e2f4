#!/bin/sh
# `gyrfalcon bench`: what scripts read of it. How fast it is, is not asked.
. "$(dirname "$0")/lib.sh"

TMPDIR=$scratch
export TMPDIR
keys='events refused seconds events_per_s cpu_ns_per_event discard_events_per_s discard_cpu_ns_per_event
  ratio_to_discard allocations_per_event rss_bytes alerts'
has_keys() {
  [ "$(wc -l <"$scratch/out")" -eq 1 ] || fail 'not one line'
  for key in $keys; do
    says out "\"$key\":(null|[0-9])"
  done
}

expect 0 bench "$data/new/hello.trace" -r rules --seconds 0.1 --connections 2 --workers 1 --json
has_keys
says out '"events":[1-9]'
says out '"refused":0,'
says out '"ratio_to_discard":[0-9]'

expect 0 bench "$data/new/hello.trace" "$data/new/write-etc.trace" --seconds 0.1 --memory --json
has_keys
says out '"discard_cpu_ns_per_event":null'
says out '"refused":0,'

expect 0 bench "$data/new/hello.trace" --seconds 0.1
says out '^processor time per event, ns +[0-9]+$'
says out '^ratio of processor times +[0-9.]+$'

# The usual errors.
expect 3 bench "$scratch/none.trace"
says err 'cannot open .*none\.trace: No such file'
expect 1 bench README.md --memory
says err 'README\.md is not a capture'
expect 1 bench "$data/new/empty-session.trace"
says err 'no message'
expect 2 bench
expect 2 bench "$data/new/hello.trace" --connections 0
expect 2 bench "$data/new/hello.trace" --memory --workers 2
says err '--memory is one sandbox'
printf -- '- rule: bad\n' >"$scratch/bad.yaml"
expect 1 bench "$data/new/hello.trace" -r "$scratch/bad.yaml" --seconds 0.1
says err 'bad\.yaml'
expect 0 bench --help
says out 'Example: gyrfalcon bench'
left=$(find "$scratch" -maxdepth 1 -name "gyrfalcon-bench-*" | wc -l)
[ "$left" -eq 0 ] || fail 'a folder was left behind'
echo 'bench measures, and says so in the agreed form'
