// Whether a field of a rule has a value, given what a sandbox sends: the reading side of
// runsc/fact_supply.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule_needs.h"
#include "runsc/event_sources.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {

enum class LackKind : uint8_t {
  kNone,
  kNoSuch,    // events of the type have no such thing, with or without gVisor
  kNever,     // gVisor never tells it
  kConstant,  // it is always the same
  kRaw,       // the message has registers alone
  kUntold,    // an argument that gVisor does not send
  kAbsent,    // a fact that no message tells
  kPartly,    // a fact of which some messages are missing
  kMetadata,  // no message's: the host knows it, where that can be seen
  kOneSided,  // an end of a connection that gVisor does not tell for this call
  kIfAsked,   // an address that is told where the program asked for it
};

struct Lack {
  LackKind kind = LackKind::kNone;
  Fact fact{};  // kAbsent, kPartly

  // The field's value is the same for ever: missing, or a default.
  bool decided() const { return kind != LackKind::kNone && kind < LackKind::kPartly; }
};

// How far a fact is told.
enum class Supply : uint8_t { kWhole, kPartly, kAbsent };

// One event type in one form, as one set of sent points has it.
class SentEvents {
 public:
  // `sources`: of the type, those that are sent, all of `form`. Both outlive it.
  SentEvents(const SentPoints& sent, EventType type, EventForm form,
             std::vector<const EventSource*> sources);
  ~SentEvents();
  SentEvents(SentEvents&&) noexcept;

  EventType type() const { return type_; }
  EventForm form() const { return form_; }

  Lack LackOf(const BoundField& field) const;

  // What is for ever so; nullopt: events decide.
  Known Know(const BoundCheck& check) const;

  Supply SupplyOf(Fact fact) const;
  // Whether the row's points and fields are sent, for events of this type: none, some or all.
  Supply MetOf(const struct SupplyRow& row) const;

  // The points that the message of an event is of.
  std::vector<std::string_view> OwnPoints() const;

 private:
  struct Nobody;  // a process of which nothing is known

  const SentPoints& sent_;
  EventType type_;
  EventForm form_;
  std::vector<const EventSource*> sources_;
  std::vector<Supply> supply_;  // by Fact
  std::unique_ptr<Nobody> nobody_;
};

}  // namespace gyrfalcon
