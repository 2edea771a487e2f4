// A daemon that can't keep up, with what is least urgent left out and without: how many messages
// sandboxes then lose.
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace gyrfalcon {

struct OverloadOptionsOfTest {
  std::string program;
  std::chrono::seconds duration{5};  // of each of the two
  int rules = 400;                   // of low priority, about what floods
  int sandboxes = 4;                 // that flood
};

// `ratio`: lost without, over lost with. One run of both, in turn.
Result<nlohmann::ordered_json> MeasureOverload(const OverloadOptionsOfTest& options);

}  // namespace gyrfalcon
