#include "service/web_server.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "service/web_pages.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

bool WaitUntil(const std::function<bool()>& is_so) {
  for (int i = 0; i < 200; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return false;
}

// Connected, and silent.
UniqueFd ConnectTo(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const timeval patience{10, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

std::string AllOf(int fd) {
  std::string text;
  char block[4096];
  for (ssize_t got; (got = recv(fd, block, sizeof block, 0)) > 0;) {
    text.append(block, static_cast<size_t>(got));
  }
  return text;
}

std::string Say(int port, const std::string& words) {
  const UniqueFd fd = ConnectTo(port);
  EXPECT_GT(send(fd.get(), words.data(), words.size(), MSG_NOSIGNAL), 0);
  return AllOf(fd.get());
}

class Web : public ::testing::Test {
 protected:
  void Start(WebServerOptions options, std::vector<WebRoute> routes) {
    auto server = WebServer::Start(std::move(options), std::move(routes), counters_,
                                   {.on_listening = [this](uint16_t port) { port_ = port; },
                                    .on_problem = [this](const Error&) { ++problems_; }});
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  void StartQuick(WebServerOptions options = {.port = 0}) {
    Start(std::move(options), {{"/quick", [] { return WebAnswer{.body = "yes\n"}; }}});
    ASSERT_TRUE(WaitUntil([this] { return port_ != 0; }));
  }

  WebCounters counters_;
  std::atomic<int> port_ = 0;
  std::atomic<int> problems_ = 0;
  std::unique_ptr<WebServer> server_;
};

TEST_F(Web, AnswersItsPathsAndNamesThemToWhoAsksForAnother) {
  StartQuick();
  httplib::Client client("127.0.0.1", port_);
  const auto quick = client.Get("/quick?name=value");
  ASSERT_TRUE(quick);
  EXPECT_EQ(quick->status, 200);
  EXPECT_EQ(quick->body, "yes\n");
  const auto head = client.Head("/quick");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->get_header_value("Content-Length"), "4");
  EXPECT_TRUE(head->body.empty());
  const auto other = client.Get("/other");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->status, 404);
  EXPECT_THAT(other->body, HasSubstr("/quick"));
  const auto post = client.Post("/quick", "body", "text/plain");
  ASSERT_TRUE(post);
  EXPECT_EQ(post->status, 405);
  EXPECT_TRUE(WaitUntil([this] { return counters_[WebCounter::kRequests] == 4; }));
}

TEST_F(Web, WhatIsNoRequestIsRefused) {
  StartQuick();
  EXPECT_THAT(Say(port_, "hello\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Say(port_, "GET quick HTTP/1.1\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Say(port_, "GET /quick SMTP\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(Say(port_, "GET /quick HTTP/1.0\r\n\r\n"), HasSubstr("yes\n"));
  EXPECT_THAT(Say(port_, "GET /" + std::string(20'000, 'x')), HasSubstr("431 "));
}

TEST_F(Web, ClientsThatSaySlowlyOrNothingHoldUpNobodyAndAreGivenUp) {
  StartQuick({.port = 0, .clients_max = 4, .patience_ms = 300});
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 20; ++i) {
    silent.push_back(ConnectTo(port_));
    send(silent.back().get(), "GET", 3, MSG_NOSIGNAL);
  }
  EXPECT_THAT(Say(port_, "GET /quick HTTP/1.1\r\n\r\n"), HasSubstr("yes\n"));
  EXPECT_GE(counters_[WebCounter::kRefused], 16u);
  for (const UniqueFd& fd : silent) EXPECT_EQ(AllOf(fd.get()), "");
  EXPECT_TRUE(WaitUntil([this] { return counters_[WebCounter::kFailed] >= 3; }));
}

TEST_F(Web, AnAnswerThatIsLargeOrNotReadHoldsUpNobody) {
  Start({.port = 0, .patience_ms = 1'000},
        {{"/large", [] { return WebAnswer{.body = std::string(20'000'000, 'x')}; }},
         {"/quick", [] { return WebAnswer{.body = "yes\n"}; }}});
  ASSERT_TRUE(WaitUntil([this] { return port_ != 0; }));
  const UniqueFd never_reads = ConnectTo(port_);
  send(never_reads.get(), "GET /large HTTP/1.1\r\n\r\n", 23, MSG_NOSIGNAL);
  EXPECT_THAT(Say(port_, "GET /quick HTTP/1.1\r\n\r\n"), HasSubstr("yes\n"));
  EXPECT_TRUE(WaitUntil([this] { return counters_[WebCounter::kFailed] == 1; }));
  httplib::Client client("127.0.0.1", port_);
  const auto large = client.Get("/large");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->body.size(), 20'000'000u);
}

TEST_F(Web, AnAnswerThatTakesLongHoldsUpNoOtherThread) {
  std::mutex mutex;
  std::condition_variable go_on;
  bool goes_on = false;
  Start({.port = 0, .threads = 2}, {{"/slow",
                                     [&] {
                                       std::unique_lock lock(mutex);
                                       go_on.wait(lock, [&] { return goes_on; });
                                       return WebAnswer{.body = "slow\n"};
                                     }},
                                    {"/quick", [] { return WebAnswer{.body = "yes\n"}; }}});
  ASSERT_TRUE(WaitUntil([this] { return port_ != 0; }));
  std::string slow;
  std::thread asks([&] { slow = Say(port_, "GET /slow HTTP/1.1\r\n\r\n"); });
  EXPECT_THAT(Say(port_, "GET /quick HTTP/1.1\r\n\r\n"), HasSubstr("yes\n"));
  {
    const std::scoped_lock lock(mutex);
    goes_on = true;
  }
  go_on.notify_all();
  asks.join();
  EXPECT_THAT(slow, HasSubstr("slow\n"));
}

TEST_F(Web, AnAddressThatIsTakenIsToldOnceAndTriedAgain) {
  StartQuick();
  std::atomic<int> port = 0;
  std::atomic<int> problems = 0;
  const auto second =
      WebServer::Start({.port = static_cast<uint16_t>(port_), .retry_ms = 20}, {}, counters_,
                       {.on_listening = [&port](uint16_t now) { port = now; },
                        .on_problem = [&problems](const Error&) { ++problems; }});
  ASSERT_TRUE(second);
  ASSERT_TRUE(WaitUntil([&] { return problems == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(problems, 1);
  server_.reset();
  EXPECT_TRUE(WaitUntil([&] { return port == port_; }));
}

TEST_F(Web, SpeaksTls) {
  const TestFolder folder;
  const std::string make =
      "cd " + folder.path() +
      " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
      "/CN=g -addext subjectAltName=IP:127.0.0.1 -keyout key -out cert 2>log && cat cert key >pem";
  ASSERT_EQ(std::system(make.c_str()), 0);
  StartQuick({.port = 0, .certificate = folder / "pem"});
  const UniqueFd silent = ConnectTo(port_);
  httplib::SSLClient client("127.0.0.1", port_);
  client.set_ca_cert_path((folder / "cert").c_str());
  const auto quick = client.Get("/quick");
  ASSERT_TRUE(quick) << httplib::to_string(quick.error());
  EXPECT_EQ(quick->body, "yes\n");
  EXPECT_EQ(Say(port_, "GET /quick HTTP/1.1\r\n\r\n").find("yes"), std::string::npos);
  const auto refused = CheckWebServer({.certificate = folder / "cert"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no private key"));
  EXPECT_FALSE(CheckWebServer({.certificate = folder / "none"}));
}

TEST(WebPages, ARefusedReloadIsNotReadyAndSaysWhy) {
  DaemonStatus status;
  EXPECT_EQ(ReadyAnswer(status).status, 200);
  status.reload.error = "my.yaml:1:1: bad \xff";
  const WebAnswer answer = ReadyAnswer(status);
  EXPECT_EQ(answer.status, 503);
  const auto json = nlohmann::json::parse(answer.body);
  EXPECT_EQ(json["status"], "not ready");
  EXPECT_THAT(json["problems"][0].get<std::string>(), HasSubstr("my.yaml:1:1: bad"));
}

TEST(WebPages, MetricsAreThereOnlyWhereTheyAreWished) {
  HealthCheck health({.socket_path = "/none", .threads = {}});
  const auto count = [&health](bool metrics) {
    return WebPages(
               {.metrics = metrics, .versions_json = "{}"}, [] { return DaemonStatus(); }, health)
        .size();
  };
  EXPECT_EQ(count(true), count(false) + 1);
}

}  // namespace
}  // namespace gyrfalcon
