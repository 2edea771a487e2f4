#include "cli/daemon_config.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// metadata.pods.*
class PodWatchConfig : public ::testing::Test {
 protected:
  void SetUp() override { ForgetPod(); }
  void TearDown() override { ForgetPod(); }
  static void ForgetPod() {
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    ::unsetenv("KUBERNETES_SERVICE_PORT");
  }
  static void BePod(const char* host) {
    ::setenv("KUBERNETES_SERVICE_HOST", host, 1);
    ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  }
  Result<LoadedConfig> Read(std::vector<std::string> settings) {
    DaemonFlags flags;
    flags.rules.config_file = folder_ / "empty.yaml";
    folder_.Write("empty.yaml", "log_level: info\n");
    settings.emplace_back("metadata.pods.watch=true");
    flags.rules.settings = std::move(settings);
    return ReadDaemonConfig(flags);
  }
  std::string Trouble(std::vector<std::string> settings) {
    const auto read = Read(std::move(settings));
    return read ? "none" : read.error().message;
  }

  const TestFolder folder_;
};

TEST_F(PodWatchConfig, InAPodItIsToldWhereTheServerIs) {
  BePod("10.0.0.1");
  auto read = Read({"metadata.pods.node=node-1"});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->config.pods_server.url, "https://10.0.0.1:443");
  EXPECT_EQ(read->config.pods_server.token_file,
            "/var/run/secrets/kubernetes.io/serviceaccount/token");
  EXPECT_EQ(read->config.pods_server.ca_file,
            "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
  BePod("fd00::1");
  read = Read({"metadata.pods.node=node-1"});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->config.pods_server.url, "https://[fd00::1]:443");
}

TEST_F(PodWatchConfig, WhatTheConfigNamesGoesBefore) {
  BePod("10.0.0.1");
  const auto read =
      Read({"metadata.pods.node=node-1", "metadata.pods.server=https://api.example:6443/"});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->config.pods_server.url, "https://api.example:6443");
}

TEST_F(PodWatchConfig, WithoutNodeOrServerOrTlsItIsRefused) {
  EXPECT_THAT(Trouble({}), HasSubstr("metadata.pods.node"));
  EXPECT_THAT(Trouble({"metadata.pods.node=node-1"}), HasSubstr("metadata.pods.server"));
  for (const char* server : {"http://10.0.0.1:80", "https://", "https://user:secret@10.0.0.1:443",
                             "https://10.0.0.1:443/path", "https://10.0.0.1:443?x", "nonsense"}) {
    const std::string trouble =
        Trouble({"metadata.pods.node=node-1", std::string("metadata.pods.server=") + server});
    EXPECT_THAT(trouble, HasSubstr("must be https://HOST:PORT")) << server;
    EXPECT_THAT(trouble, Not(HasSubstr("secret@"))) << server;
  }
}

}  // namespace
}  // namespace gyrfalcon
