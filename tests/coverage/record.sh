#!/bin/sh
# Records every deed in a real sandbox that is asked for everything: all schematised points with all fields, and the raw
# points that rules ask about. Usage, as root on x86-64, from the root of the tree:
#   GYRFALCON=build/release/gyrfalcon sh tests/coverage/record.sh RUNSC FOLDER [RUNSC FLAG...]
# e.g. record.sh /usr/bin/runsc tests/data/coverage/old --platform=ptrace; with ONLY='name…' just those.
set -eu
. tests/record_lib.sh
. tests/coverage/deeds.sh
. tests/coverage/everything.sh

begin_recording "$@"
prepare_rootfs "$scratch/rootfs" || die "the deeds can't be built: no static C library"
everything "$socket" >"$scratch/session.json"

# deed_with MEMBERS NAME COMMAND: lines of COMMAND become one, for JSON.
deed_with() {
  case " ${ONLY:-$2} " in
    *" $2 "*) ;;
    *) return 0 ;;
  esac
  process_more=$1
  start_recorder
  run_deed "$scratch/session.json" "$(printf '%s' "$3" | tr '\n' ' ')" >"$scratch/sandbox.log" 2>&1 ||
    say "$2: the command returned $?"
  # What the system refused belongs to the record.
  cat "$scratch/sandbox.log" >&2
  keep "$2"
}

deeds
say "all: $(cat "$folder"/*.trace | wc -c) bytes"
