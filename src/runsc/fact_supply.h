// What a fact (fields/field_facts.h) is learnt from, as one table: the session generator asks for
// what its rows name, and coverage looks at which of them a sandbox sends.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "fields/field_facts.h"

namespace gyrfalcon {

enum class Where : uint8_t {
  kPoints,    // the points named
  kIfAsked,   // the points named, where they are asked for anyway
  kOwn,       // those whose messages are the event. An exec's may be any: an exec session's first
  kState,     // the points named, which the state asks for whatever the rules are
  kStateOwn,  // a context field that the state asks every message for
};

// What a row is for the fact, where a sandbox does not send it.
enum class Need : uint8_t {
  kEach,     // without any of the points a part of the fact is lost
  kAny,      // without all of them
  kDetail,   // as kEach, but by itself it tells nothing
  kInstead,  // nothing is lost, but where the others are lost it still tells a part
  kExtra,    // nothing is lost but precision
};

struct SupplyRow {
  Fact fact;
  Where where = Where::kPoints;
  std::string_view points;           // with their side, separated by blanks
  std::string_view context = {};     // a field that those points must have
  std::string_view optional = {};    // the same, of those that have it at all
  std::string_view event_type = {};  // of this alone
  Need need = Need::kEach;
};

std::span<const SupplyRow> FactSupply();

}  // namespace gyrfalcon
