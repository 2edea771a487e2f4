// How many alerts go through the dispatcher in a second, to a channel that formats them as JSON and
// throws them away; and how long one takes when nothing else is to be done.
#include <atomic>
#include <filesystem>
#include <thread>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "channels/dispatcher.h"

namespace gyrfalcon {
namespace {

// Of the size of those of Falco's rules: about 900 bytes as JSON.
Alert TypicalAlert() {
  Alert alert{.rule = "Read sensitive file untrusted",
              .priority = Priority::kWarning,
              .source = "syscall",
              .tags = {"T1555", "container", "filesystem", "host", "maturity_stable"},
              .time_ns = 1'795'335'717'026'572'338,
              .message =
                  "Sensitive file opened for reading by non-trusted program | "
                  "file=/etc/shadow gparent=containerd-shim ggparent=systemd evt_type=openat "
                  "user=root user_uid=0 user_loginuid=-1 process=cat proc_exepath=/bin/cat "
                  "parent=sh command=cat /etc/shadow terminal=34816 container_id=4f1c9ad03b7e",
              .fields = {{"evt.time", int64_t{1'795'335'717'026'572'338}}},
              .sandbox = "4f1c9ad03b7e4f1c9ad03b7e4f1c9ad03b7e"};
  for (const char* name : {"fd.name", "proc.aname[2]", "proc.aname[3]", "evt.type", "user.name",
                           "proc.name", "proc.exepath", "proc.pname", "proc.cmdline"}) {
    alert.fields.push_back({name, std::string("cat /etc/shadow")});
  }
  for (const char* name : {"user.uid", "user.loginuid", "proc.tty"}) {
    alert.fields.push_back({name, int64_t{1'000}});
  }
  return alert;
}

class CountingChannel final : public Channel {
 public:
  explicit CountingChannel(std::atomic<uint64_t>& count) : count_(count) {
    format_.json_output = true;
  }
  std::string_view name() const override { return "nowhere"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    for (const OutgoingAlert& outgoing : batch) {
      benchmark::DoNotOptimize(FormatAlert(*outgoing.alert, format_, outgoing.stamp()));
    }
    count_ += batch.size();
    return {.done = batch.size(), .refused = 0, .problem = {}};
  }

 private:
  std::atomic<uint64_t>& count_;
  AlertFormatOptions format_;
};

class Path {
 public:
  explicit Path(bool with_store) {
    std::filesystem::remove_all(folder_);
    DispatcherOptions options;
    options.boot_id = "bench";
    if (with_store) {
      options.spool.path = folder_ + "/alerts.db";
    } else {
      options.when_full = WhenFull::kWait;  // nothing is lost by it here either
    }
    std::vector<std::unique_ptr<Channel>> channels;
    channels.push_back(std::make_unique<CountingChannel>(count_));
    dispatcher_ = std::make_unique<Dispatcher>(options, std::move(channels), nullptr);
  }
  ~Path() {
    dispatcher_.reset();
    std::filesystem::remove_all(folder_);
  }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  void Put(const Alert& alert) {
    while (!dispatcher_->Put(alert)) std::this_thread::sleep_for(std::chrono::microseconds(200));
    ++put_;
  }
  // Without a pause: what waits for the store is bounded, so is what waits for the channel.
  void WaitUntilOut() const {
    while (count_ < put_) std::this_thread::yield();
  }

 private:
  const std::string folder_ = std::filesystem::temp_directory_path() /
                              ("gyrfalcon-delivery-bench-" + std::to_string(getpid()));
  std::atomic<uint64_t> count_ = 0;
  uint64_t put_ = 0;
  std::unique_ptr<Dispatcher> dispatcher_;
};

void Sustained(benchmark::State& state) {
  Path path(state.range(0) != 0);
  const Alert alert = TypicalAlert();
  constexpr int kAlerts = 100'000;
  for (auto _ : state) {
    for (int i = 0; i < kAlerts; ++i) path.Put(alert);
    path.WaitUntilOut();
  }
  state.SetItemsProcessed(state.iterations() * kAlerts);
}
BENCHMARK(Sustained)
    ->ArgName("store")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void One(benchmark::State& state) {
  Path path(state.range(0) != 0);
  const Alert alert = TypicalAlert();
  for (auto _ : state) {
    state.PauseTiming();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    state.ResumeTiming();
    path.Put(alert);
    path.WaitUntilOut();
  }
}
BENCHMARK(One)->ArgName("store")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
