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

std::string ListJson(const std::string& version, const std::string& items,
                     const std::string& next = "") {
  return R"({"metadata": {"resourceVersion": ")" + version + R"(", "continue": ")" + next +
         R"("}, "items": [)" + items + "]}";
}

class PodWatchTest : public ::testing::Test {
 protected:
  struct Reply {
    int status = 200;
    std::string body{};
    bool stays = false;  // a watch that is open until the test ends
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
      asked_.push_back(request.get_param_value("watch") == "1"
                           ? "watch " + request.get_param_value("resourceVersion")
                           : "list " + request.get_param_value("continue"));
      tokens_.push_back(request.get_header_value("Authorization"));
      accepts_.push_back(request.get_header_value("Accept"));
      nodes_.push_back(request.get_param_value("fieldSelector"));
      if (!replies_.empty()) {
        reply = replies_.front();
        replies_.pop_front();
      }
    }
    out.status = reply.status;
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
    options.on_listed = [this](size_t pods) { Note(listed_, std::to_string(pods)); };
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
  std::vector<std::string> asked_, tokens_, accepts_, nodes_, changes_, problems_, listed_;
  std::unique_ptr<PodWatch> watch_;
};

TEST_F(PodWatchTest, ListsInPagesThenFollowsTheChanges) {
  replies_ = {
      {.body = ListJson("10", PodJson("a", "pool", 1), "more")},
      {.body = ListJson("10", PodJson("b", "pool", 2))},
      {.body = EventJson("MODIFIED", PodJson("a", "alice", 11)) +
               EventJson("MODIFIED", PodJson("a", "alice", 12)) +  // of its status: nothing for us
               EventJson("ADDED", PodJson("c", "pool", 13)) +
               EventJson("DELETED", PodJson("b", "pool", 14)),
       .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(changes_, 5), ElementsAre("a pool", "b pool", "a alice", "c pool", "b gone"));
  EXPECT_THAT(Noted(asked_), ElementsAre("list ", "list more", "watch 10"));
  EXPECT_THAT(Noted(tokens_), ::testing::Each("Bearer secret-1"));
  EXPECT_THAT(Noted(nodes_), ::testing::Each("spec.nodeName=node-1"));
  EXPECT_THAT(Noted(accepts_), ::testing::Each(HasSubstr("as=PartialObjectMetadata")));
  EXPECT_THAT(Noted(listed_), ElementsAre("2"));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodChanges], 4u);
}

TEST_F(PodWatchTest, AWatchThatEndsGoesOnWhereItWas) {
  replies_ = {
      {.body = ListJson("10", "")},
      {.body = EventJson("ADDED", PodJson("a", "pool", 11)) +
               EventJson("BOOKMARK", R"({"metadata": {"resourceVersion": "90"}})")},
      {.body = EventJson("MODIFIED", PodJson("a", "alice", 91)), .stays = true},
  };
  Start();
  EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a pool", "a alice"));
  EXPECT_THAT(Noted(asked_), ElementsAre("list ", "watch 10", "watch 90"));
  EXPECT_THAT(Noted(problems_), IsEmpty());
}

TEST_F(PodWatchTest, WhatWentWhileTheVersionWasTooOldIsGone) {
  for (const auto& [status, body] : std::vector<std::pair<int, std::string>>{
           {200, EventJson("ERROR", R"({"code": 410, "message": "too old"})")},
           {410, R"({"code": 410, "reason": "Expired"})"}}) {
    changes_.clear();
    asked_.clear();
    replies_ = {
        {.body = ListJson("10", PodJson("a", "pool", 1) + "," + PodJson("b", "pool", 1))},
        {.status = status, .body = body},
        {.body = ListJson("50", PodJson("b", "bob", 40))},
        {.body = "", .stays = true},
    };
    Start();
    EXPECT_THAT(WaitFor(changes_, 4), ElementsAre("a pool", "b pool", "a gone", "b bob"));
    EXPECT_THAT(WaitFor(asked_, 4), ElementsAre("list ", "watch 10", "list ", "watch 50"));
    EXPECT_THAT(Noted(problems_), IsEmpty());
    watch_.reset();
  }
}

