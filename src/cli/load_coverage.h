// Says after a load which of the rules see nothing, and keeps the figures for `status`.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/counter.h"
#include "engine/counters.h"
#include "rules/rule_loader.h"

namespace gyrfalcon {

// What is asked about.
struct CoverageQuestion {
  std::vector<std::string> rules_files;
  LoadOptions options;
  std::string session_file;  // "": the session that would be generated for the rules
  std::string runsc;         // asked what it knows; "", or where it can't tell: the newest known
};

// On a thread of its own, for it reads the rules once more, whole: no start and no event waits.
class LoadCoverage {
 public:
  LoadCoverage() = default;
  ~LoadCoverage();
  LoadCoverage(const LoadCoverage&) = delete;
  LoadCoverage& operator=(const LoadCoverage&) = delete;

  // Logs a line of figures, and a warning for each blind rule, when it knows. A question before
  // that is still under way is dropped. One thread.
  void Ask(CoverageQuestion question);

  Counters<RuleFigure> figures() const;  // any thread; zeros before the first answer

 private:
  void Run();
  void Answer(const CoverageQuestion& question);

  std::atomic<bool> stale_ = false;  // the question under way is
  std::mutex mutex_;                 // guards what follows
  std::condition_variable asked_;
  std::optional<CoverageQuestion> question_;
  bool stopping_ = false;
  std::thread thread_;  // since the first question
  std::array<std::atomic<uint64_t>, static_cast<size_t>(RuleFigure::kCount)> figures_{};
};

}  // namespace gyrfalcon
