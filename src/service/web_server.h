// A small HTTP server for probes and metrics: GET and HEAD of a few paths, over TCP, with TLS where
// a certificate is given.
//
// Its clients are anybody who can reach the address, so they are not trusted: one thread speaks
// with all of them and waits for none, each has a deadline and a bound for what it may send, and
// their number is bounded. Other threads make the answers. Nothing here is on the way of a message.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/result.h"

namespace gyrfalcon {

enum class WebCounter : uint8_t { kRequests, kRefused, kFailed, kCount };

inline constexpr auto kWebCounterRows = std::to_array<CounterRow>({
    {"web_requests", Severity::kInfo, "Requests to the web server that were answered."},
    {"web_clients_refused", Severity::kInfo,
     "Clients of the web server closed unheard: there were too many."},
    {"web_clients_failed", Severity::kInfo,
     "Clients of the web server closed without a whole answer: too slow, gone, or bad TLS."},
});
static_assert(kWebCounterRows.size() == static_cast<size_t>(WebCounter::kCount));

using WebCounters = AtomicCounters<WebCounter>;

struct WebServerOptions {
  std::string address = "127.0.0.1";  // IPv4 or IPv6
  uint16_t port = 8765;               // 0: any that is free
  unsigned threads = 0;               // that make answers; 0: one
  // PEM file with certificate (chain) and private key; empty: no TLS.
  std::string certificate = {};
  size_t clients_max = 64;
  int patience_ms = 5'000;  // for a request, and again for taking its answer
  int retry_ms = 1'000;     // an address that is taken is tried again

  friend bool operator==(const WebServerOptions&, const WebServerOptions&) = default;
};

struct WebAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
};

struct WebRoute {
  std::string path;                   // "/metrics"; what follows a `?` in a request is passed over
  std::function<WebAnswer()> answer;  // on a thread of the server, several at a time
};

class WebServer {
 public:
  // All of these run on the server's thread.
  struct Events {
    std::function<void(uint16_t port)> on_listening = [](uint16_t /*port*/) {};
    // The address can't be listened on; once, until it can.
    std::function<void(const Error&)> on_problem = [](const Error& /*problem*/) {};
  };

  // Fails only for what waiting does not mend: a certificate that can't be used, an address that is
  // none. `counters` outlive it.
  static Result<std::unique_ptr<WebServer>> Start(WebServerOptions options,
                                                  std::vector<WebRoute> routes,
                                                  WebCounters& counters, Events events);
  ~WebServer();  // waits for answers that are being made; clients are closed
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

 private:
  class Impl;
  explicit WebServer(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// Whether a server could start with it, without listening.
Result<void> CheckWebServer(const WebServerOptions& options);

}  // namespace gyrfalcon
