#include "channels/lane.h"

#include <algorithm>
#include <chrono>
#include <random>

#include <fmt/format.h>

#include "base/clock.h"
#include "store/position.h"

namespace gyrfalcon {
namespace {

// What is delivered at once: enough for the largest POST, and one alert at least.
constexpr size_t kTogetherMax = 1'024;
constexpr size_t kTogetherBytesMax = size_t{4} << 20;

// "12 s", "3 min 20 s", "2 h 5 min"
std::string DurationText(int64_t ns) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  const int64_t seconds = (ns + kNsPerSecond / 2) / kNsPerSecond;
  if (seconds < kMinute) return fmt::format("{} s", seconds);
  if (seconds < kHour) return fmt::format("{} min {} s", seconds / kMinute, seconds % kMinute);
  return fmt::format("{} h {} min", seconds / kHour, seconds % kHour / kMinute);
}

std::string Counted(uint64_t count) {
  return count == 1 ? "1 alert" : fmt::format("{} alerts", count);
}

}  // namespace

Lane::Lane(std::unique_ptr<Channel> channel, LaneOptions options,
           AtomicCounters<DeliveryCounter>& counters, OnError on_error, OnGood on_good)
    : channel_(std::move(channel)),
      name_(channel_->name()),
      options_(options),
      counters_(counters),
      on_error_(std::move(on_error)),
      on_good_(std::move(on_good)),
      thread_([this] { Run(); }) {}

Lane::~Lane() {
  Finish(0);
  if (!WaitUntilDone(std::chrono::steady_clock::now())) GiveUp();
  Join();
}

void Lane::HandEarly(const SharedBatch& batch) {
  if (!channel_->is_local()) return;
  {
    const std::scoped_lock lock(mutex_);
    if (!store_ || backlog_ || !queue_.empty() || taken_ != newest_) return;
    newest_ = batch->last();
    Enqueue(batch);
  }
  wake_.notify_one();
}

void Lane::Hand(const SharedBatch& batch, bool spooled) {
  {
    std::unique_lock lock(mutex_);
    if (newest_ == batch->last()) return;  // it was handed early
    const size_t count_max = spooled ? options_.spooled_max : options_.waiting_max;
    const size_t bytes_max = spooled ? options_.spooled_bytes_max : options_.waiting_bytes_max;
    const auto has_room = [&] { return queued_ < count_max && queued_bytes_ < bytes_max; };
    if (options_.waits) room_.wait(lock, [&] { return has_room() || done_; });
    newest_ = batch->last();
    if (has_room()) Enqueue(batch);
  }
  wake_.notify_one();
}

void Lane::Enqueue(const SharedBatch& batch) {
  queue_.push_back(batch);
  queued_ += batch->alerts.size();
  queued_bytes_ += batch->bytes;
}

void Lane::Attach(const std::string& path, int64_t boot, int64_t cursor) {
  uint64_t waiting = 0;
  if (auto reader = SpoolReader::Open(path)) {
    waiting = reader->CountBetween(cursor, MakePosition(boot, 0)).value_or(0);
  }
  const std::scoped_lock lock(mutex_);
  store_ = Store{path, boot};
  ++attachments_;
  backlog_.reset();
  if (cursor < MakePosition(boot, 0)) backlog_ = backlog_delivered_ = cursor;
  backlog_waiting_ = waiting;
  told_cursor_ = cursor;
  wake_.notify_one();
}

std::optional<int64_t> Lane::TakeMovedCursor() {
  const std::scoped_lock lock(mutex_);
  if (!store_) return std::nullopt;
  const int64_t now = backlog_ ? backlog_delivered_ : MakePosition(store_->boot, delivered_);
  if (now == told_cursor_) return std::nullopt;
  told_cursor_ = now;
  return now;
}

void Lane::Reopen() {
  channel_->Reopen();
  {
    const std::scoped_lock lock(mutex_);
    try_now_ = true;
  }
  wake_.notify_one();
}

ChannelFigures Lane::figures() const {
  const std::scoped_lock lock(mutex_);
  ChannelFigures figures = figures_;
  figures.name = name_;
  figures.waiting = newest_ - delivered_ + backlog_waiting_;
  return figures;
}

Lane::Health Lane::health() const {
  const std::scoped_lock lock(mutex_);
  return {.stuck_since_ns = stuck_since_ns_,
          .refusing_since_ns = refusing_since_ns_,
          .problem = problem_,
          .refusal = refusal_};
}

void Lane::Finish(uint64_t stored_to) {
  {
    const std::scoped_lock lock(mutex_);
    finishing_ = true;
    stored_to_ = std::max(stored_to_, stored_to);
  }
  wake_.notify_one();
}

