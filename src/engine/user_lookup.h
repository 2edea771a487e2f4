// Finds the names of containers' users, on a thread of its own: files are read, so no event waits.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/lookup_thread.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {

class UserLookup {
 public:
  using Answer = std::function<void(std::shared_ptr<const UserTable>)>;

  // runsc writes its state file while the container starts, and says nothing when it has: what is
  // not there yet is looked for again.
  static constexpr LookupThread::Options kOptions = {
      .tries = 10, .wait_ms = 200, .waiting_max = 4096};

  explicit UserLookup(LookupThread::Options options = kOptions) : thread_(options) {}
  // No answer runs after it returns.
  void Stop() { thread_.Stop(); }

  // Does not wait. `answer` runs on another thread, later or never: never where the files are out
  // of reach. Whoever asks is alive until the lookup has been stopped. False when too many wait.
  bool Ask(SandboxPlace place, std::string container_id, Answer answer);

 private:
  LookupThread thread_;
};

}  // namespace gyrfalcon
