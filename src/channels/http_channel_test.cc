#include "channels/http_channel.h"

#include <chrono>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include "channels/test_alerts.h"
#include "channels/test_http_server.h"

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using Reply = TestHttpServer::Reply;
using std::chrono::milliseconds;

Reply Answer(int status, const std::string& body = "", const std::string& headers = "") {
  return TestHttpServer::Answer(status, body, headers);
}

std::unique_ptr<Channel> Open(HttpOptions options,
                              std::function<void(const std::string&)> tell = nullptr) {
  auto channel = MakeHttpChannel(std::move(options), {.hostname = "node-1"}, std::move(tell));
  EXPECT_TRUE(channel) << channel.error().message;
  return channel ? std::move(*channel) : nullptr;
}

HttpOptions To(const TestHttpServer& server) {
  HttpOptions options;
  options.url = server.url();
  options.timeout_ms = 5'000;
  options.max_consecutive_timeouts = 0;
  return options;
}

TestHttpServer::Handler Always(Reply reply) {
  return [reply](const TestRequest&) { return reply; };
}

std::vector<std::string> MessagesOf(const TestHttpServer& server) {
  std::vector<std::string> messages;
  for (const TestRequest& request : server.requests()) {
    const Json body = Json::parse(request.body);
    for (const Json& alert : body.is_array() ? body : Json::array({body})) {
      const std::string output = alert["output"];
      messages.push_back(output.substr(output.find("Warning ") + 8));
    }
  }
  return messages;
}

TEST(HttpChannel, EachAlertIsOnePostOfFalcosObjectOverOneConnection) {
  TestHttpServer server(Always(Answer(200, "ok")));
  HttpOptions options = To(server);
  options.headers = {{"Authorization", "Bearer abc"}, {"X-Empty", ""}};
  const auto channel = Open(options);
  const TestAlerts alerts({"one", "two", "three"}, 41);
  const Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 3);
  EXPECT_EQ(delivery.refused, 0);
  EXPECT_FALSE(delivery.problem);
  EXPECT_THAT(MessagesOf(server), ElementsAre("one", "two", "three"));
  EXPECT_EQ(server.connections(), 1);
  const TestRequest request = server.requests().front();
  EXPECT_THAT(request.head, ::testing::StartsWith("POST /alerts HTTP/1.1"));
  EXPECT_EQ(request.Header("Content-Type"), "application/json");
  EXPECT_EQ(request.Header("User-Agent"), "gyrfalcon");
  EXPECT_EQ(request.Header("Authorization"), "Bearer abc");
  EXPECT_EQ(request.Header("X-Gyrfalcon-Boot-Id"), "boot-1");
  EXPECT_EQ(request.Header("X-Gyrfalcon-Sequence"), "41");
  const Json body = Json::parse(request.body);
  // What falcosidekick reads of it.
  for (const char* key :
       {"output", "priority", "rule", "time", "output_fields", "source", "tags", "hostname"}) {
    EXPECT_TRUE(body.contains(key)) << key;
  }
  EXPECT_EQ(body["boot_id"], "boot-1");
  EXPECT_EQ(body["sequence"], 41);
  EXPECT_EQ(body["hostname"], "node-1");
}

TEST(HttpChannel, WithoutANumberThereIsNoHeaderOfIt) {
  TestHttpServer server(Always(Answer(204)));
  const TestAlerts alerts({"one"}, 0);
  EXPECT_EQ(Open(To(server))->Deliver(alerts.batch()).done, 1);
  EXPECT_THAT(server.requests().front().head, Not(HasSubstr("X-Gyrfalcon")));
}

TEST(HttpChannel, BatchesAreArraysOfOneBoot) {
  TestHttpServer server(Always(Answer(200)));
  HttpOptions options = To(server);
  options.batch_max = 10;
  TestAlerts alerts = TestAlerts::Many(12);
  alerts.Add("of the next boot", 1, "boot-2");
  EXPECT_EQ(Open(options)->Deliver(alerts.batch()).done, 13);
  const auto requests = server.requests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(Json::parse(requests[0].body).size(), 10);
  EXPECT_EQ(requests[0].Header("X-Gyrfalcon-Sequence"), "1-10");
  EXPECT_EQ(requests[1].Header("X-Gyrfalcon-Sequence"), "11-12");
  EXPECT_EQ(Json::parse(requests[2].body).size(), 1) << "an array, even so";
  EXPECT_EQ(requests[2].Header("X-Gyrfalcon-Boot-Id"), "boot-2");
}

