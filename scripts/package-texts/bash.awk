# bash's completion from the table of package-texts.sh.
BEGIN { FS = "\t" }
$1 == "F" {
  flags[$2] = flags[$2] " " $3
  if ($5 != "") {
    n = split($3, each, " ")
    for (i = 1; i <= n; i++) choices = choices sprintf("    \"%s %s\") echo '%s' ;;\n", $2, each[i], $5)
  }
}
$1 == "C" {
  names[++count] = $2
  n = split($2, word, " ")
  if (!(word[1] in seen)) firsts = firsts " " word[1]
  seen[word[1]] = 1
  if (n == 2) seconds[word[1]] = seconds[word[1]] " " word[2]
}
END {
  print "# bash completion of gyrfalcon. Made by scripts/package-texts.sh from the program's own help."
  print "_gyrfalcon_flags() {\n  case $1 in"
  for (i = 1; i <= count; i++) printf "    \"%s\") echo '%s' ;;\n", names[i], substr(flags[names[i]], 2)
  print "  esac\n}"
  print "_gyrfalcon_seconds() {\n  case $1 in"
  for (i = 1; i <= count; i++) {
    split(names[i], word, " ")
    if (!(word[1] in seconds) || word[1] in told) continue
    told[word[1]] = 1
    printf "    \"%s\") echo '%s' ;;\n", word[1], substr(seconds[word[1]], 2)
  }
  print "  esac\n}"
  printf "_gyrfalcon_choices() {\n  case \"$1 $2\" in\n%s  esac\n}\n", choices
  print "_gyrfalcon() {"
  print "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} list=''"
  print "  if [ -n \"$(_gyrfalcon_seconds \"$command\")\" ] && [ \"$COMP_CWORD\" -ge 3 ]; then"
  print "    command=\"$command ${COMP_WORDS[2]}\""
  print "  fi"
  print "  case $command in -*) command=run ;; esac"
  print "  if [ \"$COMP_CWORD\" -eq 1 ] && [ \"${current#-}\" = \"$current\" ]; then"
  printf "    list='%s'\n", substr(firsts, 2)
  print "  elif [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$(_gyrfalcon_seconds \"$command\")\" ]; then"
  print "    list=$(_gyrfalcon_seconds \"$command\")"
  print "  elif [ \"${current#-}\" != \"$current\" ]; then"
  print "    list=$(_gyrfalcon_flags \"$command\")"
  print "  else"
  print "    list=$(_gyrfalcon_choices \"$command\" \"$before\")"
  print "  fi"
  print "  # Nothing of ours: files, by -o default."
  print "  mapfile -t COMPREPLY < <(compgen -W \"$list\" -- \"$current\")"
  print "}"
  print "complete -o default -F _gyrfalcon gyrfalcon"
}