bool Lane::WaitUntilDone(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  if (until == std::chrono::steady_clock::time_point::max()) {
    end_.wait(lock, [this] { return done_; });
    return true;
  }
  return end_.wait_until(lock, until, [this] { return done_; });
}

void Lane::GiveUp() {
  {
    const std::scoped_lock lock(mutex_);
    given_up_ = true;
  }
  channel_->GiveUp();
  wake_.notify_one();
}

void Lane::Join() {
  if (thread_.joinable()) thread_.join();
}

void Lane::Run() {
  for (Work work; Next(work) && Deliver(work); work = {}) {
  }
  {
    const std::scoped_lock lock(mutex_);
    // What the store has, the next run delivers.
    NoteMissed(newest_ - std::min(newest_, std::max(delivered_, stored_to_)));
    done_ = true;
  }
  room_.notify_all();
  end_.notify_all();
}

// What is next in order; waits for it. False: the thread's work is done.
bool Lane::Next(Work& work) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (given_up_) return false;
    while (!queue_.empty() && queue_.front()->last() <= taken_) {
      queued_ -= queue_.front()->alerts.size();
      queued_bytes_ -= queue_.front()->bytes;
      queue_.pop_front();
    }
    if (store_ && backlog_) {
      if (ReadBacklog(lock, work)) return true;
      continue;
    }
    const bool in_memory = !queue_.empty() && queue_.front()->first <= taken_ + 1;
    if (in_memory || (!queue_.empty() && !store_)) {
      TakeFromQueue(work);
      room_.notify_all();
      return true;
    }
    if (newest_ > taken_) {
      if (!store_) {
        Skip(newest_);
      } else if (ReadThisBoot(lock, work)) {
        return true;
      }
      continue;
    }
    reader_.reset();
    if (finishing_) return false;
    wake_.wait(lock, [this] {
      return given_up_ || finishing_ || newest_ > taken_ || (store_ && backlog_);
    });
  }
}

// All that waits without a gap, as far as it may go together: what has come bit by bit is delivered
// as what has come at once.
void Lane::TakeFromQueue(Work& work) {
  size_t bytes = 0;
  do {
    bytes += queue_.front()->bytes;
    TakeFront(work);
  } while (!queue_.empty() && queue_.front()->first == taken_ + 1 &&
           work.outgoing.size() + queue_.front()->alerts.size() <= kTogetherMax &&
           bytes + queue_.front()->bytes <= kTogetherBytesMax);
}

void Lane::TakeFront(Work& work) {
  work.batches.push_back(std::move(queue_.front()));
  queue_.pop_front();
  const AlertBatch& batch = *work.batches.back();
  queued_ -= batch.alerts.size();
  queued_bytes_ -= batch.bytes;
  if (batch.first > taken_ + 1) Skip(batch.first - 1);
  for (uint64_t number = std::max(batch.first, taken_ + 1); number <= batch.last(); ++number) {
    work.outgoing.push_back(batch.outgoing[number - batch.first]);
    work.marks.push_back(static_cast<int64_t>(number));
  }
  taken_ = batch.last();
}

bool Lane::ReadBacklog(std::unique_lock<std::mutex>& lock, Work& work) {
  const int64_t end = MakePosition(store_->boot, 0);
  const SpoolRange range{.after = *backlog_, .before = end};
  const std::string path = store_->path;
  const int attachment = attachments_;
  lock.unlock();
  auto page = Read(path, attachment, range);
  uint64_t missed = 0;
  if (page && reader_) {
    // Gaps, those of damaged rows among them.
    const int64_t until = page->last == 0 ? end : page->last + 1;
    const uint64_t between = reader_->CountBetween(range.after, until).value_or(0);
    missed = between - std::min<uint64_t>(between, page->alerts.size());
  }
  lock.lock();
  if (attachment != attachments_) return false;
  if (!page) {
    NoteReadFailure(lock, page.error());
    return false;
  }
  NoteMissed(missed);
  backlog_waiting_ -= std::min(backlog_waiting_, missed);
  if (page->last == 0) {
    backlog_.reset();
    return false;
  }
  counters_.Add(DeliveryCounter::kDamaged, page->damaged);
  backlog_ = page->last;
  work.is_backlog = true;
  work.attachment = attachment;
  work.read = std::move(page->alerts);
  for (const SpooledAlert& spooled : work.read) {
    work.outgoing.push_back({spooled.boot_id, SequenceOf(spooled.position), &spooled.alert});
    work.marks.push_back(spooled.position);
  }
  return !work.outgoing.empty();
}

