#!/bin/sh
# Installs the Debian packages of the named groups (build demo docker systemd package chart apiserver lint sanitizers minimal-root) that are not there yet.
# Asks dpkg first: when all is there it neither needs root nor touches apt.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

packages_of() {
  case $1 in
    build)
      echo g++ cmake ninja-build ccache pkg-config git ca-certificates \
        libprotozero-dev libabsl-dev libre2-dev libyaml-cpp-dev nlohmann-json3-dev libfmt-dev \
        libspdlog-dev libcli11-dev libcpp-httplib-dev prometheus-cpp-dev libtomlplusplus-dev \
        libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev liburing-dev libprotobuf-dev \
        protobuf-compiler libcurl4-openssl-dev zlib1g-dev openssl libsqlite3-dev
      ;;
    minimal-root) echo debootstrap ;;
    systemd) echo debootstrap systemd-container ;;
    # dpkg-dev finds the libraries' packages; the rest only checks.
    package)
      echo dpkg-dev lintian man-db zsh fish
      # A containerd of another origin brings its own, and Debian's would push it out.
      command -v runc >/dev/null 2>&1 || echo runc
      ;;
    demo) echo runsc busybox-static perl-base ;;
    # A machine that has a Docker daemon of another origin keeps it: docker.io would push it out.
    docker) command -v dockerd >/dev/null 2>&1 || echo docker.io ;;
    # Schemas for the Helm chart are made with it.
    chart) echo jq ;;
    # Who asks the API server as an administrator would.
    apiserver) echo curl ;;
    lint) echo clang-format-19 clang-tidy-19 shellcheck ;;
    # GCC has two of the sanitizers, too, but takes 1.7 times as long to compile with them.
    sanitizers) echo clang-19 libclang-rt-19-dev llvm-19 ;;
    *)
      printf 'install-packages: unknown group: %s\n' "$1" >&2
      exit 2
      ;;
  esac
}

[ $# -gt 0 ] || set -- build
have dpkg-query || die "this is not a Debian (no dpkg-query). Install the packages named in" \
  "scripts/install-packages.sh by your system's means, then: cmake --preset release"

wanted=''
for group in "$@"; do
  wanted="$wanted $(packages_of "$group")" || exit 2
done

missing=''
for package in $wanted; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

# Said whenever it can't be done here: what is missing, and the command that mends it.
mend="missing packages:$missing
  install them with:  apt-get update && apt-get install -y --no-install-recommends$missing"
have apt-get || die "no apt-get here; $mend"
is_root || die "not root, so packages can't be installed; $mend"

mkdir -p build
log=build/apt.log
fail() {
  tail -n 15 "$log" >&2
  die "$1 (whole log: $log); $mend"
}

say "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Other apt processes of the machine are waited for, but not for ever.
apt="apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2"
$apt update >"$log" 2>&1 || fail "apt-get update failed"
# shellcheck disable=SC2086 # words on purpose
$apt install --no-install-recommends $missing >>"$log" 2>&1 </dev/null || fail "apt-get install failed"
