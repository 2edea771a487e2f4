#include "engine/counters.h"

#include <fmt/format.h>

namespace gyrfalcon {
namespace {

template <class Enum, class Table>
void AppendRows(const Counters<Enum>& counters, const Table& table, std::vector<Totals::Row>& out) {
  for (size_t i = 0; i < table.size(); ++i) {
    out.push_back({&table[i], counters[static_cast<Enum>(i)]});
  }
}

}  // namespace

void Totals::Add(const Totals& other) {
  engine.Add(other.engine);
  decode.Add(other.decode);
  state.Add(other.state);
  wire.Add(other.wire);
}

uint64_t Totals::undecodable() const {
  return engine[EngineCounter::kBadFraming] + decode[DecodeError::kMalformed] +
         decode[DecodeError::kWrongWireType] + decode[DecodeError::kTooLong];
}

std::vector<Totals::Row> Totals::Rows() const {
  std::vector<Row> rows;
  AppendRows(wire, kWireCounterRows, rows);
  AppendRows(engine, kEngineCounterRows, rows);
  AppendRows(decode, kDecodeErrorRows, rows);
  AppendRows(state, kStateCounterRows, rows);
  AppendRows(rules, kRuleFigureRows, rows);
  return rows;
}

std::string Totals::SummaryJson() const {
  return fmt::format(
      R"({{"messages":{},"undecodable":{},"unknown_types":{},"dropped":{},"alerts":{}}})",
      engine[EngineCounter::kMessages], undecodable(), decode[DecodeError::kUnknownType],
      engine[EngineCounter::kDroppedBySandboxes], engine[EngineCounter::kAlerts]);
}

}  // namespace gyrfalcon
