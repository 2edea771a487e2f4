// How reloads of rules and config have gone.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace gyrfalcon {

struct ReloadFigures {
  uint64_t succeeded = 0;
  uint64_t refused = 0;    // what was in force has stayed
  uint64_t unchanged = 0;  // files were touched, and say what they said before
  std::string error;       // of the last one, where it was refused; else ""
  int64_t loaded_ns = 0;   // since the epoch; when what is in force was loaded
  uint64_t rules_enabled = 0;

  bool last_refused() const noexcept { return !error.empty(); }
};

// One thread reloads, any asks.
class ReloadLog {
 public:
  void Loaded(uint64_t rules_enabled, int64_t now_ns) {
    const std::scoped_lock lock(mutex_);
    figures_.rules_enabled = rules_enabled;
    figures_.loaded_ns = now_ns;
  }
  void Succeeded() {
    const std::scoped_lock lock(mutex_);
    ++figures_.succeeded;
    figures_.error.clear();
  }
  void Refused(const std::string& error) {
    const std::scoped_lock lock(mutex_);
    ++figures_.refused;
    figures_.error = error;
  }
  void Unchanged() {
    const std::scoped_lock lock(mutex_);
    ++figures_.unchanged;
  }
  ReloadFigures figures() const {
    const std::scoped_lock lock(mutex_);
    return figures_;
  }

 private:
  mutable std::mutex mutex_;
  ReloadFigures figures_;
};

}  // namespace gyrfalcon
