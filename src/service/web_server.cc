#include "service/web_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <expected>
#include <mutex>
#include <optional>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "service/web_client.h"

namespace gyrfalcon {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<SocketAddress> AddressOf(const std::string& text, uint16_t port) {
  SocketAddress address;
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr = v4;
    std::memcpy(&address.storage, &out, sizeof out);
    address.size = sizeof out;
    return address;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    sockaddr_in6 out{};
    out.sin6_family = AF_INET6;
    out.sin6_port = htons(port);
    out.sin6_addr = v6;
    std::memcpy(&address.storage, &out, sizeof out);
    address.size = sizeof out;
    return address;
  }
  return std::nullopt;
}

uint16_t PortOf(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  auto* generic = reinterpret_cast<sockaddr*>(&address.storage);
  if (getsockname(fd, generic, &address.size) != 0) return 0;
  sockaddr_in v4{};  // where the port is the same place in both
  std::memcpy(&v4, &address.storage, sizeof v4);
  return ntohs(v4.sin_port);
}

Result<SslContextPtr> MakeTls(const std::string& certificate) {
  const auto fail = [&certificate](const char* what) {
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_peek_last_error(), reason.data(), reason.size());
    ERR_clear_error();
    return Fail(Fault::kEnvironment, "webserver.ssl_certificate: " + certificate + ": " + what +
                                         " (" + reason.data() +
                                         "); it is one PEM file with certificate and private key");
  };
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail("TLS can't be set up");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    return fail("no certificate can be read from it");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), certificate.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail("no private key of that certificate can be read from it");
  }
  return context;
}

const char* ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

std::string Bytes(const WebAnswer& answer, bool head_only) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + ReasonOf(answer.status) +
                    "\r\nContent-Type: " + answer.type +
                    "\r\nContent-Length: " + std::to_string(answer.body.size()) +
                    "\r\nConnection: close\r\nCache-Control: no-store\r\n";
  if (answer.status == 405) out += "Allow: GET, HEAD\r\n";
  out += "\r\n";
  if (!head_only) out += answer.body;
  return out;
}

struct Request {
  std::string_view path;
  bool head_only = false;
};

// Of the first line; an error is the answer's status.
std::expected<Request, int> ReadRequest(std::string_view head) {
  if (head.find("\r\n\r\n") == std::string_view::npos) return std::unexpected(431);
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::unexpected(400);
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  if (!line.substr(second + 1).starts_with("HTTP/1.") || !target.starts_with('/')) {
    return std::unexpected(400);
  }
  if (method != "GET" && method != "HEAD") return std::unexpected(405);
  return Request{target.substr(0, target.find('?')), method == "HEAD"};
}

}  // namespace

