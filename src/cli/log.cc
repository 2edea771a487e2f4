#include "cli/log.h"

#include <cstdlib>

#include <fmt/format.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

namespace gyrfalcon {

namespace {

spdlog::level::level_enum LevelOf(const Config& config) {
  if (!config.log_stderr) return spdlog::level::off;
  const std::string_view level = config.log_level;
  if (level == "debug") return spdlog::level::debug;
  if (level == "info" || level == "informational" || level == "notice") return spdlog::level::info;
  return level == "warning" ? spdlog::level::warn : spdlog::level::err;
}

}  // namespace

void SetUpLog(const Config& config) {
  const bool colour = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  std::shared_ptr<spdlog::logger> logger;
  if (colour) {
    logger = std::make_shared<spdlog::logger>(
        "gyrfalcon", std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>());
  } else {
    logger = std::make_shared<spdlog::logger>("gyrfalcon",
                                              std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
  logger->set_pattern("%Y-%m-%dT%H:%M:%S%z %^%l%$: %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(LevelOf(config));
}

void PrintWarning(const Config& config, std::string_view text) {
  if (LevelOf(config) <= spdlog::level::warn) fmt::print(stderr, "gyrfalcon: warning: {}\n", text);
}

}  // namespace gyrfalcon
