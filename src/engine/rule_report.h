// Why a rule did or did not fire on captures, as values: `rules explain` prints them. The captures
// go through the same pipeline as in a replay; what is told of a condition's parts is the
// interpreter's (rules/explanation.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "points/syscalls.h"
#include "rules/rule_set.h"
#include "runsc/sent_points.h"
#include "runsc/unseen.h"

namespace gyrfalcon {

// What came of a part: `kMissing` has no value although its source is there, `kUnseen` has none
// because its source was not sent. Both count as false.
enum class PartState : uint8_t { kFalse, kTrue, kMissing, kUnseen };

struct ShownPart {
  BoundCondition::Kind kind = BoundCondition::Kind::kCheck;
  // "macro open_write", "exception trusted"; "": written in the rule. Of a cause all that it is in,
  // outermost first: "macro write_etc > macro open_write".
  std::string from;
  PartState state = PartState::kFalse;
  bool decisive = false;  // false: the answer was known without it
  // Of checks alone.
  std::string text;                       // as written, lists and macros expanded
  std::optional<std::string> seen;        // the left side's value, at most kShownBytesMax of it
  std::optional<std::string> seen_right;  // the right side's, where that is val(…) or a function
  std::string right;                      // the right side as written; "" for exists
  std::vector<Unsent> unsent;  // what would tell its fields, where nothing that does was sent
  std::string note;            // why its field can't have a value
  std::vector<ShownPart> children;
};
inline constexpr size_t kShownBytesMax = 4096;  // of a text; a mark says where it was cut

// A check on which the answer hangs.
struct ShownCause {
  ShownPart check;
  bool wanted = true;  // what it has to be for the rule to hold
};

enum class Outcome : uint8_t {
  kDidNotHold,
  kFired,
  kOtherFirst,  // held, but another rule had matched first
  kDisabled,    // held, but the rule is off
  kToldBefore,  // held, and has raised its alert already: the same event by its true path
  kNotOfType,   // not asked about: the condition can't hold for its type
};

struct ShownEvent {
  size_t capture = 0;   // index into the request's
  uint64_t number = 0;  // as `dump` counts; the message that told it last may be a later one
  std::string type;
  int64_t time_ns = 0;
  std::string process;         // its name
  int64_t pid = 0;             // within the sandbox
  bool second_chance = false;  // an open told again by its true path
  bool concluded = false;      // an exec that no message told
  Outcome outcome = Outcome::kDidNotHold;
  std::string winner;                  // kOtherFirst: the rule's name
  uint32_t away = 0;                   // how many checks at least would have to come out otherwise
  size_t held = 0;                     // on that way, how many checks came out as they have to
  std::vector<ShownCause> causes;      // those; where it held, the checks that made it so
  uint64_t alike = 1;                  // happenings with the same causes
  std::optional<ShownPart> condition;  // whole; of an event that was asked for
};

struct ShownType {
  std::string name;
  uint64_t came = 0;                // happenings
  std::vector<std::string> points;  // whose messages tell it; empty: gVisor tells no such event
  bool sent = false;                // any of them was
};

// Something that the rule needs and that was not sent.
struct ShownUnsent {
  Unsent what;
  std::vector<std::string> types;  // for events of these
};

struct RuleReport {
  uint64_t messages = 0;
  uint64_t unreadable = 0;  // of them
  uint64_t happenings = 0;
  uint64_t of_types = 0;  // happenings that the rule was to be asked about
  uint64_t fired = 0;
  uint64_t held_only = 0;  // held without firing
  // The first `limit` of each.
  std::vector<ShownEvent> firings;
  std::vector<ShownEvent> held;
  std::vector<ShownEvent> misses;  // the nearest first: one of each kind
  uint64_t miss_kinds = 0;
  // Where one event was asked for: what it told; empty where its message told nothing.
  std::vector<ShownEvent> events;
  std::string event_point;  // of its message; "" where it could not be read
  std::vector<ShownType> types;
  std::vector<ShownUnsent> unsent;
  std::vector<std::pair<size_t, uint64_t>> fired_at;  // capture and event, all of them
  std::vector<std::string> warnings;
};

struct ExplainRequest {
  std::shared_ptr<const RuleSet> rules;  // loaded with LoadOptions::keep_whole
  const Rule* rule = nullptr;            // one of them
  std::vector<std::string> captures;
  std::optional<uint64_t> event;      // with one capture only
  std::optional<SentPoints> session;  // what was asked for; nullopt: as far as the messages show it
  size_t limit = 5;
  Arch arch = kHostArch;
};

// Errors: a capture can't be read, or has no such event (kUsage).
Result<RuleReport> ExplainRule(const ExplainRequest& request);

}  // namespace gyrfalcon
