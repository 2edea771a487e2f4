// One channel's way: its thread, its place in the order of alerts, and its retries. What other
// channels do, it does not know.
//
// Alerts come from memory while the channel keeps up. What does not fit there it reads from the
// store when its turn comes; what is not there either, it has missed. Alerts of earlier runs come
// first.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "channels/alert_batch.h"
#include "channels/channel.h"
#include "channels/delivery_counters.h"
#include "store/spool_reader.h"

namespace gyrfalcon {

struct LaneOptions {
  // What waits in memory for this channel: when it is in the store too, and when it is not.
  size_t spooled_max = 4'096;
  size_t spooled_bytes_max = size_t{8} << 20;
  size_t waiting_max = 64 * 1024;
  size_t waiting_bytes_max = size_t{64} << 20;
  bool waits =
      false;  // Hand waits for room, and an alert that the channel refuses is not tried again
  int retry_first_ms = 250;  // doubled from time to time
  int retry_max_ms = 30'000;
};

class Lane {
 public:
  using OnError = std::function<void(const Error&)>;
  using OnGood = std::function<void(const std::string&)>;

  // `counters` outlive it. The others run on its thread. `on_error`: once for each run of failures,
  // and of refusals. `on_good`: at the end of each that was told. Either may be empty.
  Lane(std::unique_ptr<Channel> channel, LaneOptions options,
       AtomicCounters<DeliveryCounter>& counters, OnError on_error, OnGood on_good = {});
  ~Lane();  // as Stop(0)
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  const std::string& name() const { return name_; }

  // The dispatcher's thread, before these alerts are in the store. A local channel that has taken
  // up all that there was has them from then on; any other has them by Hand.
  void HandEarly(const SharedBatch& batch);
  // The dispatcher's thread. In order, none left out. `spooled`: it is in the store by now.
  void Hand(const SharedBatch& batch, bool spooled);
  // The store is there: this run's boot number in it, and how far the channel had come.
  void Attach(const std::string& path, int64_t boot, int64_t cursor);
  // How far it is; nullopt without a store, or where nothing has changed since it was asked.
  std::optional<int64_t> TakeMovedCursor();

  // Any thread.
  void Reopen();
  ChannelFigures figures() const;
  struct Health {
    int64_t stuck_since_ns = 0;     // steady; 0: it is not
    int64_t refusing_since_ns = 0;  // it has refused all since then; 0: the last one it took
    std::string problem;            // the last one; empty: it has not answered
    std::string refusal;            // the answer that refused, while it refuses
  };
  Health health() const;

  // No more comes. It goes on until it has had all, or fails while the store keeps the rest: this
  // run's alerts up to that number, as far as they have found room.
  void Finish(uint64_t stored_to);
  // False: not done by then.
  bool WaitUntilDone(std::chrono::steady_clock::time_point until);
  void GiveUp();
  void Join();

 private:
  // What is delivered at once: alerts, and what keeps them.
  struct Work {
    std::vector<OutgoingAlert> outgoing;
    std::vector<int64_t> marks;  // numbers of this run; positions of earlier ones
    bool is_backlog = false;
    int attachment = 0;  // when it was taken up
    std::vector<SharedBatch> batches;
    std::vector<SpooledAlert> read;
  };
  struct Store {
    std::string path;
    int64_t boot = 0;
  };

  void Run();
  void Enqueue(const SharedBatch& batch);  // with the mutex held
  bool Next(Work& work);
  void TakeFromQueue(Work& work);
  void TakeFront(Work& work);
  // These let go of the lock while they read. False: nothing to deliver came of it.
  bool ReadBacklog(std::unique_lock<std::mutex>& lock, Work& work);
  bool ReadThisBoot(std::unique_lock<std::mutex>& lock, Work& work);
  StoreResult<SpoolPage> Read(const std::string& path, int attachment, const SpoolRange& range);
  void NoteReadFailure(std::unique_lock<std::mutex>& lock, const StoreError& error);
  void Skip(uint64_t up_to);
  void NoteMissed(uint64_t count);
  bool Deliver(Work& work);
  // `done` more, behind those that were before.
  void NoteDone(const Work& work, size_t passed, size_t done, size_t refused);
  void NoteRefused(size_t count, size_t taken, const std::string& refusal);
  void TellRecovery(uint64_t waited);
  bool AfterProblem(const Error& problem);  // false: no later try
  void Pause();

  const std::unique_ptr<Channel> channel_;
  const std::string name_;
  const LaneOptions options_;
  AtomicCounters<DeliveryCounter>& counters_;
  const OnError on_error_;
  const OnGood on_good_;

  // Its thread's own.
  std::optional<SpoolReader> reader_;
  int reader_attachment_ = 0;  // whose store it reads
  int read_failures_ = 0;
  unsigned tries_ = 0;            // that failed since the last success
  int64_t failing_since_ns_ = 0;  // as it was told; 0: it works
  uint64_t refused_in_a_row_ = 0;
  int64_t refusals_told_ns_ = 0;  // when last; 0: never
  bool told_refusals_ = false;    // of this run

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable room_;
  std::condition_variable end_;
  std::deque<SharedBatch> queue_;
  size_t queued_ = 0;
  size_t queued_bytes_ = 0;
  uint64_t newest_ = 0;     // number of the last alert that there is
  uint64_t taken_ = 0;      // of the last one that was taken up, or passed over
  uint64_t delivered_ = 0;  // of the last one that is done
  std::optional<Store> store_;
  int attachments_ =
      0;  // stores that there have been; what was read from an earlier one has no place here
  std::optional<int64_t> backlog_;  // earlier runs: how far they are taken up; none: all are done
  int64_t backlog_delivered_ = 0;
  uint64_t backlog_waiting_ = 0;
  int64_t told_cursor_ = 0;
  bool finishing_ = false;
  uint64_t stored_to_ = 0;  // once finishing
  bool given_up_ = false;
  bool try_now_ = false;
  bool done_ = false;
  std::string problem_;
  std::string refusal_;
  int64_t refusing_since_ns_ = 0;
  ChannelFigures figures_;
  std::atomic<int64_t> stuck_since_ns_ = 0;
  std::thread thread_;
};

}  // namespace gyrfalcon
