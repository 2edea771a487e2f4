# What the tests of the package share: the package itself, and a Debian that has what it depends on. Sourced, not run.
# DEB is the package, made by the test package.make.
# shellcheck shell=sh disable=SC2034 # set here, used by those that source this
# shellcheck source=tests/systemd/lib.sh
. "$(dirname "$0")/../systemd/lib.sh"

deb=$(find "${PACKAGE_FOLDER:?where cpack has left the package}" -maxdepth 1 -name 'gyrfalcon_*.deb' 2>/dev/null | head -n 1)
[ -n "$deb" ] || skip "no package in $PACKAGE_FOLDER (test package.make, or ./dev deb)"

# A Debian with all that the package depends on, and without the package: made once beside that of tests/systemd, by this
# machine's own apt, which is shown the other one's list of packages.
package_root=$ROOT/build/systemd-package/root
make_package_root() {
  is_root || skip "not root: no Debian can be made"
  make_systemd_root
  wanted=$(dpkg-deb -f "$deb" Depends)
  if [ -d "$package_root" ] && [ "$(cat build/systemd-package/depends 2>/dev/null)" = "$wanted" ]; then
    systemd_root=$package_root
    return 0
  fi
  work=$ROOT/build/systemd-package
  rm -rf "$work"
  mkdir -p "$work/archives/partial" "$work/list"
  cp -a "$systemd_root" "$work/root.new"
  apt-get -q -y --no-install-recommends --download-only -o Dir::State::status="$work/root.new/var/lib/dpkg/status" \
    -o Dir::Cache::archives="$work/archives" -o APT::Sandbox::User=root install "$(readlink -f "$deb")" >"$work/apt.log" 2>&1 ||
    skip "no network for what the package depends on: $(tail -n 1 "$work/apt.log")"
  mkdir -p "$work/root.new/archives"
  find "$work/archives" -name '*.deb' ! -name 'gyrfalcon_*' -exec mv {} "$work/root.new/archives/" \;
  printf '#!/bin/sh\nexit 101\n' >"$work/root.new/usr/sbin/policy-rc.d"
  chmod +x "$work/root.new/usr/sbin/policy-rc.d"
  DEBIAN_FRONTEND=noninteractive chroot "$work/root.new" sh -c 'dpkg --unpack -R /archives && dpkg --configure -a' \
    >"$work/dpkg.log" 2>&1 </dev/null || fail "what the package depends on can't be installed: $(tail -n 3 "$work/dpkg.log")"
  rm -rf "$work/root.new/archives" "$work/root.new/usr/sbin/policy-rc.d"
  printf '%s\n' "$wanted" >"$work/depends"
  mv "$work/root.new" "$package_root"
  systemd_root=$package_root
}

# An overlay over it, at $machine; what is written there goes with the test.
make_package_machine() {
  make_package_root
  mkdir -p "$machine" "$scratch/upper" "$scratch/work" "$socket_folder"
  chmod 700 "$socket_folder"
  mount -t overlay overlay -o "lowerdir=$systemd_root,upperdir=$scratch/upper,workdir=$scratch/work" "$machine" ||
    cp -a "$systemd_root/." "$machine/"
  cp "$deb" "$machine/root/gyrfalcon.deb"
}
