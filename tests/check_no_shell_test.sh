#!/bin/sh
# Proves that check_no_shell.sh refuses what it must and passes what it may, on scratch trees.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# expect EXIT_CODE FILE LINE…
expect() {
  code=$1 file=$2
  shift 2
  rm -rf "$scratch/src"
  mkdir -p "$scratch/src/a"
  printf '%s\n' "$@" >"$scratch/src/a/$file"
  status=0
  sh "$here/check_no_shell.sh" "$scratch/src" >"$scratch/output" || status=$?
  if [ $status -ne "$code" ]; then
    printf 'FAILED: wanted exit %s for: %s; got: %s\n' "$code" "$*" "$(cat "$scratch/output")"
    failed=1
  fi
}

expect 0 a.cc 'posix_spawnp(&pid, arguments.front(), nullptr, nullptr, arguments.data(), environ);'
expect 0 a.cc 'is_shell = name == "sh";'
expect 0 a.cc 'std::filesystem::exists(path); file_system(x); table.system(1);'
expect 0 a_test.cc 'std::system("rm -rf x");'
expect 1 a.cc 'std::FILE* pipe = popen(command.c_str(), "re");'
expect 1 a.cc '  return std::system(command);'
expect 1 a.h 'inline int Run(const char* c) { return ::system(c); }'
expect 1 a.cc 'execl("/bin/true", "true", nullptr);'
expect 1 a.cc 'const char* words[] = {"/bin/sh", "-c", text};' 'posix_spawn(&pid, words[0], nullptr, nullptr, words, environ);'
[ $failed -eq 0 ] || exit 1
echo 'check_no_shell.sh holds'
