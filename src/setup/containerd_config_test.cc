#include "setup/containerd_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

const ContainerdWish kWish{.config_path = "/etc/containerd/runsc.toml", .new_name = "runsc"};

// What is added, and that removing it gives the text back.
std::string Add(const std::string& before, const ContainerdWish& wish = kWish) {
  const auto added = AddToContainerdConfig("f", before, wish);
  EXPECT_TRUE(added) << added.error().message;
  if (!added) return "";
  EXPECT_EQ(*AddToContainerdConfig("f", *added, wish), *added);
  const auto removed = RemoveFromContainerdConfig("f", *added, before, wish);
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(*removed, before);
  return *added;
}

TEST(ContainerdConfig, VersionTwoGetsOptionsBehindTheRuntime) {
  const std::string before = R"(version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
      runtime_type = "io.containerd.runsc.v1" # gVisor
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
)";
  EXPECT_EQ(Add(before), R"(version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
      runtime_type = "io.containerd.runsc.v1" # gVisor
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc.options]
        TypeUrl = "io.containerd.runsc.v1.options"
        ConfigPath = "/etc/containerd/runsc.toml"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
)");
}

TEST(ContainerdConfig, VersionThreeAndOptionsThatAreThere) {
  const std::string before = R"(version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.sandbox]
runtime_type = 'io.containerd.runsc.v1'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.sandbox.options]
# ours
TypeUrl = 'io.containerd.runsc.v1.options'
)";
  EXPECT_EQ(Add(before), R"(version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.sandbox]
runtime_type = 'io.containerd.runsc.v1'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.sandbox.options]
ConfigPath = "/etc/containerd/runsc.toml"
# ours
TypeUrl = 'io.containerd.runsc.v1.options'
)");
}

TEST(ContainerdConfig, AConfigPathThatIsThereIsTaken) {
  const std::string text = R"(version = 2
imports = ["/etc/containerd/conf.d/*.toml"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.gvisor]
  runtime_type = "io.containerd.runsc.v1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.gvisor.options]
    TypeUrl = "io.containerd.runsc.v1.options"
    ConfigPath = "/run/containerd/runsc/config.toml"
)";
  EXPECT_EQ(Add(text), text);
  const auto config = ReadContainerdConfig("f", text);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->version, 2);
  EXPECT_THAT(config->imports, ElementsAre("/etc/containerd/conf.d/*.toml"));
  ASSERT_EQ(config->runtimes.size(), 1u);
  EXPECT_EQ(config->runtimes[0].config_path, "/run/containerd/runsc/config.toml");
}

TEST(ContainerdConfig, ARuntimeIsAddedWhereThereIsNone) {
  EXPECT_EQ(Add(""), R"(version = 2

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
  runtime_type = "io.containerd.runsc.v1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc.options]
    TypeUrl = "io.containerd.runsc.v1.options"
    ConfigPath = "/etc/containerd/runsc.toml"
)");
  EXPECT_THAT(Add("version = 3\nroot = '/x'"),
              testing::HasSubstr("[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes."
                                 "runsc]\n  runtime_type"));
  const std::string none = "version = 2\n";
  EXPECT_EQ(Add(none, {.config_path = "/x"}), none);
}

TEST(ContainerdConfig, DottedAndInlineTables) {
  Add("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes]\nrunsc = { "
      "runtime_type = 'io.containerd.runsc.v1', options = { } }\n");
  Add("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nruntimes.runsc."
      "runtime_type = 'io.containerd.runsc.v1'\nruntimes.runsc.options.Root = '/x'\n");
  // No table of its own can be added to an inline one: said, not broken.
  const auto refused = AddToContainerdConfig(
      "f",
      "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes]\nrunsc = { "
      "runtime_type = 'io.containerd.runsc.v1' }\n",
      kWish);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, StartsWith("f:"));
  EXPECT_THAT(refused.error().message, testing::HasSubstr("by hand"));
}

TEST(ContainerdConfig, ARuntimeOfThatNameThatIsAnothersIsNotTouched) {
  const auto added = AddToContainerdConfig(
      "f",
      "version = "
      "2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runsc]\nruntime_type "
      "= 'io.containerd.runc.v2'\n",
      kWish);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, StartsWith("f:2:"));
  EXPECT_THAT(added.error().message, testing::HasSubstr("--runtime runsc"));
}

TEST(ContainerdConfig, OtherVersionsAreRefused) {
  for (const std::string text :
       {"root = '/x'\n", "version = 1\n", "version = 4\n", "version = 'a'\n"}) {
    const auto added = AddToContainerdConfig("f", text, kWish);
    ASSERT_FALSE(added) << text;
    EXPECT_THAT(added.error().message, StartsWith("f:1:"));
    EXPECT_THAT(added.error().message, testing::HasSubstr("containerd config migrate"));
  }
  // One that is imported has that of its importer.
  EXPECT_TRUE(ReadContainerdConfig("f", "root = '/x'\n", {}, 3));
}

TEST(ContainerdConfig, AnothersEditInBetweenSurvives) {
  const std::string before =
      "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runsc]\n  "
      "runtime_type = \"io.containerd.runsc.v1\"\n";
  const std::string after = Add(before);
  const auto removed = RemoveFromContainerdConfig(
      "f", "# new\n" + after + "[debug]\nlevel = 'info'\n", before, kWish);
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, "# new\n" + before + "[debug]\nlevel = 'info'\n");
}

}  // namespace
}  // namespace gyrfalcon
