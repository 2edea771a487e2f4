// How much of what a sandbox had to say has come: received / (received + dropped). For metrics,
// where every sandbox is a time series, so their number is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace gyrfalcon {

// Of one connection, since its session began.
struct SandboxCoverage {
  std::string sandbox;    // as alerts call it
  uint64_t received = 0;  // messages
  // By the sandbox's own count, which wraps at 2^32 and begins anew with a new session.
  uint64_t dropped = 0;

  double ratio() const noexcept {  // 1 where nothing was sent
    const uint64_t sent = received + dropped;
    return sent == 0 ? 1 : static_cast<double>(received) / static_cast<double>(sent);
  }
};

// Most urgent to be told: the smaller share has come; of equals, more was sent.
inline bool IsWorseCovered(const SandboxCoverage& a, const SandboxCoverage& b) noexcept {
  if (a.ratio() != b.ratio()) return a.ratio() < b.ratio();
  return a.received + a.dropped > b.received + b.dropped;
}

// Connections of one name together, sorted by IsWorseCovered and then name, no more than `most`.
void MergeWorst(std::vector<SandboxCoverage>& sandboxes, size_t most);

inline constexpr size_t kCoverageToldMax = 100;

}  // namespace gyrfalcon
