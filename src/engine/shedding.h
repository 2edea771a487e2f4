// What is left out when a worker can't keep up, and what was. The least urgent goes first, rung by
// rung of a ladder; whatever changes the state is always taken up, and rules from a priority of the
// config's on are always asked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "points/schema.h"
#include "rules/matcher.h"

namespace gyrfalcon {

struct OverloadOptions {
  bool sheds = false;  // not in replay, where nothing is lost by reading later
  // Rules of this priority and above are always asked.
  Priority never_skip = Priority::kWarning;
  bool operator==(const OverloadOptions&) const = default;
};

// A sandbox's place on the ladder: 0, nothing is left out; 1, messages that no rule needs and that
// change no state; from 2 on also rules of the least priority, one priority more with each rung.
using ShedRung = uint8_t;

// For the rules of one matcher.
class ShedPlan {
 public:
  // A matcher's plan, and options that outlive neither.
  ShedPlan(const Plan& plan, const OverloadOptions& options);

  // Rungs of the ladder, 1 to rungs().
  static ShedRung Rungs(const OverloadOptions& options);
  // Rules less urgent than this are not asked.
  static Priority LeastAt(ShedRung rung);

  // Whether a message of the type needs not be read, if it tells no path (TellsPath).
  bool Skips(uint16_t type, ShedRung rung) const {
    return type < kMessageTypeCount && needed_by_[type] > static_cast<uint8_t>(LeastAt(rung));
  }
  // Names of such messages: "Read, Write".
  std::string SkippedTypes(ShedRung rung) const;

 private:
  static constexpr uint8_t kNobody = 0xff;
  // The most urgent priority of a rule that asks about messages of the type; 0: they are never
  // skipped, for they change the state.
  std::array<uint8_t, kMessageTypeCount> needed_by_{};
};

// Whether a message of a type that Skips tells of a descriptor's path: the state learns from it.
// One that makes no sense does, too: reading it says why.
bool TellsPath(uint16_t type, std::span<const std::byte> payload) noexcept;

// What was left out of one sandbox's messages since its worker was first overloaded.
struct ShedLedger {
  std::array<uint64_t, kMessageTypeCount> skipped{};  // messages, by type
  std::array<uint64_t, kMessageTypeCount> unasked{};  // events, by the type of their message
  int64_t since_ns = 0;
  int64_t until_ns = 0;
  ShedRung told = 0;  // the highest rung that an alert has named

  void NoteSkipped(size_t type, int64_t now_ns) {
    ++skipped[type];
    NoteTime(now_ns);
  }
  void NoteUnasked(size_t type, int64_t now_ns) {
    ++unasked[type];
    NoteTime(now_ns);
  }

 private:
  void NoteTime(int64_t now_ns) {
    if (since_ns == 0) since_ns = now_ns;
    until_ns = now_ns;
  }
};

uint64_t Sum(const std::array<uint64_t, kMessageTypeCount>& counts);
// "Read 1200, Write 3": those that are not 0.
std::string ByType(const std::array<uint64_t, kMessageTypeCount>& counts);

}  // namespace gyrfalcon
