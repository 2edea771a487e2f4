#!/bin/sh
# Runs ./dev demo and ./dev test in a minimal Debian 12 root (debootstrap minbase + git, ca-certificates) by chroot.
# usage: scripts/minimal-root-test.sh [--keep] [COMMAND…]; a COMMAND replaces the two. Needs root, 6 GB, about 20 minutes.
set -eu
cd "$(dirname "$0")/.."
. scripts/lib.sh

root=$ROOT/build/minimal-root

# Second half, in a mount namespace of its own: what is mounted here is gone when it ends, however it ends.
if [ "${1:-}" = --inside ]; then
  shift
  # A plain folder, as chroot's users have it, not a mount point: the harder case for runsc.
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/run"
  # The captures that some tests replay, where they stand beside the tree.
  if [ -d "$ROOT/../shared/captures" ]; then
    mkdir -p "$root/src/shared"
    mount --bind "$ROOT/../shared" "$root/src/shared"
    mount -o remount,bind,ro "$root/src/shared"
  fi
  for command in "$@"; do
    say "in the minimal root: $command"
    started=$(date +%s)
    status=0
    # A clean environment but for the way to the packages.
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
      ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
      ${no_proxy:+"no_proxy=$no_proxy"} ${GYRFALCON_JOBS:+"GYRFALCON_JOBS=$GYRFALCON_JOBS"} \
      chroot "$root" sh -c "cd /src/gyrfalcon && $command" </dev/null || status=$?
    say "$command: exit code $status after $(($(date +%s) - started)) s"
    [ $status -eq 0 ] || exit $status
  done
  exit 0
fi

keep=no
if [ "${1:-}" = --keep ]; then
  keep=yes
  shift
fi
[ $# -gt 0 ] || set -- './dev demo' './dev test'

is_root || die "chroot and mount need root"
have debootstrap || sh scripts/install-packages.sh minimal-root
have unshare || die "no unshare (package util-linux)"

say "making a minimal Debian 12 in build/minimal-root"
rm -rf "$root"
mkdir -p "$root"
# The mirror that this machine's own apt uses; without one, debootstrap's default.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null |
  awk '/^URIs:/ { print $2; exit } /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }')
# shellcheck disable=SC2086 # no word where there is no mirror
debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" $mirror >build/debootstrap.log 2>&1 ||
  { tail -n 5 build/debootstrap.log >&2; die "debootstrap failed (whole log: build/debootstrap.log)"; }

# apt inside asks the same mirrors in the same way; other vendors' sources stay out.
if [ -e /etc/apt/sources.list.d/debian.sources ]; then
  rm -f "$root/etc/apt/sources.list"
  cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
else
  cp /etc/apt/sources.list "$root/etc/apt/"
fi
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
# No service starts in there.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

say "cloning $(git rev-parse --short HEAD); what is not committed is not tested"
mkdir -p "$root/src"
git clone -q --no-local "$ROOT" "$root/src/gyrfalcon"

status=0
unshare --mount --propagation private sh scripts/minimal-root-test.sh --inside "$@" || status=$?
if [ $keep = yes ]; then
  say "kept: build/minimal-root"
else
  rm -rf "$root"
fi
exit $status
