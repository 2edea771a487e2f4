# fish's completion from the table of package-texts.sh.
function quoted(s) { gsub(/\\/, "\\\\", s); gsub(/'/, "\\'", s); return s }
BEGIN {
  FS = "\t"
  print "# Made by scripts/package-texts.sh from the program's own help."
  print "function __gyrfalcon_is --description 'The command line is so far: these words, and then flags or files'"
  print "    set -l tokens (commandline -opc)\n    set -e tokens[1]\n    set -l words (count $argv)"
  print "    string match -q -- '-*' $tokens[1]; and test \"$argv\" = run; and return 0"
  print "    test (count $tokens) -ge $words; and test \"$tokens[1..$words]\" = \"$argv\"\nend"
  print "function __gyrfalcon_are --description 'The command line is so far just these words'"
  print "    set -l tokens (commandline -opc)\n    test \"$tokens[2..-1]\" = \"$argv\"\nend"
}
$1 == "F" {
  n = split($3, each, " ")
  names = ""
  for (i = 1; i <= n; i++) {
    if (each[i] ~ /^--/) names = names " -l " substr(each[i], 3)
    else names = names " -s " substr(each[i], 2)
  }
  value = $4 == "" ? "" : $5 == "" ? " -r -F" : " -x -a '" $5 "'"
  rows = rows sprintf("complete -c gyrfalcon -n '__gyrfalcon_is %s'%s%s -d '%s'\n", $2, names, value, quoted($6))
}
$1 == "C" {
  n = split($2, word, " ")
  if (n == 1) {
    firsts = firsts sprintf("complete -c gyrfalcon -f -n '__gyrfalcon_are' -a %s -d '%s'\n", $2, quoted($3))
    next
  }
  if (!(word[1] in seen)) order[++groups] = word[1]
  seen[word[1]] = seen[word[1]] (word[1] in seen && seen[word[1]] != "" ? ", " : "") word[2]
  firsts = firsts sprintf("complete -c gyrfalcon -f -n '__gyrfalcon_are %s' -a %s -d '%s'\n", word[1], word[2], quoted($3))
}
END {
  for (i = 1; i <= groups; i++)
    printf "complete -c gyrfalcon -f -n '__gyrfalcon_are' -a %s -d '%s'\n", order[i], seen[order[i]]
  printf "%s%s", firsts, rows
}
