#include "channels/dispatcher.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <sys/random.h>

#include "base/clock.h"
#include "channels/lane.h"
#include "channels/store_writer.h"

namespace gyrfalcon {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr auto kTick = std::chrono::milliseconds(500);
// What is kept by one transaction, and so what one alert may wait for at most.
constexpr size_t kTogetherMax = 1'024;
constexpr size_t kTogetherBytesMax = size_t{4} << 20;

LaneOptions LaneOptionsOf(const DispatcherOptions& options) {
  LaneOptions lane;
  lane.waiting_max = options.waiting_max;
  lane.waiting_bytes_max = options.waiting_bytes_max;
  lane.spooled_max = std::min(lane.spooled_max, lane.waiting_max);
  lane.spooled_bytes_max = std::min(lane.spooled_bytes_max, lane.waiting_bytes_max);
  lane.waits = options.when_full == WhenFull::kWait;
  lane.retry_first_ms = options.retry_first_ms;
  lane.retry_max_ms = options.retry_max_ms;
  return lane;
}

std::vector<std::string> NamesOf(const std::vector<std::unique_ptr<Lane>>& lanes) {
  std::vector<std::string> names;
  names.reserve(lanes.size());
  for (const auto& lane : lanes) names.push_back(lane->name());
  return names;
}

}  // namespace

std::string MakeBootId() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    const int64_t times[] = {RealTimeNs(), SteadyNs()};
    std::copy_n(reinterpret_cast<const unsigned char*>(times), bytes.size(), bytes.begin());
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

class Dispatcher::Impl {
 public:
  using OnError = std::function<void(const Error&)>;
  using OnNote = std::function<void(const std::string&)>;

  Impl(DispatcherOptions options, std::vector<std::unique_ptr<Channel>> channels,
       const OnError& on_error, const OnNote& on_note, const OnNote& on_good)
      : options_(std::move(options)),
        begun_(!options_.held_back),
        lanes_(MakeLanes(options_, std::move(channels), counters_, on_error, on_good)),
        told_failing_(lanes_.size()),
        store_(options_.spool, options_.boot_id, NamesOf(lanes_), counters_,
               {.error =
                    [on_error](const std::string& text) {
                      if (on_error) on_error({text, Fault::kEnvironment});
                    },
                .note =
                    [on_note](const std::string& text) {
                      if (on_note) on_note(text);
                    },
                .good =
                    [on_good](const std::string& text) {
                      if (on_good) on_good(text);
                    }}),
        thread_([this] { Run(); }) {}

  bool Put(Alert alert) {
    raised_.Note(alert, RealTimeNs());
    {
      std::unique_lock lock(mutex_);
      if (options_.when_full == WhenFull::kWait) {
        room_.wait(lock, [this] { return HasRoom() || stopping_; });
      }
      if (stopping_ || !HasRoom()) return false;
      Queue(std::move(alert));
    }
    wake_.notify_one();  // whom it wakes need not wait for the mutex
    return true;
  }

  void Begin() {
    {
      const std::scoped_lock lock(mutex_);
      begun_ = true;
    }
    wake_.notify_all();
  }

  void Reopen() {
    for (const auto& lane : lanes_) lane->Reopen();
  }

