// Says after a load which of the rules see nothing, and keeps the figures for `status`.
#pragma once

#include <array>
#include <atomic>
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
};

// On a thread of its own, for it reads the rules once more, whole: no start and no event waits.
class LoadCoverage {
 public:
  LoadCoverage() = default;
  ~LoadCoverage();
  LoadCoverage(const LoadCoverage&) = delete;
  LoadCoverage& operator=(const LoadCoverage&) = delete;

  // Logs a line of figures, and a warning for each blind rule, when it knows. Waits for the answer
  // before, if that is still under way. One thread.
  void Ask(CoverageQuestion question);

  Counters<RuleFigure> figures() const;  // any thread; zeros before the first answer

 private:
  void Answer(const CoverageQuestion& question);

  std::thread thread_;
  std::array<std::atomic<uint64_t>, static_cast<size_t>(RuleFigure::kCount)> figures_{};
};

}  // namespace gyrfalcon
