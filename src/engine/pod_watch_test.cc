// The watch of pods against a server of the test's own, over TLS: what a real API server does not
// do on demand. Against a real one: tests/e2e/pod_watch_test.sh.
#include "engine/pod_watch.h"

#include <atomic>
#include <cstdlib>
#include <deque>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

std::string PodJson(const std::string& uid, const std::string& owner, int version) {
  return R"({"metadata": {"uid": ")" + uid + R"(", "resourceVersion": ")" +
         std::to_string(version) + R"(", "labels": {"owner": ")" + owner + R"("}}})";
}

std::string EventJson(const std::string& type, const std::string& object) {
  return R"({"type": ")" + type + R"(", "object": )" + object + "}\n";
}

class PodWatchTest : public ::testing::Test {
 protected:
  struct Reply {
    int status = 200;
    std::string body{};
    bool stays = false;  // it is open until the test ends
    std::string location{};
  };

  static void SetUpTestSuite() {
    folder_ = std::make_unique<TestFolder>();
    const std::string make =
        "cd " + folder_->path() +
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=server -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out ca.pem"
        " 2>openssl.log && cp ca.pem server.pem";
    ASSERT_EQ(std::system(make.c_str()), 0);
    std::ofstream(*folder_ / "token") << "secret-1\n";
  }
  static void TearDownTestSuite() { folder_.reset(); }

  void SetUp() override {
    const std::string cert = *folder_ / "server.pem";
    const std::string key = *folder_ / "key.pem";
    server_ = std::make_unique<httplib::SSLServer>(cert.c_str(), key.c_str());
    server_->Get("/api/v1/pods", [this](const httplib::Request& request, httplib::Response& out) {
      Answer(request, out);
    });
    port_ = server_->bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
    while (!server_->is_running()) std::this_thread::yield();
  }
  void TearDown() override {
    watch_.reset();
    over_ = true;
    server_->stop();
    thread_.join();
  }

  void Answer(const httplib::Request& request, httplib::Response& out) {
    Reply reply{.status = 500, .body = "", .stays = false};
    {
      const std::scoped_lock lock(mutex_);
      asked_.push_back(request.get_param_value("resourceVersion"));
      tokens_.push_back(request.get_header_value("Authorization"));
      accepts_.push_back(request.get_header_value("Accept"));
      nodes_.push_back(request.get_param_value("fieldSelector"));
      if (!replies_.empty()) {
        reply = replies_.front();
        replies_.pop_front();
      }
    }
    out.status = reply.status;
    if (!reply.location.empty()) out.set_header("Location", reply.location);
    if (!reply.stays) {
      out.set_content(reply.body, "application/json");
      return;
    }
    out.set_chunked_content_provider("application/json",
                                     [this, body = reply.body](size_t at, httplib::DataSink& sink) {
                                       if (at == 0 && !body.empty())
                                         return sink.write(body.data(), body.size());
                                       std::this_thread::sleep_for(5ms);
                                       return !over_;
                                     });
  }

  void Start(PodWatchOptions options = {}) {
    options.node = "node-1";
    if (options.server.url.empty()) {
      options.server = {.url = "https://127.0.0.1:" + std::to_string(port_),
                        .token_file = *folder_ / "token",
                        .ca_file = *folder_ / "ca.pem"};
    }
    options.retry = 10ms;
    options.retry_max = 20ms;
    options.on_problem = [this](const Error& error) { Note(problems_, error.message); };
    options.on_watching = [this] { Note(watching_, "yes"); };
    watch_ = std::make_unique<PodWatch>(std::move(options));
    watch_->Start([this](const PodChange& change) {
      std::string text = change.uid;
      if (!change.labels) text += " gone";
      if (change.labels) {
        for (const auto& [name, value] : *change.labels) text += " " + value;
      }
      Note(changes_, text);
    });
  }

