#include "service/metrics_snapshot.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cmath>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/host_name.h"
#include "base/unique_fd.h"
#include "service/process_figures.h"

namespace gyrfalcon {
namespace {

constexpr double kNsPerSecond = 1e9;

double Rounded(double value) {
  constexpr double kTenth = 10;
  return std::round(value * kTenth) / kTenth;
}

// Falco's: what is no letter or digit is `_`.
std::string RuleKey(const std::string& rule) {
  std::string key = rule.empty() ? "others" : rule;
  for (char& c : key) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return "falco.rules." + key;
}

int64_t BootNs() {
  timespec up{};
  clock_gettime(CLOCK_BOOTTIME, &up);
  return RealTimeNs() - (up.tv_sec * 1'000'000'000 + up.tv_nsec);
}

std::string KernelRelease() {
  utsname system{};
  return uname(&system) == 0 ? system.release : "";
}

class Fields {
 public:
  Fields(const MetricsSnapshotOptions& options, const DaemonStatus& status,
         const SnapshotMoment& moment, SnapshotMemory& last)
      : options_(options),
        status_(status),
        moment_(moment),
        last_(last),
        seconds_(last.time_ns == 0
                     ? 0
                     : static_cast<double>(moment.now_ns - last.time_ns) / kNsPerSecond) {}

  std::vector<AlertField> Take() {
    AddBase();
    if (options_.rules_counters) AddRules();
    if (options_.resource_utilization) AddResources();
    if (options_.kernel_event_counters) AddSandboxSide();
    if (options_.state_counters) AddCounters();
    last_.time_ns = moment_.now_ns;
    std::ranges::sort(fields_, {}, &AlertField::name);
    return std::move(fields_);
  }

 private:
  template <class Value>
  void Add(std::string name, Value value) {
    fields_.push_back({std::move(name), std::move(value)});
  }

  // These stand there unless they are empty and such are not wanted.
  template <class Value>
  void AddUnlessEmpty(std::string name, Value value) {
    if (value != Value{} || options_.include_empty_values) Add(std::move(name), value);
  }

  uint64_t Count(EngineCounter which) const { return status_.totals.engine[which]; }
  double Rate(uint64_t now, uint64_t before) const {
    if (seconds_ <= 0 || now < before) return 0;
    return Rounded(static_cast<double>(now - before) / seconds_);
  }

  void AddBase() {
    const uint64_t events = Count(EngineCounter::kMessages);
    constexpr int64_t kSecondNs = 1'000'000'000;
    Add("evt.time", static_cast<uint64_t>(moment_.now_ns));
    Add("evt.hostname", HostName());
    Add("evt.source", std::string("syscall"));
    Add("falco.version", moment_.version);
    Add("falco.start_ts", static_cast<uint64_t>(moment_.start_ns));
    Add("falco.duration_sec",
        static_cast<uint64_t>((moment_.now_ns - moment_.start_ns) / kSecondNs));
    Add("falco.kernel_release", KernelRelease());
    Add("falco.host_boot_ts", static_cast<uint64_t>(BootNs()));
    Add("falco.host_num_cpus", uint64_t{std::thread::hardware_concurrency()});
    Add("falco.outputs_queue_num_drops", Count(EngineCounter::kAlertsLost));
    Add("scap.engine_name", std::string("gvisor"));
    if (last_.time_ns != 0) Add("falco.evts_rate_sec", Rate(events, last_.events));
    Add("falco.num_evts", events);
    Add("falco.num_evts_prev", last_.events);
    last_.events = events;
  }

  void AddRules() {
    uint64_t all = 0;
    for (const RuleAlerts& rule : status_.delivery.alerts.rules) {
      all += rule.alerts;
      Add(RuleKey(rule.rule), rule.alerts);
    }
    Add("falco.rules.matches_total", all);
  }

  void AddResources() {
    const ProcessFigures process = ReadProcessFigures();
    const double age = static_cast<double>(moment_.now_ns - moment_.start_ns) / kNsPerSecond;
    AddUnlessEmpty("falco.cpu_usage_perc",
                   age <= 0 ? 0.0 : Rounded(process.cpu_seconds / age * 100));
    AddMemory("falco.memory_rss", process.resident_bytes);
    AddMemory("falco.memory_vsz", process.virtual_bytes);
  }

  void AddMemory(const std::string& name, uint64_t bytes) {
    constexpr uint64_t kKib = 1024;
    if (options_.convert_memory_to_mb) {
      AddUnlessEmpty(name + "_mb", Rounded(static_cast<double>(bytes / kKib) / kKib));
    } else {
      AddUnlessEmpty(name + "_kb", bytes / kKib);
    }
  }

  // What a kernel driver would have seen is what sandboxes had to send.
  void AddSandboxSide() {
    const uint64_t dropped = Count(EngineCounter::kDroppedBySandboxes);
    const uint64_t sent = Count(EngineCounter::kMessages) + dropped;
    const uint64_t sent_since = sent < last_.sent ? 0 : sent - last_.sent;
    const uint64_t dropped_since = dropped < last_.dropped ? 0 : dropped - last_.dropped;
    Add("scap.n_evts", sent);
    Add("scap.n_evts_prev", last_.sent);
    Add("scap.evts_rate_sec", Rate(sent, last_.sent));
    Add("scap.n_drops", dropped);
    Add("scap.n_drops_prev", last_.dropped);
    Add("scap.evts_drop_rate_sec", Rate(dropped, last_.dropped));
    Add("scap.n_drops_perc", sent_since == 0 ? 0.0
                                             : 100.0 * static_cast<double>(dropped_since) /
                                                   static_cast<double>(sent_since));
    last_.sent = sent;
    last_.dropped = dropped;
  }

  void AddCounters() {
    Add("gyrfalcon.sandboxes", uint64_t{status_.sandboxes});
    for (const Totals::Row& row : status_.totals.Rows()) {
      AddUnlessEmpty("gyrfalcon." + std::string(row.def->name), row.value);
    }
    for (const DeliveryFigures::Row& row : status_.delivery.Rows()) {
      AddUnlessEmpty("gyrfalcon." + std::string(row.def->name), row.value);
    }
  }

  const MetricsSnapshotOptions& options_;
  const DaemonStatus& status_;
  const SnapshotMoment& moment_;
  SnapshotMemory& last_;
  const double seconds_;  // since the last one; 0: there was none
  std::vector<AlertField> fields_;
};

struct ToJson {
  nlohmann::json operator()(std::monostate) const { return nullptr; }
  nlohmann::json operator()(const auto& value) const { return value; }
};

}  // namespace

std::vector<AlertField> SnapshotFields(const MetricsSnapshotOptions& options,
                                       const DaemonStatus& status, const SnapshotMoment& moment,
                                       SnapshotMemory& last) {
  return Fields(options, status, moment, last).Take();
}

// Rule, output and source are Falco's, so that whoever reads Falco's reads these.
Alert SnapshotAlert(int64_t now_ns, std::vector<AlertField> fields) {
  return {.rule = "Falco internal: metrics snapshot",
          .priority = Priority::kInformational,
          .source = "internal",
          .tags = {},
          .time_ns = now_ns,
          .message = "Falco metrics snapshot",
          .fields = std::move(fields)};
}

std::string SnapshotLine(uint64_t sample, const std::vector<AlertField>& fields) {
  nlohmann::json line;
  line["sample"] = sample;
  nlohmann::json& out = line["output_fields"];
  out = nlohmann::json::object();
  for (const AlertField& field : fields) out[field.name] = std::visit(ToJson(), field.value);
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

MetricsSnapshots::MetricsSnapshots(MetricsSnapshotOptions options, std::string version, Calls calls)
    : options_(std::move(options)),
      version_(std::move(version)),
      calls_(std::move(calls)),
      start_ns_(RealTimeNs()),
      thread_([this] { Run(); }) {}

MetricsSnapshots::~MetricsSnapshots() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void MetricsSnapshots::Run() {
  pthread_setname_np(pthread_self(), "metrics");
  const std::chrono::milliseconds interval(options_.interval_ms);
  auto next = std::chrono::steady_clock::now() + interval;
  SnapshotMemory last;
  for (uint64_t sample = 1;; ++sample) {
    {
      std::unique_lock lock(mutex_);
      if (stop_.wait_until(lock, next, [this] { return stopped_; })) return;
    }
    Take(sample, last);
    next = std::max(next + interval, std::chrono::steady_clock::now());
  }
}

void MetricsSnapshots::Take(uint64_t sample, SnapshotMemory& last) {
  const SnapshotMoment moment{RealTimeNs(), start_ns_, version_};
  std::vector<AlertField> fields = SnapshotFields(options_, calls_.status(), moment, last);
  if (!options_.output_file.empty()) Append(SnapshotLine(sample, fields));
  if (options_.output_rule) calls_.raise(SnapshotAlert(moment.now_ns, std::move(fields)));
}

// Opened anew each time: it may be moved away at any time. A folder's pipe is not waited for.
void MetricsSnapshots::Append(const std::string& line) {
  const UniqueFd file(open(options_.output_file.c_str(),
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600));
  if (file && write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
    told_problem_ = false;
    return;
  }
  const std::string why = ErrnoText(errno);
  if (std::exchange(told_problem_, true)) return;
  calls_.on_problem({fmt::format("metrics.output_file: cannot write {}: {}; snapshots are missing "
                                 "from it until it can be",
                                 options_.output_file, why),
                     Fault::kEnvironment});
}

}  // namespace gyrfalcon
