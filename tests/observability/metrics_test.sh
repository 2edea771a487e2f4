#!/bin/sh
# Each metric that the dashboard and the alert rules name is one that the program exports; with promtool of build/chart-tools
# also: the rules are clean and fire on what they are about, and every expression of the dashboard is PromQL.
# usage: metrics_test.sh names|promtool
# shellcheck source=tests/program/lib.sh
. "$(dirname "$0")/../program/lib.sh"
rules=deploy/prometheus/gyrfalcon-alerts.yaml
dashboard=deploy/grafana/gyrfalcon.json
tools=build/chart-tools

skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}
# Each expression of the dashboard on a line, its variables in the place of values.
expressions() {
  # shellcheck disable=SC2016 # Grafana's
  sed -n 's/^ *"expr": "\(.*\)",$/\1/p' $dashboard | sed -e 's/\\"/"/g' -e 's/\$__rate_interval/5m/g' -e 's/\$\(job\|instance\)/.*/g'
}

case ${1:?names or promtool} in
  names)
    "$GYRFALCON" run -o "gvisor.socket=$scratch/run/gvisor.sock" -o gvisor.runsc= >"$scratch/out" 2>"$scratch/log" &
    daemon=$!
    wait_for 'event collection' "$scratch/log"
    # perl-base: there need not be a curl.
    perl -MIO::Socket::UNIX -e '
      my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$ARGV[0]: $!";
      print $socket "GET /metrics HTTP/1.0\r\n\r\n";
      print while <$socket>' "$scratch/run/control.sock" >"$scratch/metrics"
    sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$scratch/metrics" | sort -u >"$scratch/exported"
    [ "$(wc -l <"$scratch/exported")" -gt 50 ] || fail "only $(wc -l <"$scratch/exported") metrics"
    for file in $rules $dashboard; do
      grep -o 'gyrfalcon_[a-z_]*' "$file" | sort -u >"$scratch/named"
      [ "$(wc -l <"$scratch/named")" -gt 15 ] || fail "$file names hardly a metric"
      comm -23 "$scratch/named" "$scratch/exported" >"$scratch/unknown"
      [ ! -s "$scratch/unknown" ] || fail "$file names what the program does not export: $(tr '\n' ' ' <"$scratch/unknown")"
    done
    kill -TERM $daemon
    wait $daemon || true
    daemon=''
    echo "$(wc -l <"$scratch/exported") metrics exported, all that are named are among them"
    ;;
  promtool)
    [ -x $tools/promtool ] || skip "no promtool: $(cat $tools/promtool.why-not 2>/dev/null || echo 'run scripts/build-chart-tools.sh')"
    $tools/promtool check rules $rules >"$scratch/out" 2>&1 || fail 'promtool check rules is not clean'
    $tools/promtool test rules tests/observability/alerts_test.yaml >"$scratch/out" 2>&1 || fail 'promtool test rules'
    number=0
    echo 'groups: [{name: dashboard, rules: [' >"$scratch/dashboard.yaml"
    expressions >"$scratch/expressions"
    while IFS= read -r expression; do
      number=$((number + 1))
      echo "{record: 'panel:$number', expr: '$expression'}," >>"$scratch/dashboard.yaml"
    done <"$scratch/expressions"
    echo ']}]' >>"$scratch/dashboard.yaml"
    [ $number -gt 30 ] || fail "$number expressions found in the dashboard"
    [ "$number" -eq "$(grep -c '"expr"' $dashboard)" ] || fail "$number expressions found, and another number named"
    $tools/promtool check rules "$scratch/dashboard.yaml" >"$scratch/out" 2>&1 || fail 'an expression of the dashboard is no PromQL'
    # The panels do not lie on each other, and have ids of their own.
    if command -v jq >/dev/null 2>&1; then
      jq -e '[.panels[].id] | length == (unique | length)' $dashboard >"$scratch/out" || fail 'panels with one id'
      jq -e '[.panels[] | .gridPos as $p | range($p.x; $p.x + $p.w) as $x | range($p.y; $p.y + $p.h) as $y | [$x, $y]]
        | length == (unique | length)' $dashboard >"$scratch/out" || fail 'panels that lie on each other'
    fi
    echo "promtool: the rules are clean, their tests pass, $number expressions of the dashboard are PromQL"
    ;;
  *) fail "no such part: $1" ;;
esac
