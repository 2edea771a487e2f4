// The daemon itself with every output: a recorded sandbox is played to it, and each output has its
// alerts. The receivers are real: a web server, a datagram socket, a program, a file that is
// rotated.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "channels/test_http_server.h"
#include "points/test_sandbox.h"
#include "wire/capture_file.h"

namespace gyrfalcon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using Json = nlohmann::json;

bool WaitUntil(const std::function<bool()>& is_so) {
  for (int i = 0; i < 200; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

class DaemonOutputs : public ::testing::Test {
 protected:
  void SetUp() override {
    Write("rules.yaml",
          "- rule: A start\n  desc: d\n  condition: evt.type = execve\n"
          "  output: start of %proc.name\n  priority: NOTICE\n  tags: [a]\n");
    std::signal(SIGPIPE, SIG_IGN);
  }
  void TearDown() override {
    if (daemon_ > 0) {
      kill(daemon_, SIGKILL);
      waitpid(daemon_, nullptr, 0);
    }
    if (HasFailure()) std::fprintf(stderr, "--- the log\n%s", Text("log").c_str());
  }

  std::string File(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(File(name)) << text;
  }
  std::string Text(const std::string& name) const { return folder_.Read(name); }
  size_t CountIn(const std::string& name, std::string_view wanted) const {
    const std::string text = Text(name);
    size_t count = 0;
    for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
      ++count;
    }
    return count;
  }

  // `before`: takes over from that one, which is ended and waited for here.
  void Start(const std::string& config, pid_t before = 0) {
    const char* log = before == 0 ? "log" : "log.2";
    const char* out = before == 0 ? "out" : "out.2";
    Write("gyrfalcon.yaml", config + "gvisor:\n  socket: " + File("g.sock") +
                                "\n  runsc: ''\n  clock_skew_ms: 0\n" +
                                "store: {path: " + File("alerts.db") + "}\n");
    daemon_ = fork();
    if (daemon_ == 0) {
      const auto send_to = [this](const char* name, int fd) {
        dup2(open(File(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), fd);
      };
      send_to(out, STDOUT_FILENO);
      send_to(log, STDERR_FILENO);
      setenv("XDG_STATE_HOME", folder_.path().c_str(), 1);
      const char* program = std::getenv("GYRFALCON");
      execl(program, program, "-c", File("gyrfalcon.yaml").c_str(), "-r",
            File("rules.yaml").c_str(), before == 0 ? nullptr : "--takeover", nullptr);
      _exit(127);
    }
    ASSERT_TRUE(WaitUntil([&] { return Text(log).contains("event collection"); }));
    int status = 0;
    if (before != 0) {
      ASSERT_EQ(waitpid(before, &status, 0), before);
      EXPECT_EQ(status, 0);
    }
  }
  void Stop() {
    kill(daemon_, SIGTERM);
    int status = 0;
    waitpid(std::exchange(daemon_, 0), &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }

  // What runsc and its Sentry do: the handshake, then the messages, then the end.
  void PlaySandbox() const {
    const UniqueFd fd(testing::ConnectSandbox(File("g.sock")));
    ASSERT_TRUE(fd);
    auto capture = CaptureReader::Open(GYRFALCON_TEST_DATA "/captures/new/docker-hello.trace");
    ASSERT_TRUE(capture);
    for (auto next = capture->Next(); next && *next; next = capture->Next()) {
      ASSERT_GT(send(fd.get(), (*next)->data(), (*next)->size(), MSG_NOSIGNAL), 0);
    }
  }

  const TestFolder folder_;
  pid_t daemon_ = 0;
};

TEST_F(DaemonOutputs, EachHasEachAlert) {
  TestHttpServer webhook([](const TestRequest&) { return TestHttpServer::Answer(200, "", ""); });
  const UniqueFd log(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = UnixAddress(File("dev-log")).value();
  ASSERT_EQ(bind(log.get(), Generic(address), sizeof address), 0);
  Start("syslog_output: {enabled: true, socket: " + File("dev-log") + "}\n" +
        "program_output: {enabled: true, program: \"sh -c 'cat >> \\\"$0\\\"; echo done' " +
        File("program") + "\"}\n" +  //
        "file_output: {enabled: true, keep_alive: true, filename: " + File("file") + "}\n" +
        "http_output:\n  enabled: true\n  url: " + webhook.url() +
        "\n  headers: {X-Token: '${TOKEN}swordfish'}\n");
  PlaySandbox();
  ASSERT_TRUE(WaitUntil([&] { return webhook.requests().size() == 1; }));
  const Json body = Json::parse(webhook.requests().front().body);
  EXPECT_EQ(body["rule"], "A start");
  EXPECT_EQ(body["priority"], "Notice");
  EXPECT_EQ(webhook.requests().front().Header("X-Token"), "swordfish");
  ASSERT_TRUE(WaitUntil([&] {
    return CountIn("out", "start of") == 1 && CountIn("file", "start of") == 1 &&
           CountIn("program", "start of") == 1;
  }));
  std::string packet(10'000, '\0');
  ssize_t got = -1;
  ASSERT_TRUE(WaitUntil([&] {
    got = recv(log.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    return got > 0;
  }));
  packet.resize(static_cast<size_t>(got));
  EXPECT_THAT(packet, ::testing::StartsWith("<13>"));  // user, notice
  EXPECT_THAT(packet, HasSubstr("Notice start of echo"));

  std::filesystem::rename(File("file"), File("file.1"));
  kill(daemon_, SIGUSR1);
  ASSERT_TRUE(WaitUntil([this] { return Text("log").contains("SIGUSR1"); }));
  PlaySandbox();
  ASSERT_TRUE(WaitUntil([this] { return CountIn("file", "start of") == 1; }));
  EXPECT_EQ(CountIn("file.1", "start of"), 1);
  ASSERT_TRUE(WaitUntil([&] { return webhook.requests().size() == 2; }));
  Stop();
  EXPECT_EQ(CountIn("out", "\n"), 2) << "alerts only: what the program says is not among them";
  EXPECT_EQ(CountIn("log", "done\n"), 2);
  EXPECT_FALSE(Text("log").contains("swordfish"));
}

TEST_F(DaemonOutputs, AReceiverThatHangsHoldsUpNeitherTheOthersNorTheEnd) {
  TestHttpServer webhook([](const TestRequest&) {
    TestHttpServer::Reply reply;
    reply.hangs = true;
    return reply;
  });
  Start("http_output: {enabled: true, timeout_ms: 600000, url: '" + webhook.url() + "'}\n");
  PlaySandbox();
  ASSERT_TRUE(WaitUntil([&] { return webhook.requests().size() == 1; }));
  EXPECT_TRUE(WaitUntil([this] { return CountIn("out", "start of") == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

// Each hanging one keeps its alerts to itself: the others have all, at the time when they are
// found.
TEST_F(DaemonOutputs, OutputsThatHangDelayNeitherEventsNorTheOthers) {
  TestHttpServer webhook([](const TestRequest&) {
    TestHttpServer::Reply reply;
    reply.hangs = true;
    return reply;
  });
  ASSERT_EQ(mkfifo(File("fifo").c_str(), 0600), 0);
  const UniqueFd never_read(open(File("fifo").c_str(), O_RDWR | O_CLOEXEC));
  std::string full(64 * 1024, 'x');
  ASSERT_EQ(write(never_read.get(), full.data(), full.size()), ssize_t{64 * 1024});
  Start("http_output: {enabled: true, timeout_ms: 600000, url: '" + webhook.url() + "'}\n" +
        "program_output: {enabled: true, keep_alive: true, program: sleep 30}\n" +
        "file_output: {enabled: true, keep_alive: true, filename: " + File("fifo") + "}\n");
  constexpr size_t kSandboxes = 50;
  for (size_t i = 1; i <= kSandboxes; ++i) {
    PlaySandbox();
    const auto sent = std::chrono::steady_clock::now();
    ASSERT_TRUE(WaitUntil([&] { return CountIn("out", "start of") == i; }));
    EXPECT_LT(std::chrono::steady_clock::now() - sent, std::chrono::seconds(2)) << i;
  }
  EXPECT_EQ(webhook.requests().size(), 1u) << "it still hangs on the first";
}

enum class Trouble : uint8_t { kUnavailable, kError, kHangs, kClosesHalfWay, kRefuses };

class WebhookInTrouble : public DaemonOutputs, public ::testing::WithParamInterface<Trouble> {
 protected:
  TestHttpServer::Reply Answer(const TestRequest& request) {
    if (is_well_) {
      const std::scoped_lock lock(mutex_);
      const Json alert = Json::parse(request.body);
      boots_.insert(alert["boot_id"]);
      sequences_.insert(alert["sequence"].get<uint64_t>());
      return TestHttpServer::Answer(200, "", "");
    }
    ++failures_;
    TestHttpServer::Reply reply;
    switch (GetParam()) {
      case Trouble::kUnavailable:
        return TestHttpServer::Answer(503, "not now", "");
      case Trouble::kError:
        return TestHttpServer::Answer(500, "", "");
      case Trouble::kHangs:
        reply.hangs = true;
        break;
      case Trouble::kClosesHalfWay:
        reply.bytes = "HTTP/1.1 200 OK\r\nContent-Le";
        reply.closes = true;
        break;
      case Trouble::kRefuses:
        break;
    }
    return reply;
  }
  std::set<uint64_t> sequences() const {
    const std::scoped_lock lock(mutex_);
    return sequences_;
  }
  size_t Boots() const {
    const std::scoped_lock lock(mutex_);
    return boots_.size();
  }
  std::unique_ptr<TestHttpServer> Serve(uint16_t port = 0) {
    return std::make_unique<TestHttpServer>(
        [this](const TestRequest& request) { return Answer(request); }, port);
  }

  std::atomic<bool> is_well_ = false;
  std::atomic<int> failures_ = 0;
  mutable std::mutex mutex_;
  std::set<std::string> boots_;
  std::set<uint64_t> sequences_;  // of alerts that were answered 200
};

TEST_P(WebhookInTrouble, HasEveryAlertOnceItIsWell) {
  auto webhook = Serve();
  const uint16_t port = webhook->port();
  if (GetParam() == Trouble::kRefuses) webhook.reset();
  Start("http_output: {enabled: true, timeout_ms: 300, url: 'http://127.0.0.1:" +
        std::to_string(port) + "/alerts'}\n");
  constexpr size_t kBefore = 20;
  for (size_t i = 0; i < kBefore; ++i) PlaySandbox();
  ASSERT_TRUE(WaitUntil([this] { return CountIn("out", "start of") == kBefore; }));
  if (webhook) {
    ASSERT_TRUE(WaitUntil([this] { return failures_ >= 4; }));
  } else {
    ASSERT_TRUE(WaitUntil([this] { return Text("log").contains("http_output to"); }));
  }
  is_well_ = true;
  if (!webhook) webhook = Serve(port);
  PlaySandbox();
  ASSERT_TRUE(WaitUntil([this] { return sequences().size() == kBefore + 1; }));
  EXPECT_EQ(*sequences().begin(), 1u);
  EXPECT_EQ(*sequences().rbegin(), kBefore + 1);
  EXPECT_EQ(boots_.size(), 1u);
  Stop();
}

// What the one before could not deliver, the next one has at once, and no sandbox waits for that.
TEST_P(WebhookInTrouble, IsMadeUpForByWhoTakesOver) {
  auto webhook = Serve();
  const uint16_t port = webhook->port();
  if (GetParam() == Trouble::kRefuses) webhook.reset();
  const std::string config =
      "http_output: {enabled: true, timeout_ms: 1500, url: 'http://127.0.0.1:" +
      std::to_string(port) + "/alerts'}\n";
  Start(config);
  constexpr size_t kBefore = 20;
  for (size_t i = 0; i < kBefore; ++i) PlaySandbox();
  ASSERT_TRUE(WaitUntil([this] { return CountIn("out", "start of") == kBefore; }));
  ASSERT_TRUE(WaitUntil([&] { return !webhook || failures_ > 0; }));
  Start(config, daemon_);
  const std::string log = Text("log.2");
  EXPECT_FALSE(log.contains("can't be kept")) << log;
  constexpr std::string_view kPause = "sandboxes were not read for ";
  const size_t pause = log.find(kPause);
  ASSERT_NE(pause, std::string::npos) << log;
  // Less than the receiver's timeout: nobody waited for that.
  EXPECT_LT(std::strtod(log.c_str() + pause + kPause.size(), nullptr), 1'200) << "milliseconds";
  is_well_ = true;
  if (!webhook) webhook = Serve(port);
  PlaySandbox();
  ASSERT_TRUE(WaitUntil([this] { return CountIn("out.2", "start of") == 1; }));
  ASSERT_TRUE(WaitUntil([this] { return sequences().size() == kBefore && Boots() == 2; }));
  EXPECT_EQ(CountIn("out.2", "\n"), 1u) << "nothing twice";
}

INSTANTIATE_TEST_SUITE_P(Each, WebhookInTrouble,
                         ::testing::Values(Trouble::kUnavailable, Trouble::kError, Trouble::kHangs,
                                           Trouble::kClosesHalfWay, Trouble::kRefuses));

}  // namespace
}  // namespace gyrfalcon
