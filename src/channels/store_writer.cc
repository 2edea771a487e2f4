#include "channels/store_writer.h"

#include <algorithm>

#include "base/clock.h"
#include "store/position.h"
#include "store/spool_reader.h"

namespace gyrfalcon {
namespace {

constexpr int64_t kTryAgainNs = 1'000'000'000;
// Where there is a little space now and then, it works and fails by turns.
constexpr int64_t kToldAgainNs = 60'000'000'000;
constexpr size_t kWaitingMax = 4'096;
constexpr size_t kWaitingBytesMax = size_t{8} << 20;

// An output that the config has no more, and what that means for what it has not had.
std::string ForgottenText(const std::string& path, const Cursor& cursor, int64_t boot) {
  uint64_t waiting = 0;
  if (auto reader = SpoolReader::Open(path)) {
    waiting = reader->CountBetween(cursor.position, MakePosition(boot, 0)).value_or(0);
  }
  const std::string what = "output " + cursor.channel + " is no longer configured: ";
  if (waiting == 0) return what + "it has had all alerts before this start, and is forgotten";
  return what + "the " + std::to_string(waiting) +
         " alerts that it has not had will not be delivered to it, also when it is configured "
         "again; `gyrfalcon alerts` has those that are in the store";
}

}  // namespace

StoreWriter::StoreWriter(SpoolOptions options, std::string boot_id,
                         std::vector<std::string> channels,
                         AtomicCounters<DeliveryCounter>& counters, Tell tell)
    : options_(std::move(options)),
      boot_id_(std::move(boot_id)),
      channels_(std::move(channels)),
      counters_(counters),
      tell_(std::move(tell)) {}

void StoreWriter::TryOpen() {
  if (!enabled() || spool_ || SteadyNs() < next_try_ns_) return;
  auto opened = Spool::Open(options_, boot_id_, tell_.note);
  if (!opened) return NoteFailure(opened.error());
  std::vector<Cursor> dropped;
  auto cursors = (*opened)->TakeCursors(channels_, dropped);
  if (!cursors) return NoteFailure(cursors.error());
  spool_ = std::move(*opened);
  for (const Cursor& cursor : dropped) {
    tell_.note(ForgottenText(options_.path, cursor, spool_->boot()));
  }
  attachment_ = Attachment{options_.path, spool_->boot(), std::move(*cursors)};
  if (waiting_.empty()) NoteWorking();
}

bool StoreWriter::Keep(const SharedBatch& batch) {
  if (!enabled()) return false;
  waiting_.push_back(batch);
  waiting_alerts_ += batch->alerts.size();
  waiting_bytes_ += batch->bytes;
  TryOpen();
  if (spool_ && (problem_.empty() || SteadyNs() >= next_try_ns_) && Write()) return true;
  while (waiting_alerts_ > kWaitingMax || waiting_bytes_ > kWaitingBytesMax) DropOldest();
  return false;
}

void StoreWriter::DropOldest() {
  const AlertBatch& batch = *waiting_.front();
  if (lost_.count == 0) lost_.since_ns = batch.alerts.front().time_ns;
  lost_.until_ns = batch.alerts.back().time_ns;
  lost_.count += batch.alerts.size();
  lost_.cause = problem_;
  counters_.Add(DeliveryCounter::kNotSpooled, batch.alerts.size());
  waiting_alerts_ -= batch.alerts.size();
  waiting_bytes_ -= batch.bytes;
  waiting_.pop_front();
}

// A transaction for each batch: where there is little space, some of them fit.
bool StoreWriter::Write() {
  if (!problem_.empty()) spool_->MakeRoom();
  while (!waiting_.empty()) {
    const AlertBatch& batch = *waiting_.front();
    std::vector<AlertToSpool> rows;
    rows.reserve(batch.alerts.size());
    for (const Alert& alert : batch.alerts) rows.push_back({batch.first + rows.size(), &alert});
    Trimmed trimmed;
    const auto appended = spool_->Append(rows, RealTimeNs(), trimmed);
    if (!appended) {
      NoteFailure(appended.error());
      return false;
    }
    counters_.Add(DeliveryCounter::kSpooled, rows.size());
    Count(trimmed);
    last_stored_ = batch.last();
    waiting_alerts_ -= rows.size();
    waiting_bytes_ -= batch.bytes;
    waiting_.pop_front();
  }
  NoteWorking();
  return true;
}

void StoreWriter::Tick() {
  if (!enabled()) return;
  if (spool_ && !spool_->IsInPlace()) {
    tell_.note("the store " + options_.path +
               " was deleted or replaced: it is begun anew; alerts in it "
               "that outputs had not taken yet are not delivered");
    spool_.reset();
  }
  TryOpen();
  if (!spool_ || SteadyNs() < next_try_ns_) return;
  if (!waiting_.empty() && !Write()) return;
  Trimmed trimmed;
  if (const auto done = spool_->TrimOld(RealTimeNs(), trimmed); !done) NoteFailure(done.error());
  Count(trimmed);
}

void StoreWriter::SaveCursors(std::span<const Cursor> cursors) {
  if (!spool_ || cursors.empty()) return;
  if (const auto saved = spool_->SaveCursors(cursors); !saved) NoteFailure(saved.error());
}

std::optional<UnspooledReport> StoreWriter::TakeReport() {
  if (lost_.count == 0 || !working()) return std::nullopt;
  return std::exchange(lost_, {});
}

// A full disk leaves the database as it is; after anything else it is opened anew.
void StoreWriter::NoteFailure(const StoreError& error) {
  counters_.Add(DeliveryCounter::kSpoolFailures);
  next_try_ns_ = SteadyNs() + kTryAgainNs;
  const int64_t now_ns = SteadyNs();
  const bool is_soon = failure_told_ns_ != 0 && now_ns - failure_told_ns_ < kToldAgainNs;
  if (!is_failure_told_ && !is_soon) {
    is_failure_told_ = true;
    failure_told_ns_ = now_ns;
    tell_.error("alerts can't be kept in the store " + options_.path + " (" + error.message +
                "): they go to the outputs from memory, and what an output can't take now is lost "
                "with this process; it is tried again each second");
  }
  problem_ = error.message;
  if (error.fault == StoreFault::kCorrupt) {
    spool_.reset();
    next_try_ns_ = 0;
  }
}

void StoreWriter::NoteWorking() {
  next_try_ns_ = 0;
  problem_.clear();
  const bool was_told = std::exchange(is_failure_told_, false);
  if (!std::exchange(told_open_, true)) {
    tell_.good("alerts are kept in " + options_.path + ", boot id " + boot_id_);
  } else if (was_told) {
    tell_.good("alerts are kept in the store " + options_.path + " again");
  }
}

void StoreWriter::Close() {
  while (!waiting_.empty()) DropOldest();
  spool_.reset();
}

void StoreWriter::Count(const Trimmed& trimmed) {
  counters_.Add(DeliveryCounter::kTrimmedByAge, trimmed.by_age);
  counters_.Add(DeliveryCounter::kTrimmedByBytes, trimmed.by_bytes);
  counters_.Add(DeliveryCounter::kTrimmedByShare, trimmed.by_share);
}

}  // namespace gyrfalcon
