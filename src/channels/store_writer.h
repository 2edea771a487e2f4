// Keeps what the dispatcher has, as far as the store can be written: opens it, tries again when it
// can't be, and knows what was not kept. On the dispatcher's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/counter.h"
#include "channels/alert_batch.h"
#include "channels/delivery_counters.h"
#include "store/spool.h"

namespace gyrfalcon {

// Alerts that went out without being kept.
struct UnspooledReport {
  uint64_t count = 0;
  int64_t since_ns = 0;  // of the day, as are the alerts
  int64_t until_ns = 0;
  std::string cause;
};

class StoreWriter {
 public:
  struct Tell {
    std::function<void(std::string)> error;  // when it begins to fail, at most once a minute
    std::function<void(std::string)> note;   // what an operator should know
    std::function<void(std::string)> good;   // it is open, and written (again)
  };
  // Where the store can be read from now on, and the channels' cursors in the order of their names.
  struct Attachment {
    std::string path;
    int64_t boot = 0;
    std::vector<Cursor> cursors;
  };

  StoreWriter(SpoolOptions options, std::string boot_id, std::vector<std::string> channels,
              AtomicCounters<DeliveryCounter>& counters, Tell tell);

  bool enabled() const { return !options_.path.empty(); }
  bool working() const { return spool_ != nullptr && problem_.empty(); }
  const Spool* spool() const { return spool_.get(); }

  // After this and after each Keep and Tick: once for each time that a store was opened.
  std::optional<Attachment> TakeAttachment() { return std::exchange(attachment_, std::nullopt); }

  // Opens it, if it is to be tried (again) now.
  void TryOpen();
  // True: it is in the store. False: not now; a little is kept in memory to be stored later.
  bool Keep(const SharedBatch& batch);
  // Once in a while: what is too old goes, what waits is tried again.
  void Tick();
  void SaveCursors(std::span<const Cursor> cursors);
  // Before the last Tick: a pause between two tries is over.
  void TryNow() { next_try_ns_ = 0; }
  // The number of the last alert that is in it; 0: none.
  uint64_t last_stored() const { return last_stored_; }
  // Leaves it to the next daemon. What could not be stored by now is counted.
  void Close();
  // Once the store works again: what it has not got.
  std::optional<UnspooledReport> TakeReport();

 private:
  bool Write();
  void DropOldest();
  void NoteFailure(const StoreError& error);
  void NoteWorking();
  void Count(const Trimmed& trimmed);

  const SpoolOptions options_;
  const std::string boot_id_;
  const std::vector<std::string> channels_;
  AtomicCounters<DeliveryCounter>& counters_;
  const Tell tell_;
  std::unique_ptr<Spool> spool_;
  std::optional<Attachment> attachment_;
  std::string problem_;  // empty: it works
  bool told_open_ = false;
  bool is_failure_told_ = false;  // of this run
  int64_t failure_told_ns_ = 0;   // when last; 0: never
  int64_t next_try_ns_ = 0;
  std::deque<SharedBatch> waiting_;  // not stored yet
  size_t waiting_alerts_ = 0;
  size_t waiting_bytes_ = 0;
  uint64_t last_stored_ = 0;
  UnspooledReport lost_;
};

}  // namespace gyrfalcon
