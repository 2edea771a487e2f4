# gyrfalcon(1) from the table of package-texts.sh.
function text(s) {
  gsub(/\\/, "\\e", s)
  gsub(/-/, "\\-", s)
  if (s ~ /^[.']/) s = "\\\\&" s
  return s
}
BEGIN { FS = "\t" }
$1 == "F" { flags[$2] = flags[$2] $3 "\t" $4 "\t" $5 "\t" $6 "\n" }
$1 == "P" { args[$2] = args[$2] $3 "\t" $4 "\n" }
$1 == "C" { names[++count] = $2; help[$2] = $3; example[$2] = $4 }
END {
  print ".\\\" Made by scripts/package-texts.sh from the program's own help."
  print ".TH GYRFALCON 1 \"\" \"gyrfalcon " version "\" \"User Commands\""
  print ".SH NAME\ngyrfalcon \\- runtime threat detection for gVisor sandboxes"
  print ".SH SYNOPSIS\n.B gyrfalcon\n.I COMMAND\n.RI [ OPTION ...]"
  print ".SH DESCRIPTION"
  print "gyrfalcon listens to what gVisor sandboxes report about themselves, holds it against Falco rules, and raises an"
  print "alert when a rule fits. A call whose first argument begins with \\- means"
  print ".BR \"gyrfalcon run\" ,\nso that Falco's command lines work."
  print ".SH COMMANDS"
  for (i = 1; i <= count; i++) {
    name = names[i]
    print ".SS gyrfalcon " name
    print text(help[name])
    n = split(args[name], rows, "\n")
    for (j = 1; j < n; j++) {
      split(rows[j], cell, "\t")
      print ".TP\n.I " text(cell[1]) "\n" text(cell[2])
    }
    n = split(flags[name], rows, "\n")
    for (j = 1; j < n; j++) {
      split(rows[j], cell, "\t")
      gsub(/ /, ", ", cell[1])
      value = cell[3] != "" ? cell[3] : cell[2]
      gsub(/ /, "|", value)
      print ".TP\n\\fB" text(cell[1]) "\\fR" (value == "" ? "" : " \\fI" text(value) "\\fR")
      print text(cell[4])
    }
    if (example[name] != "") print ".PP\nExample:\n.PP\n.nf\n    " text(example[name]) "\n.fi"
  }
  print ".SH EXIT STATUS"
  print ".TP\n0\nall is well"
  print ".TP\n1\nthe thing that was asked about is not well"
  print ".TP\n2\nthe command line is wrong"
  print ".TP\n3\nthe machine is at fault: a socket, a permission, a file"
  print ".SH FILES"
  print ".TP\n.I /etc/gyrfalcon/gyrfalcon.yaml\nthe config; it says what each key is"
  print ".TP\n.I /etc/gyrfalcon/rules.d/*.yaml\nthe rules, read by name"
  print ".TP\n.I /etc/gyrfalcon/pod\\-init.json\nthe session config that gVisor's runsc is given"
  print ".TP\n.I /run/gyrfalcon/gvisor.sock\nthe socket that sandboxes connect to"
  print ".TP\n.I /var/lib/gyrfalcon\nthe alerts' store, and what"
  print ".B gyrfalcon install \\-\\-undo\nneeds"
  print ".SH SEE ALSO\n.BR runsc (1),\n.I /usr/share/doc/gyrfalcon"
}
