// What the bench and its sending process say to each other: one message of a socket pair each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "bench/sender.h"

namespace gyrfalcon {

enum class SenderOrderKind : uint8_t { kConnect, kSend };

struct SenderOrder {
  SenderOrderKind kind;
  uint8_t set;
  SendBounds bounds;
};

// `text`: the error's when `failed`, else the warnings, a line each.
struct SenderAnswer {
  bool failed = false;
  Fault fault = Fault::kEnvironment;
  Sent sent;
  std::string text;
};

Result<void> PutOrder(int fd, const SenderOrder& order);
// nullopt: the other side is gone.
std::optional<SenderOrder> TakeOrder(int fd);
bool PutAnswer(int fd, const SenderAnswer& answer);
// An answer that says `failed` becomes the error.
Result<SenderAnswer> TakeAnswer(int fd);

}  // namespace gyrfalcon
