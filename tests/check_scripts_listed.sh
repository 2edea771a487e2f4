#!/bin/sh
# Every test script below tests/ is one that ctest runs. usage: check_scripts_listed.sh TESTS-FOLDER
set -eu
bad=0
for script in "$1"/*/*_test.sh; do
  folder=$(dirname "$script")
  name=$(basename "$script" _test.sh)
  # By its file name, or by its name in a foreach.
  if ! grep -qE "(^|[ (/])$name(_test\.sh|[ )]|\$)" "$folder/CMakeLists.txt"; then
    echo "$script: no test of $folder/CMakeLists.txt runs it" >&2
    bad=1
  fi
done
exit $bad
