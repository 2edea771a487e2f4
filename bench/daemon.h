// `gyrfalcon run` as a child whose alerts come through a pipe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

class Daemon {
 public:
  // Runs `program` with these rules, further `arguments`, and socket and store in `folder`. Its log
  // goes to the file `log`; "": to standard error. Returns when somebody can connect.
  static Result<Daemon> Start(const std::string& program, const std::string& folder,
                              const std::vector<std::string>& rules,
                              const std::vector<std::string>& arguments = {},
                              const std::string& log = {});
  Daemon(Daemon&& other) noexcept;
  ~Daemon();  // stops it

  pid_t pid() const noexcept { return child_; }
  // Waits for its end after SIGTERM; its wait status. Its alerts are not read any more.
  int Stop();

  const std::string& socket_path() const& noexcept { return socket_path_; }
  int64_t start_ns() const noexcept { return start_ns_; }  // from exec until the connect succeeded
  // "VmRSS" or another row of /proc/PID/status that is in kB.
  int64_t MemoryBytes(std::string_view row) const;
  // The next line of standard output; nullopt after `timeout_ms`.
  std::optional<std::string> NextLine(int timeout_ms);

 private:
  Daemon(pid_t child, UniqueFd output, std::string socket_path)
      : child_(child), output_(std::move(output)), socket_path_(std::move(socket_path)) {}

  pid_t child_;
  UniqueFd output_;
  std::string socket_path_;
  int64_t start_ns_ = 0;
  std::string unread_;
};

// A sandbox's connection, its handshake done.
Result<UniqueFd> ConnectSandbox(const std::string& socket_path);

}  // namespace gyrfalcon