  void Note(std::vector<std::string>& list, const std::string& text) {
    const std::scoped_lock lock(mutex_);
    list.push_back(text);
  }
  std::vector<std::string> Noted(const std::vector<std::string>& list) {
    const std::scoped_lock lock(mutex_);
    return list;
  }
  // What it has, once it has so many; what it has by then, after some seconds.
  std::vector<std::string> WaitFor(const std::vector<std::string>& list, size_t count) {
    for (int i = 0; i < 2'000 && Noted(list).size() < count; ++i) std::this_thread::sleep_for(5ms);
    return Noted(list);
  }

  static inline std::unique_ptr<TestFolder> folder_;
  std::unique_ptr<httplib::SSLServer> server_;
  int port_ = 0;
  std::thread thread_;
  std::atomic<bool> over_ = false;
  std::mutex mutex_;
  std::deque<Reply> replies_;
  std::vector<std::string> asked_, tokens_, accepts_, nodes_, changes_, problems_, watching_;
  std::unique_ptr<PodWatch> watch_;
};

const std::string kMark50 = EventJson("BOOKMARK", R"({"metadata": {"resourceVersion": "50"}})");

TEST_F(PodWatchTest, BeginsWithAllAndFollowsTheChanges) {
  replies_ = {
      {.body = EventJson("ADDED", PodJson("a", "pool", 11)) +
               EventJson("ADDED", PodJson("b", "pool", 2)) +
               EventJson("MODIFIED", PodJson("a", "alice", 12)) +
               EventJson("MODIFIED", PodJson("a", "alice", 13)) +  // of its status: nothing for us
               EventJson("DELETED", PodJson("b", "pool", 14)),
       .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(changes_, 4), ElementsAre("a pool", "b pool", "a alice", "b gone"));
  EXPECT_THAT(Noted(asked_), ElementsAre("0"));
  EXPECT_THAT(Noted(tokens_), ElementsAre("Bearer secret-1"));
  EXPECT_THAT(Noted(nodes_),
              ElementsAre(HasSubstr("spec.nodeName=node-1,status.phase!=Succeeded")));
  EXPECT_THAT(Noted(accepts_), ElementsAre(HasSubstr("as=PartialObjectMetadata")));
  EXPECT_THAT(Noted(watching_), ElementsAre("yes"));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodChanges], 3u);
}

