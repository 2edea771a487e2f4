#!/bin/sh
# No shell runs what a sandbox or a file says: nothing in src/ calls one, and what starts programs names none.
# Tests may. usage: check_no_shell.sh SRC
set -eu
src=$1
bad=''
for file in $(find "$src" -type f \( -name '*.cc' -o -name '*.h' \) ! -name '*_test.cc' ! -name 'test_*' | sort); do
  found=$(grep -nE '(^|[^a-zA-Z_.>])(std::|::)?(popen|system|execlp?e?|wordexp)[[:space:]]*\(' "$file" || true)
  if grep -qE 'posix_spawn|execvp?e?[[:space:]]*\(|fork[[:space:]]*\(' "$file"; then
    found=$found$(grep -nE '"((/usr)?/bin/)?(ba|da)?sh"' "$file" || true)
  fi
  [ -z "$found" ] || bad="$bad
$file: $found"
done
if [ -n "$bad" ]; then
  printf 'a shell is called; give the program its arguments (runsc/child.h):%s\n' "$bad"
  exit 1
fi
echo "no shell is called in $src"
