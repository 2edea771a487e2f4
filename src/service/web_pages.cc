#include "service/web_pages.h"

#include <nlohmann/json.hpp>

#include "service/metrics.h"

namespace gyrfalcon {
namespace {

constexpr const char* kJson = "application/json";

// Rules' texts may hold any bytes.
std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

WebAnswer HealthAnswer(HealthCheck& health) {
  const auto checked = health.Check();
  if (checked) return {.type = kJson, .body = "{\"status\": \"ok\"}"};
  return {.status = 503,
          .type = kJson,
          .body = Dump({{"status", "failed"}, {"problem", checked.error().message}})};
}

}  // namespace

std::vector<std::string> ReadinessProblems(const DaemonStatus& status) {
  std::vector<std::string> problems;
  if (status.reload.last_refused()) {
    problems.push_back("reload refused, the rules in force stay: " + status.reload.error);
  }
  return problems;
}

WebAnswer ReadyAnswer(const DaemonStatus& status) {
  const auto problems = ReadinessProblems(status);
  if (problems.empty()) return {.type = kJson, .body = Dump({{"status", "ready"}})};
  nlohmann::ordered_json body;
  body["status"] = "not ready";
  body["problems"] = problems;
  return {.status = 503, .type = kJson, .body = Dump(body)};
}

std::vector<WebRoute> WebPages(const WebPagesOptions& options,
                               const std::function<DaemonStatus()>& status, HealthCheck& health) {
  std::vector<WebRoute> pages;
  pages.push_back({options.healthz_path, [&health] { return HealthAnswer(health); }});
  pages.push_back({"/readyz", [status] { return ReadyAnswer(status()); }});
  pages.push_back({"/versions", [versions = options.versions_json] {
                     return WebAnswer{.type = kJson, .body = versions};
                   }});
  if (options.metrics) {
    pages.push_back({"/metrics", [status] {
                       return WebAnswer{.type = kMetricsContentType, .body = MetricsText(status())};
                     }});
  }
  return pages;
}

}  // namespace gyrfalcon
