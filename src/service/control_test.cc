#include "service/control.h"

#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unix_socket.h"

namespace gyrfalcon {
namespace {

std::string TestPath() {
  return ::testing::TempDir() + "gyrfalcon-control-" + std::to_string(getpid()) + ".sock";
}

DaemonStatus SomeStatus() {
  DaemonStatus status;
  status.sandboxes = 3;
  status.totals.engine.Add(EngineCounter::kMessages, 7);
  return status;
}

TEST(ControlServer, AnswersWithTheDaemonsCounters) {
  const std::string path = TestPath();
  const auto server = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(server) << server.error().message;
  const auto answer = AskDaemon(path, "/status");
  ASSERT_TRUE(answer) << answer.error().message;
  const auto json = nlohmann::json::parse(*answer);
  EXPECT_EQ(json["sandboxes"], 3);
  EXPECT_EQ(json["counters"]["messages"], 7);
  EXPECT_EQ(AskDaemon(path, "/healthz").value_or(""), "ok\n");
  EXPECT_FALSE(AskDaemon(path, "/nothing"));
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(ControlServer, WhatIsNotWellIsAnErrorInTheDaemonsWords) {
  const std::string path = TestPath();
  const auto server = ControlServer::Start(path, [] {
    DaemonStatus status;
    status.reload.refused = 1;
    status.reload.error = "no such field";
    return status;
  });
  ASSERT_TRUE(server);
  const auto answer = AskDaemon(path, "/readyz");
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("no such field"), std::string::npos)
      << answer.error().message;
}

TEST(ControlServer, WhoMayNotEnterTheFolderIsNotToldToStartAnother) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else";
  const std::string folder = TestPath() + ".folder";
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  const auto server = ControlServer::Start(folder + "/c.sock", SomeStatus);
  ASSERT_TRUE(server);
  constexpr uid_t kNobody = 65'534;
  ASSERT_EQ(seteuid(kNobody), 0);
  const auto answer = AskDaemon(folder + "/c.sock", "/status");
  ASSERT_EQ(seteuid(0), 0);
  ASSERT_FALSE(answer);
  const std::string& text = answer.error().message;
  EXPECT_NE(text.find("Permission denied; a daemon may run there"), std::string::npos) << text;
  EXPECT_EQ(text.find("start one"), std::string::npos) << text;
  std::filesystem::remove_all(folder);
}

TEST(ControlServer, AClientThatSaysNothingIsGivenUp) {
  const std::string path = TestPath();
  const auto server = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(server);
  const int silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = UnixAddress(path).value();
  ASSERT_EQ(connect(silent, Generic(address), sizeof address), 0);
  EXPECT_TRUE(AskDaemon(path, "/healthz")) << "after the silent one's second is over";
  close(silent);
}

TEST(ControlServer, AClientThatDripsBytesGetsOneSecondInAll) {
  const std::string path = TestPath();
  const auto server = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(server);
  const int slow = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = UnixAddress(path).value();
  ASSERT_EQ(connect(slow, Generic(address), sizeof address), 0);
  bool given_up = false;
  for (int i = 0; i < 100 && !given_up; ++i) {
    given_up = send(slow, "G", 1, MSG_NOSIGNAL) < 0;
    usleep(100'000);
  }
  EXPECT_TRUE(given_up);
  close(slow);
}

TEST(ControlServer, IsGoneWithItsSocketAndSaysSo) {
  const std::string path = TestPath();
  {
    ASSERT_TRUE(ControlServer::Start(path, SomeStatus));
  }
  const auto answer = AskDaemon(path, "/status");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().fault, Fault::kEnvironment);
  EXPECT_NE(answer.error().message.find("gyrfalcon run"), std::string::npos);
}

TEST(ControlServer, LeavesTheSocketOfWhoCameAfterIt) {
  const std::string path = TestPath();
  auto before = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(before);
  std::filesystem::remove(path);
  const auto after = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(after);
  before->reset();
  EXPECT_TRUE(AskDaemon(path, "/healthz"));
}

TEST(ControlServer, DoesNotReplaceTheSocketOfAnotherDaemonInTheFolder) {
  const std::string path = TestPath();
  const auto first = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(first);
  const auto second = ControlServer::Start(path, SomeStatus);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in a folder of its own"), std::string::npos);
  EXPECT_TRUE(AskDaemon(path, "/healthz"));
}

TEST(ControlSocketPath, StandsBesideTheDaemonsSocket) {
  EXPECT_EQ(ControlSocketPath("/run/gyrfalcon/gvisor.sock"), "/run/gyrfalcon/control.sock");
  EXPECT_EQ(ControlSocketPath("gvisor.sock"), "control.sock");
}

}  // namespace
}  // namespace gyrfalcon
