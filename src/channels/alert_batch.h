// Alerts that go from the dispatcher to the channels together. Never changed once it is complete:
// all channels share it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "channels/channel.h"

namespace gyrfalcon {

struct AlertBatch {
  uint64_t first = 1;  // number of the first alert, of this run; those behind follow without a gap
  size_t bytes = 0;    // about, in memory
  std::vector<Alert> alerts;
  std::vector<OutgoingAlert> outgoing;  // of `alerts`

  uint64_t last() const { return first + alerts.size() - 1; }
};

using SharedBatch = std::shared_ptr<const AlertBatch>;

}  // namespace gyrfalcon
