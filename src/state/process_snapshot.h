// What somebody outside the messages says that a process is at some moment: an entry of runsc's
// dump of a sandbox's /proc (runsc/process_list.h). Made by the Sentry, so as distrusted as its
// messages, and older or newer than those at hand: it fills gaps, and overrules nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "points/event.h"

namespace gyrfalcon {

struct ProcessSnapshot {
  struct Fd {
    int32_t number = 0;
    uint32_t mode = 0;  // st_mode; 0: not told
    std::string path;   // or "host:[N]", "pipe:[N]", "socket:[N]"
  };

  int32_t tgid = 0;           // in the sandbox's root PID namespace; > 0
  int32_t parent_tgid = 0;    // 0: from outside the sandbox, or not told
  int64_t start_time_ns = 0;  // with tgid it names the process; > 0
  std::string name;           // the task's, at most 15 bytes of it mean anything
  std::string exe_path;       // of the binary
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string cwd;
  std::optional<Credentials> credentials;
  int32_t group_id = 0;    // process group; 0: not told
  int32_t session_id = 0;  // 0: not told
  int64_t fd_limit = -1;   // RLIMIT_NOFILE; -1: not told
  std::vector<Fd> fds;
};

// What came of asking for snapshots.
struct SnapshotAnswer {
  uint64_t question = 0;  // as in Sandbox::NoteSnapshotAsked
  bool failed = false;    // none could be had
  bool whole = true;      // who was waited for and is not here was not there either
  std::span<const ProcessSnapshot> processes;
};

}  // namespace gyrfalcon
