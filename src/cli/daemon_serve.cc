#include <fmt/format.h>

#include "cli/daemon.h"
#include "cli/listings.h"
#include "cli/log.h"
#include "service/web_pages.h"

namespace gyrfalcon {
namespace {

std::string UrlOf(const WebServerOptions& web, uint16_t port) {
  const bool is_v6 = web.address.contains(':');
  return fmt::format("{}://{}{}{}:{}", web.certificate.empty() ? "http" : "https", is_v6 ? "[" : "",
                     web.address, is_v6 ? "]" : "", port);
}

}  // namespace

Result<void> Daemon::StartServing() {
  if (config_.metrics.enabled &&
      (config_.metrics.output_rule || !config_.metrics.output_file.empty())) {
    snapshots_ = std::make_unique<MetricsSnapshots>(
        config_.metrics, std::string(ProgramVersion()),
        MetricsSnapshots::Calls{
            .status = [this] { return Status(); },
            .raise = [this](Alert alert) { dispatcher_->Put(std::move(alert)); },
            .on_problem = [](const Error& error) { spdlog::error("{}", error.message); }});
  }
  if (!config_.web_enabled) return {};
  health_ = std::make_unique<HealthCheck>(
      HealthOptions{.socket_path = socket_path_, .threads = engine_->heartbeats()});
  const WebServerOptions options = WebOptionsOf(config_);
  WebPagesOptions pages = config_.web_pages;
  pages.versions_json = VersionsText();
  auto web = WebServer::Start(
      options,
      WebPages(
          pages, [this] { return Status(); }, *health_),
      web_counters_,
      {.on_listening =
           [options](uint16_t port) {
             spdlog::info("the web server listens on {}", UrlOf(options, port));
           },
       .on_problem = [](const Error& error) { spdlog::error("{}", error.message); }});
  if (!web) return std::unexpected(web.error());
  web_ = std::move(*web);
  return {};
}

}  // namespace gyrfalcon
