// One line on a terminal for whoever waits: how far it is, from the first second on.
#pragma once

#include <chrono>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace gyrfalcon {

// For one thread at a time. Writes to standard error, and nothing where that is no terminal.
class Progress {
 public:
  Progress() : wanted_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // In place of what stood there.
  void Show(std::string_view text) {
    using Clock = std::chrono::steady_clock;
    if (!wanted_ || Clock::now() - began_ < std::chrono::seconds(1)) return;
    fmt::print(stderr, "\r\x1b[K{}", text);
    std::fflush(stderr);
    shown_ = true;
  }

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  const bool wanted_;
  bool shown_ = false;
};

}  // namespace gyrfalcon
