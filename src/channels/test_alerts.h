// Alerts for the tests of channels.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "channels/channel.h"

namespace gyrfalcon {

// A batch that owns its alerts; numbers are counted from `first`, 0 means that there are none.
class TestAlerts {
 public:
  explicit TestAlerts(const std::vector<std::string>& messages, uint64_t first = 1) {
    for (const std::string& message : messages) Add(message, first == 0 ? 0 : first++);
  }
  void Add(std::string message, uint64_t sequence, std::string_view boot_id = "boot-1") {
    alerts_.push_back({.rule = "A rule",
                       .priority = Priority::kWarning,
                       .source = "syscall",
                       .tags = {"a", "b"},
                       .time_ns = 1'795'335'717'026'572'338,
                       .message = std::move(message),
                       .fields = {{"fd.name", std::string("/etc/shadow")}}});
    outgoing_.push_back({boot_id, sequence, &alerts_.back()});
  }
  // `count` of them, "alert 1" and so on.
  static TestAlerts Many(size_t count) {
    std::vector<std::string> messages;
    for (size_t i = 1; i <= count; ++i) messages.push_back("alert " + std::to_string(i));
    return TestAlerts(messages);
  }
  std::span<const OutgoingAlert> batch() const { return outgoing_; }

 private:
  std::deque<Alert> alerts_;
  std::vector<OutgoingAlert> outgoing_;
};

}  // namespace gyrfalcon
