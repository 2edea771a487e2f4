// Does a daemon's memory stay the same for as long as it runs? Sandboxes come, send what real ones
// sent, and go; the slope of its resident memory is taken over the last two thirds of the time.
// Prints one JSON object; exit code 1 where a message is missing, or where memory grows by more
// than --slope-kb-per-minute allows.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/test_folder.h"
#include "bench/traffic.h"
#include "daemon.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string program = "build/release/gyrfalcon";
  std::vector<std::string> captures;
  std::vector<std::string> rules;
  size_t connections = 200;
  double minutes = 30;
  double rate = 20'000;  // messages a second, of all together
  double sample_s = 5;
  double slope_kb_per_minute = 0;  // 0: not judged
};

constexpr size_t kSandboxesMax = 1'000'000;  // in all, one after the other

struct Sample {
  double minute;
  double rss_kb;
};

// Least squares.
double SlopePerMinute(const std::vector<Sample>& samples) {
  double minutes = 0;
  double kb = 0;
  for (const Sample& sample : samples) {
    minutes += sample.minute;
    kb += sample.rss_kb;
  }
  const auto count = static_cast<double>(samples.size());
  double above = 0;
  double below = 0;
  for (const Sample& sample : samples) {
    const double away = sample.minute - minutes / count;
    above += away * (sample.rss_kb - kb / count);
    below += away * away;
  }
  return below == 0 ? 0 : above / below;
}

// One sandbox after the other: each sends every message of the captures, in order, and goes.
class Sandboxes {
 public:
  Sandboxes(const Traffic& traffic, const Daemon& daemon, size_t count)
      : traffic_(traffic), daemon_(daemon), places_(count), scratch_(traffic.message_bytes_max()) {}

  // The next message of the next sandbox; waits where its queue is full.
  Result<void> SendOne() {
    Place& place = places_[next_place_++ % places_.size()];
    if (!place.fd) {
      if (auto begun = Begin(place); !begun) return begun;
    }
    const Traffic::Rendered message =
        traffic_.Render(place.next, place.ids, RealTimeNs(), scratch_);
    iovec parts[] = {{const_cast<std::byte*>(message.header.data()), message.header.size()},
                     {const_cast<std::byte*>(message.payload.data()), message.payload.size()}};
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = std::size(parts);
    if (::sendmsg(place.fd.get(), &header, MSG_NOSIGNAL) < 0) {
      return Fail(Fault::kEnvironment, "a sandbox could not send: " + ErrnoText(errno));
    }
    ++sent_;
    if (++place.next == place.end) place.fd.reset();
    return {};
  }
  void End() {
    for (Place& place : places_) place.fd.reset();
  }
  uint64_t sent() const noexcept { return sent_; }
  uint64_t begun() const noexcept { return begun_; }

 private:
  struct Place {
    UniqueFd fd;
    std::vector<std::string> ids;
    size_t next = 0;
    size_t end = 0;
  };

  Result<void> Begin(Place& place) {
    auto fd = ConnectSandbox(daemon_.socket_path());
    if (!fd) return std::unexpected(fd.error());
    place.fd = std::move(*fd);
    place.ids = traffic_.IdsFor(begun_ % kSandboxesMax);
    const auto& beginnings = traffic_.beginnings();
    const size_t capture = begun_++ % beginnings.size();
    place.next = beginnings[capture];
    place.end =
        capture + 1 < beginnings.size() ? beginnings[capture + 1] : traffic_.message_count();
    return {};
  }

  const Traffic& traffic_;
  const Daemon& daemon_;
  std::vector<Place> places_;
  std::vector<std::byte> scratch_;
  size_t next_place_ = 0;
  uint64_t sent_ = 0;
  uint64_t begun_ = 0;
};

// Its alerts have to be read, or its standard output would be full.
class AlertCount {
 public:
  explicit AlertCount(Daemon& daemon)
      : thread_([this, &daemon] {
          while (!stopping_) alerts_ += daemon.NextLine(100) ? 1 : 0;
        }) {}
  ~AlertCount() { Stop(); }
  AlertCount(const AlertCount&) = delete;
  AlertCount& operator=(const AlertCount&) = delete;
  uint64_t Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return alerts_;
  }

 private:
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> alerts_ = 0;
  std::thread thread_;
};