TEST_F(PodWatchTest, OneThatEndsGoesOnWhereItWas) {
  replies_ = {{.body = EventJson("ADDED", PodJson("a", "pool", 11)) + kMark50 +
                       EventJson("MODIFIED", PodJson("a", "bob", 51))},
              {.body = EventJson("MODIFIED", PodJson("a", "alice", 91)), .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(changes_, 3), ElementsAre("a pool", "a bob", "a alice"));
  EXPECT_THAT(Noted(asked_), ElementsAre("0", "51"));
  EXPECT_THAT(Noted(problems_), IsEmpty());
}

// Its versions come in any order: from one of them on, a pod might be missed.
TEST_F(PodWatchTest, OneThatEndsBeforeAllWereToldBeginsAnew) {
  replies_ = {{.body = EventJson("ADDED", PodJson("a", "pool", 90))},
              {.body = EventJson("ADDED", PodJson("a", "pool", 90)) +
                       EventJson("ADDED", PodJson("b", "pool", 11)),
               .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a pool", "b pool"));
  EXPECT_THAT(Noted(asked_), ElementsAre("0", "0"));
}

TEST_F(PodWatchTest, WhatWentWhileTheVersionWasTooOldIsGone) {
  for (const auto& [status, body] : std::vector<std::pair<int, std::string>>{
           {200, EventJson("ERROR", R"({"code": 410, "message": "too old"})")},
           {410, R"({"code": 410, "reason": "Expired"})"}}) {
    changes_.clear();
    asked_.clear();
    replies_ = {{.body = EventJson("ADDED", PodJson("a", "pool", 1)) +
                         EventJson("ADDED", PodJson("b", "pool", 1)) + kMark50},
                {.status = status, .body = body},
                {.body = EventJson("ADDED", PodJson("b", "bob", 60)) + kMark50, .stays = true}};
    Start();
    EXPECT_THAT(WaitFor(changes_, 4), ElementsAre("a pool", "b pool", "b bob", "a gone"));
    EXPECT_THAT(WaitFor(asked_, 3), ElementsAre("0", "50", "0"));
    EXPECT_THAT(Noted(problems_), IsEmpty());
    watch_.reset();
  }
}

TEST_F(PodWatchTest, AnAnswerThatFailsLosesNoVersion) {
  replies_ = {{.body = EventJson("ADDED", PodJson("a", "pool", 11)) + kMark50},
              {.status = 503, .body = R"({"message": "apiserver is shutting down"})"},
              {.body = EventJson("MODIFIED", PodJson("a", "alice", 51)), .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a pool", "a alice"));
  EXPECT_THAT(Noted(asked_), ElementsAre("0", "50", "50"));
  EXPECT_THAT(Noted(problems_), ElementsAre(HasSubstr("503: apiserver is shutting down")));
  EXPECT_THAT(Noted(watching_), SizeIs(2)) << "and again";
}

TEST_F(PodWatchTest, AProblemIsToldOnceAndAnotherOneToo) {
  const Reply away{.status = 503, .body = R"({"message": "not yet"})"};
  const Reply forbidden{.status = 403, .body = R"({"message": "pods is forbidden"})"};
  replies_ = {away, away, forbidden, forbidden, {.body = "", .stays = true}};
  PodWatchOptions options;
  options.told_again = 0ms;
  Start(options);
  EXPECT_THAT(WaitFor(watching_, 1), SizeIs(1));
  EXPECT_THAT(
      Noted(problems_),
      ElementsAre(HasSubstr("status 503: not yet"),
                  HasSubstr("status 403: pods is forbidden; a ClusterRole must allow its")));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodWatchFailures], 4u);
}

TEST_F(PodWatchTest, WhatIsNoChangeHasThemToldAnew) {
  for (const std::string& line :
       {std::string("nonsense\n"), EventJson("ERROR", R"({"code": 500, "message": "etcd"})")}) {
    problems_.clear();
    changes_.clear();
    asked_.clear();
    replies_ = {{.body = EventJson("ADDED", PodJson("a", "pool", 1)) + kMark50 + line},
                {.body = EventJson("ADDED", PodJson("a", "alice", 40)), .stays = true}};
    Start();
    EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a pool", "a alice")) << line;
    EXPECT_THAT(Noted(asked_), ElementsAre("0", "0")) << line;
    EXPECT_THAT(Noted(problems_), SizeIs(1)) << line;
    watch_.reset();
  }
}

// A tenant decides how large its pod's annotations are.
TEST_F(PodWatchTest, APodThatIsTooLargeIsLeftOutAndNoOther) {
  replies_ = {{.body = std::string(kPodEventBytesMax + 1, 'x') + "\n" +
                       EventJson("ADDED", PodJson("b", "pool", 1)),
               .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(changes_, 1), ElementsAre("b pool"));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodsRefused], 1u);
  EXPECT_THAT(Noted(problems_), IsEmpty());
}

TEST_F(PodWatchTest, MorePodsThanAreRememberedAreCounted) {
  replies_ = {{.body = EventJson("ADDED", PodJson("a", "x", 1)) +
                       EventJson("ADDED", PodJson("b", "y", 1)) +
                       EventJson("MODIFIED", PodJson("a", "z", 11)),
               .stays = true}};
  PodWatchOptions options;
  options.pods_max = 1;
  Start(options);
  EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a x", "a z"));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodsRefused], 1u);
}

TEST_F(PodWatchTest, WhereItIsSentElsewhereItDoesNotGo) {
  httplib::Server elsewhere;
  std::atomic<int> came = 0;
  elsewhere.Get(".*", [&came](const httplib::Request&, httplib::Response&) { ++came; });
  const int port = elsewhere.bind_to_any_port("127.0.0.1");
  std::thread serving([&elsewhere] { elsewhere.listen_after_bind(); });
  while (!elsewhere.is_running()) std::this_thread::yield();
  const Reply sent{.status = 302, .location = "http://127.0.0.1:" + std::to_string(port) + "/"};
  replies_ = {sent, {.body = "", .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(watching_, 1), SizeIs(1));
  EXPECT_THAT(Noted(problems_), ElementsAre(HasSubstr("status 302")));
  elsewhere.stop();
  serving.join();
  EXPECT_EQ(came, 0);
}

TEST_F(PodWatchTest, OnlyWhomTheConfigBelievesIsSentTheToken) {
  const std::string make =
      "cd " + folder_->path() +
      " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
      " -subj /CN=other -keyout other.key -out other.pem 2>openssl.log";
  ASSERT_EQ(std::system(make.c_str()), 0);
  PodWatchOptions options;
  options.server = {.url = "https://127.0.0.1:" + std::to_string(port_),
                    .token_file = *folder_ / "token",
                    .ca_file = *folder_ / "other.pem"};
  Start(options);
  EXPECT_THAT(WaitFor(problems_, 1), ElementsAre(HasSubstr("certificate")));
  EXPECT_THAT(Noted(tokens_), IsEmpty());
}

TEST_F(PodWatchTest, ATokenIsReadAnewAndOneThatIsNoneIsNotSent) {
  const std::string token = *folder_ / "changing";
  std::ofstream(token) << "two words\n";
  replies_ = {{.body = "", .stays = true}};
  PodWatchOptions options;
  options.server = {.url = "https://127.0.0.1:" + std::to_string(port_),
                    .token_file = token,
                    .ca_file = *folder_ / "ca.pem"};
  Start(options);
  EXPECT_THAT(WaitFor(problems_, 1), ElementsAre(HasSubstr("no token of a service account")));
  EXPECT_THAT(Noted(tokens_), IsEmpty());
  std::ofstream(token) << "secret-2";
  EXPECT_THAT(WaitFor(watching_, 1), SizeIs(1));
  EXPECT_EQ(WaitFor(tokens_, 1).front(), "Bearer secret-2");
}

TEST_F(PodWatchTest, AWatchThatIsOpenIsEndedAtOnce) {
  replies_ = {{.body = "", .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(watching_, 1), SizeIs(1));
  const auto before = std::chrono::steady_clock::now();
  watch_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
  EXPECT_THAT(Noted(problems_), IsEmpty());
}

TEST_F(PodWatchTest, WithoutANodeNobodyIsAsked) {
  PodWatch none(PodWatchOptions{});
  none.Start([](const PodChange&) {});
  none.Stop();
  EXPECT_THAT(Noted(asked_), IsEmpty());
}

}  // namespace
}  // namespace gyrfalcon
