# A real systemd for tests: a Debian booted by systemd-nspawn, with the program and the units as they are shipped, and
# the folder of its socket shared with the host, so that sandboxes of the host reach it. Sourced, not run; what it takes
# over from tests/e2e/lib.sh (scratch, skip, fail, runsc_of, wait_for_line, …) is there too.
#
#   make_machine           the root folder, at $machine: change its files before the boot
#   boot_machine [OPTION…] boots it, with more options of systemd-nspawn; returns when it is up
#   inside COMMAND…        runs a command in there
#   wait_inside SECONDS COMMAND…   until the command succeeds; false if it does not
#   property NAME [UNIT]   of gyrfalcon.service, as systemctl shows it
#   end_machine            shuts it down; done at the end of the test too, which defines cleanup_test for more
#
# Two machines don't disturb each other: each has a cgroup of its own.
# shellcheck shell=sh disable=SC2034 # set here, used by those that source this
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

machine=$scratch/machine
socket_folder=$scratch/run # /run/gyrfalcon in there
socket=$socket_folder/gvisor.sock
machine_cgroup=''
nspawn='' # its pid
leader='' # systemd's

cleanup_test() { :; }
cleanup_more() {
  cleanup_test
  end_machine
}

# The Debian that all machines share, made once (a minute, and the network).
systemd_root=$ROOT/build/systemd/root
make_systemd_root() {
  [ ! -d "$systemd_root" ] || return 0
  have debootstrap || skip "no debootstrap (package debootstrap), and no root made before in build/systemd"
  mkdir -p build/systemd
  rm -rf "$systemd_root.new"
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null |
    awk '/^URIs:/ { print $2; exit } /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }')
  # shellcheck disable=SC2086 # no word where there is no mirror
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus bookworm "$systemd_root.new" $mirror \
    >build/systemd/debootstrap.log 2>&1 ||
    skip "debootstrap made no Debian (build/systemd/debootstrap.log): $(tail -n 1 build/systemd/debootstrap.log)"
  mv "$systemd_root.new" "$systemd_root"
}

make_machine() {
  is_root || skip "not root: no systemd can be booted"
  have systemd-nspawn || skip "no systemd-nspawn (package systemd-container)"
  make_systemd_root
  mkdir -p "$machine" "$scratch/upper" "$scratch/work" "$socket_folder"
  chmod 700 "$socket_folder"
  mount -t overlay overlay -o "lowerdir=$systemd_root,upperdir=$scratch/upper,workdir=$scratch/work" "$machine" ||
    cp -a "$systemd_root/." "$machine/"
  cp "$GYRFALCON" "$machine/usr/bin/gyrfalcon"
  # What the program is linked with, or loads, and the smallest Debian does not have.
  libcurl=$(ldconfig -p | awk '/libcurl\.so\.4 / { print $NF; exit }')
  for library in $(ldd "$GYRFALCON" "$libcurl" | grep -o '/[^ :]*\.so[^ :]*' | sort -u); do
    [ -e "$machine$library" ] || cp -L "$library" "$machine$library"
  done
  cp deploy/systemd/gyrfalcon.service deploy/systemd/gyrfalcon.socket "$machine/etc/systemd/system/"
  mkdir -p "$machine/etc/gyrfalcon/rules.d"
  cp tests/e2e/rules/below_bin.yaml "$machine/etc/gyrfalcon/rules.d/"
  cat >"$machine/etc/gyrfalcon/gyrfalcon.yaml" <<YAML
append_output: []
stdout_output: {enabled: false}
file_output: {enabled: true, filename: /var/log/gyrfalcon/alerts}
YAML
  alerts=$machine/var/log/gyrfalcon/alerts
  enable_unit gyrfalcon.service multi-user.target
  enable_unit gyrfalcon.socket sockets.target
}

# As systemctl enable does it, on a root that is not booted yet.
enable_unit() {
  mkdir -p "$machine/etc/systemd/system/$2.wants"
  ln -sf "../$1" "$machine/etc/systemd/system/$2.wants/$1"
}

