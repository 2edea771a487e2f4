// Everything that a sandbox, or somebody who connects, could make grow, as one table: its bound, by
// which config key it is set, what happens at it, and what counts that. The config's keys and the
// docs are made from it, and each row has its test.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "state/limits.h"
#include "wire/socket_source.h"

namespace gyrfalcon {

struct Limits {
  SandboxLimits sandbox{};
  SocketSourceOptions source{};
  size_t handshake_ms = 5'000;
  size_t handshakes_waiting_max = 16'384;
  size_t total_bytes_max = size_t{1} << 30;  // of all sandboxes' states; 0: no bound
  // Of messages that wait for what the host knows of their container.
  size_t held_bytes_max = size_t{4} << 20;         // of one sandbox
  size_t held_total_bytes_max = size_t{64} << 20;  // of one worker's sandboxes
};

struct LimitRow {
  std::string_view name;      // in the config behind "limits."
  std::string_view what;      // is bounded: one phrase, without a full stop
  std::string_view at_limit;  // what happens there
  std::string_view counters;  // what counts it, ", " between; "": nothing, for nothing is lost
  size_t& (*in)(Limits&);     // nullptr: no config changes it
  size_t fixed = 0;           // the bound, then
  size_t min = 0;             // of the config's value
  size_t max = 0;

  constexpr bool is_configurable() const { return in != nullptr; }
  size_t default_value() const;
};

// Those that a config can change, then the others.
std::span<const LimitRow> LimitRows();
inline constexpr size_t kConfigurableLimits = 21;

}  // namespace gyrfalcon
