# Real gVisor sandboxes in a scratch folder, for the demo and the whole-program tests. Sourced, not run.
# Needs root and scripts/lib.sh. Nothing outside the scratch folder is written.
# shellcheck shell=sh

# ensure_root_is_mounted SCRIPT ARGUMENT…: in a chroot into a plain folder runsc can't change its root, for the
# kernel lets only a mount point go. Then SCRIPT starts again, in a mount namespace where / is one.
ensure_root_is_mounted() {
  is_root || return 0
  [ -e /proc/self/mountinfo ] || die "no /proc here, so no sandbox can start: mount -t proc proc /proc"
  if awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; then
    return 0
  fi
  # Propagation stays as it is, for it can be changed at mount points only; hence the unmounting by hand.
  # shellcheck disable=SC2016 # expanded inside
  exec unshare --mount --propagation unchanged sh -c '
    trap : INT TERM
    mount --rbind / /mnt || exit 3
    status=0
    chroot /mnt sh -c "cd \"\$0\" && exec sh \"\$@\"" "$PWD" "$@" || status=$?
    umount -l /mnt
    exit $status' sh "$@"
}

# A root file system in folder $1: busybox, and bash and perl (in every Debian) with their libraries.
make_rootfs() {
  rootfs=$1
  mkdir -p "$rootfs/bin" "$rootfs/usr/bin" "$rootfs/usr/sbin" "$rootfs/etc/cron.d" "$rootfs/root" \
    "$rootfs/proc" "$rootfs/dev" "$rootfs/tmp" "$rootfs/var/tmp" "$rootfs/var/www"
  # By path: to busybox's own shell, `command -v busybox` is a word of its own.
  busybox=/usr/bin/busybox
  [ -x $busybox ] || busybox=/bin/busybox
  [ -x $busybox ] || die "no busybox: install busybox-static"
  cp "$busybox" "$rootfs/bin/busybox"
  for applet in sh cat chmod cp echo id ls mkdir nc sleep touch true; do
    ln -sf busybox "$rootfs/bin/$applet"
  done
  cp /bin/bash "$rootfs/bin/bash"
  cp /usr/bin/perl "$rootfs/usr/bin/perl"
  # Stands in for a web server that was broken into: whatever it runs, it runs under this name.
  cp /usr/bin/perl "$rootfs/usr/sbin/nginx"
  for library in $(ldd /bin/bash /usr/bin/perl | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
    mkdir -p "$rootfs$(dirname "$library")"
    [ -e "$rootfs$library" ] || cp -L "$library" "$rootfs$library"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/sh\n' >"$rootfs/etc/passwd"
  printf 'root:x:0:\nwww-data:x:33:\n' >"$rootfs/etc/group"
  printf 'root:*:20000:0:99999:7:::\n' >"$rootfs/etc/shadow"
}

# 64 hex digits, as container engines make them.
new_container_id() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

json_escape() { printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'; }

# The flags with which runsc $1 really runs something here, state in folder $2; empty: none. In a chroot the
# kernel refuses user namespaces, and gVisor's own test flag does without: enough for a sandbox that only
# plays at misbehaving, never for one that would mean it.
pick_flags() {
  for candidate in --platform=systrap --platform=ptrace \
    '--platform=systrap --TESTONLY-unsafe-nonroot' '--platform=ptrace --TESTONLY-unsafe-nonroot'; do
    # shellcheck disable=SC2086 # words on purpose
    if timeout 15 "$1" --root="$2" --network=none $candidate "do" true >>"$2.log" 2>&1 </dev/null; then
      echo "$candidate"
      return
    fi
  done
}

# run_sandbox RUNSC FLAGS STATE ROOTFS SESSION COMMAND [ID]: an OCI bundle of its own, `sh -c COMMAND`
# in it as user and group ID (0), traced into SESSION ('': not traced). The root is an overlay in memory: ROOTFS stays as it is.
# $process_more: further members of the bundle's "process", as JSON; $sandbox_seconds: how long it may run (30).
run_sandbox() {
  runsc=$1 flags=$2 state=$3 rootfs=$4 session=$5 command=$6 user=${7:-0}
  id=$(new_container_id)
  bundle=$state.bundles/$id
  mkdir -p "$bundle"
  cat >"$bundle/config.json" <<EOF
{
  "ociVersion": "1.0.2",
  "process": {
    "user": {"uid": $user, "gid": $user},
    "args": ["sh", "-c", "$(json_escape "$command")"],
    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
    "cwd": "/"${process_more:+, $process_more}
  },
  "root": {"path": "$rootfs"},
  "hostname": "sandbox",
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
  "linux": {"namespaces": [
    {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}
}
EOF
  # shellcheck disable=SC2086 # words on purpose
  timeout "${sandbox_seconds:-30}" "$runsc" --root="$state" --network=none $flags --overlay2=root:memory \
    ${session:+"--pod-init-config=$session"} run --bundle="$bundle" "$id" </dev/null
}

# Ends every sandbox that is still in state folder $2 of runsc $1.
remove_sandboxes() {
  [ -d "$2" ] || return 0
  for left in $("$1" --root="$2" list -quiet 2>/dev/null); do
    "$1" --root="$2" delete -force "$left" >/dev/null 2>&1 || true
  done
}

# Unmounts everything below folder $1, the innermost first: runsc and dockerd leave network namespaces mounted.
unmount_below() {
  awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
    while IFS= read -r mounted; do
      umount -l "$mounted" 2>/dev/null || true
    done
}

# wait_for_line REGEX FILE SECONDS: true as soon as a line of FILE matches.
wait_for_line() {
  tries=$(($3 * 20))
  while ! grep -Eq -- "$1" "$2" 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.05
  done
}
