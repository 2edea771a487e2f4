#include "channels/delivery_counters.h"

namespace gyrfalcon {

std::vector<DeliveryFigures::Row> DeliveryFigures::Rows() const {
  std::vector<Row> rows;
  for (size_t i = 0; i < kDeliveryCounterRows.size(); ++i) {
    rows.push_back({&kDeliveryCounterRows[i], counters[static_cast<DeliveryCounter>(i)]});
  }
  return rows;
}

}  // namespace gyrfalcon
