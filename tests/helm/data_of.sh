#!/bin/sh
# Prints one file of the ConfigMaps of a rendered chart, which stands on standard input: data_of.sh NAME.
exec awk -v name="  ${1:?the name}: |" '
  /^---/ { inside = 0 }
  inside && /^ {0,3}[^ ]/ { inside = 0 }
  inside { sub(/^    /, ""); print }
  $0 == name { inside = 1 }'
