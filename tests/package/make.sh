#!/bin/sh
# The package of what is built in BUILD, into BUILD/package: the other tests' fixture. usage: make.sh BUILD
set -eu
build=$1
command -v dpkg-shlibdeps >/dev/null 2>&1 || {
  echo 'SKIPPED: no dpkg-shlibdeps (package dpkg-dev)'
  exit 77
}
rm -f "$build"/package/gyrfalcon_*.deb
cd "$build"
umask 022
cpack -G DEB
rm -rf package/_CPack_Packages
