#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "alerts/alert_format.h"
#include "base/clock.h"
#include "base/host_name.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/daemon_config.h"
#include "cli/log.h"
#include "cli/run_flags.h"
#include "store/position.h"
#include "store/spool_reader.h"

namespace gyrfalcon {
namespace {

struct AlertsFlags {
  std::string config_file;
  std::string store;
  std::string since;
  std::string rule;
  std::string sandbox;
  std::string priority;
  bool follow = false;
  bool json = false;
};

// "90s", "10m", "2h", "7d".
std::optional<int64_t> ParseDuration(std::string_view text) {
  constexpr struct {
    char suffix;
    int64_t seconds;
  } kUnits[] = {{'s', 1}, {'m', 60}, {'h', 3'600}, {'d', 86'400}};
  int64_t unit = 0;
  for (const auto& row : kUnits) {
    if (text.empty() || text.back() != row.suffix) continue;
    unit = row.seconds;
    text.remove_suffix(1);
    break;
  }
  if (unit == 0) return std::nullopt;
  const auto number = ParseUint(text);
  constexpr uint64_t kSecondsMax = 9'000'000'000;  // in nanoseconds it still fits
  if (!number || *number > kSecondsMax / static_cast<uint64_t>(unit)) return std::nullopt;
  return static_cast<int64_t>(*number) * unit * 1'000'000'000;
}

// What a person asks for; a question that is empty fits all.
struct Filter {
  int64_t since_ns = 0;
  std::string rule;
  std::string sandbox;
  Priority priority = Priority::kDebug;

  bool Fits(const Alert& alert) const {
    return alert.time_ns >= since_ns && alert.priority <= priority &&
           (rule.empty() || alert.rule == rule) && alert.sandbox.starts_with(sandbox);
  }
};

Result<Filter> FilterOf(const AlertsFlags& flags) {
  Filter filter{.rule = flags.rule, .sandbox = flags.sandbox};
  if (!flags.since.empty()) {
    const auto age_ns = ParseDuration(flags.since);
    if (!age_ns) {
      return Fail(
          Fault::kUsage,
          fmt::format("--since {}: expected a duration like 90s, 10m, 2h or 7d", flags.since));
    }
    filter.since_ns = RealTimeNs() - *age_ns;
  }
  if (!flags.priority.empty()) {
    const auto priority = ParsePriority(flags.priority);
    if (!priority) {
      const auto nearest = NearestPriority(flags.priority);
      return Fail(Fault::kUsage,
                  fmt::format("--priority {}: expected emergency, alert, critical, error, warning, "
                              "notice, informational or debug{}",
                              flags.priority,
                              nearest ? fmt::format("; did you mean `{}`?", *nearest) : ""));
    }
    filter.priority = *priority;
  }
  return filter;
}

Error StoreProblem(const std::string& path, const StoreError& error) {
  std::error_code unknown;
  if (error.fault == StoreFault::kNone) {
    return {fmt::format("there is no store {} (yet): a `gyrfalcon run` whose config names it makes "
                        "it; --store or -c names another one",
                        path),
            Fault::kEnvironment};
  }
  if (std::filesystem::is_directory(path, unknown)) {
    return {fmt::format("cannot read the store {}: it is a folder; name the file in it, as {}",
                        path, (std::filesystem::path(path) / "alerts.db").string()),
            Fault::kEnvironment};
  }
  return {fmt::format("cannot read the store {}: {}; --store or -c names another one", path,
                      error.message),
          Fault::kEnvironment};
}

// A reader that goes away ends the command, as any other filter.
bool PrintLine(const std::string& line) {
  return std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
         std::fputc('\n', stdout) != EOF;
}

class AlertsPrinter {
 public:
  AlertsPrinter(std::string path, Filter filter, AlertFormatOptions format)
      : path_(std::move(path)), filter_(std::move(filter)), format_(std::move(format)) {}

  // The last so many of those that there are. False: nobody reads any more.
  Result<bool> PrintLast(size_t lines_max) {
    std::deque<std::string> lines;
    const auto read = ReadNew([&](std::string line) {
      lines.push_back(std::move(line));
      if (lines.size() > lines_max) lines.pop_front();
      return true;
    });
    if (!read) return read;
    return std::ranges::all_of(lines, PrintLine) && std::fflush(stdout) == 0;
  }
  // All that there are. False: nobody reads any more.
  Result<bool> PrintNew() {
    const auto read = ReadNew(PrintLine);
    if (!read || !*read) return read;
    return std::fflush(stdout) == 0;
  }
  uint64_t damaged() const { return damaged_; }

