// The values that evt.type can have: every name in Falco's event table and every system call of
// either architecture. A rule that names anything else does not load.
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace gyrfalcon {

// What an event of a type does with its fd; decides evt.is_io and the like. And what Falco knows.
enum EventTypeFlag : uint8_t {
  kUsesFd = 1,
  kCreatesFd = 2,
  kReadsFd = 4,
  kWritesFd = 8,
  kWaits = 16,
  kNotInFalcosTable = 32,  // a rule may name it, but Falco's lists of event types don't
};

struct EventTypeDef {
  std::string_view name;
  uint8_t flags;        // EventTypeFlag bits
  uint8_t falco_codes;  // how many codes Falco's table has for the name (0: none of its own)
};

struct EventType {
  uint16_t index;
  friend auto operator<=>(const EventType&, const EventType&) = default;
};

inline constexpr size_t kEventTypeCount = 496;
using EventTypeSet = std::bitset<kEventTypeCount>;

std::span<const EventTypeDef, kEventTypeCount> EventTypes();  // sorted by name
std::optional<EventType> FindEventType(std::string_view name);
const EventTypeDef& Describe(EventType type);

}  // namespace gyrfalcon