bool Lane::ReadThisBoot(std::unique_lock<std::mutex>& lock, Work& work) {
  const uint64_t last = queue_.empty() ? newest_ : queue_.front()->first - 1;
  const SpoolRange range{.after = MakePosition(store_->boot, taken_),
                         .before = MakePosition(store_->boot, last + 1)};
  const std::string path = store_->path;
  const int attachment = attachments_;
  lock.unlock();
  auto page = Read(path, attachment, range);
  lock.lock();
  if (attachment != attachments_) return false;
  if (!page) {
    NoteReadFailure(lock, page.error());
    return false;
  }
  counters_.Add(DeliveryCounter::kDamaged, page->damaged);
  work.read = std::move(page->alerts);
  for (const SpooledAlert& spooled : work.read) {
    const uint64_t number = SequenceOf(spooled.position);
    NoteMissed(number - taken_ - 1);
    taken_ = number;
    work.outgoing.push_back({spooled.boot_id, number, &spooled.alert});
    work.marks.push_back(static_cast<int64_t>(number));
  }
  if (!work.outgoing.empty()) return true;
  Skip(page->last == 0 ? last : SequenceOf(page->last));
  return false;
}

StoreResult<SpoolPage> Lane::Read(const std::string& path, int attachment,
                                  const SpoolRange& range) {
  // At the same path there may be another file now.
  if (std::exchange(reader_attachment_, attachment) != attachment) reader_.reset();
  if (!reader_) {
    auto opened = SpoolReader::Open(path);
    if (!opened) return std::unexpected(opened.error());
    reader_ = std::move(*opened);
  }
  auto page = reader_->Read(range);
  if (page) read_failures_ = 0;
  return page;
}

// A few tries; then the channel goes on with what is in memory.
void Lane::NoteReadFailure(std::unique_lock<std::mutex>& lock, const StoreError& error) {
  constexpr int kTriesMax = 10;
  constexpr auto kPause = std::chrono::milliseconds(200);
  reader_.reset();
  counters_.Add(DeliveryCounter::kSpoolFailures);
  if (error.fault != StoreFault::kCorrupt && ++read_failures_ < kTriesMax) {
    wake_.wait_for(lock, kPause, [this] { return given_up_; });
    return;
  }
  read_failures_ = 0;
  store_.reset();
  backlog_.reset();
  NoteMissed(std::exchange(backlog_waiting_, 0));
  lock.unlock();
  if (on_error_) {
    on_error_({name_ + ": what it has not had yet can't be read from the store: " + error.message,
               Fault::kEnvironment});
  }
  lock.lock();
}

// Those up to this one are not there.
void Lane::Skip(uint64_t up_to) {
  NoteMissed(up_to - taken_);
  if (delivered_ == taken_) delivered_ = up_to;
  taken_ = up_to;
}

void Lane::NoteMissed(uint64_t count) {
  figures_.missed += count;
  counters_.Add(DeliveryCounter::kMissed, count);
}

// False: the thread's work is done.
bool Lane::Deliver(Work& work) {
  std::span<const OutgoingAlert> rest = work.outgoing;
  while (!rest.empty()) {
    if (stuck_since_ns_ == 0) stuck_since_ns_ = SteadyNs();
    Delivery delivery = channel_->Deliver(rest);
    const size_t done = std::min(delivery.done, rest.size());
    if (done > 0) {
      const size_t refused = std::min(delivery.refused, done);
      NoteDone(work, work.outgoing.size() - rest.size(), done, refused);
      NoteRefused(refused, done - refused, delivery.refusal);
      rest = rest.subspan(done);
    }
    if (!delivery.problem && done > 0) continue;
    if (!delivery.problem)
      delivery.problem = Error{name_ + ": it took nothing", Fault::kEnvironment};
    if (AfterProblem(*delivery.problem)) continue;
    const std::scoped_lock lock(mutex_);
    if (given_up_ && !options_.waits) return false;
    // Its first is lost to it: there is no later try.
    if (rest.empty()) continue;
    NoteMissed(1);
    const size_t passed = work.outgoing.size() - rest.size();
    if (!work.is_backlog) delivered_ = static_cast<uint64_t>(work.marks[passed]);
    rest = rest.subspan(1);
  }
  return true;
}

