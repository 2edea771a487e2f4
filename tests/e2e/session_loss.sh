#!/bin/sh
# Not a test: what a sandbox that opens files as fast as it can loses while its session is replaced, ten times. Each file
# has the next number, so what is missing between two sessions is counted. usage: session_loss.sh debian|current
set -eu
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
runsc_of "$1"

cat >"$session" <<END
{"trace_session": {"name": "Default", "points": [{"name": "syscall/openat/exit", "context_fields": ["time"]}],
 "sinks": [{"name": "remote", "config": {"endpoint": "$scratch/run/gvisor.sock", "retries": 3}}]}}
END
start_listener "$scratch/run"
make_rootfs "$scratch/rootfs"
# shellcheck disable=SC2016 # perl's own variables
start_sandbox "$session" 'perl -e "for (\$i = 0; ; \$i++) { open(F, q(<), qq(/tmp/n\$i)); select(undef, undef, undef, 0.0005) if \$i % 10 == 0 }"'
sleep 1
for _ in 1 2 3 4 5 6 7 8 9 10; do
  "$GYRFALCON" session attach --update --root="$scratch/state" --runsc "$RUNSC" -g "$session" >"$scratch/out"
  sed -n 's/.*nothing was sent for at most/told: at most/p' "$scratch/out"
  sleep 0.5
done
stop_listener TERM
for capture in "$scratch/run/captures"/*.trace; do
  "$GYRFALCON" dump "$capture" | sed -n 's,.* time_ns=\([0-9]*\) .*"/tmp/n\([0-9]*\)".*,\1 \2,p' | awk '
    NR == 1 { first = $2; began = $1 }
    { last = $2; ended = $1 }
    END { if (NR > 1) printf "%s %s %s %s %s\n", first, last, NR, began, ended }'
done | sort -n | awk '
  NR > 1 { printf "%d of %d a second lost, %.1f ms from the last message to the next\n", $1 - last - 1, rate, ($4 - ended) / 1e6 }
  { last = $2; ended = $5; rate = $3 / (($5 - $4) / 1e9) }'
