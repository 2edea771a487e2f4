#!/bin/sh
# Builds a real API server of Kubernetes, and an etcd of the version that it was made with, into build/kube-apiserver/, for
# tests/e2e/pod_watch_test.sh; exit 77 where they can't be built. What they are made of comes by the Go proxy. Debian's etcd is
# too old: this server asks it for what it lacks.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

VERSION=1.34.4

folder=$ROOT/build/kube-apiserver
if [ -x "$folder/kube-apiserver" ] && [ -x "$folder/etcd" ] && [ "$(cat "$folder/version" 2>/dev/null)" = $VERSION ]; then
  exit 0
fi

skip() {
  printf 'kube-apiserver: skipped: %s\n' "$1" >&2
  mkdir -p "$folder"
  rm -f "$folder/kube-apiserver"
  printf '%s\n' "$1" >"$folder/why-not"
  exit 77
}

PATH=$PATH:/usr/local/go/bin
have go || skip 'no Go here'
export GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0
say "building the API server of Kubernetes ($VERSION; 7 minutes of processor time when nothing is cached)"
rm -rf "$folder"
mkdir -p "$folder/module"
cd "$folder/module"
described=$(go mod download -json k8s.io/kubernetes@v$VERSION 2>../log | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
[ -f "$described" ] || skip "no Kubernetes $VERSION from the Go proxy (log: build/kube-apiserver/log)"
# Kubernetes names its own parts by a version that there is not, for it is built from one tree.
{
  printf 'module apiserver\n\n'
  grep '^go ' "$described"
  printf '\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' $VERSION
  sed -n "s|^\t\(k8s.io/[a-z0-9-]*\) v0.0.0\$|\t\1 => \1 v0.${VERSION#1.}|p" "$described"
  printf ')\n'
} >go.mod
etcd=go.etcd.io/etcd/server/v3
printf '//go:build tools\n\npackage tools\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver"\nimport _ "%s"\n' $etcd >tools.go
go mod tidy -e >../log 2>&1 || true
# build NAME PACKAGE
build() { go build -trimpath -ldflags '-s -w' -o "../$1" "$2" >>../log 2>&1 || skip "go build of $1 failed (log: build/kube-apiserver/log)"; }
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build etcd $etcd
rm -f ../why-not
printf '%s\n' $VERSION >../version
