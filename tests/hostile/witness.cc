#include "witness.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include <fmt/format.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "runsc_peer.h"
#include "sandbox_messages.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kProbePath = "/hostile-witness/";
constexpr std::string_view kProbeMark = "witness-probe ";
constexpr std::string_view kRecordedMark = "witness-recorded ";
constexpr std::string_view kClaimedMark = "gyrfalcon: identity of another sandbox claimed";
constexpr auto kPatience = 10s;  // for alerts that are still on their way

}  // namespace

Result<Traffic> Witness::Load(const std::string& capture) {
  return Traffic::Load({capture}, 1);
}

std::string Witness::Rules(const Traffic& traffic) {
  constexpr size_t kShortId = 12;
  const std::string id = traffic.IdsFor(0).front().substr(0, kShortId);
  return fmt::format(
      "- rule: witness probe\n  desc: d\n  condition: evt.type in (open, openat) and fd.name "
      "startswith {0}\n  output: \"{1}%fd.name$\"\n  priority: WARNING\n"
      "- rule: witness recorded\n  desc: d\n  condition: evt.type = execve and container.id = {2} "
      "and gyrfalcon.proc.synthetic = false\n"
      "  output: \"{3}%proc.name\"\n  priority: WARNING\n",
      kProbePath, kProbeMark, id, kRecordedMark);
}

Witness::Witness(Daemon& daemon, const Traffic& traffic)
    : daemon_(daemon),
      traffic_(traffic),
      ids_(traffic.IdsFor(0)),
      buffer_(traffic.message_bytes_max()),
      reader_([this] { ReadAlerts(); }) {}

Witness::~Witness() {
  stop_ = true;
  reader_.join();
}

Result<void> Witness::Connect() {
  auto fd = ConnectAsRunsc(daemon_.socket_path(), ids_.front());
  if (!fd) return std::unexpected(fd.error());
  fd_ = std::move(*fd);
  return {};
}

void Witness::ReadAlerts() {
  while (!stop_) {
    const auto line = daemon_.NextLine(50);
    if (!line) continue;
    const int64_t now_ns = SteadyNs();
    const std::scoped_lock lock(mutex_);
    if (line->find(kClaimedMark) != std::string::npos) ++claims_;
    if (line->find(kRecordedMark) != std::string::npos) ++recorded_alerts_;
    const size_t at = line->find(kProbeMark);
    if (at == std::string::npos) continue;
    uint64_t number = 0;
    const char* begin = line->data() + at + kProbeMark.size() + kProbePath.size();
    std::from_chars(begin, line->data() + line->size(), number);
    const auto sent = sent_ns_.find(number);
    if (sent == sent_ns_.end()) continue;
    latencies_us_.push_back(static_cast<double>(now_ns - sent->second) / 1e3);
    sent_ns_.erase(sent);
  }
}

bool Witness::Send(std::span<const std::byte> header, std::span<const std::byte> payload) const {
  std::array<iovec, 2> parts = {{
      {const_cast<std::byte*>(header.data()), header.size()},
      {const_cast<std::byte*>(payload.data()), payload.size()},
  }};
  return ::writev(fd_.get(), parts.data(), parts.size()) >= 0;
}

bool Witness::Probe() {
  const uint64_t number = next_probe_++;
  const std::string message =
      OpenedFile(ids_.front(), std::string(kProbePath) + std::to_string(number));
  {
    const std::scoped_lock lock(mutex_);
    sent_ns_[number] = SteadyNs();
  }
  return Send(std::as_bytes(std::span(message)), {});
}

// One loop of the recording with probes between. False: nobody reads any more.
bool Witness::SendLoop(int64_t until_ns) {
  constexpr size_t kMessagesPerProbe = 16;
  for (size_t i = 0; i < traffic_.message_count(); ++i) {
    const auto message = traffic_.Render(i, ids_, RealTimeNs(), buffer_);
    if (!Send(message.header, message.payload)) return false;
    if (i % kMessagesPerProbe != 0 || SteadyNs() >= until_ns) continue;
    if (!Probe()) return false;
    std::this_thread::sleep_for(3ms);
  }
  return true;
}

Testimony Witness::Watch(std::chrono::nanoseconds duration) {
  const int64_t until_ns = SteadyNs() + duration.count();
  {
    const std::scoped_lock lock(mutex_);
    latencies_us_.clear();
    recorded_alerts_ = 0;
    claims_ = 0;
  }
  const uint64_t first = next_probe_;
  uint64_t loops = 0;
  while (SteadyNs() < until_ns && SendLoop(until_ns)) ++loops;
  const auto settled = [&] {
    const std::scoped_lock lock(mutex_);
    return sent_ns_.empty() && recorded_alerts_ >= loops * alerts_per_loop_;
  };
  const int64_t patience_ns = SteadyNs() + std::chrono::nanoseconds(kPatience).count();
  while (!settled() && SteadyNs() < patience_ns) std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(50ms);
  const std::scoped_lock lock(mutex_);
  // The first time there is peace, and it says what a loop has.
  if (alerts_per_loop_ == 0 && loops != 0) alerts_per_loop_ = recorded_alerts_ / loops;
  Testimony testimony{.probes = next_probe_ - first,
                      .unanswered = sent_ns_.size(),
                      .recorded_alerts = recorded_alerts_,
                      .recorded_wanted = loops * alerts_per_loop_,
                      .claims = claims_,
                      .latencies_us = latencies_us_};
  sent_ns_.clear();
  std::ranges::sort(testimony.latencies_us);
  return testimony;
}

}  // namespace gyrfalcon
