// What keeps the alerts that a test raises, and reads them. Whatever keeps refers to a vector of
// the test's, which has to outlive it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "channels/channel.h"
#include "engine/pipeline.h"

namespace gyrfalcon::testing {

class KeepAlerts final : public AlertSink {
 public:
  explicit KeepAlerts(std::vector<Alert>& out) : out_(out) {}
  bool OnAlert(Alert alert) override;

 private:
  std::vector<Alert>& out_;
};

// As "rule: message".
class KeepAlertLines final : public AlertSink {
 public:
  explicit KeepAlertLines(std::vector<std::string>& out) : out_(out) {}
  bool OnAlert(Alert alert) override;

 private:
  std::vector<std::string>& out_;
};

// A channel: as "rule: " and the line that a text output writes. Filled on the dispatcher's thread,
// so read it after the dispatcher's Stop.
class KeepDelivered final : public Channel {
 public:
  explicit KeepDelivered(std::vector<std::string>& out) : out_(out) {}
  std::string_view name() const override { return "test"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override;

 private:
  std::vector<std::string>& out_;
};

// A field of a built-in alert, by its name with dots, as the alert's message shows it; "": not
// there.
std::string Shown(const Alert& alert, std::string name);

}  // namespace gyrfalcon::testing
