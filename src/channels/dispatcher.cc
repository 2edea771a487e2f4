#include "channels/dispatcher.h"

namespace gyrfalcon {

Dispatcher::Dispatcher(DispatcherOptions options, std::vector<std::unique_ptr<Channel>> channels,
                       std::function<void(const Error&)> on_error)
    : options_(std::move(options)),
      channels_(std::move(channels)),
      on_error_(std::move(on_error)),
      failing_(channels_.size(), false),
      thread_([this] { Run(); }) {}

Dispatcher::~Dispatcher() {
  Stop();
}

bool Dispatcher::Put(Alert alert) {
  std::unique_lock lock(mutex_);
  if (options_.when_full == WhenFull::kWait) {
    room_.wait(lock, [this] { return HasRoom() || stopping_; });
  }
  if (stopping_ || !HasRoom()) return false;
  waiting_bytes_ += SizeBytes(alert);
  waiting_.push_back(std::move(alert));
  wake_.notify_one();
  return true;
}

bool Dispatcher::HasRoom() const {
  return waiting_.size() < options_.waiting_max && waiting_bytes_ < options_.waiting_bytes_max;
}

void Dispatcher::Reopen() {
  for (const auto& channel : channels_) channel->Reopen();
}

void Dispatcher::Stop(int patience_ms) {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  room_.notify_all();
  if (patience_ms >= 0) {
    std::unique_lock lock(mutex_);
    const bool in_time =
        end_.wait_for(lock, std::chrono::milliseconds(patience_ms), [this] { return done_; });
    if (!in_time) {
      for (const auto& channel : channels_) channel->GiveUp();
    }
  }
  if (thread_.joinable()) thread_.join();
}

uint64_t Dispatcher::failed_writes() const {
  const std::scoped_lock lock(mutex_);
  return failed_writes_;
}

void Dispatcher::Run() {
  std::deque<Alert> batch;
  std::vector<OutgoingAlert> outgoing;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !waiting_.empty() || stopping_; });
      if (waiting_.empty()) break;
      batch.swap(waiting_);
    }
    size_t bytes = 0;
    outgoing.clear();
    for (const Alert& alert : batch) {
      outgoing.push_back({.boot_id = {}, .sequence = 0, .alert = &alert});
      bytes += SizeBytes(alert);
    }
    for (size_t i = 0; i < channels_.size(); ++i) DeliverTo(i, outgoing);
    batch.clear();
    {
      const std::scoped_lock lock(mutex_);
      waiting_bytes_ -= bytes;
    }
    room_.notify_all();
  }
  {
    const std::scoped_lock lock(mutex_);
    done_ = true;
  }
  end_.notify_all();
}

// What it does not take is lost to it.
void Dispatcher::DeliverTo(size_t channel, std::span<const OutgoingAlert> batch) {
  while (!batch.empty()) {
    const Delivery delivery = channels_[channel]->Deliver(batch);
    batch = batch.subspan(delivery.done);
    if (!delivery.problem) {
      failing_[channel] = false;
      continue;
    }
    NoteProblem(channel, *delivery.problem);
    if (!batch.empty()) batch = batch.subspan(1);
  }
}

void Dispatcher::NoteProblem(size_t channel, const Error& problem) {
  {
    const std::scoped_lock lock(mutex_);
    ++failed_writes_;
  }
  if (!failing_[channel] && on_error_) on_error_(problem);
  failing_[channel] = true;
}

}  // namespace gyrfalcon
