#include "cli/log.h"

#include <chrono>
#include <ctime>
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include "cli/colour.h"

namespace gyrfalcon {

namespace {

spdlog::level::level_enum LevelOf(const Config& config) {
  if (!config.log_stderr) return spdlog::level::off;
  const std::string_view level = config.log_level;
  if (level == "debug") return spdlog::level::debug;
  if (level == "info" || level == "informational" || level == "notice") return spdlog::level::info;
  return level == "warning" ? spdlog::level::warn : spdlog::level::err;
}

// {"time":"…","level":"info","message":"…"}, one a line: what a message holds can't break it.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    using std::chrono::duration_cast;
    const auto since = message.time.time_since_epoch();
    const auto ms = duration_cast<std::chrono::milliseconds>(since).count();
    constexpr int64_t kMsPerSecond = 1'000;
    const auto seconds = static_cast<std::time_t>(ms / kMsPerSecond);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    const auto level = spdlog::level::to_string_view(message.level);
    nlohmann::ordered_json line;
    line["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, ms % kMsPerSecond);
    line["level"] = std::string(level.data(), level.size());
    line["message"] = std::string(message.payload.data(), message.payload.size());
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

// Once: other threads log by it, so that at a reload only its level and its format change, each of
// which they may see at any time.
spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    const bool colour = HasColour(STDERR_FILENO);
    spdlog::sink_ptr sink;
    if (colour) {
      sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
    auto made = std::make_shared<spdlog::logger>("gyrfalcon", std::move(sink));
    made->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(made);
    return made;
  }();
  return *logger;
}

}  // namespace

void SetUpLog(const Config& config) {
  spdlog::logger& logger = Logger();
  if (config.log_json) {
    logger.set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger.set_pattern("%Y-%m-%dT%H:%M:%S%z %^%l%$: %v");
  }
  logger.set_level(LevelOf(config));
}

void PrintWarning(const Config& config, std::string_view text) {
  if (LevelOf(config) <= spdlog::level::warn) fmt::print(stderr, "gyrfalcon: warning: {}\n", text);
}

}  // namespace gyrfalcon
