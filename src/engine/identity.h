// Which live sandbox each container belongs to. A Sentry may write any container id into its
// messages; one that is another sandbox's must not be believed.
//
// One registry for all workers, under a mutex: it is asked when a sandbox shows a container that it
// has not shown before, not for each message.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/hash.h"

namespace gyrfalcon {

// Who claims: one sandbox, however many connections it has.
struct SandboxIdentity {
  std::string owner;  // unique among live sandboxes: the key from runsc, or a connection's number
  std::string root;   // runsc's --root; "": not known. Ids are unique below one root only.

  // Not where their roots are known to differ: those may have containers of the same id.
  bool Excludes(const SandboxIdentity& other) const {
    return root.empty() || other.root.empty() || root == other.root;
  }
};

class ContainerRegistry {
 public:
  // Once for each connection of the sandbox, and the same as often Leave: with the last one, its
  // containers are free again.
  void Join(const SandboxIdentity& identity);
  void Leave(const SandboxIdentity& identity);

  // Whether the container is (from now on, where nobody's yet) this sandbox's; else the owner's
  // name is put into `other`.
  bool Claim(const SandboxIdentity& identity, std::string_view container, std::string& other);
  // What runsc says of its own sandbox goes before what a Sentry has said.
  void Assign(const SandboxIdentity& identity, std::string_view container);

  // Rises when an answer of Claim may have changed. Any thread; no lock.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    SandboxIdentity owner;
    bool contested = false;  // somebody else was refused it
  };
  struct Member {
    uint32_t connections = 0;
    absl::flat_hash_set<std::string> containers;
  };

  std::mutex mutex_;
  // By container; several only where they are below different roots.
  absl::flat_hash_map<std::string, std::vector<Entry>, TextHash, TextEqual> entries_;
  absl::flat_hash_map<std::string, Member, TextHash, TextEqual> members_;  // by owner
  std::atomic<uint64_t> generation_ = 0;
};

}  // namespace gyrfalcon
