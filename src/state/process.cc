#include "state/process.h"

#include <algorithm>

namespace gyrfalcon {

std::string_view ShortContainerId(std::string_view id) {
  constexpr size_t kDigestLength = 64;
  constexpr size_t kShortLength = 12;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (id.size() == kDigestLength && std::ranges::all_of(id, is_hex)) {
    return id.substr(0, kShortLength);
  }
  return id;
}

void TaskName::Set(std::string_view name) {
  name = name.substr(0, bytes_.size());
  std::ranges::copy(name, bytes_.begin());
  size_ = static_cast<uint8_t>(name.size());
}

std::string_view Process::CommandLine() const {
  if (command_line_.empty() && !name.empty()) {
    command_line_ = started_as.empty() ? name.view() : started_as.view();
    if (!image->args.empty()) {
      command_line_ += ' ';
      command_line_ += image->args.joined();
    }
  }
  return command_line_;
}

}  // namespace gyrfalcon
