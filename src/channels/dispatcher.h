// Takes alerts from workers, keeps them in the store, and gives them to the channels, each on a
// thread of its own: a channel that is slow or blocked holds up no sandbox and no other channel.
// docs/delivery.md says what is promised.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "alerts/builtin.h"
#include "channels/channel.h"
#include "channels/delivery_counters.h"
#include "store/spool_options.h"

namespace gyrfalcon {

enum class WhenFull : uint8_t {
  kRefuse,  // live: a sandbox must not wait for a channel
  kWait,  // replay: nothing is lost by reading the capture later; a failed write is not tried again
};

struct DispatcherOptions {
  // Alerts that wait for the store, and for each channel those that are not in it. A sandbox
  // decides how large an alert is (an argv of 190 kB), so their bytes are bounded, not only their
  // number.
  size_t waiting_max = 64 * 1024;
  size_t waiting_bytes_max = 64u << 20;
  WhenFull when_full = WhenFull::kRefuse;
  // Names this start, for receivers; empty: alerts have no sequence number.
  std::string boot_id = {};
  SpoolOptions spool = {};  // without a path: alerts are not kept
  BuiltinSettings builtins{};
  int retry_first_ms = 250;  // doubled up to the other one
  int retry_max_ms = 30'000;
  int failing_after_ms = 30'000;  // without any progress; then it is told
  // Until Begin alerts only wait, and nothing is opened or made. Stopped before that, it does as if
  // it had begun only if alerts wait.
  bool held_back = false;
};

// 32 random hexadecimal digits.
std::string MakeBootId();

class Dispatcher {
 public:
  // These run on threads of the dispatcher. `on_error`: once for each run of failures of a channel
  // or of the store, and of refusals. `on_note`: what has become of the store's file. `on_good`:
  // what works now, or again.
  Dispatcher(DispatcherOptions options, std::vector<std::unique_ptr<Channel>> channels,
             std::function<void(const Error&)> on_error,
             std::function<void(const std::string&)> on_note = {},
             std::function<void(const std::string&)> on_good = {});
  ~Dispatcher();  // as Stop
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Where it is held back: the store is opened, and alerts go out, from now on.
  void Begin();
  // Any thread; does not wait for the store. False: refused, because too many wait.
  bool Put(Alert alert);
  // Any thread: each channel opens its file or connection anew, and tries at once.
  void Reopen();
  // Keeps and delivers what waits, joins the threads, and leaves the store to whoever is next. A
  // channel that fails is left at once when the store keeps the rest for the next start. One that
  // takes nothing for `patience_ms` is given up; negative waits for ever.
  void Stop(int patience_ms = kForever);
  static constexpr int kForever = -1;

  // Any thread.
  DeliveryFigures figures() const;
  // Alerts that a channel did not take, and so lost to it.
  uint64_t failed_writes() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace gyrfalcon