class WebServer::Impl {
 public:
  Impl(WebServerOptions options, std::vector<WebRoute> routes, WebCounters& counters, Events events,
       SslContextPtr tls, SocketAddress address, UniqueFd wake)
      : options_(std::move(options)),
        routes_(std::move(routes)),
        counters_(counters),
        events_(std::move(events)),
        tls_(std::move(tls)),
        address_(address),
        wake_(std::move(wake)) {
    const unsigned threads = std::max(1u, options_.threads);
    for (unsigned i = 0; i < threads; ++i) answering_.emplace_back([this] { MakeAnswers(); });
    thread_ = std::thread([this] { Run(); });
  }

  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    asked_.notify_all();
    Wake();
    thread_.join();
    for (std::thread& thread : answering_) thread.join();
  }

 private:
  struct Question {
    uint64_t client;
    const WebRoute* route;
    bool head_only;
  };
  struct Answered {
    uint64_t client;
    std::string bytes;
  };

  void Wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
  }

  int64_t Patience() const { return SteadyNs() + options_.patience_ms * kNsPerMs; }

  // ---- threads that make answers

  void MakeAnswers() {
    for (;;) {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
      if (stopping_) return;
      const Question question = questions_.front();
      questions_.pop_front();
      lock.unlock();
      std::string bytes = AnswerTo(question);
      lock.lock();
      answered_.push_back({question.client, std::move(bytes)});
      lock.unlock();
      Wake();
    }
  }

  static std::string AnswerTo(const Question& question) {
    try {
      return Bytes(question.route->answer(), question.head_only);
    } catch (const std::exception&) {
      return Bytes({.status = 500, .body = "no answer could be made\n"}, question.head_only);
    }
  }

  // ---- the thread that speaks with clients

  void Run() {
    pthread_setname_np(pthread_self(), "web");
    for (;;) {
      const int64_t now_ns = SteadyNs();
      if (!listening_ && now_ns >= listen_again_ns_) Listen(now_ns);
      std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
      if (now_ns < accept_again_ns_) waiting[1].fd = -1;
      for (const auto& client : clients_) {
        const bool idle = client->stage() == WebClient::Stage::kWaiting;
        waiting.push_back({idle ? -1 : client->fd(), client->wants(), 0});
      }
      poll(waiting.data(), waiting.size(), TimeoutMs(now_ns));
      if (waiting[0].revents != 0 && !TakeAnswers()) return;
      for (size_t i = 0; i < clients_.size(); ++i) {
        if (waiting[i + 2].revents != 0 && clients_[i]->GoOn()) Ask(*clients_[i]);
      }
      ForgetEnded();
      if (waiting[1].revents != 0) Accept();
    }
  }

  int TimeoutMs(int64_t now_ns) const {
    int64_t until_ns = now_ns + 60'000 * kNsPerMs;
    if (!listening_) until_ns = std::min(until_ns, listen_again_ns_);
    if (now_ns < accept_again_ns_) until_ns = std::min(until_ns, accept_again_ns_);
    for (const auto& client : clients_) {
      if (client->stage() != WebClient::Stage::kWaiting) {
        until_ns = std::min(until_ns, client->until_ns());
      }
    }
    return static_cast<int>(std::max<int64_t>(0, (until_ns - now_ns) / kNsPerMs + 1));
  }

  void Listen(int64_t now_ns) {
    listen_again_ns_ = now_ns + options_.retry_ms * kNsPerMs;
    UniqueFd fd(socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1;
    constexpr int kBacklog = 64;
    const auto* generic = reinterpret_cast<const sockaddr*>(&address_.storage);
    if (fd.get() < 0 || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd.get(), generic, address_.size) != 0 || listen(fd.get(), kBacklog) != 0) {
      const std::string why = ErrnoText(errno);
      if (std::exchange(told_problem_, true)) return;
      events_.on_problem({"the web server can't listen on " + options_.address + " port " +
                              std::to_string(options_.port) + ": " + why +
                              "; it is tried again, and all else goes on. webserver.listen_port "
                              "chooses another port",
                          Fault::kEnvironment});
      return;
    }
    told_problem_ = false;
    listening_ = std::move(fd);
    events_.on_listening(PortOf(listening_.get()));
  }

  void Accept() {
    for (;;) {
      UniqueFd fd(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd) {
        // It stays readable: do not spin.
        constexpr int64_t kPauseNs = 100 * kNsPerMs;
        if (errno == EMFILE || errno == ENFILE) accept_again_ns_ = SteadyNs() + kPauseNs;
        return;
      }
      if (!MakeRoom()) continue;
      SslPtr ssl;
      if (tls_) {
        ssl.reset(SSL_new(tls_.get()));
        if (!ssl || SSL_set_fd(ssl.get(), fd.get()) != 1) continue;
        SSL_set_accept_state(ssl.get());
      }
      clients_.push_back(
          std::make_unique<WebClient>(++last_client_, std::move(fd), std::move(ssl), Patience()));
    }
  }

  // The one that has been silent for longest goes; where all wait for answers, the new one.
  bool MakeRoom() {
    if (clients_.size() < options_.clients_max) return true;
    counters_.Add(WebCounter::kRefused);
    const auto silent = std::ranges::find_if(clients_, [](const auto& client) {
      return client->stage() == WebClient::Stage::kReading ||
             client->stage() == WebClient::Stage::kClosing;
    });
    if (silent == clients_.end()) return false;
    clients_.erase(silent);
    return true;
  }

  void Ask(WebClient& client) {
    const auto request = ReadRequest(client.head());
    if (!request) {
      return Refuse(client, request.error(), std::string(ReasonOf(request.error())) + "\n");
    }
    const auto route = std::ranges::find(routes_, request->path, &WebRoute::path);
    if (route == routes_.end()) {
      std::string body = "not found; there are:\n";
      for (const WebRoute& known : routes_) body += known.path + "\n";
      return Refuse(client, 404, std::move(body));
    }
    {
      const std::scoped_lock lock(mutex_);
      questions_.push_back({client.id(), &*route, request->head_only});
    }
    asked_.notify_one();
  }

  void Refuse(WebClient& client, int status, std::string body) const {
    client.Answer(Bytes({.status = status, .body = std::move(body)}, false), Patience());
  }

  // False: it is to end.
  bool TakeAnswers() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = read(wake_.get(), &count, sizeof count);
    std::vector<Answered> answers;
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) return false;
      answers.swap(answered_);
    }
    for (Answered& answer : answers) {
      const auto client = std::ranges::find(clients_, answer.client, &WebClient::id);
      if (client != clients_.end()) (*client)->Answer(std::move(answer.bytes), Patience());
    }
    return true;
  }

  void ForgetEnded() {
    const int64_t now_ns = SteadyNs();
    std::erase_if(clients_, [&](const auto& client) {
      using enum WebClient::Stage;
      if (client->stage() != kWaiting && now_ns >= client->until_ns()) client->GiveUp();
      if (client->stage() == kFailed) counters_.Add(WebCounter::kFailed);
      if (client->stage() == kDone) counters_.Add(WebCounter::kRequests);
      return client->stage() == kFailed || client->stage() == kDone;
    });
  }

  const WebServerOptions options_;
  const std::vector<WebRoute> routes_;
  WebCounters& counters_;
  const Events events_;
  const SslContextPtr tls_;  // nullptr: plain
  const SocketAddress address_;
  const UniqueFd wake_;

  // Of the thread that speaks with clients.
  UniqueFd listening_;
  bool told_problem_ = false;
  int64_t listen_again_ns_ = 0;
  int64_t accept_again_ns_ = 0;
  uint64_t last_client_ = 0;
  std::vector<std::unique_ptr<WebClient>> clients_;  // as they came

  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::deque<Question> questions_;  // no more than there are clients
  std::vector<Answered> answered_;
  bool stopping_ = false;

  std::vector<std::thread> answering_;
  std::thread thread_;
};

