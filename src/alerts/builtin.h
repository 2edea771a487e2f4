// Alerts about the watching itself, which no rules file can take away. Their names begin with
// "gyrfalcon:"; each has a priority and can be switched off in the config.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/alert.h"

namespace gyrfalcon {

enum class Builtin : uint8_t {
  kPathChanged,
  kEventHidden,
  kEventsLost,
  kIdentityClaimed,
  kSandboxSilent,
  kSandboxUntraced,
  kConnectionEnded,
  kSessionTaken,
  kProcessFlood,
  kEventFlood,
  kOverloaded,
  kAlertsSuppressed,
  kChannelFailing,
  kAlertsNotSpooled,
  kRuntimeUnconfigured,
  kCount,
};
inline constexpr size_t kBuiltinCount = static_cast<size_t>(Builtin::kCount);

struct BuiltinDef {
  std::string_view rule;
  Priority priority;          // unless the config says otherwise
  std::string_view tags;      // separated by blanks, sorted
  std::string_view headline;  // what the output says behind the rule's name
  std::string_view help;      // what it means, and what to do
};

const BuiltinDef& Describe(Builtin builtin);
// By rule name, with or without "gyrfalcon: ".
std::optional<Builtin> FindBuiltin(std::string_view name);

// The name that is most like this one, for a message about a wrong one.
std::optional<std::string_view> NearestBuiltin(std::string_view name);

// Which are raised, and how loud. Immutable while in use.
class BuiltinSettings {
 public:
  BuiltinSettings();
  bool operator==(const BuiltinSettings&) const = default;
  bool enabled(Builtin builtin) const { return enabled_.test(static_cast<size_t>(builtin)); }
  Priority priority(Builtin builtin) const { return priorities_[static_cast<size_t>(builtin)]; }
  void Enable(Builtin builtin, bool enabled) {
    enabled_.set(static_cast<size_t>(builtin), enabled);
  }
  void SetPriority(Builtin builtin, Priority priority) {
    priorities_[static_cast<size_t>(builtin)] = priority;
  }

 private:
  std::bitset<kBuiltinCount> enabled_;
  std::array<Priority, kBuiltinCount> priorities_;
};

// The output is the rule's name, the headline and the fields, "name=value" each; a missing value is
// "<NA>". `gyrfalcon.sandbox` among them names the sandbox that it is about.
Alert MakeBuiltinAlert(Builtin builtin, Priority priority, int64_t time_ns,
                       std::vector<AlertField> fields);

}  // namespace gyrfalcon
