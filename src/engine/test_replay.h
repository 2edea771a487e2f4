// Runs captures through a pipeline in a test, and keeps what it found.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/pipeline.h"
#include "rules/rule_loader.h"

namespace gyrfalcon::testing {

inline constexpr int64_t kSecond = 1'000'000'000;  // ns

// Rules from files; a failure of the test when they do not load.
std::shared_ptr<const RuleSet> LoadRulesForTest(const std::vector<std::string>& paths,
                                                LoadOptions options = {});
std::shared_ptr<const RuleSet> RulesFromText(const std::string& yaml);

struct ReplayResult {
  std::vector<Alert> alerts;
  Totals totals;
  std::vector<std::string> warnings;

  // Names of the rules that fired, sorted, as often as they did.
  std::vector<std::string> RuleNames() const;
};

// Changes or (nullopt) leaves out one message.
using MessageFilter = std::function<std::optional<std::string>(std::string_view datagram)>;

ReplayResult ReplayForTest(const std::string& capture, std::shared_ptr<const RuleSet> rules,
                           const MessageFilter& filter = nullptr);

std::string FieldText(const Alert& alert, std::string_view name);

// Compressing, copying and importing by several processes at once: 338,026 messages. Unpacked for
// as long as this lives.
class HeavyCapture {
 public:
  HeavyCapture();
  ~HeavyCapture();
  HeavyCapture(const HeavyCapture&) = delete;
  HeavyCapture& operator=(const HeavyCapture&) = delete;

  // "": ../shared is not there, or zstd; `missing` says which.
  const std::string& path() const { return path_; }
  const std::string& missing() const { return missing_; }

 private:
  std::string path_;
  std::string missing_;
};

// Paths of the shared test material, empty when it is not there.
std::string SharedPath(const std::string& relative);

// Every .trace at any depth below a folder, sorted; none when it is not there.
std::vector<std::string> CapturesBelow(const std::string& folder);
// The project's own, then the shared ones, if they are there.
std::vector<std::string> OwnCaptures();
std::vector<std::string> AllCaptures();
// Captures in the folders of both runsc in a folder, sorted: "old/hello" for old/hello.trace.
std::vector<std::string> TraceNames(const std::string& folder);

}  // namespace gyrfalcon::testing
