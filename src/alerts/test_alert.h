// For tests of what alerts go through: one that says nothing but its message.
#pragma once

#include <string>
#include <utility>

#include "alerts/alert.h"

namespace gyrfalcon {

inline Alert MakeTestAlert(std::string message, std::string sandbox = "box") {
  return {.rule = "r",
          .priority = Priority::kError,
          .source = "syscall",
          .tags = {},
          .time_ns = 1,
          .message = std::move(message),
          .fields = {},
          .sandbox = std::move(sandbox)};
}

}  // namespace gyrfalcon
