// What delivery counts: as a whole, as a table, and for each channel.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/counter.h"
#include "channels/alert_figures.h"

namespace gyrfalcon {

enum class DeliveryCounter : uint8_t {
  kSpooled,
  kNotSpooled,
  kTrimmedByAge,
  kTrimmedByBytes,
  kTrimmedByShare,
  kSpoolFailures,
  kDamaged,
  kOwnAlerts,
  kDelivered,
  kDeadLetters,
  kMissed,
  kRetries,
  kCount,
};

inline constexpr auto kDeliveryCounterRows = std::to_array<CounterRow>({
    {"alerts_spooled", Severity::kInfo, "Alerts written to the store."},
    {"alerts_not_spooled", Severity::kDataLoss,
     "Alerts that went to the outputs from memory only, for the store could not be written."},
    {"alerts_trimmed_age", Severity::kInfo, "Alerts deleted from the store because of their age."},
    {"alerts_trimmed_bytes", Severity::kInfo,
     "Alerts deleted from the store because it was full: the oldest."},
    {"alerts_trimmed_share", Severity::kInfo,
     "Alerts deleted from the store because it was full and their sandbox had more than its share "
     "of it."},
    {"store_failures", Severity::kInfo, "Times the store could not be opened, written or read."},
    {"store_rows_damaged", Severity::kDataLoss, "Alerts in the store that could not be read."},
    {"delivery_alerts", Severity::kInfo, "Alerts that delivery itself raised, about itself."},
    {"alerts_delivered", Severity::kInfo, "Alerts that an output has taken, each output counted."},
    {"dead_letters", Severity::kDataLoss,
     "Alerts that an output's receiver refused for good; `gyrfalcon alerts` still has them."},
    {"alerts_missed", Severity::kDataLoss,
     "Alerts that were gone before an output that was behind could take them."},
    {"delivery_retries", Severity::kInfo, "Times an output failed and tried again later."},
});
static_assert(kDeliveryCounterRows.size() == static_cast<size_t>(DeliveryCounter::kCount));

struct ChannelFigures {
  std::string name;
  uint64_t delivered = 0;
  uint64_t dead_letters = 0;
  uint64_t missed = 0;
  uint64_t retries = 0;
  uint64_t waiting = 0;  // alerts that it has not had yet
  bool failing = false;  // for a while
};

struct DeliveryFigures {
  Counters<DeliveryCounter> counters;
  bool spooling = false;     // alerts are written to the store just now
  uint64_t spool_bytes = 0;  // of the alerts in it
  uint64_t spool_alerts = 0;
  std::vector<ChannelFigures> channels;
  AlertFigures alerts;

  struct Row {
    const CounterRow* def;
    uint64_t value;
  };
  std::vector<Row> Rows() const;
};

}  // namespace gyrfalcon