  void Stop(int patience_ms) {
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
      stop_until_ = patience_ms < 0
                        ? std::chrono::steady_clock::time_point::max()
                        : std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    }
    wake_.notify_all();
    room_.notify_all();
    thread_.join();
  }

  DeliveryFigures figures() const {
    DeliveryFigures figures;
    figures.counters = counters_.Snapshot();
    figures.spooling = spooling_;
    figures.spool_bytes = spool_bytes_;
    figures.spool_alerts = spool_alerts_;
    figures.alerts = raised_.figures();
    for (size_t i = 0; i < lanes_.size(); ++i) {
      figures.channels.push_back(lanes_[i]->figures());
      figures.channels.back().failing = told_failing_[i];
    }
    return figures;
  }

 private:
  static std::vector<std::unique_ptr<Lane>> MakeLanes(
      const DispatcherOptions& options, std::vector<std::unique_ptr<Channel>> channels,
      AtomicCounters<DeliveryCounter>& counters, const OnError& on_error, const OnNote& on_good) {
    std::vector<std::unique_ptr<Lane>> lanes;
    for (auto& channel : channels) {
      lanes.push_back(std::make_unique<Lane>(std::move(channel), LaneOptionsOf(options), counters,
                                             on_error, on_good));
    }
    return lanes;
  }

  // With the mutex held.
  void Queue(Alert alert) {
    waiting_bytes_ += SizeBytes(alert);
    waiting_.push_back(std::move(alert));
  }

  bool HasRoom() const {
    return waiting_.size() < options_.waiting_max && waiting_bytes_ < options_.waiting_bytes_max;
  }

  // False: stopped before it began, and there is nothing to keep or deliver.
  bool WaitForBegin() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return begun_ || stopping_; });
    return begun_ || !waiting_.empty();
  }

  void Run() {
    if (!WaitForBegin()) return FinishLanes();
    store_.TryOpen();
    AttachStore();
    PublishStore();
    auto next_tick = std::chrono::steady_clock::now() + kTick;
    for (;;) {
      const SharedBatch batch = NextBatch(next_tick);
      if (batch) {
        // With a sync of each commit nothing goes out that a power cut could take back.
        if (!options_.spool.sync_each_commit) {
          for (const auto& lane : lanes_) lane->HandEarly(batch);
        }
        const bool kept = store_.Keep(batch);
        AttachStore();
        for (const auto& lane : lanes_) lane->Hand(batch, kept);
        PublishStore();
      }
      if (std::chrono::steady_clock::now() >= next_tick) {
        Tick();
        next_tick = std::chrono::steady_clock::now() + kTick;
      } else if (!batch && at_end_) {
        if (std::exchange(had_last_tick_, true)) break;
        store_.TryNow();
        Tick();
      }
    }
    FinishLanes();
    SaveCursors();
    store_.Close();
  }

  // nullptr: nothing has come by then.
  SharedBatch NextBatch(std::chrono::steady_clock::time_point until) {
    auto batch = std::make_shared<AlertBatch>();
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, until, [this] { return !waiting_.empty() || stopping_; });
      if (waiting_.empty()) {
        at_end_ = stopping_;
        return nullptr;
      }
      while (!waiting_.empty() && batch->alerts.size() < kTogetherMax &&
             batch->bytes < kTogetherBytesMax) {
        batch->bytes += SizeBytes(waiting_.front());
        batch->alerts.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      waiting_bytes_ -= std::min(waiting_bytes_, batch->bytes);
    }
    if (options_.when_full == WhenFull::kWait) room_.notify_all();
    batch->first = last_ + 1;
    batch->outgoing.reserve(batch->alerts.size());
    for (const Alert& alert : batch->alerts) {
      ++last_;
      const uint64_t sequence = options_.boot_id.empty() ? 0 : last_;
      batch->outgoing.push_back({options_.boot_id, sequence, &alert});
    }
    return batch;
  }

  void AttachStore() {
    const auto attachment = store_.TakeAttachment();
    if (!attachment) return;
    for (size_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i]->Attach(attachment->path, attachment->boot, attachment->cursors[i].position);
    }
  }

  void PublishStore() {
    const Spool* spool = store_.spool();
    spooling_ = store_.working();
    spool_bytes_ = spool == nullptr ? 0 : spool->bytes();
    spool_alerts_ = spool == nullptr ? 0 : spool->alerts();
  }

  void Tick() {
    store_.Tick();
    AttachStore();
    SaveCursors();
    PublishStore();
    if (options_.when_full == WhenFull::kWait) return;
    if (const auto report = store_.TakeReport()) {
      Raise(Builtin::kAlertsNotSpooled, {{"gyrfalcon.alerts", report->count},
                                         {"gyrfalcon.alerts.since", report->since_ns},
                                         {"gyrfalcon.alerts.until", report->until_ns},
                                         {"gyrfalcon.cause", report->cause}});
    }
    for (size_t i = 0; i < lanes_.size(); ++i) JudgeLane(i);
  }

  // Told when it has made no progress for a while, and when it makes some again.
  void JudgeLane(size_t i) {
    const Lane::Health health = lanes_[i]->health();
    const int64_t stuck_ns = health.stuck_since_ns == 0 ? 0 : SteadyNs() - health.stuck_since_ns;
    const int64_t refusing_ns =
        health.refusing_since_ns == 0 ? 0 : SteadyNs() - health.refusing_since_ns;
    const int64_t patience_ns = options_.failing_after_ms * kNsPerMs;
    const bool is_stuck = stuck_ns > patience_ns;
    const bool fails = is_stuck || refusing_ns > patience_ns;
    const bool is_well = health.stuck_since_ns == 0 && health.refusing_since_ns == 0;
    if (fails == told_failing_[i] || (told_failing_[i] && !is_well)) return;
    told_failing_[i] = fails;
    const ChannelFigures figures = lanes_[i]->figures();
    AlertField problem{"gyrfalcon.channel.problem", {}};
    std::string state = "works again";
    if (is_stuck) {
      state = "failing";
      problem.value = health.problem.empty() ? "it does not answer" : health.problem;
    } else if (fails) {
      state = "refuses all";
      problem.value = health.refusal;
    }
    Raise(Builtin::kChannelFailing, {{"gyrfalcon.channel", lanes_[i]->name()},
                                     {"gyrfalcon.channel.state", std::move(state)},
                                     std::move(problem),
                                     {"gyrfalcon.channel.waiting", figures.waiting},
                                     {"gyrfalcon.channel.missed", figures.missed},
                                     {"gyrfalcon.channel.dead_letters", figures.dead_letters}});
  }

  // Whether there is room or not, and at a stop too: what tells of a loss must not be lost itself,
  // and a few each tick are all that there can be.
  void Raise(Builtin builtin, std::vector<AlertField> fields) {
    if (!options_.builtins.enabled(builtin)) return;
    counters_.Add(DeliveryCounter::kOwnAlerts);
    Alert alert = MakeBuiltinAlert(builtin, options_.builtins.priority(builtin), RealTimeNs(),
                                   std::move(fields));
    const std::scoped_lock lock(mutex_);
    Queue(std::move(alert));
  }

  void SaveCursors() {
    std::vector<Cursor> moved;
    for (const auto& lane : lanes_) {
      if (const auto position = lane->TakeMovedCursor()) moved.push_back({lane->name(), *position});
    }
    store_.SaveCursors(moved);
  }

  void FinishLanes() {
    for (const auto& lane : lanes_) lane->Finish(store_.last_stored());
    for (const auto& lane : lanes_) {
      if (!lane->WaitUntilDone(stop_until_)) lane->GiveUp();
    }
    for (const auto& lane : lanes_) lane->Join();
  }

  const DispatcherOptions options_;
  bool begun_;  // with the mutex held
  AtomicCounters<DeliveryCounter> counters_;
  const std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<std::atomic<bool>> told_failing_;  // by lane

  // The dispatcher's thread's own.
  StoreWriter store_;
  uint64_t last_ = 0;  // number of the newest alert
  bool at_end_ = false;
  bool had_last_tick_ = false;  // with nothing behind it but what it raises itself

  std::atomic<bool> spooling_ = false;
  std::atomic<uint64_t> spool_bytes_ = 0;
  std::atomic<uint64_t> spool_alerts_ = 0;

  AlertCounts raised_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable room_;
  std::deque<Alert> waiting_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point stop_until_;
  std::thread thread_;
};

Dispatcher::Dispatcher(DispatcherOptions options, std::vector<std::unique_ptr<Channel>> channels,
                       std::function<void(const Error&)> on_error,
                       std::function<void(const std::string&)> on_note,
                       std::function<void(const std::string&)> on_good)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(channels), std::move(on_error),
                                   std::move(on_note), std::move(on_good))) {}

Dispatcher::~Dispatcher() {
  Stop();
}

void Dispatcher::Begin() {
  impl_->Begin();
}

bool Dispatcher::Put(Alert alert) {
  return impl_->Put(std::move(alert));
}

void Dispatcher::Reopen() {
  impl_->Reopen();
}

void Dispatcher::Stop(int patience_ms) {
  impl_->Stop(patience_ms);
}

DeliveryFigures Dispatcher::figures() const {
  return impl_->figures();
}

uint64_t Dispatcher::failed_writes() const {
  const Counters<DeliveryCounter> counters = impl_->figures().counters;
  return counters[DeliveryCounter::kMissed] + counters[DeliveryCounter::kDeadLetters];
}

}  // namespace gyrfalcon
