# zsh's completion from the table of package-texts.sh.
function quoted(s) { gsub(/'/, "'\\''", s); return s }
function explained(s) { gsub(/[][]/, "\\\\&", s); return quoted(s) }
BEGIN { FS = "\t" }
$1 == "F" {
  value = $4 == "" ? "" : $5 == "" ? ":" $4 ":_files" : ":" $4 ":(" $5 ")"
  n = split($3, each, " ")
  for (i = 1; i <= n; i++)
    specs[$2] = specs[$2] sprintf(" \\\n        '*%s[%s]%s'", each[i], explained($6), value)
}
$1 == "C" {
  names[++count] = $2
  n = split($2, word, " ")
  if (n == 1) firsts = firsts sprintf("\n    '%s:%s'", $2, quoted($3))
  else {
    if (!(word[1] in seconds)) order[++groups] = word[1]
    seconds[word[1]] = seconds[word[1]] sprintf("\n        '%s:%s'", word[2], quoted($3))
    listed[word[1]] = listed[word[1]] (listed[word[1]] == "" ? "" : ", ") word[2]
  }
}
END {
  print "#compdef gyrfalcon"
  print "# Made by scripts/package-texts.sh from the program's own help."
  for (i = 1; i <= groups; i++) firsts = firsts sprintf("\n    '%s:%s'", order[i], listed[order[i]])
  print "local -a commands\nlocal command=$words[2] taken=1"
  print "if [[ $command == -* ]]; then\n  command=run taken=0"
  print "elif (( CURRENT == 2 )); then"
  printf "  commands=(%s\n  )\n  _describe command commands\n  return\nfi\n", firsts
  print "case $command in"
  for (i = 1; i <= groups; i++) {
    printf "  %s)\n    if (( CURRENT == 3 )); then\n      commands=(%s\n      )\n", order[i], seconds[order[i]]
    printf "      _describe command commands\n      return\n    fi\n    command=\"$command $words[3]\" taken=2 ;;\n"
  }
  print "esac\nshift $taken words\n(( CURRENT -= taken ))"
  print "case $command in"
  for (i = 1; i <= count; i++) {
    printf "  '%s')\n    _arguments%s \\\n        '*:file:_files' ;;\n", names[i], specs[names[i]]
  }
  print "esac"
}
