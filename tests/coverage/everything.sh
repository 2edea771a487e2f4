# The session that asks for everything, and sandboxes with or without a terminal. Sourced, after scripts/sandbox.sh.
# shellcheck shell=sh disable=SC2016

# Calls without a schema that rules ask about, as numbers of x86-64: link*, symlink*, unlink*, rename*, rmdir, mkdir*, chmod*,
# mount, setns, unshare, bpf, init_module, finit_module, ptrace (schematised in newer runsc), userfaultfd, openat2, sendto,
# sendmsg, recvfrom, recvmsg; and the calls that tripwires watch.
raw_calls='86 265 88 266 87 263 82 264 316 84 83 258 90 91 268 165 308 272 321 175 313 101 323 437 44 46 45 47 2 257 42 59 322'

# everything SOCKET: `session generate --all` and the raw points, patient, so that a busy machine loses no message.
everything() {
  "$GYRFALCON" session generate --all --socket "$1" | awk -v calls="$raw_calls" '
    { sub(/"retries": 3/, "\"retries\": 100"); print }
    /"points": \[/ {
      fields = "\"time\", \"thread_id\", \"task_start_time\", \"group_id\", \"thread_group_start_time\", \"container_id\", " \
        "\"credentials\", \"cwd\", \"process_name\", \"parent_thread_group_id\", \"is_exec_session\""
      count = split(calls, numbers, " ")
      for (i = 1; i <= count; i++) {
        for (side = 0; side < 2; side++) {
          printf "      {\"name\": \"syscall/sysno/%d/%s\", \"optional_fields\": [], \"context_fields\": [%s]},\n",
            numbers[i], side ? "exit" : "enter", fields
        }
      }
    }'
}

# run_deed SESSION COMMAND: as run_sandbox, of $scratch/rootfs with $RUNSC, $flags and $process_more; on a terminal of its own
# where $process_more asks for one.
# shellcheck disable=SC2154 # set by those that source this
run_deed() {
  case ${process_more:-} in
    *terminal*)
      export RUNSC flags scratch process_more
      deed_session=$1 deed_command=$2 script -qec \
        'sh -c '\''. scripts/lib.sh; . scripts/sandbox.sh; run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$deed_session" "$deed_command"'\''' \
        /dev/null
      ;;
    *) run_sandbox "$RUNSC" "$flags" "$scratch/state" "$scratch/rootfs" "$1" "$2" ;;
  esac
}
