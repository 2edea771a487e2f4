// A process of ours with a pipe to its standard input, and everything that can go wrong with it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "channels/give_up.h"

namespace gyrfalcon {

class FedProcess {
 public:
  // It is started. What it prints goes to our standard error.
  static Result<FedProcess> Start(const std::vector<std::string>& words);
  FedProcess(FedProcess&& other) noexcept;
  FedProcess& operator=(FedProcess&&) = delete;
  ~FedProcess();  // kills what has not ended, and takes its end

  // Without waiting: how much of `text` the pipe took; 0: it is full. kEnvironment: nobody reads.
  Result<size_t> Write(std::string_view text);
  // What lies in the pipe and has not been read, also when the process has ended.
  size_t UnreadBytes() const;
  void CloseInput() { input_.reset(); }
  int input() const { return input_.get(); }

  // Until it has ended: "" for 0, else how ("ended with 1", "was killed by signal 9"). nullopt:
  // it has not, in that time.
  std::optional<std::string> WaitForEnd(std::chrono::nanoseconds patience,
                                        const GiveUpSignal& give_up);
  void Kill();  // with its process group

 private:
  FedProcess(pid_t pid, UniqueFd pid_fd, UniqueFd input);

  pid_t pid_;  // 0: its end was taken
  UniqueFd pid_fd_;
  UniqueFd input_;
};

}  // namespace gyrfalcon
