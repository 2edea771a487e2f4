#!/bin/sh
# The chart, by helm and kubeconform of build/chart-tools (scripts/build-chart-tools.sh). usage: chart_test.sh lint|golden|schemas|refused|config
# GYRFALCON_GOLDEN=write makes the golden manifests anew: look at the difference before it is committed.
set -eu
cd "$(dirname "$0")/../.."
tools=$PWD/build/chart-tools
chart=deploy/helm/gyrfalcon
cases=tests/helm/cases
scratch=$(mktemp -d /tmp/gyrfalcon-helm.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
# Nothing of the user's, and no cluster.
export HELM_CONFIG_HOME="$scratch" HELM_CACHE_HOME="$scratch" HELM_DATA_HOME="$scratch" KUBECONFIG=/dev/null

skip() {
  printf 'SKIPPED: %s\n' "$*"
  exit 77
}
fail() {
  printf 'FAILED: %s\n' "$*"
  exit 1
}
need() {
  [ -e "$tools/$1" ] || skip "no $1: $(cat "$tools/$1.why-not" 2>/dev/null || echo 'run scripts/build-chart-tools.sh')"
}
# of_case KEY FILE: what its head says.
of_case() { sed -n "s/^# $1: //p" "$2"; }
# flags_of FILE: the values of a case, in order.
flags_of() {
  preset=$(of_case preset "$1")
  echo ${preset:+-f "$chart/$preset"} -f "$1"
}
# render FILE VERSION
render() {
  # shellcheck disable=SC2046 # words on purpose
  "$tools/helm" template falcon "$chart" --namespace gyrfalcon --kube-version "$2" $(flags_of "$1")
}

need helm
count=0
case ${1:?lint, golden, schemas, refused or config} in
  lint)
    for file in "$cases"/*.yaml; do
      # shellcheck disable=SC2046 # words on purpose
      "$tools/helm" lint "$chart" --strict --quiet --kube-version "$(of_case kubernetes "$file")" $(flags_of "$file") >"$scratch/log" 2>&1 ||
        fail "helm lint of $file: $(cat "$scratch/log")"
      count=$((count + 1))
    done
    ;;
  golden)
    for file in "$cases"/*.yaml; do
      golden=tests/helm/golden/$(basename "$file")
      render "$file" "$(of_case kubernetes "$file")" >"$scratch/made" || fail "$file is not rendered"
      if [ "${GYRFALCON_GOLDEN:-}" = write ]; then cp "$scratch/made" "$golden"; fi
      diff -u "$golden" "$scratch/made" || fail "$golden is another; if that is meant: GYRFALCON_GOLDEN=write $0 golden"
      count=$((count + 1))
    done
    ;;
  schemas)
    need kubeconform
    need schemas
    while read -r version; do
      mkdir "$scratch/$version"
      for file in "$cases"/*.yaml; do
        render "$file" "$version" >"$scratch/$version/$(basename "$file")" || fail "$file is not rendered for $version"
        count=$((count + 1))
      done
      "$tools/kubeconform" -strict -summary -schema-location "$tools/schemas/$version/{{.ResourceKind}}{{.KindSuffix}}.json" \
        -schema-location "$tools/schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$scratch/$version" >"$scratch/log" 2>&1 ||
        fail "$version: $(cat "$scratch/log")"
      grep -q "in $(find "$cases" -name '*.yaml' | wc -l) files - Valid: [1-9][0-9]*, Invalid: 0, Errors: 0, Skipped: 0" "$scratch/log" || fail "$version: $(cat "$scratch/log")"
    done <"$tools/schemas/versions"
    # That a wrong key is found at all.
    render "$cases/default.yaml" v1.34.4 | sed 's/hostPID:/hostPid:/' >"$scratch/wrong.yaml"
    ! "$tools/kubeconform" -strict -schema-location "$tools/schemas/v1.34.4/{{.ResourceKind}}{{.KindSuffix}}.json" "$scratch/wrong.yaml" \
      >"$scratch/log" 2>&1 || fail 'a wrong key is not found'
    ;;
  refused)
    sed '/^#/d' tests/helm/refused.txt >"$scratch/refused"
    while IFS='|' read -r message values; do
      message=${message% } values=${values# }
      ! "$tools/helm" template falcon "$chart" --kube-version v1.34.4 --set "$values" >"$scratch/made" 2>"$scratch/log" ||
        fail "not refused: $values"
      grep -qF -- "$message" "$scratch/log" || fail "$values: not \"$message\" but $(cat "$scratch/log")"
      count=$((count + 1))
    done <"$scratch/refused"
    # The chart's own kubeVersion.
    ! "$tools/helm" template falcon "$chart" --kube-version v1.23.17 >"$scratch/made" 2>&1 || fail 'Kubernetes 1.23 is not refused'
    ;;
  config)
    # The daemon takes the config, with the repository's rules in the place of the image's.
    for file in "$cases"/*.yaml; do
      render "$file" "$(of_case kubernetes "$file")" | sh tests/helm/data_of.sh gyrfalcon.yaml |
        sed "s|/usr/share/gyrfalcon/|$PWD/rules/|; s|/etc/gyrfalcon/rules.d|$scratch/rules|" >"$scratch/gyrfalcon.yaml"
      mkdir -p "$scratch/rules"
      cp rules/gyrfalcon_rules.yaml "$scratch/rules/"
      if [ "$(of_case preset "$file")" = values-containerd.yaml ]; then
        render "$file" v1.34.4 | sh tests/helm/data_of.sh mine.yaml >"$scratch/rules/mine.yaml"
      fi
      NODE_NAME=node-1 KUBERNETES_SERVICE_HOST=10.0.0.1 KUBERNETES_SERVICE_PORT=443 \
        "${GYRFALCON:?the program}" run --dry-run -c "$scratch/gyrfalcon.yaml" >"$scratch/out" 2>"$scratch/log" ||
        fail "$file: $(cat "$scratch/log")"
      grep -q 'socket would be /run/gyrfalcon/gvisor.sock' "$scratch/out" || fail "$file: $(cat "$scratch/out")"
      if [ "$file" = "$cases/pod-watch.yaml" ]; then
        # Without what a pod is told it is refused: the daemon has read it.
        ! "$GYRFALCON" run --dry-run -c "$scratch/gyrfalcon.yaml" >"$scratch/out" 2>"$scratch/pods" || fail "$file: not read"
        grep -q 'metadata.pods' "$scratch/pods" || fail "$file: $(cat "$scratch/pods")"
      fi
      # A program without a web server says so, and runs.
      ! grep ' warning: ' "$scratch/log" | grep -v 'ignored: webserver$' || fail "$file: a warning"
      count=$((count + 1))
    done
    # The keys that values.schema.json lets pass are those that the daemon knows.
    if command -v jq >/dev/null 2>&1; then
      "$GYRFALCON" run --config-schema | jq -r '.properties | keys[]' >"$scratch/known"
      jq -r '.properties.config.propertyNames.enum[]' "$chart/values.schema.json" | diff - "$scratch/known" >"$scratch/log" ||
        fail "config in values.schema.json: $(cat "$scratch/log")"
    fi
    ;;
  *) fail "no such part: $1" ;;
esac
echo "$1: $count done"
