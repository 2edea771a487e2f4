#!/bin/sh
# Builds the Debian package into build/release/package, and has lintian look at it.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

sh scripts/install-packages.sh build package
sh scripts/build.sh release package_texts
folder=build/release/package
rm -f $folder/gyrfalcon_*.deb
log=build/cpack.log
(umask 022 && cd build/release && cpack -G DEB) >$log 2>&1 || {
  tail -n 20 $log >&2
  die "cpack failed (whole log: $log)"
}
rm -rf $folder/_CPack_Packages
deb=$(ls $folder/gyrfalcon_*.deb)
say "built $deb"
if have lintian; then
  # Warnings are told; errors fail.
  lintian --allow-root --fail-on error --tag-display-limit 0 "$deb" || die "lintian: errors in $deb"
else
  warn "no lintian: the package was not checked"
fi
