// What a Sentry could do that is compromised, or somebody who may open the socket.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gyrfalcon {

// What a play is given.
struct Stage {
  std::string socket_path;
  std::string witness_id;  // the container of the well-behaved sandbox
  std::chrono::steady_clock::time_point end;
  // How much of what it has a million of; 1 in the long form.
  double part = 1;
  std::atomic<uint64_t> sent = 0;  // messages, or connections where it is about them

  bool is_over() const { return std::chrono::steady_clock::now() >= end; }
};

struct Play {
  std::string_view name;
  std::string_view what;
  void (*run)(Stage&);  // until it is over, or all has been sent
};

std::span<const Play> Plays();

}  // namespace gyrfalcon
