#!/bin/sh
# Puts what checks the Helm chart and the alert rules into build/chart-tools/: helm and kubeconform, built by Go, with JSON
# schemas made from Kubernetes' own API description and the Prometheus operator's (both from the Go proxy, which is all the
# network it needs), and promtool out of Debian's prometheus package, which is not installed. What can't be had is said in
# NAME.why-not, and its tests are skipped. Bounded: helm, by far the longest, gets 15 minutes; exit 77 where one is missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

HELM=v3.19.5
KUBECONFORM=v0.7.0
# The oldest that the chart takes, one in between, the newest; tests/helm reads them from schemas/versions.
KUBERNETES='v1.24.17 v1.30.14 v1.34.4'
OPERATOR=v0.79.2
# What the chart makes; another kind has no schema, which is an error of its test.
KINDS='ClusterRole ClusterRoleBinding ConfigMap DaemonSet Job NetworkPolicy PriorityClass Role RoleBinding Service ServiceAccount'
GO_NEEDED=1.25.0

folder=$ROOT/build/chart-tools
mkdir -p "$folder"
missing=''
# why_not NAME REASON: for the tests, and for who looks on.
why_not() {
  printf '%s\n' "$2" >"$folder/$1.why-not"
  printf '%s: skipped: %s\n' "$1" "$2" >&2
  missing="$missing $1"
}
is_there() { [ "$(cat "$folder/$1.version" 2>/dev/null)" = "$2" ]; }
is_made() {
  rm -f "$folder/$1.why-not"
  printf '%s\n' "$2" >"$folder/$1.version"
}

get_promtool() {
  ! is_there promtool debian || return 0
  if have promtool; then
    ln -sf "$(command -v promtool)" "$folder/promtool"
  else
    have apt-get || { why_not promtool 'no apt-get here'; return 0; }
    package=$folder/prometheus
    rm -rf "$package"
    mkdir -p "$package"
    # Downloaded and unpacked only: installed, it would run as a service.
    if ! (cd "$package" && timeout 300 apt-get -q -o APT::Sandbox::User=root download prometheus) >"$folder/promtool.log" 2>&1; then
      { is_root && timeout 120 apt-get -q update && cd "$package" &&
        timeout 300 apt-get -q -o APT::Sandbox::User=root download prometheus; } >"$folder/promtool.log" 2>&1 ||
        { why_not promtool 'apt-get download prometheus failed (build/chart-tools/promtool.log)'; return 0; }
    fi
    dpkg-deb -x "$package"/*.deb "$package/root"
    mv "$package/root/usr/bin/promtool" "$folder/promtool"
    rm -rf "$package"
  fi
  is_made promtool debian
}

# The Go programs and modules; go's own toolchain switch would download one.
go_is_enough() {
  PATH=$PATH:/usr/local/go/bin
  export PATH GOTOOLCHAIN=local
  have go || { go_lacks="no Go here (it needs Go $GO_NEEDED or later)"; return 1; }
  version=$(go env GOVERSION | sed 's/^go//')
  [ "$(printf '%s\n%s\n' "$GO_NEEDED" "$version" | sort -V | head -n 1)" = $GO_NEEDED ] ||
    { go_lacks="Go $version is too old (it needs Go $GO_NEEDED or later)"; return 1; }
}

# go_program NAME PACKAGE VERSION SECONDS
go_program() {
  ! is_there "$1" "$3" || return 0
  say "building $1 $3"
  if GOBIN=$folder CGO_ENABLED=0 timeout "$4" go install "$2@$3" >"$folder/$1.log" 2>&1; then
    is_made "$1" "$3"
  else
    why_not "$1" "go install failed, or took longer than $4 s (build/chart-tools/$1.log)"
  fi
}

# module PATH VERSION: prints the folder that it lies in.
module() {
  timeout 300 go mod download -json "$1@$2" 2>>"$folder/schemas.log" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' | grep .
}

# Each kind in a file of its own, kubeconform's names; unknown keys are refused by kubeconform's -strict only where the
# schema says so, and Kubernetes' description does not.
get_schemas() {
  wanted="$KUBERNETES $OPERATOR $KINDS 2"
  ! is_there schemas "$wanted" || return 0
  have jq || { why_not schemas 'no jq here (package jq)'; return 0; }
  rm -rf "$folder/schemas"
  : >"$folder/schemas.log"
  for version in $KUBERNETES; do
    from=$(module k8s.io/kubernetes "$version") || { why_not schemas "no Kubernetes $version from the Go proxy"; return 0; }
    into=$folder/schemas/$version
    mkdir -p "$into"
    # Without the texts, and only what these kinds lead to: kubeconform reads it for each kind anew.
    jq -c --arg kinds "$KINDS" '
      def used: [.. | objects | .["$ref"]? | strings | ltrimstr("#/definitions/")] | unique;
      def reached($all): ([., (map($all[.]) | used)] | add | unique) as $next
        | if ($next | length) == length then . else $next | reached($all) end;
      .definitions | map_values(
        if .properties and (.additionalProperties | not) then .additionalProperties = false else . end
        | if .format == "int-or-string" then .type = ["string", "integer"]
          elif .description // "" | startswith("Quantity is") then .type = ["string", "number"] else . end
        | del(.format)
        | walk(if type == "object" and (.description | type) == "string" then del(.description) else . end)) as $all
      | [$all | to_entries[] | select((.value["x-kubernetes-group-version-kind"] // [])
          | length == 1 and (.[0].kind as $kind | $kinds | split(" ") | index($kind))) | .key] | reached($all)
      | {definitions: (map({key: ., value: $all[.]}) | from_entries)}' "$from/api/openapi-spec/swagger.json" >"$into/definitions.json"
    jq -r '.definitions | to_entries[] | .key as $name | .value["x-kubernetes-group-version-kind"] // [] | select(length == 1) | .[0]
        | [(.kind | ascii_downcase), ((if .group == "" then "" else (.group | split(".")[0]) + "-" end) + .version), $name] | @tsv' \
      "$into/definitions.json" | while IFS="$(printf '\t')" read -r kind group name; do
      # shellcheck disable=SC2016 # a JSON key
      printf '{"$ref": "definitions.json#/definitions/%s"}\n' "$name" >"$into/$kind-$group.json"
    done
    printf '%s\n' "$version" >>"$folder/schemas/versions"
  done
  from=$(module github.com/prometheus-operator/prometheus-operator $OPERATOR) ||
    { why_not schemas "no Prometheus operator $OPERATOR from the Go proxy"; return 0; }
  for kind in podmonitor servicemonitor prometheusrule; do
    jq -c 'def closed: if type == "object" then
          (if .properties and (.additionalProperties | not) and (.["x-kubernetes-preserve-unknown-fields"] | not) and .type == "object"
           then .additionalProperties = false else . end)
          | (if .["x-kubernetes-int-or-string"] then del(.type) else . end) | map_values(closed)
        elif type == "array" then map(closed) else . end;
      .spec.versions[0].schema.openAPIV3Schema | closed | .properties.metadata = {type: "object"}' \
      "$from/jsonnet/prometheus-operator/${kind}s-crd.json" >"$folder/schemas/$kind-monitoring-v1.json"
  done
  is_made schemas "$wanted"
}

get_promtool
if go_is_enough; then
  go_program kubeconform github.com/yannh/kubeconform/cmd/kubeconform $KUBECONFORM 300
  get_schemas
  go_program helm helm.sh/helm/v3/cmd/helm $HELM 900
else
  for name in helm kubeconform schemas; do why_not $name "$go_lacks"; done
fi
[ -z "$missing" ] || exit 77
