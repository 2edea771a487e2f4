// What was found: a rule, the moment, and the values that its output shows. Owns everything, so it
// can wait for its channels long after the message is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "fields/scratch.h"
#include "rules/rule_set.h"
#include "state/happening.h"

namespace gyrfalcon {

struct AlertField {
  std::string name;  // as the output names it: "proc.aname[2]"
  // monostate: the field had no value. Numbers stay numbers in JSON.
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string> value;
};

struct Alert {
  std::string rule;
  Priority priority;
  std::string source;
  std::vector<std::string> tags;  // sorted
  int64_t time_ns;
  std::string message;  // the output, rendered; may hold any bytes
  std::vector<AlertField> fields;
  // The one it is about, as people know it (the id below its runsc root, or "connection N"); empty:
  // none.
  std::string sandbox = {};
};

// About how much memory an alert takes, for those who keep many.
size_t SizeBytes(const Alert& alert);

Alert MakeAlert(const Rule& rule, const Happening& happening, Scratch& scratch);

}  // namespace gyrfalcon
