// Whether it is one alert that a receiver fails on, or the receiver that fails. A sandbox decides
// what is in an alert: one that nobody can digest must not hold up all behind it for ever.
#pragma once

#include <cstdint>
#include <string>

#include "channels/channel.h"

namespace gyrfalcon {

class StuckHead {
 public:
  // The receiver has failed on this alert so often that the one behind it is to be tried first; if
  // that one is taken, this one is refused.
  bool IsSuspect(const OutgoingAlert& head) const {
    return failures_ >= kFailuresMax && IsHead(head);
  }
  void NoteFailure(const OutgoingAlert& head) {
    if (head.sequence == 0) return;
    if (!IsHead(head)) *this = {};
    boot_id_ = head.boot_id;
    sequence_ = head.sequence;
    ++failures_;
  }

 private:
  static constexpr int kFailuresMax = 3;

  bool IsHead(const OutgoingAlert& alert) const {
    return sequence_ != 0 && sequence_ == alert.sequence && boot_id_ == alert.boot_id;
  }

  std::string boot_id_;
  uint64_t sequence_ = 0;  // 0: none
  int failures_ = 0;
};

}  // namespace gyrfalcon
