// Whether the daemon lives: it answers a handshake as it would a sandbox's, and every thread that
// has to make progress does. For probes (/healthz), which may come often and from several threads:
// what was found is good for a second.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/heartbeat.h"
#include "base/result.h"
#include "service/watchdog.h"

namespace gyrfalcon {

// Connects to the daemon's socket, as runsc does, and hangs up. Fails (Fault::kEnvironment) when no
// answer comes in time.
Result<void> ShakeHands(const std::string& socket_path, int patience_ms);

struct HealthOptions {
  std::string socket_path;
  std::vector<NamedHeartbeat> threads;   // they outlive it
  int64_t patience_ns = 15'000'000'000;  // for a thread; it is seen only when somebody asks
  int handshake_ms = 2'000;
};

class HealthCheck {
 public:
  explicit HealthCheck(HealthOptions options);

  // Any thread. Waits for the handshake, or for who is at it. The error says what is wrong.
  Result<void> Check();

 private:
  const HealthOptions options_;
  std::mutex mutex_;
  StallWatch stalls_;
  int64_t checked_ns_ = 0;  // steady; 0: never
  Result<void> last_;
};

}  // namespace gyrfalcon