 private:
  template <class Take>
  Result<bool> ReadNew(const Take& take) {
    auto reader = SpoolReader::Open(path_);
    if (!reader) return std::unexpected(StoreProblem(path_, reader.error()));
    // An alert is stored at its time or after it, but for what a clock of a sandbox may be ahead.
    constexpr int64_t kAheadNs = 60'000'000'000;
    SpoolRange range{.after = after_};
    if (filter_.since_ns > kAheadNs) range.stored_since_ns = filter_.since_ns - kAheadNs;
    for (;;) {
      auto page = reader->Read(range);
      if (!page) return std::unexpected(StoreProblem(path_, page.error()));
      if (page->last == 0) break;
      damaged_ += page->damaged;
      range.after = after_ = page->last;
      for (const SpooledAlert& spooled : page->alerts) {
        if (!filter_.Fits(spooled.alert)) continue;
        const AlertStamp stamp{spooled.boot_id, SequenceOf(spooled.position)};
        if (!take(FormatAlert(spooled.alert, format_, stamp))) return false;
      }
    }
    return true;
  }

  const std::string path_;
  const Filter filter_;
  const AlertFormatOptions format_;
  int64_t after_ = 0;
  uint64_t damaged_ = 0;
};

// A rule that no alert in the store is of may be misspelt.
Result<void> NoteUnknownRule(const std::string& path, const std::string& rule) {
  auto reader = SpoolReader::Open(path);
  if (!reader) return std::unexpected(StoreProblem(path, reader.error()));
  std::set<std::string> rules;
  SpoolRange range;
  for (;;) {
    const auto page = reader->Read(range);
    if (!page) return std::unexpected(StoreProblem(path, page.error()));
    if (page->last == 0) break;
    range.after = page->last;
    for (const SpooledAlert& spooled : page->alerts) rules.insert(spooled.alert.rule);
    if (rules.contains(rule)) return {};
  }
  const std::vector<std::string_view> names(rules.begin(), rules.end());
  const auto nearest = NearestWord(rule, names);
  fmt::print(stderr, "gyrfalcon: the store {} has no alert of a rule named `{}`{}\n", path, rule,
             nearest ? fmt::format("; did you mean `{}`?", *nearest) : "");
  return {};
}

Result<void> Follow(AlertsPrinter& printer) {
  for (;;) {
    constexpr auto kPause = std::chrono::milliseconds(250);
    std::this_thread::sleep_for(kPause);
    const auto printed = printer.PrintNew();
    if (!printed) return std::unexpected(printed.error());
    if (!*printed) return {};
  }
}

}  // namespace

int ShowAlerts(std::vector<std::string> args) {
  const auto app = MakeApp("alerts");
  AlertsFlags flags;
  app->add_option("-c", flags.config_file,
                  fmt::format("The daemon's config: its store, and how it writes times (default: "
                              "{} where that is there)",
                              kDefaultConfigFile));
  app->add_option("--store", flags.store, "The store's file, in place of the config's");
  app->add_option("--since", flags.since, "Only those of the last 90s, 10m, 2h, 7d");
  app->add_option("--rule", flags.rule, "Only those of the rule of this name");
  app->add_option("--sandbox", flags.sandbox, "Only those of sandboxes whose id begins so");
  app->add_option("--priority", flags.priority,
                  "Only those of this priority, and more urgent ones");
  app->add_flag(
      "--follow", flags.follow,
      "Print the last 10 of them (with --since, all) and go on with those that come, until "
      "stopped");
  app->add_flag("--json", flags.json, "Print JSON, an alert a line");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  auto filter = FilterOf(flags);
  if (!filter) return Report(filter.error());
  if (flags.config_file.empty()) {
    flags.config_file = DefaultIfThere(kDefaultConfigFile);
  }
  const auto loaded = LoadConfig({flags.config_file, {}});
  if (!loaded) return Report(loaded.error());
  std::string path = flags.store;
  if (path.empty()) path = StoreOf(loaded->config).path;
  if (path.empty()) {
    return Report(
        {"no store: the config has store.enabled false, or no place is known; --store "
         "names its file",
         Fault::kEnvironment});
  }
  AlertFormatOptions format = loaded->config.format;
  format.hostname = HostName();
  format.json_output = flags.json;
  format.has_date = !flags.json;  // JSON is as an output of JSON has it
  AlertsPrinter printer(path, std::move(*filter), std::move(format));
  if (!flags.rule.empty()) {
    if (const auto noted = NoteUnknownRule(path, flags.rule); !noted) return Report(noted.error());
  }
  constexpr size_t kLinesBefore = 10;
  const auto printed =
      flags.follow && flags.since.empty() ? printer.PrintLast(kLinesBefore) : printer.PrintNew();
  if (!printed) return Report(printed.error());
  if (printer.damaged() != 0) {
    PrintWarning(loaded->config,
                 fmt::format("{} alerts in the store are damaged and left out", printer.damaged()));
  }
  if (!*printed || !flags.follow) return kExitOk;
  const auto followed = Follow(printer);
  return followed ? kExitOk : Report(followed.error());
}

}  // namespace gyrfalcon