TEST_F(PodWatchTest, WhoIsForbiddenIsToldOnceAndTriesOn) {
  const Reply forbidden{.status = 403, .body = R"({"message": "pods is forbidden"})"};
  replies_ = {forbidden, forbidden, {.body = ListJson("10", "")}, {.body = "", .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(listed_, 1), ElementsAre("0"));
  ASSERT_THAT(Noted(problems_), SizeIs(1));
  EXPECT_THAT(problems_[0], HasSubstr("status 403: pods is forbidden; a ClusterRole must allow"));
  EXPECT_THAT(problems_[0], Not(HasSubstr("secret-1")));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodWatchFailures], 2u);
}

TEST_F(PodWatchTest, AnswersThatAreNoneAreProblemsAndNoMore) {
  for (const Reply& reply :
       {Reply{.body = "<html>"}, Reply{.body = ListJson("10", "") + "x"}, Reply{.status = 302},
        Reply{.body = std::string(kPodPageBytesMax + 1, ' ')}}) {
    problems_.clear();
    listed_.clear();
    replies_ = {reply, {.body = ListJson("10", "")}, {.body = "", .stays = true}};
    Start();
    EXPECT_THAT(WaitFor(listed_, 1), SizeIs(1)) << reply.body.substr(0, 20);
    EXPECT_THAT(Noted(problems_), SizeIs(1)) << reply.body.substr(0, 20);
    watch_.reset();
  }
}

TEST_F(PodWatchTest, AChangeThatIsNoneOrTooLargeHasThemListedAnew) {
  for (const std::string& line :
       {std::string("nonsense\n"), std::string(kPodEventBytesMax + 1, 'x'),
        EventJson("ERROR", R"({"code": 500, "message": "etcd"})")}) {
    problems_.clear();
    changes_.clear();
    replies_ = {{.body = ListJson("10", PodJson("a", "pool", 1))},
                {.body = line},
                {.body = ListJson("50", PodJson("a", "alice", 40))},
                {.body = "", .stays = true}};
    Start();
    EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a pool", "a alice")) << line.substr(0, 20);
    EXPECT_THAT(Noted(problems_), SizeIs(1)) << line.substr(0, 20);
    watch_.reset();
  }
}

TEST_F(PodWatchTest, MorePodsThanAreRememberedAreCounted) {
  replies_ = {{.body = ListJson("10", PodJson("a", "x", 1) + "," + PodJson("b", "y", 1))},
              {.body = EventJson("MODIFIED", PodJson("a", "z", 11)), .stays = true}};
  PodWatchOptions options;
  options.pods_max = 1;
  Start(options);
  EXPECT_THAT(WaitFor(changes_, 2), ElementsAre("a x", "a z"));
  EXPECT_EQ(watch_->counters()[EngineCounter::kPodsRefused], 1u);
}

TEST_F(PodWatchTest, OnlyWhomTheConfigBelievesIsSentTheToken) {
  std::ofstream(*folder_ / "other.pem") << "no certificate\n";
  PodWatchOptions options;
  options.server = {.url = "https://127.0.0.1:" + std::to_string(port_),
                    .token_file = *folder_ / "token",
                    .ca_file = *folder_ / "other.pem"};
  Start(options);
  EXPECT_THAT(WaitFor(problems_, 1), ElementsAre(HasSubstr("127.0.0.1")));
  EXPECT_THAT(Noted(tokens_), IsEmpty());
}

TEST_F(PodWatchTest, ATokenIsReadAnewAndOneThatIsNoneIsNotSent) {
  const std::string token = *folder_ / "changing";
  std::ofstream(token) << "two words\n";
  replies_ = {{.body = ListJson("10", "")}, {.body = "", .stays = true}};
  PodWatchOptions options;
  options.server = {.url = "https://127.0.0.1:" + std::to_string(port_),
                    .token_file = token,
                    .ca_file = *folder_ / "ca.pem"};
  Start(options);
  EXPECT_THAT(WaitFor(problems_, 1), ElementsAre(HasSubstr("no token of a service account")));
  EXPECT_THAT(Noted(tokens_), IsEmpty());
  std::ofstream(token) << "secret-2";
  EXPECT_THAT(WaitFor(listed_, 1), SizeIs(1));
  EXPECT_EQ(WaitFor(tokens_, 1).front(), "Bearer secret-2");
}

TEST_F(PodWatchTest, AWatchThatIsOpenIsEndedAtOnce) {
  replies_ = {{.body = ListJson("10", "")}, {.body = "", .stays = true}};
  Start();
  EXPECT_THAT(WaitFor(asked_, 2), SizeIs(2));
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
