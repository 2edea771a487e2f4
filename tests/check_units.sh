#!/bin/sh
# The units as shipped, held against systemd's own judgement without booting one: exposure at most 3.0, and no more file
# descriptors stored than the service may open. usage: check_units.sh FOLDER
set -eu
folder=$1
stored=$(sed -n 's/^FileDescriptorStoreMax=//p' "$folder/gyrfalcon.service")
open=$(sed -n 's/^LimitNOFILE=//p' "$folder/gyrfalcon.service")
if [ "$((2 * stored + 1024))" -gt "$open" ]; then
  echo "LimitNOFILE=$open is too small for FileDescriptorStoreMax=$stored connections and as many silent clients"
  exit 1
fi
if ! command -v systemd-analyze >/dev/null 2>&1; then
  echo 'SKIPPED: no systemd-analyze (package systemd)'
  exit 77
fi
verdict=$(systemd-analyze security --offline=true --no-pager --threshold=30 "$folder/gyrfalcon.service") || {
  printf '%s\nthe exposure is more than 3.0\n' "$verdict"
  exit 1
}
printf '%s\n' "$verdict" | tail -n 1