# drop_in NAME TEXT [UNIT]: a file of settings beside a unit; takes effect at the boot or after daemon-reload.
drop_in() {
  mkdir -p "$machine/etc/systemd/system/${3:-gyrfalcon.service}.d"
  printf '%s\n' "$2" >"$machine/etc/systemd/system/${3:-gyrfalcon.service}.d/$1.conf"
}

make_cgroup() {
  mkdir -p "$scratch/cgroup"
  mount -t cgroup2 none "$scratch/cgroup" || skip "no cgroup2 here: systemd can't be booted"
  machine_cgroup=$scratch/cgroup/gyrfalcon-test-$$
  mkdir "$machine_cgroup"
}

boot_machine() {
  make_cgroup
  # Without the network of the host: abstract sockets belong to it, and systemd has some.
  # shellcheck disable=SC2016 # expanded inside
  sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$machine_cgroup" \
    env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet -D "$machine" -M "gyrfalcon-test-$$" \
    --register=no --keep-unit --private-network --bind="$socket_folder:/run/gyrfalcon" "$@" -b \
    </dev/null >"$scratch/console.log" 2>&1 &
  nspawn=$!
  tries=600
  until is_up; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "systemd did not come up: $(inside systemctl --no-pager --failed 2>&1)"
    kill -0 "$nspawn" 2>/dev/null || skip "systemd-nspawn boots nothing here: $(tail -n 1 "$scratch/console.log")"
    sleep 0.1
  done
}

is_up() {
  [ -n "$leader" ] || leader=$(find_leader)
  [ -n "$leader" ] || return 1
  case $(inside systemctl is-system-running 2>/dev/null) in
    running | degraded) ;;
    *) return 1 ;;
  esac
}

# systemd-nspawn's one child that is PID 1 of a namespace.
find_leader() {
  grep -ls "^PPid:[[:space:]]$nspawn\$" /proc/[0-9]*/status | while IFS= read -r status; do
    ! grep -qs '^NSpid:.*[[:space:]]1$' "$status" || echo "$status" | tr -dc '0-9'
  done
}

inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_PAGER='' SYSTEMD_COLORS=0 nsenter -t "$leader" -a -- "$@"
}

wait_inside() {
  tries=$(($1 * 10))
  shift
  until inside "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}

property() { inside systemctl show --property="$1" --value "${2:-gyrfalcon.service}"; }

# wait_for_property NAME VALUE SECONDS [UNIT]
wait_for_property() {
  tries=$(($3 * 10))
  until [ "$(property "$1" "${4:-}")" = "$2" ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "$1 of ${4:-gyrfalcon.service} is $(property "$1" "${4:-}"), not $2"
    sleep 0.1
  done
}

# journal_has REGEX SECONDS: a line of gyrfalcon's.
journal_has() {
  wait_inside "$2" sh -c "journalctl -u gyrfalcon -u gyrfalcon.socket -o cat | grep -Eq -- '$1'"
}

# The daemon's pid for the host.
outer_pid() {
  wanted=$(property MainPID)
  grep -ls "^NSpid:.*[[:space:]]$wanted\$" /proc/[0-9]*/status | while IFS= read -r status; do
    folder=${status%/status}
    [ "$(readlink "$folder/ns/pid")" != "$(readlink "/proc/$leader/ns/pid")" ] || echo "${folder#/proc/}"
  done
}
# kill_daemon SIGNAL
kill_daemon() { inside systemctl kill --kill-whom=main --signal="$1" gyrfalcon.service; }

end_machine() {
  [ -n "$nspawn" ] || return 0
  [ -z "$leader" ] || inside systemctl poweroff >/dev/null 2>&1 || true
  tries=100
  while kill -0 "$nspawn" 2>/dev/null && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
  done
  [ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null || true
  kill -KILL "$nspawn" 2>/dev/null || true
  wait "$nspawn" 2>/dev/null || true
  nspawn='' leader=''
  find "$machine_cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
}

fetch_logs() {
  [ -z "$leader" ] || inside journalctl -u gyrfalcon -u gyrfalcon.socket -o short-precise -n 40 \
    >"$scratch/gyrfalcon.journal.log" 2>&1 || true
}