void Lane::NoteDone(const Work& work, size_t passed, size_t done, size_t refused) {
  tries_ = 0;
  stuck_since_ns_ = 0;
  std::unique_lock lock(mutex_);
  problem_.clear();
  const uint64_t waited = newest_ - delivered_ + backlog_waiting_;
  const auto end = work.marks.begin() + static_cast<ptrdiff_t>(passed + done);
  const int64_t mark = *(end - 1);
  uint64_t count = 0;
  if (work.is_backlog && work.attachment != attachments_) {
    count = done;  // of a store that is there no more, and its places mean nothing in this one
  } else if (work.is_backlog) {
    const auto first = std::ranges::upper_bound(work.marks, backlog_delivered_);
    count = static_cast<uint64_t>(end - first);
    backlog_delivered_ = mark;
    backlog_waiting_ -= std::min(backlog_waiting_, count);
  } else {
    const auto first = std::ranges::upper_bound(work.marks, static_cast<int64_t>(delivered_));
    count = static_cast<uint64_t>(end - first);
    delivered_ = static_cast<uint64_t>(mark);
  }
  figures_.delivered += count - refused;
  figures_.dead_letters += refused;
  counters_.Add(DeliveryCounter::kDelivered, count - refused);
  counters_.Add(DeliveryCounter::kDeadLetters, refused);
  lock.unlock();
  if (failing_since_ns_ != 0) TellRecovery(waited);
}

void Lane::TellRecovery(uint64_t waited) {
  const int64_t lasted_ns = SteadyNs() - std::exchange(failing_since_ns_, 0);
  if (!on_good_) return;
  on_good_(fmt::format("output {} works again, after {}; {} waited for it, and {} now", name_,
                       DurationText(lasted_ns), Counted(waited),
                       waited == 1 ? "goes out" : "go out"));
}

// A run of refusals ends with the first alert that is taken. A sandbox may raise alerts of which
// every other one is refused: then that is not told each time.
void Lane::NoteRefused(size_t count, size_t taken, const std::string& refusal) {
  constexpr int64_t kToldAgainNs = 60'000'000'000;
  const int64_t now_ns = SteadyNs();
  if (taken > 0) {
    const int64_t since_ns = refusing_since_ns_;
    if (since_ns != 0) {
      const std::scoped_lock lock(mutex_);
      refusing_since_ns_ = 0;
      refusal_.clear();
    }
    if (std::exchange(told_refusals_, false) && on_good_) {
      on_good_(fmt::format("output {} takes alerts again: it has refused {}, within {}", name_,
                           Counted(refused_in_a_row_), DurationText(now_ns - since_ns)));
    }
    refused_in_a_row_ = 0;
  }
  if (count == 0) return;
  const std::string answer = refusal.empty() ? name_ + ": refused" : refusal;
  if (taken == 0) {
    refused_in_a_row_ += count;
    const std::scoped_lock lock(mutex_);
    if (refusing_since_ns_ == 0) refusing_since_ns_ = now_ns;
    refusal_ = answer;
  }
  const bool is_soon = refusals_told_ns_ != 0 && now_ns - refusals_told_ns_ < kToldAgainNs;
  if (told_refusals_ || is_soon) return;
  told_refusals_ = taken == 0;
  refusals_told_ns_ = now_ns;
  if (!on_error_) return;
  on_error_({fmt::format("{}; {} refused for good, and not sent again: `gyrfalcon alerts` has what "
                         "the store has; further refusals are counted (dead_letters), not told",
                         answer, Counted(count)),
             Fault::kEnvironment});
}

bool Lane::AfterProblem(const Error& problem) {
  bool first = false;
  bool again = false;
  {
    const std::scoped_lock lock(mutex_);
    first = problem_.empty();
    problem_ = problem.message;
    again = !options_.waits && !given_up_ && !finishing_;
    // The store keeps the rest for the next run.
    if (finishing_ && store_) given_up_ = true;
  }
  if (first) failing_since_ns_ = SteadyNs();
  if (first && on_error_) on_error_(problem);
  if (!again) return false;
  counters_.Add(DeliveryCounter::kRetries);
  Pause();
  return true;
}

// Twice as long each time, and somewhere in the upper half of it, so that many daemons don't come
// back to a receiver at the same moment.
void Lane::Pause() {
  thread_local std::minstd_rand random{std::random_device{}()};
  constexpr unsigned kDoublingsMax = 20;
  const int64_t whole_ms = std::min<int64_t>(
      options_.retry_max_ms, int64_t{options_.retry_first_ms} << std::min(tries_, kDoublingsMax));
  ++tries_;
  std::uniform_int_distribution<int64_t> upper_half(whole_ms - whole_ms / 2, whole_ms);
  const auto pause = std::chrono::milliseconds(upper_half(random));
  std::unique_lock lock(mutex_);
  ++figures_.retries;
  wake_.wait_for(lock, pause, [this] { return given_up_ || finishing_ || try_now_; });
  try_now_ = false;
}

}  // namespace gyrfalcon
