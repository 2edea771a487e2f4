// How commands talk to a running daemon: HTTP over a Unix socket of mode 0600, beside the one that
// sandboxes connect to.
//
//   GET /status  {"sandboxes":N,"counters":{"messages":N,…},"store":{"spooling":…,…},
//                 "outputs":[{"name":…,"delivered":N,…}]}
//                with "instance":N where it has a number
//   GET /metrics what Prometheus reads (service/metrics.h)
//   GET /healthz "ok"
//   GET /readyz  what keeps the daemon from being ready (service/web_pages.h)
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "channels/delivery_counters.h"
#include "engine/counters.h"
#include "engine/sandbox_coverage.h"
#include "service/reload_figures.h"
#include "service/web_server.h"

namespace gyrfalcon {

struct DaemonStatus {
  Totals totals;
  size_t sandboxes = 0;
  DeliveryFigures delivery = {};
  uint64_t instance = 0;                       // its number (service/instance.h); 0: it has none
  std::vector<SandboxCoverage> coverage = {};  // the worst first
  ReloadFigures reload = {};
  Counters<WebCounter> web = {};
  std::string version = {};
};

// "control.sock" in the folder of the daemon's socket.
std::string ControlSocketPath(const std::string& socket_path);

// Serves on a thread of its own, one request after the other: its only clients are commands of the
// same user. A client that says nothing is given up after a second.
class ControlServer {
 public:
  // `status` is called on the server's thread and must outlive it. Replaces a stale socket; the
  // folder must exist and be private (Listener sees to that).
  static Result<std::unique_ptr<ControlServer>> Start(std::string path,
                                                      std::function<DaemonStatus()> status);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  class Http;
  ControlServer(std::string path, std::function<DaemonStatus()> status);
  Result<void> Bind();
  void Run();

  const std::string path_;
  std::unique_ptr<Http> http_;
  UniqueFd socket_;
  ino_t inode_ = 0;  // of the socket's file
  UniqueFd stop_;
  std::thread thread_;
};

// The body of a GET to the daemon. Fault::kEnvironment when none listens there, when it does not
// answer within 5 s, and with the body's words when it says that something is not well.
Result<std::string> AskDaemon(const std::string& control_path, const std::string& target);

}  // namespace gyrfalcon
