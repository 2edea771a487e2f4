#include "cli/docker_daemon.h"

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

std::string CommandLine(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += word + '\0';
  return line;
}

TEST(DockerDaemonTest, WithoutFlagsItIsTheDefault) {
  const DockerDaemon daemon = ReadDockerDaemon(CommandLine({"dockerd", "-H", "fd://"}));
  EXPECT_EQ(daemon.config_file, kDockerConfigFile);
  EXPECT_EQ(daemon.exec_root, "/run/docker");
}

TEST(DockerDaemonTest, WhereItsConfigAndItsStateLieIsAsItWasStarted) {
  const DockerDaemon daemon =
      ReadDockerDaemon(CommandLine({"dockerd", "--config-file", "/a.json", "--exec-root=/exec"}));
  EXPECT_EQ(daemon.config_file, "/a.json");
  EXPECT_EQ(daemon.exec_root, "/exec");
}

TEST(DockerDaemonTest, AFlagsValueIsNoFlag) {
  const DockerDaemon daemon =
      ReadDockerDaemon(CommandLine({"dockerd", "--label", "config-file=/a.json"}));
  EXPECT_EQ(daemon.config_file, kDockerConfigFile);
}

TEST(DockerDaemonTest, WhereItsStateLiesMayStandInItsConfig) {
  const TestFolder folder;
  folder.Write("d.json", R"({"exec-root": "/of/config"})");
  const std::string flag = "--config-file=" + (folder / "d.json");
  EXPECT_EQ(ReadDockerDaemon(CommandLine({"dockerd", flag})).exec_root, "/of/config");
  folder.Write("d.json", R"({"exec-root": 1})");
  EXPECT_EQ(ReadDockerDaemon(CommandLine({"dockerd", flag})).exec_root, "/run/docker");
}

}  // namespace
}  // namespace gyrfalcon
