#include "engine/test_kept_alerts.h"

#include <algorithm>

namespace gyrfalcon::testing {

bool KeepAlerts::OnAlert(Alert alert) {
  out_.push_back(std::move(alert));
  return true;
}

bool KeepAlertLines::OnAlert(Alert alert) {
  out_.push_back(alert.rule + ": " + alert.message);
  return true;
}

Delivery KeepDelivered::Deliver(std::span<const OutgoingAlert> batch) {
  for (const OutgoingAlert& outgoing : batch)
    out_.push_back(outgoing.alert->rule + ": " + FormatText(*outgoing.alert, {}));
  return {.done = batch.size(), .refused = 0, .problem = {}};
}

std::string Shown(const Alert& alert, std::string name) {
  std::ranges::replace(name, '.', '_');
  const size_t at = alert.message.find(' ' + name + '=');
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 2;
  // The next field, if there is one: values may have blanks.
  const size_t next = alert.message.find(" gyrfalcon_", begin);
  return alert.message.substr(begin, next == std::string::npos ? next : next - begin);
}

}  // namespace gyrfalcon::testing
