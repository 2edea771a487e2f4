#include "overload.h"

#include <atomic>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>
#include <sched.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/test_folder.h"
#include "daemon.h"
#include "points/schema.h"
#include "sandbox_messages.h"
#include "status.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

// Rules that no event fits, about reads that their process does not decide: each is asked each
// time.
std::string SlowRules(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    out += fmt::format(
        "- rule: slow {0}\n  desc: d\n  condition: evt.type in (read, write) and fd.name regex "
        "\".*/data-{0}[a-z]+/.*x$\"\n  output: x\n  priority: NOTICE\n",
        i);
  }
  return out +
         "- rule: urgent\n  desc: d\n  condition: evt.type in (open, openat) and fd.name "
         "startswith /urgent\n  output: \"urgent %fd.name$\"\n  priority: WARNING\n";
}

// A sandbox that sends as gVisor's Sentry does: without blocking, three retries, then the message
// is gone and counted in the next one's header.
class Sentry {
 public:
  Sentry(const std::string& socket_path, std::string id, int messages_per_s)
      : id_(std::move(id)), messages_per_s_(static_cast<uint64_t>(messages_per_s)) {
    if (auto fd = ConnectSandbox(socket_path)) fd_ = std::move(*fd);
    for (const std::string& message : SandboxThatRuns(id_, 2, 2)) Send(message);
    read_ = ReadFile(id_);
  }

  void Run(const std::atomic<bool>& stop) {
    const auto begin = std::chrono::steady_clock::now();
    while (!stop) {
      // One message in a hundred is one that an urgent rule is about.
      const bool is_urgent = sent_ % 100 == 99;
      if (is_urgent) {
        Send(OpenedFile(id_, "/urgent"));
        ++urgent_;
      } else {
        Send(read_);
      }
      if (messages_per_s_ == 0 || sent_ % 16 != 0) continue;
      std::this_thread::sleep_until(
          begin + std::chrono::nanoseconds(sent_ * 1'000'000'000 / messages_per_s_));
    }
  }
  uint64_t sent() const { return sent_; }
  uint64_t lost() const { return lost_; }
  uint64_t urgent() const { return urgent_; }

 private:
  static std::string ReadFile(const std::string& id) {
    std::string context;
    protozero::pbf_writer writer(context);
    writer.add_int32(2, 1);
    writer.add_int32(4, 1);
    writer.add_string(6, id);
    std::string exit;
    protozero::pbf_writer(exit).add_int64(1, 100);
    std::string out{8, 0, static_cast<char>(MessageType::kRead), 0, 0, 0, 0, 0};
    protozero::pbf_writer payload(out);
    payload.add_message(1, context);
    payload.add_message(2, exit);
    payload.add_uint64(3, 0);
    payload.add_int64(4, 3);
    payload.add_uint64(6, 100);
    return out;
  }

  void Send(std::string message) {
    ++sent_;
    for (int shift = 0; shift < 4; ++shift) {
      message[4 + static_cast<size_t>(shift)] = static_cast<char>(lost_ >> (8 * shift) & 0xff);
    }
    auto backoff = 25us;
    for (int tries = 0; tries <= 3; ++tries) {
      if (::send(fd_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return;
      if (errno != EAGAIN) return;
      std::this_thread::sleep_for(backoff);
      backoff *= 2;
    }
    ++lost_;
  }

  const std::string id_;
  const uint64_t messages_per_s_;  // 0: as fast as it can
  UniqueFd fd_;
  std::string read_;
  uint64_t sent_ = 0;
  uint64_t lost_ = 0;
  uint64_t urgent_ = 0;
};

// The daemon has one processor, the senders the others: who is slow is then the daemon.
void PinTo(pid_t pid, bool first) {
  const unsigned count = std::thread::hardware_concurrency();
  if (count < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (unsigned i = first ? 0 : 1; i < (first ? 1 : count); ++i) CPU_SET(i, &set);
  ::sched_setaffinity(pid, sizeof set, &set);
}

Result<Json> Measure(const OverloadOptionsOfTest& options, bool sheds) {
  const TestFolder folder;
  const std::string rules = folder.path() + "/slow.yaml";
  std::ofstream(rules) << SlowRules(options.rules);
  auto daemon = Daemon::Start(options.program, folder.path(), {rules},
                              {"-o", "workers=1", "-o", "alerts.per_rule_burst=0", "-o",
                               fmt::format("overload.shedding={}", sheds ? "true" : "false")});
  if (!daemon) return std::unexpected(daemon.error());
  PinTo(daemon->pid(), true);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> urgent_alerts = 0;
  std::atomic<uint64_t> told = 0;
  std::thread reader([&] {
    while (!stop) {
      while (const auto line = daemon->NextLine(20)) {
        if (line->find("urgent /urgent$") != std::string::npos) ++urgent_alerts;
        if (line->find("gyrfalcon: overloaded") != std::string::npos) ++told;
      }
    }
  });
  std::vector<std::unique_ptr<Sentry>> sentries;
  for (int i = 0; i < options.sandboxes; ++i) {
    sentries.push_back(
        std::make_unique<Sentry>(daemon->socket_path(), fmt::format("flood-{:058}", i), 0));
  }
  constexpr int kQuietRate = 200;
  sentries.push_back(
      std::make_unique<Sentry>(daemon->socket_path(), fmt::format("quiet-{:058}", 0), kQuietRate));
  std::atomic<bool> stop_sending = false;
  std::vector<std::thread> threads;
  for (const auto& sentry : sentries) {
    threads.emplace_back([&] {
      PinTo(0, false);
      sentry->Run(stop_sending);
    });
  }
  std::this_thread::sleep_for(options.duration);
  stop_sending = true;
  for (std::thread& thread : threads) thread.join();
  std::this_thread::sleep_for(3s);  // until all is taken up, and counted
  const auto counters = AskCounters(daemon->socket_path());
  stop = true;
  reader.join();
  if (!counters) return std::unexpected(counters.error());
  uint64_t sent = 0;
  uint64_t lost = 0;
  for (size_t i = 0; i + 1 < sentries.size(); ++i) {
    sent += sentries[i]->sent();
    lost += sentries[i]->lost();
  }
  const auto share = [](uint64_t part, uint64_t whole) {
    return std::round(static_cast<double>(part) * 1e4 /
                      static_cast<double>(std::max<uint64_t>(1, whole))) /
           1e4;
  };
  const Sentry& quiet = *sentries.back();
  return Json{{"sent", sent},
              {"lost", lost},
              {"lost_share", share(lost, sent)},
              {"taken_up_per_s", (sent - lost) / static_cast<uint64_t>(options.duration.count())},
              {"quiet_sent", quiet.sent()},
              {"quiet_lost", quiet.lost()},
              {"urgent_alerts", urgent_alerts.load()},
              {"messages_skipped", counters->at("messages_skipped")},
              {"events_unasked", counters->at("events_unasked")},
              {"overloads", counters->at("overloads")},
              {"overload_alerts", told.load()}};
}

}  // namespace

Result<Json> MeasureOverload(const OverloadOptionsOfTest& options) {
  Json out;
  double lost[2] = {};
  for (const bool sheds : {false, true}) {
    auto measured = Measure(options, sheds);
    if (!measured) return measured;
    lost[sheds ? 1 : 0] = (*measured)["lost_share"].get<double>();
    out[sheds ? "with" : "without"] = std::move(*measured);
  }
  constexpr double kNone = 1e-4;  // less is not told apart
  out["ratio"] = std::round(lost[0] / std::max(lost[1], kNone) * 100) / 100;
  return out;
}

}  // namespace gyrfalcon
