#!/bin/sh
# Holds src/ to tests/include_edges.txt: every include of ours names its folder, and only an allowed one.
# usage: check_includes.sh EDGES SRC_FOLDER; prints each violation as file:line and exits 1 if there is any.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 EDGES SRC_FOLDER" >&2; exit 2; }
edges=$1
src=$2
[ -r "$edges" ] || { echo "$0: no such file: $edges" >&2; exit 2; }
[ -d "$src" ] || { echo "$0: no such folder: $src" >&2; exit 2; }

find "$src" -type f \( -name '*.h' -o -name '*.cc' \) | sort | {
  # xargs would start awk several times on a long list; awk reads the names itself.
  awk -v edges="$edges" -v src="$src" '
    function complain(text) { print text; bad = 1 }

    # Everything reachable from `folder` over the edges, marked in allowed[root, …].
    function spread(root, folder,    list, count, i) {
      count = split(direct[folder], list, " ")
      for (i = 1; i <= count; i++) {
        if (!(list[i] in direct)) complain(edges ": " folder " names " list[i] ", which has no line of its own")
        else if (!((root, list[i]) in allowed)) { allowed[root, list[i]] = 1; spread(root, list[i]) }
      }
    }

    function check(file,    folder, number, line, path, target, slash) {
      folder = substr(file, length(src) + 2)
      if (!index(folder, "/")) { complain(file ": stands in no folder of src/"); return }
      folder = substr(folder, 1, index(folder, "/") - 1)
      if (!(folder in direct)) { complain(file ": folder " folder " has no line in " edges); return }
      files++
      while ((getline line < file) > 0) {
        number++
        if (line !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) continue
        path = line
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", path)
        quoted = substr(path, 1, 1) == "\""
        path = substr(path, 2)
        sub(/[>"].*$/, "", path)
        slash = index(path, "/")
        target = slash ? substr(path, 1, slash - 1) : ""
        if (!quoted) {
          if (target in direct) complain(file ":" number ": <" path "> is ours: write it in quotes")
          continue
        }
        if (!slash) complain(file ":" number ": \"" path "\" names no folder: write \"" folder "/" path "\"")
        else if (!(target in direct)) complain(file ":" number ": \"" path "\": no folder " target " in " edges)
        else if (target != folder && !((folder, target) in allowed))
          complain(file ":" number ": " folder " may not include " target " (" path ")")
      }
      close(file)
    }

    BEGIN {
      while ((getline line < edges) > 0) {
        if (line ~ /^[ \t]*(#|$)/) continue
        colon = index(line, ":")
        if (!colon) { complain(edges ": no colon in: " line); continue }
        direct[substr(line, 1, colon - 1)] = substr(line, colon + 1)
      }
      for (folder in direct) spread(folder, folder)
      for (folder in direct) if ((folder, folder) in allowed) complain(edges ": " folder " reaches itself: a cycle")
    }
    { check($0) }
    END {
      if (!files) complain(src ": no source found: nothing was checked")
      if (!bad) print files " files keep to " edges
      exit bad
    }'
}
