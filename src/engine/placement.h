// Which worker has which sandbox, and which sandbox a worker that can't keep up gives to another.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/hash.h"

namespace gyrfalcon {

// What one connection has cost its worker in a while.
struct ConnectionLoad {
  uint64_t connection = 0;
  uint64_t messages = 0;
};

// All connections of one sandbox, which go together: they share its state.
struct PlacementMove {
  size_t to = 0;
  std::vector<uint64_t> connections;
};

// Any thread. What is posted to a worker about a connection is posted under this class's lock, so
// that it comes before the connection moves on or after, never beside it.
class Placement {
 public:
  // From this share of its processor on a worker is overloaded.
  static constexpr double kOverloaded = 0.9;
  // A move has to take at least this share from the busier of the two.
  static constexpr double kWorthwhile = 0.1;
  // A sandbox that has moved stays for so long, lest one is passed round.
  static constexpr int64_t kRestNs = 10'000'000'000;

  // A sandbox whose last connection has ended comes back to the same worker for `remember_ns`,
  // where its state is kept.
  explicit Placement(size_t workers, int64_t remember_ns = 0)
      : remember_ns_(remember_ns), workers_(workers) {}

  // The worker of a new connection: that of the same sandbox's others, or the one with the fewest.
  // `sandbox_key` "": nobody knows whose it is.
  size_t Place(uint64_t connection, std::string_view sandbox_key);
  // It has ended.
  void Leave(uint64_t connection);
  // Calls `post` with the connection's worker; not for one that has ended.
  void WithWorkerOf(uint64_t connection, const std::function<void(size_t worker)>& post) const;

  // What part of the last while a worker was busy, 0 to 1.
  void NoteBusy(size_t worker, double share);
  // The same for an overloaded one; calls `move` if a sandbox is to go to another worker, where it
  // is placed then. `loads` are of all connections that it could give away.
  void Relieve(size_t worker, double share, std::span<const ConnectionLoad> loads, int64_t now_ns,
               const std::function<void(const PlacementMove&)>& move);
  // Sandboxes without a connection that would come back to their worker, and at most as many more
  // whose time is over.
  size_t remembered() const;
  // Nothing moves any more, until it thaws.
  void Freeze();
  void Thaw();

 private:
  struct Worker {
    size_t connections = 0;
    double busy = 0;
  };
  struct Group {
    size_t worker = 0;
    std::vector<uint64_t> connections;
    std::optional<int64_t> moved_ns;
  };
  struct Candidate {
    Group* group = nullptr;
    double share = 0;  // of its worker's time
    size_t known = 0;  // how many of its connections could go
  };

  struct Left {
    size_t worker = 0;
    int64_t until_ns = 0;
  };
  static constexpr size_t kLeftMax = 65'536;
  static constexpr size_t kForgetMin = 256;

  void RememberLeft(std::string key, size_t worker);
  Group* GroupOf(uint64_t connection);
  std::vector<Candidate> Candidates(double share, std::span<const ConnectionLoad> loads,
                                    int64_t now_ns);

  const int64_t remember_ns_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Worker> workers_;
  absl::flat_hash_map<std::string, Group, TextHash, TextEqual> groups_;
  absl::flat_hash_map<uint64_t, std::string> group_of_;  // by connection
  absl::flat_hash_map<std::string, Left, TextHash, TextEqual> left_;
  size_t forget_at_ = kForgetMin;  // how many there are when those whose time is over go
  bool frozen_ = false;
};

}  // namespace gyrfalcon
