# From one command's --help (CLI11's layout) to rows of package-texts.sh's table.
function flush(  names, value, choices, n, words, i, type) {
  if (left == "") return
  n = split(left, words, " ")
  names = words[1]
  gsub(/,/, " ", names)
  value = ""
  choices = ""
  for (i = 2; i <= n; i++) {
    if (words[i] == "...") continue
    if (words[i] == "REQUIRED" || words[i] == "Excludes:") break
    type = words[i]
    if (value != "" || type !~ /^[A-Z]/) continue
    value = type
    sub(/[:=].*/, "", value)
    if (match(type, /\{[^}]*\}/)) {
      choices = substr(type, RSTART + 1, RLENGTH - 2)
      gsub(/,/, " ", choices)
    }
  }
  if (part == "Options") print "F\t" name "\t" names "\t" value "\t" choices "\t" right
  if (part == "Positionals") print "P\t" name "\t" names "\t" right
  left = ""
  right = ""
}
/^(Options|Positionals):$/ { flush(); part = $1; sub(/:/, "", part); next }
/^Example: / { flush(); part = ""; example = substr($0, 10); next }
/^  [^ ]/ && part != "" {
  flush()
  line = substr($0, 3)
  at = match(line, /  +/)
  left = at ? substr(line, 1, at - 1) : line
  right = at ? substr(line, at + RLENGTH) : ""
  next
}
/^   / && part != "" { sub(/^ +/, ""); right = right (right == "" ? "" : " ") $0; next }
END { flush(); print "C\t" name "\t" help "\t" example }
