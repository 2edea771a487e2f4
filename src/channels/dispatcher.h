// Takes alerts from workers and gives them to the channels, on a thread of its own: a channel that
// is slow or blocked holds up no sandbox.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "alerts/alert.h"
#include "channels/channel.h"

namespace gyrfalcon {

enum class WhenFull : uint8_t {
  kRefuse,  // live: a sandbox must not wait for a channel
  kWait,    // replay: nothing is lost by reading the capture later
};

struct DispatcherOptions {
  // Alerts that wait for the channels. A sandbox decides how large an alert is (an argv of 190 kB),
  // so their bytes are bounded, not only their number.
  size_t waiting_max = 64 * 1024;
  size_t waiting_bytes_max = 64u << 20;
  WhenFull when_full = WhenFull::kRefuse;
};

class Dispatcher {
 public:
  // `on_error` runs on the dispatcher's thread, once for each run of failures of a channel.
  Dispatcher(DispatcherOptions options, std::vector<std::unique_ptr<Channel>> channels,
             std::function<void(const Error&)> on_error);
  ~Dispatcher();  // as Stop

  // Any thread. False: refused, because too many wait.
  bool Put(Alert alert);
  // Any thread: each channel opens its files anew before its next alert.
  void Reopen();
  // Delivers what waits, flushes the channels and joins the thread. A channel that takes nothing
  // for `patience_ms` is given up, and what it did not take is lost to it; negative waits for ever.
  void Stop(int patience_ms = kForever);
  static constexpr int kForever = -1;

  // Alerts that a channel did not take, and so lost to it.
  uint64_t failed_writes() const;

 private:
  bool HasRoom() const;
  void Run();
  void DeliverTo(size_t channel, std::span<const OutgoingAlert> batch);
  void NoteProblem(size_t channel, const Error& problem);

  const DispatcherOptions options_;
  const std::vector<std::unique_ptr<Channel>> channels_;
  const std::function<void(const Error&)> on_error_;
  std::vector<bool> failing_;  // by channel; dispatcher's thread

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable room_;
  std::condition_variable end_;
  std::deque<Alert> waiting_;
  size_t waiting_bytes_ = 0;  // of waiting_ and of the batch being delivered
  bool done_ = false;         // the thread has delivered all
  bool stopping_ = false;
  uint64_t failed_writes_ = 0;
  std::thread thread_;
};

}  // namespace gyrfalcon
