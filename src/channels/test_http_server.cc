#include "channels/test_http_server.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>

namespace gyrfalcon {

std::string TestRequest::Header(std::string_view name) const {
  size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    if (strncasecmp(head.c_str() + at, name.data(), name.size()) != 0) continue;
    if (head[at + name.size()] != ':') continue;
    const size_t begin = at + name.size() + 2;
    return head.substr(begin, head.find("\r\n", at) - begin);
  }
  return "";
}

TestHttpServer::TestHttpServer(Handler handler, uint16_t port)
    : handler_(std::move(handler)), listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int yes = 1;
  setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  constexpr int kBacklog = 128;
  listen(listening_.get(), kBacklog);
  socklen_t size = sizeof address;
  getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Listen(); });
}

TestHttpServer::~TestHttpServer() {
  stopping_ = true;
  shutdown(listening_.get(), SHUT_RDWR);
  thread_.join();
  {
    const std::scoped_lock lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& serving : serving_) serving.join();
}

std::string TestHttpServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/alerts";
}

std::vector<TestRequest> TestHttpServer::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

TestHttpServer::Reply TestHttpServer::Answer(int status, const std::string& body,
                                             const std::string& headers) {
  return {.bytes = "HTTP/1.1 " + std::to_string(status) + " Whatever\r\n" + headers +
                   "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

void TestHttpServer::Listen() {
  for (;;) {
    const int fd = accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    const std::scoped_lock lock(mutex_);
    open_.push_back(fd);
    serving_.emplace_back([this, fd] { Serve(fd); });
  }
}

void TestHttpServer::Serve(int fd) {
  std::string received;
  char piece[16'384];
  for (;;) {
    const size_t head_end = received.find("\r\n\r\n");
    size_t length = 0;
    TestRequest request;
    if (head_end != std::string::npos) {
      request.head = received.substr(0, head_end + 2);
      length = std::strtoull(request.Header("Content-Length").c_str(), nullptr, 10);
    }
    if (head_end != std::string::npos && received.size() >= head_end + 4 + length) {
      request.body = received.substr(head_end + 4, length);
      received.erase(0, head_end + 4 + length);
      {
        const std::scoped_lock lock(mutex_);
        requests_.push_back(request);
      }
      if (Send(fd, handler_(request))) continue;
      break;
    }
    const ssize_t got = recv(fd, piece, sizeof piece, 0);
    if (got <= 0) break;
    received.append(piece, static_cast<size_t>(got));
  }
  const std::scoped_lock lock(mutex_);
  std::erase(open_, fd);
  close(fd);
}

// False: the connection is to be closed.
bool TestHttpServer::Send(int fd, const Reply& reply) const {
  do {
    std::string_view rest = reply.bytes;
    while (!rest.empty() && !stopping_) {
      const size_t size = reply.pause_ms != 0 ? 1 : rest.size();
      const ssize_t sent = send(fd, rest.data(), size, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      rest.remove_prefix(static_cast<size_t>(sent));
      std::this_thread::sleep_for(std::chrono::milliseconds(reply.pause_ms));
    }
  } while (reply.repeats && !stopping_);
  char byte = 0;
  if (reply.hangs) recv(fd, &byte, 1, 0);
  return !reply.closes && !reply.hangs;
}

}  // namespace gyrfalcon
