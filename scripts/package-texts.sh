#!/bin/sh
# Makes the man page and the shells' completions from what the program says of itself: its list of commands, and each
# command's --help. Needs sh, awk and gzip only. usage: package-texts.sh PROGRAM FOLDER VERSION
set -eu
[ $# -eq 3 ] || { sed -n '3s/.*usage: //p' "$0" >&2; exit 2; }
program=$1 folder=$2 version=$3
here=$(dirname "$0")/package-texts
mkdir -p "$folder"
table=$folder/commands.table

# A row each, by tabs: C command help example | F command names value choices help | P command name help.
"$program" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  *\([A-Z].*\)$/\1	\2/p' >"$folder/commands"
[ -s "$folder/commands" ] || { echo "package-texts: $program --help lists no command" >&2; exit 1; }
while IFS='	' read -r name help; do
  # shellcheck disable=SC2086 # a command of two words
  "$program" $name --help </dev/null | awk -v name="$name" -v help="$help" -f "$here/table.awk"
done <"$folder/commands" >"$table.new"
rm "$folder/commands"
mv "$table.new" "$table"

awk -v version="$version" -f "$here/man.awk" "$table" | gzip -9n >"$folder/gyrfalcon.1.gz"
for shell in bash zsh fish; do
  awk -f "$here/$shell.awk" "$table" >"$folder/completion.$shell"
done
