// Compares alerts with recorded ones ("goldens"): which belongs to which, what differs, and whether
// each difference is on the list of those that are on purpose.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "alerts/alert.h"

namespace gyrfalcon::testing {

// One capture, replayed with one set of rules.
struct GoldenRun {
  std::string rules;    // "stable", "all"
  std::string runsc;    // "old", "new"
  std::string capture;  // "shadow"

  std::string Name() const { return rules + "-" + runsc + "-" + capture; }
};

// Who sent the message of a time, and which attempt to run a program it belongs to: alerts of one
// attempt are of one happening, although Falco gives it another message's time.
class MessageTimes {
 public:
  explicit MessageTimes(const std::string& capture);
  bool IsSameHappening(int64_t golden_time_ns, int64_t our_time_ns) const;

 private:
  struct Message {
    int32_t thread_id = 0;
    size_t exec_attempt = 0;  // 0: no part of one; the same for all messages of one
  };
  std::multimap<int64_t, Message> by_time_;
};

// An alert as its JSON line has it.
nlohmann::json ToJson(const Alert& alert);
std::vector<nlohmann::json> ReadJsonLines(const std::string& path);

// What of `ours` differs from `goldens`, without what `deviations` (tests/conformance/
// alert-deviations.json: see the head of alert_goldens_test.cc) says of this run; and entries of it
// that say more than there is. One sentence each; empty when all is well.
std::vector<std::string> CompareWithGoldens(const std::vector<nlohmann::json>& goldens,
                                            const std::vector<nlohmann::json>& ours,
                                            const MessageTimes& times, const GoldenRun& run,
                                            const nlohmann::json& deviations);

}  // namespace gyrfalcon::testing
