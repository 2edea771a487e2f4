#include "cli/log.h"

#include <cstdlib>

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

namespace gyrfalcon {

void SetUpLog(std::string_view level) {
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
  if (level == "debug") {
    spdlog::set_level(spdlog::level::debug);
  } else if (level == "info" || level == "notice") {
    spdlog::set_level(spdlog::level::info);
  } else if (level == "warning") {
    spdlog::set_level(spdlog::level::warn);
  } else {
    spdlog::set_level(spdlog::level::err);
  }
}

}  // namespace gyrfalcon