TEST(HttpChannel, ABodyIsBoundedInBytes) {
  TestHttpServer server(Always(Answer(200)));
  HttpOptions options = To(server);
  options.batch_max = 1000;
  const TestAlerts alerts(std::vector<std::string>(30, std::string(100'000, 'x')));
  EXPECT_EQ(Open(options)->Deliver(alerts.batch()).done, 30);
  for (const TestRequest& request : server.requests()) EXPECT_LT(request.body.size(), 3u << 20);
  EXPECT_GT(server.requests().size(), 2);
}

TEST(HttpChannel, WhatTheReceiverWillNeverTakeIsRefusedAndTheRestGoesOn) {
  for (const uint64_t batch_max : {1u, 10u}) {
    TestHttpServer server([](const TestRequest& request) {
      return Answer(request.body.contains("bad") ? 400 : 200);
    });
    HttpOptions options = To(server);
    options.batch_max = batch_max;
    const TestAlerts alerts({"one", "bad", "three"});
    const Delivery delivery = Open(options)->Deliver(alerts.batch());
    EXPECT_EQ(delivery.done, 3) << batch_max;
    EXPECT_EQ(delivery.refused, 1) << batch_max;
    EXPECT_FALSE(delivery.problem);
    EXPECT_THAT(delivery.refusal, HasSubstr("answered 400; see its log"));
  }
}

TEST(HttpChannel, EachStatusMeansWhatItSays) {
  struct Row {
    int status;
    size_t done, refused;
  };
  for (const Row row : {Row{201, 1, 0},
                        {301, 0, 0},
                        {400, 1, 1},
                        {401, 0, 0},
                        {403, 1, 1},
                        {404, 0, 0},
                        {408, 0, 0},
                        {413, 1, 1},
                        {422, 1, 1},
                        {429, 0, 0},
                        {500, 0, 0},
                        {502, 0, 0},
                        {503, 0, 0},
                        {600, 0, 0}}) {
    TestHttpServer server(Always(Answer(row.status)));
    const TestAlerts alerts({"one"});
    const Delivery delivery = Open(To(server))->Deliver(alerts.batch());
    EXPECT_EQ(delivery.done, row.done) << row.status;
    EXPECT_EQ(delivery.refused, row.refused) << row.status;
    EXPECT_EQ(delivery.problem.has_value(), row.done == 0) << row.status;
    if (delivery.problem) {
      EXPECT_THAT(delivery.problem->message, HasSubstr("answered " + std::to_string(row.status)));
    }
  }
}

TEST(HttpChannel, AProblemStopsTheBatchThereAndItGoesOnFromThere) {
  std::atomic<bool> is_well = false;
  TestHttpServer server([&](const TestRequest& request) {
    return Answer(is_well || !request.body.contains("three") ? 200 : 503);
  });
  const auto channel = Open(To(server));
  const TestAlerts alerts({"one", "two", "three", "four"});
  const Delivery first = channel->Deliver(alerts.batch());
  EXPECT_EQ(first.done, 2);
  ASSERT_TRUE(first.problem);
  is_well = true;
  EXPECT_EQ(channel->Deliver(alerts.batch().subspan(2)).done, 2);
  EXPECT_THAT(MessagesOf(server), ElementsAre("one", "two", "three", "three", "four"));
}

TEST(HttpChannel, RetryAfterIsObeyed) {
  std::atomic<int> asked = 0;
  TestHttpServer server([&](const TestRequest&) {
    return ++asked == 1 ? Answer(429, "", "Retry-After: 1\r\n") : Answer(200);
  });
  const auto channel = Open(To(server));
  const TestAlerts alerts({"one"});
  ASSERT_TRUE(channel->Deliver(alerts.batch()).problem);
  const auto waiting = channel->Deliver(alerts.batch());
  ASSERT_TRUE(waiting.problem);
  EXPECT_THAT(waiting.problem->message, HasSubstr("left alone for 1 s"));
  EXPECT_EQ(asked, 1) << "not before its time";
  std::this_thread::sleep_for(milliseconds(1'100));
  EXPECT_EQ(channel->Deliver(alerts.batch()).done, 1);
}

TEST(HttpChannel, RetryAfterIsBounded) {
  TestHttpServer server(Always(Answer(503, "", "Retry-After: 99999999\r\n")));
  const auto channel = Open(To(server));
  const TestAlerts alerts({"one"});
  ASSERT_TRUE(channel->Deliver(alerts.batch()).problem);
  EXPECT_THAT(channel->Deliver(alerts.batch()).problem->message, HasSubstr("for 300 s"));
}

TEST(HttpChannel, AnAlertThatTheReceiverCantDigestHoldsUpTheOthersOnlySoLong) {
  for (const uint64_t batch_max : {1u, 10u}) {
    TestHttpServer server([](const TestRequest& request) {
      return Answer(request.body.contains("bad") ? 500 : 200);
    });
    HttpOptions options = To(server);
    options.batch_max = batch_max;
    const auto channel = Open(options);
    const TestAlerts alerts({"bad", "two", "three"});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(channel->Deliver(alerts.batch()).done, 0);
    const Delivery delivery = channel->Deliver(alerts.batch());
    EXPECT_EQ(delivery.done, 3);
    EXPECT_EQ(delivery.refused, 1);
    const auto got = MessagesOf(server);
    EXPECT_EQ(std::ranges::count(got, "two"), batch_max == 1 ? 1 : 4) << "once it is taken, once";
  }
}

TEST(HttpChannel, AReceiverThatFailsForAllMakesNoneRefused) {
  std::atomic<bool> is_well = false;
  TestHttpServer server([&](const TestRequest&) { return Answer(is_well ? 200 : 502); });
  const auto channel = Open(To(server));
  const TestAlerts alerts({"one", "two", "three"});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(channel->Deliver(alerts.batch()).done, 0);
  is_well = true;
  const Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 3);
  EXPECT_EQ(delivery.refused, 0);
}

TEST(HttpChannel, GivingUpEndsATransferThatHangs) {
  TestHttpServer server(Always({.hangs = true}));
  HttpOptions options = To(server);
  options.timeout_ms = 60'000;
  const auto channel = Open(options);
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(200));
    channel->GiveUp();
  });
  const TestAlerts alerts({"one"});
  const auto begin = Clock::now();
  EXPECT_TRUE(channel->Deliver(alerts.batch()).problem);
  EXPECT_LT(Clock::now() - begin, milliseconds(1'500));
  stopper.join();
  EXPECT_TRUE(channel->Deliver(alerts.batch()).problem) << "and each later one fails";
}

TEST(HttpChannel, TimeoutsInARowAreToldOnlyBeyondTheirNumber) {
  TestHttpServer server(Always({.hangs = true}));
  HttpOptions options = To(server);
  options.timeout_ms = 150;
  options.max_consecutive_timeouts = 2;
  const auto channel = Open(options);
  const TestAlerts alerts({"one"});
  const Delivery delivery = channel->Deliver(alerts.batch());
  ASSERT_TRUE(delivery.problem);
  EXPECT_THAT(delivery.problem->message, HasSubstr("timed out"));
  EXPECT_THAT(server.requests(), SizeIs(3));
  EXPECT_TRUE(channel->Deliver(alerts.batch()).problem);
  EXPECT_THAT(server.requests(), SizeIs(4)) << "from then on each is told";
}

TEST(HttpChannel, ASlowAnswerIsNotWaitedForBeyondTheTimeout) {
  Reply reply = Answer(200, "well");
  reply.pause_ms = 100;
  TestHttpServer server(Always(reply));
  HttpOptions options = To(server);
  options.timeout_ms = 500;
  const TestAlerts alerts({"one"});
  const auto begin = Clock::now();
  EXPECT_TRUE(Open(options)->Deliver(alerts.batch()).problem);
  EXPECT_LT(Clock::now() - begin, milliseconds(2'000));
}

TEST(HttpChannel, NoAnswerAtAllIsTriedAgainAndAHalfOneCounts) {
  TestHttpServer silent(Always({.closes = true}));
  const TestAlerts alerts({"one"});
  EXPECT_EQ(Open(To(silent))->Deliver(alerts.batch()).done, 0);
  TestHttpServer half(
      Always({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", .closes = true}));
  EXPECT_EQ(Open(To(half))->Deliver(alerts.batch()).done, 1) << "its status has come";
  TestHttpServer cut(Always({.bytes = "HTTP/1.1 200", .closes = true}));
  EXPECT_EQ(Open(To(cut))->Deliver(alerts.batch()).done, 0);
  TestHttpServer half_a_head(Always({.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .closes = true}));
  const Delivery unsure = Open(To(half_a_head))->Deliver(alerts.batch());
  EXPECT_EQ(unsure.done, 0);
  ASSERT_TRUE(unsure.problem);
  EXPECT_THAT(unsure.problem->message, ::testing::HasSubstr("cut off"));
  TestHttpServer trailed(
      Always({.bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n0\r\nX-End: yes\r\n\r\n"}));
  EXPECT_EQ(Open(To(trailed))->Deliver(alerts.batch()).done, 1);
  TestHttpServer garbage(Always({.bytes = "no HTTP\r\n\r\n", .closes = true}));
  EXPECT_EQ(Open(To(garbage))->Deliver(alerts.batch()).done, 0);
}

TEST(HttpChannel, EndlessAnswersAreCutOff) {
  const TestAlerts alerts({"one"});
  TestHttpServer body(
      Always({.bytes = "HTTP/1.1 200 OK\r\n\r\n" + std::string(10'000, 'x'), .repeats = true}));
  auto begin = Clock::now();
  EXPECT_EQ(Open(To(body))->Deliver(alerts.batch()).done, 1);
  EXPECT_LT(Clock::now() - begin, milliseconds(2'000));
  TestHttpServer headers([&](const TestRequest&) {
    Reply reply{.bytes = "HTTP/1.1 100 Continue\r\n\r\n", .repeats = true};
    return reply;
  });
  begin = Clock::now();
  EXPECT_EQ(Open(To(headers))->Deliver(alerts.batch()).done, 0);
  EXPECT_LT(Clock::now() - begin, milliseconds(2'000));
}

TEST(HttpChannel, NobodyThereIsAProblemAndNoSecretIsInIt) {
  std::string url;
  {
    TestHttpServer gone(Always(Answer(200)));
    url = gone.url();
  }
  HttpOptions options;
  options.url = "http://user:sesame@" + url.substr(7) + "/services/T0SECRET?key=hidden";
  options.headers = {{"Authorization", "Bearer swordfish"}};
  const TestAlerts alerts({"one"});
  const auto channel = Open(options);
  const Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 0);
  ASSERT_TRUE(delivery.problem);
  const std::string& message = delivery.problem->message;
  EXPECT_THAT(message, HasSubstr("http_output to http://127.0.0.1:"));
  for (const char* secret : {"sesame", "user", "T0SECRET", "hidden", "swordfish"}) {
    EXPECT_THAT(message, Not(HasSubstr(secret)));
    EXPECT_THAT(std::string(channel->name()), Not(HasSubstr(secret)));
  }
}

TEST(HttpChannel, SeveralAtATimeAreFasterAndNoneIsSentTwiceForAnothersFault) {
  std::atomic<bool> is_well = false;
  TestHttpServer server([&](const TestRequest& request) {
    std::this_thread::sleep_for(milliseconds(50));
    return Answer(is_well || !request.body.contains("alert 3\"") ? 200 : 503);
  });
  HttpOptions options = To(server);
  options.parallel = 8;
  const auto channel = Open(options);
  const TestAlerts alerts = TestAlerts::Many(40);
  Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 2);
  is_well = true;
  const auto begin = Clock::now();
  delivery = channel->Deliver(alerts.batch().subspan(2));
  EXPECT_EQ(delivery.done, 38);
  EXPECT_LT(Clock::now() - begin, milliseconds(1'500));
  const auto got = MessagesOf(server);
  EXPECT_EQ(std::set(got.begin(), got.end()).size(), 40);
  EXPECT_EQ(got.size(), 41) << "only the one that failed came twice";
  EXPECT_LE(server.connections(), 8);
}

std::string Unzip(const std::string& text) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string out(100'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(HttpChannel, BodiesAreCompressedIfWishedAndTaken) {
  TestHttpServer takes_it(Always(Answer(200)));
  HttpOptions options = To(takes_it);
  options.compress_uploads = true;
  const TestAlerts alerts({"one", "two"});
  EXPECT_EQ(Open(options)->Deliver(alerts.batch()).done, 2);
  EXPECT_EQ(takes_it.requests().front().Header("Content-Encoding"), "gzip");
  EXPECT_THAT(Unzip(takes_it.requests().front().body), HasSubstr("\"rule\":\"A rule\""));

  TestHttpServer knows_none([](const TestRequest& request) {
    return Answer(request.body.starts_with("{") ? 200 : 400);  // as falcosidekick
  });
  options.url = knows_none.url();
  std::vector<std::string> told;
  const auto channel = Open(options, [&](const std::string& line) { told.push_back(line); });
  const Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 2);
  EXPECT_EQ(delivery.refused, 0);
  EXPECT_THAT(knows_none.requests(), SizeIs(3)) << "it is asked once";
  EXPECT_THAT(told, ElementsAre(HasSubstr("takes no gzip")));
}

TEST(HttpChannel, AnswersAreEchoedPrintable) {
  TestHttpServer server(Always(Answer(200, "thanks\x1b[2J\n")));
  HttpOptions options = To(server);
  options.echo = true;
  std::vector<std::string> told;
  const TestAlerts alerts({"one"});
  Open(options, [&](const std::string& line) { told.push_back(line); })->Deliver(alerts.batch());
  EXPECT_THAT(told, ElementsAre(HasSubstr("answered 200: thanks\\u001b[2J\\n")));
}

TEST(HttpChannel, OptionsThatCantBeMeantAreErrorsWithoutSecrets) {
  const auto wrong = [](HttpOptions options) {
    const auto channel = MakeHttpChannel(std::move(options), {}, nullptr);
    return channel ? std::string() : channel.error().message;
  };
  EXPECT_THAT(wrong({}), HasSubstr("without an http_output.url"));
  for (const char* url : {"ftp://x/sesame", "http://", "http://a b/sesame", "http://h:99999999/"}) {
    EXPECT_THAT(wrong({.url = url}), HasSubstr("http_output.url is no URL")) << url;
    EXPECT_THAT(wrong({.url = url}), Not(HasSubstr("sesame")));
  }
  for (const char* url : {"foo", "foo/sesame"}) {
    EXPECT_THAT(wrong({.url = url}), HasSubstr("write http://HOST:PORT/PATH")) << url;
    EXPECT_THAT(wrong({.url = url}), Not(HasSubstr("sesame")));
  }
  EXPECT_EQ(wrong({.url = "localhost:2801"}), "") << "http: is what is meant";
  EXPECT_EQ(wrong({.url = "hooks.example.com/x"}), "");
  EXPECT_THAT(wrong({.url = "https://h", .ca_bundle = "/etc/passwd"}),
              HasSubstr("http_output.ca_bundle: /etc/passwd holds no certificate"));
  EXPECT_THAT(wrong({.url = "https://h", .ca_path = "/nope"}),
              HasSubstr("http_output.ca_path: /nope is no folder"));
  EXPECT_EQ(wrong({.url = "https://h", .insecure = true, .ca_path = "/nope"}), "");
  EXPECT_EQ(wrong({.url = "'https://localhost:2801/'"}), "");
  EXPECT_THAT(wrong({.url = "http://h", .headers = {{"A B", "x"}}}), HasSubstr("`A B`"));
  EXPECT_THAT(wrong({.url = "http://h", .headers = {{"A", "x\r\nB: sesame"}}}),
              testing::AllOf(HasSubstr("headers.A"), Not(HasSubstr("sesame"))));
  EXPECT_THAT(wrong({.url = "https://h", .ca_cert = "/no/such"}),
              HasSubstr("cannot read /no/such"));
  EXPECT_THAT(wrong({.url = "https://h", .mtls = true, .client_cert = "/no/such"}),
              HasSubstr("http_output.client_cert"));
}

}  // namespace
}  // namespace gyrfalcon