uint64_t MessagesTold(const std::string& log) {
  constexpr std::string_view kBefore = "totals: ";
  const size_t at = log.rfind(kBefore);
  uint64_t number = 0;
  if (at == std::string::npos) return 0;
  std::from_chars(log.data() + at + kBefore.size(), log.data() + log.size(), number);
  return number;
}

Result<std::vector<Sample>> Run(const Options& options, Sandboxes& sandboxes,
                                const Daemon& daemon) {
  std::vector<Sample> samples;
  const int64_t began_ns = SteadyNs();
  const auto minutes = [&] { return static_cast<double>(SteadyNs() - began_ns) / 60e9; };
  double next_sample = 0;
  while (minutes() < options.minutes) {
    const double wanted = minutes() * 60 * options.rate;
    while (static_cast<double>(sandboxes.sent()) < wanted) {
      if (auto sent = sandboxes.SendOne(); !sent) return std::unexpected(sent.error());
    }
    if (minutes() >= next_sample) {
      samples.push_back({minutes(), static_cast<double>(daemon.MemoryBytes("VmRSS")) / 1024});
      next_sample += options.sample_s / 60;
    }
    std::this_thread::sleep_for(2ms);
  }
  return samples;
}

Result<int> Soak(const Options& options) {
  const auto traffic = Traffic::Load(options.captures, kSandboxesMax);
  if (!traffic) return std::unexpected(traffic.error());
  const TestFolder folder;
  auto daemon = Daemon::Start(options.program, folder.path(), options.rules,
                              {
                                  "-o",
                                  "gvisor.runsc=",
                                  "-o",
                                  "log_level=info",
                              },
                              folder / "log");
  if (!daemon) return std::unexpected(daemon.error());
  AlertCount alerts(*daemon);
  Sandboxes sandboxes(*traffic, *daemon, options.connections);
  auto samples = Run(options, sandboxes, *daemon);
  if (!samples) return std::unexpected(samples.error());
  sandboxes.End();
  const uint64_t alerts_read = alerts.Stop();
  daemon->Stop();
  const uint64_t heard = MessagesTold(folder.Read("log"));
  const std::vector<Sample> settled(samples->begin() + std::ssize(*samples) / 3, samples->end());
  const double slope = SlopePerMinute(settled);
  const auto most = std::ranges::max(*samples, {}, &Sample::rss_kb);
  fmt::print(
      "{{\"minutes\":{:.2f},\"connections\":{},\"sandboxes\":{},\"sent\":{},\"heard\":{},"
      "\"alerts\":{},\"rss_kb_at_a_third\":{:.0f},\"rss_kb_at_the_end\":{:.0f},\"rss_kb_max\":{:."
      "0f},"
      "\"slope_kb_per_minute\":{:.1f}}}\n",
      options.minutes, options.connections, sandboxes.begun(), sandboxes.sent(), heard, alerts_read,
      settled.front().rss_kb, settled.back().rss_kb, most.rss_kb, slope);
  if (heard != sandboxes.sent()) {
    fmt::print(stderr, "messages are missing; the log:\n{}\n", folder.Read("log"));
    return 1;
  }
  const bool grows = options.slope_kb_per_minute != 0 && slope > options.slope_kb_per_minute;
  if (grows) fmt::print(stderr, "its memory grows\n");
  return grows ? 1 : 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("The memory of a daemon over time");
  app.add_option("--program", options.program, "gyrfalcon")->capture_default_str();
  app.add_option("-r", options.rules, "Rules files; without: the program's own");
  app.add_option("--connections", options.connections, "At a time")->capture_default_str();
  app.add_option("--minutes", options.minutes)->capture_default_str();
  app.add_option("--rate", options.rate, "Messages a second")->capture_default_str();
  app.add_option("--sample-s", options.sample_s, "Between two looks at its memory")
      ->capture_default_str();
  app.add_option("--slope-kb-per-minute", options.slope_kb_per_minute,
                 "What memory may grow by; 0: it is only told")
      ->capture_default_str();
  app.add_option("captures", options.captures, "What sandboxes send, in turn")->required();
  CLI11_PARSE(app, argc, argv);
  const auto result = Soak(options);
  if (!result) {
    fmt::print(stderr, "memory_soak: {}\n", result.error().message);
    return 1;
  }
  return *result;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::Main(argc, argv);
}
