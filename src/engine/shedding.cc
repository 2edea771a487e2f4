#include "engine/shedding.h"

#include <algorithm>
#include <numeric>

#include "points/wire_reader.h"
#include "rules/plan.h"

namespace gyrfalcon {
namespace {

// What changes no state but by a path that it may tell (state/sandbox.cc, kHandlers: OnFdUse). And
// nothing that has to come in pairs with another message is among them, nor what is rare.
constexpr MessageType kWithoutEffect[] = {
    MessageType::kRead,           MessageType::kWrite,          MessageType::kMmap,
    MessageType::kTimerfdSetTime, MessageType::kTimerfdGetTime, MessageType::kInotifyAddWatch,
    MessageType::kInotifyRmWatch};

std::string_view NameOf(size_t type) {
  const MessageSpec* spec = FindMessage(static_cast<uint16_t>(type));
  return spec == nullptr ? std::string_view("unknown") : spec->name;
}

void Append(std::string_view word, std::string& out) {
  if (!out.empty()) out += ", ";
  out += word;
}

}  // namespace

ShedPlan::ShedPlan(const Plan& plan, const OverloadOptions& /*options*/) {
  for (const MessageType type : kWithoutEffect) {
    uint8_t& needed_by = needed_by_[static_cast<size_t>(type)];
    needed_by = kNobody;
    for (const PointDef& point : Points()) {
      if (point.message != type) continue;
      const auto event_type = FindEventType(point.event_type);
      if (!event_type) continue;
      for (const PlannedRule& rule : plan.ClassOf(*event_type).rules) {
        needed_by = std::min(needed_by, static_cast<uint8_t>(rule.rule->priority));
      }
    }
  }
}

ShedRung ShedPlan::Rungs(const OverloadOptions& options) {
  return static_cast<ShedRung>(static_cast<uint8_t>(Priority::kDebug) -
                               static_cast<uint8_t>(options.never_skip) + 1);
}

Priority ShedPlan::LeastAt(ShedRung rung) {
  const auto debug = static_cast<uint8_t>(Priority::kDebug);
  return static_cast<Priority>(debug + 1 - std::clamp<uint8_t>(rung, 1, debug + 1));
}

std::string ShedPlan::SkippedTypes(ShedRung rung) const {
  std::string out;
  for (size_t type = 0; type < kMessageTypeCount; ++type) {
    if (Skips(static_cast<uint16_t>(type), rung)) Append(NameOf(type), out);
  }
  return out;
}

bool TellsPath(uint16_t type, std::span<const std::byte> payload) noexcept {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr) return true;
  WireReader reader({reinterpret_cast<const char*>(payload.data()), payload.size()});
  while (reader.Next()) {
    const FieldSpec* field = spec->Find(reader.number());
    if (field != nullptr && field->slot == Slot::kFdPath) return true;
    reader.Skip();
  }
  return !reader.result();
}

uint64_t Sum(const std::array<uint64_t, kMessageTypeCount>& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

std::string ByType(const std::array<uint64_t, kMessageTypeCount>& counts) {
  std::string out;
  for (size_t type = 0; type < kMessageTypeCount; ++type) {
    if (counts[type] == 0) continue;
    Append(NameOf(type), out);
    out += ' ' + std::to_string(counts[type]);
  }
  return out;
}

}  // namespace gyrfalcon
