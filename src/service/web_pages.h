// The paths of the web server:
//
//   GET /healthz   {"status": "ok"}, as Falco; 503 with what is wrong: it should be started anew
//   GET /readyz    {"status":"ready"}; 503 and {"status":"not ready","problems":["…"]}: it works,
//   and
//                  somebody should look
//   GET /versions  the versions that Falco's has
//   GET /metrics   what Prometheus reads (service/metrics.h)
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "service/control.h"
#include "service/health.h"
#include "service/web_server.h"

namespace gyrfalcon {

struct WebPagesOptions {
  std::string healthz_path = "/healthz";
  bool metrics = true;
  std::string versions_json;

  friend bool operator==(const WebPagesOptions&, const WebPagesOptions&) = default;
};

// `status` and `health` are called on the server's threads and outlive it.
std::vector<WebRoute> WebPages(const WebPagesOptions& options,
                               const std::function<DaemonStatus()>& status, HealthCheck& health);

// What keeps the daemon from being ready; empty: it is.
std::vector<std::string> ReadinessProblems(const DaemonStatus& status);
WebAnswer ReadyAnswer(const DaemonStatus& status);

}  // namespace gyrfalcon
