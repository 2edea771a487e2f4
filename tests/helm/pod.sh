#!/bin/sh
# What kubelet and containerd do for the daemon's container of a rendered chart, here in a mount namespace of its own (and a
# PID namespace where it was given one): a root file system with the program and its libraries and nothing else, read-only; the
# node's folders that the manifest mounts, with their modes; the ConfigMap; its capabilities. Standard input is closed.
# usage: pod.sh MANIFEST ROOT host|own NAME COMMAND…   run in the node's mount namespace by `unshare -m`, as root;
# COMMAND ends with NAME's uid as GYRFALCON_INSTANCE; GYRFALCON is the program.
set -eu
manifest=$1 root=$2 pids=$3 uid=$4
shift 4

mount --make-rprivate /
mount -t tmpfs pod "$root"
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/share/gyrfalcon" "$root/etc/gyrfalcon/config" "$root/proc" "$root/dev" \
  "$root/tmp"
for link in lib lib64; do ln -s "usr/$link" "$root/$link"; done
for folder in /usr/lib /usr/lib64; do
  [ ! -d $folder ] || mount --bind -o ro $folder "$root$folder"
done
cp /etc/ld.so.cache "$root/etc/"
for file in "$GYRFALCON=/usr/bin/gyrfalcon" "$(command -v setpriv)=/usr/bin/setpriv" \
  "$PWD/rules/gyrfalcon_rules.yaml=/usr/share/gyrfalcon/gyrfalcon_rules.yaml"; do
  : >"$root${file#*=}"
  mount --bind "${file%%=*}" "$root${file#*=}"
done
mount --rbind /dev "$root/dev"
if [ "$pids" = own ]; then mount -t proc proc "$root/proc"; else mount --rbind /proc "$root/proc"; fi
sh tests/helm/data_of.sh gyrfalcon.yaml <"$manifest" >"$root/etc/gyrfalcon/config/gyrfalcon.yaml"

# The mounts of the first DaemonSet, the daemon's: "PATH true|false" lines.
awk '/^kind: DaemonSet/ { ++sets } sets != 1 { next } /^---/ { sets = 2 }
  $1 == "mountPath:" { path = $2 } $1 == "readOnly:" && path { print path, $2; path = "" }' "$manifest" |
  while read -r path is_read_only; do
    case $path in /etc/gyrfalcon/*) continue ;; esac
    mkdir -p "$root$path"
    mount --bind "$path" "$root$path"
    [ "$is_read_only" = false ] || mount -o remount,bind,ro "$root$path"
  done
# The env of its container, as far as it is plain.
eval "$(awk '/^kind: DaemonSet/ { ++sets } sets != 1 { next } /^---/ { sets = 2 }
  $1 == "value:" && name { print "export " name "=" $2 } { name = $1 == "-" && $2 == "name:" ? $3 : "" }' "$manifest")"
mount -o remount,ro "$root"
# shellcheck disable=SC2093 # nothing is to come after it
GYRFALCON_INSTANCE=$uid FALCO_HOSTNAME=node exec chroot "$root" /usr/bin/setpriv --bounding-set=-all,+dac_read_search,+sys_ptrace \
  --no-new-privs "$@" </dev/null
