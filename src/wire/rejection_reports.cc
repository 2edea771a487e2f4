#include "wire/rejection_reports.h"

#include <utility>

#include "base/clock.h"
#include "wire/peer.h"

namespace gyrfalcon {

RejectionReports::RejectionReports(OnRejected on_rejected) : on_rejected_(std::move(on_rejected)) {
  if (on_rejected_) thread_ = std::thread([this] { Run(); });
}

RejectionReports::~RejectionReports() {
  Stop();
}

void RejectionReports::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool RejectionReports::TakesOneMore() {
  constexpr int64_t kSecondNs = 1'000'000'000;
  const int64_t now_ns = SteadyNs();
  if (now_ns - second_began_ns_ >= kSecondNs) {
    second_began_ns_ = now_ns;
    in_this_second_ = 0;
  }
  return waiting_.size() < kWaitingMax && in_this_second_ < kPerSecondMax;
}

void RejectionReports::Put(HandshakeRejected rejected) {
  if (!on_rejected_) return;
  {
    const std::scoped_lock lock(mutex_);
    if (!TakesOneMore()) {
      ++untold_;
      return;
    }
    ++in_this_second_;
    rejected.untold_before = std::exchange(untold_, 0);
    waiting_.push_back(std::move(rejected));
  }
  wake_.notify_all();
}

void RejectionReports::Run() {
  for (;;) {
    HandshakeRejected rejected;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      rejected = std::move(waiting_.front());
      waiting_.pop_front();
    }
    // A stranger's memory may be a file system of its own making.
    if (rejected.peer.command_line.empty() &&
        rejected.reason != HandshakeRejection::kUserNotAllowed) {
      rejected.peer.command_line = ReadCommandLine(rejected.peer.pid);
    }
    on_rejected_(rejected);
  }
}

}  // namespace gyrfalcon