WebServer::WebServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

WebServer::~WebServer() = default;

Result<void> CheckWebServer(const WebServerOptions& options) {
  if (!AddressOf(options.address, options.port)) {
    return Fail(Fault::kInput,
                "webserver.listen_address: `" + options.address + "` is no IP address");
  }
  if (options.certificate.empty()) return {};
  const auto tls = MakeTls(options.certificate);
  return tls ? Result<void>() : std::unexpected(tls.error());
}

Result<std::unique_ptr<WebServer>> WebServer::Start(WebServerOptions options,
                                                    std::vector<WebRoute> routes,
                                                    WebCounters& counters, Events events) {
  const auto address = AddressOf(options.address, options.port);
  if (!address) return std::unexpected(CheckWebServer(options).error());
  SslContextPtr tls;
  if (!options.certificate.empty()) {
    auto made = MakeTls(options.certificate);
    if (!made) return std::unexpected(made.error());
    tls = std::move(*made);
  }
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return Fail(Fault::kEnvironment, "the web server can't start: " + ErrnoText(errno));
  return std::unique_ptr<WebServer>(new WebServer(
      std::make_unique<Impl>(std::move(options), std::move(routes), counters, std::move(events),
                             std::move(tls), *address, std::move(wake))));
}

}  // namespace gyrfalcon
