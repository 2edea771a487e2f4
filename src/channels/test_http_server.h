// A receiver of POSTs for tests, on plain sockets, so that it can misbehave in every way.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace gyrfalcon {

struct TestRequest {
  std::string head;  // as it came
  std::string body;

  std::string Header(std::string_view name) const;  // "" where there is none
};

class TestHttpServer {
 public:
  // What it says to a request, and whether the connection lives on.
  struct Reply {
    std::string bytes;
    bool closes = false;
    bool repeats = false;  // sends it again and again, until nobody reads
    int pause_ms = 0;      // between two bytes; 0: all at once
    bool hangs = false;    // says nothing more
  };
  using Handler = std::function<Reply(const TestRequest&)>;

  // Port 0: any that is free.
  explicit TestHttpServer(Handler handler, uint16_t port = 0);
  ~TestHttpServer();

  std::string url() const;
  uint16_t port() const { return port_; }
  std::vector<TestRequest> requests() const;
  int connections() const { return connections_; }

  static Reply Answer(int status, const std::string& body, const std::string& headers);

 private:
  void Listen();
  void Serve(int fd);
  bool Send(int fd, const Reply& reply) const;

  const Handler handler_;
  UniqueFd listening_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<TestRequest> requests_;
  std::vector<int> open_;
  std::vector<std::thread> serving_;
  std::thread thread_;
};

}  // namespace gyrfalcon
