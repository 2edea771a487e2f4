#include "service/control.h"

#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>
#include <httplib.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/unix_socket.h"
#include "service/metrics.h"
#include "service/web_pages.h"

namespace gyrfalcon {
namespace {

std::string StatusJson(const DaemonStatus& status) {
  nlohmann::ordered_json out;
  if (status.instance != 0) out["instance"] = status.instance;
  out["sandboxes"] = status.sandboxes;
  nlohmann::ordered_json& counters = out["counters"];
  for (const Totals::Row& row : status.totals.Rows())
    counters[std::string(row.def->name)] = row.value;
  const DeliveryFigures& delivery = status.delivery;
  for (const DeliveryFigures::Row& row : delivery.Rows()) {
    counters[std::string(row.def->name)] = row.value;
  }
  out["store"] = {{"spooling", delivery.spooling},
                  {"bytes", delivery.spool_bytes},
                  {"alerts", delivery.spool_alerts}};
  const ReloadFigures& reload = status.reload;
  out["reload"] = {{"succeeded", reload.succeeded},
                   {"refused", reload.refused},
                   {"unchanged", reload.unchanged},
                   {"error", reload.error}};
  out["outputs"] = nlohmann::ordered_json::array();
  for (const ChannelFigures& channel : delivery.channels) {
    out["outputs"].push_back({{"name", channel.name},
                              {"failing", channel.failing},
                              {"waiting", channel.waiting},
                              {"delivered", channel.delivered},
                              {"dead_letters", channel.dead_letters},
                              {"missed", channel.missed},
                              {"retries", channel.retries}});
  }
  // A refused file's error may show its bytes.
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

namespace {

// A descriptor as cpp-httplib wants it.
class FdStream final : public httplib::Stream {
 public:
  explicit FdStream(int fd) : fd_(fd) {}
  bool is_readable() const override { return Wait(POLLIN); }
  bool is_writable() const override { return Wait(POLLOUT); }
  ssize_t read(char* out, size_t size) override {
    return is_readable() ? recv(fd_, out, size, 0) : -1;
  }
  ssize_t write(const char* bytes, size_t size) override {
    return is_writable() ? send(fd_, bytes, size, MSG_NOSIGNAL) : -1;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = "local";
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    get_remote_ip_and_port(ip, port);
  }
  socket_t socket() const override { return fd_; }

 private:
  using Clock = std::chrono::steady_clock;

  // One deadline for the whole request: a client that drips bytes gets no more time.
  bool Wait(short events) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    pollfd waiting{fd_, events, 0};
    return left.count() > 0 && poll(&waiting, 1, static_cast<int>(left.count())) == 1;
  }

  const int fd_;
  const Clock::time_point deadline_ = Clock::now() + std::chrono::seconds(1);
};

}  // namespace

// cpp-httplib 0.11 speaks HTTP over any stream but can't listen on a Unix socket itself, so
// connections are accepted here and handed to it one by one.
class ControlServer::Http : public httplib::Server {
 public:
  void Serve(int fd) {
    FdStream stream(fd);
    bool closed = false;
    process_request(stream, true, closed, nullptr);
  }
};

std::string ControlSocketPath(const std::string& socket_path) {
  return Beside(socket_path, "control.sock");
}

ControlServer::ControlServer(std::string path, std::function<DaemonStatus()> status)
    : path_(std::move(path)), http_(std::make_unique<Http>()) {
  http_->Get("/status", [status](const httplib::Request&, httplib::Response& out) {
    out.set_content(StatusJson(status()), "application/json");
  });
  http_->Get("/readyz", [status](const httplib::Request&, httplib::Response& out) {
    const WebAnswer answer = ReadyAnswer(status());
    out.status = answer.status;
    out.set_content(answer.body, answer.type);
  });
  http_->Get("/metrics",
             [status = std::move(status)](const httplib::Request&, httplib::Response& out) {
               out.set_content(MetricsText(status()), kMetricsContentType);
             });
  http_->Get("/healthz", [](const httplib::Request&, httplib::Response& out) {
    out.set_content("ok\n", "text/plain");
  });
}

Result<std::unique_ptr<ControlServer>> ControlServer::Start(std::string path,
                                                            std::function<DaemonStatus()> status) {
  std::unique_ptr<ControlServer> server(new ControlServer(std::move(path), std::move(status)));
  if (const auto bound = server->Bind(); !bound) return std::unexpected(bound.error());
  server->thread_ = std::thread([&self = *server] { self.Run(); });
  return server;
}

Result<void> ControlServer::Bind() {
  socket_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!stop_) return Fail(Fault::kEnvironment, "no eventfd: " + ErrnoText(errno));
  constexpr int kBacklog = 16;
  const auto inode = ListenAlone(socket_.get(), SOCK_STREAM, path_, kBacklog);
  if (!inode) return std::unexpected(inode.error());
  inode_ = *inode;
  return {};
}

void ControlServer::Run() {
  for (;;) {
    pollfd waiting[] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) continue;
    if (waiting[1].revents != 0) return;
    const UniqueFd client(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() >= 0) {
      http_->Serve(client.get());
    } else if (errno == EMFILE || errno == ENFILE) {
      constexpr int kPauseMs = 100;  // it stays readable: do not spin
      poll(&waiting[1], 1, kPauseMs);
    }
  }
}

ControlServer::~ControlServer() {
  const uint64_t one = 1;
  if (stop_.get() >= 0 && write(stop_.get(), &one, sizeof one) < 0) return;
  if (!thread_.joinable()) return;
  thread_.join();
  // Unless a process that has taken over has made its own there.
  struct stat status{};
  if (lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) unlink(path_.c_str());
}

Result<std::string> AskDaemon(const std::string& control_path, const std::string& target) {
  const auto address = UnixAddress(control_path);
  if (!address) return std::unexpected(address.error());
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (fd.get() < 0 || connect(fd.get(), Generic(*address), sizeof *address) != 0) {
    const int failed = errno;
    if (failed == EACCES || failed == EPERM) {
      return Fail(
          Fault::kEnvironment,
          fmt::format("{}: {}; a daemon may run there, and only its user or root may ask it",
                      control_path, ErrnoText(failed)));
    }
    return Fail(Fault::kEnvironment, fmt::format("no daemon answers on {}: {}; start one with "
                                                 "`gyrfalcon run`",
                                                 control_path, ErrnoText(failed)));
  }
  const std::string request = "GET " + target + " HTTP/1.0\r\n\r\n";
  std::string answer;
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return Fail(Fault::kEnvironment, control_path + ": " + ErrnoText(errno));
  }
  constexpr size_t kAnswerBytesMax = 1024 * 1024;
  char block[4096];
  ssize_t count = 0;
  while (answer.size() < kAnswerBytesMax && (count = read(fd.get(), block, sizeof block)) > 0) {
    answer.append(block, static_cast<size_t>(count));
  }
  if (count < 0) {
    return Fail(Fault::kEnvironment,
                control_path + ": " +
                    (errno == EAGAIN ? "the daemon does not answer in time" : ErrnoText(errno)));
  }
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  const size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with(kVersion) || head == std::string::npos) {
    return Fail(Fault::kEnvironment, control_path + ": the daemon's answer makes no sense");
  }
  std::string body = answer.substr(head + 4);
  if (answer.substr(kVersion.size()).starts_with("200")) return body;
  return Fail(Fault::kEnvironment, control_path + ": the daemon says: " + body);
}

}  // namespace gyrfalcon
