#include "cli/runsc_toml.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/file.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = RunscTomlKeeper::Note::Kind;

constexpr const char* kGke = "# as GKE has it\n[runsc_config]\n  platform = \"systrap\"  # why\n";

class RunscTomlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = std::filesystem::temp_directory_path() / "gyrfalcon-toml-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    toml_ = folder_ / "config.toml";
    session_ = folder_ / "pod-init.json";
    Write(toml_, kGke);
    Write(session_, "{}");
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  std::string Read() { return ReadWholeFile(toml_, 1 << 20).value_or(""); }
  std::string Line() { return "pod-init-config = \"" + session_ + "\""; }

  std::filesystem::path folder_;
  std::string toml_, session_;
};

TEST_F(RunscTomlTest, NamesTheSessionConfigOnceAndLeavesTheRest) {
  ASSERT_EQ(::chmod(toml_.c_str(), 0640), 0);
  RunscTomlKeeper keeper({toml_}, session_);
  const auto first = keeper.Look();
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].kind, Kind::kInfo);
  EXPECT_THAT(Read(), HasSubstr(Line()));
  EXPECT_THAT(Read(), HasSubstr("# as GKE has it\n"));
  EXPECT_THAT(Read(), HasSubstr("platform = \"systrap\"  # why\n"));
  struct stat status{};
  ASSERT_EQ(::stat(toml_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_THAT(keeper.Look(), IsEmpty());
  // Another daemon, which finds it done.
  EXPECT_THAT(RunscTomlKeeper({toml_}, session_).Look(), IsEmpty());
}

TEST_F(RunscTomlTest, PutsItBackWhereItWasTakenOut) {
  RunscTomlKeeper keeper({toml_}, session_);
  keeper.Look();
  Write(toml_, kGke);
  const auto notes = keeper.Look();
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_EQ(notes[0].kind, Kind::kWarning);
  EXPECT_THAT(Read(), HasSubstr(Line()));
}

TEST_F(RunscTomlTest, NamesNoSessionConfigThatIsMissing) {
  std::filesystem::remove(session_);
  RunscTomlKeeper keeper({toml_}, session_);
  const auto notes = keeper.Look();
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_EQ(notes[0].kind, Kind::kError);
  EXPECT_THAT(notes[0].text, HasSubstr("is missing"));
  EXPECT_EQ(Read(), kGke);
  EXPECT_THAT(keeper.Look(), IsEmpty()) << "told once";
  Write(session_, "{}");
  EXPECT_THAT(keeper.Look(), SizeIs(1));
  EXPECT_THAT(Read(), HasSubstr(Line()));
}

TEST_F(RunscTomlTest, SomebodyElsesIsLeftAloneAndTold) {
  const std::string others = "[runsc_config]\npod-init-config = \"/run/falco/session.json\"\n";
  Write(toml_, others);
  RunscTomlKeeper keeper({toml_}, session_);
  const auto notes = keeper.Look();
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0].text, HasSubstr("/run/falco/session.json"));
  EXPECT_THAT(notes[0].text,
              HasSubstr("install containerd --replace --session-config=" + session_));
  EXPECT_EQ(Read(), others);
  EXPECT_THAT(keeper.Look(), IsEmpty());
}

TEST_F(RunscTomlTest, WhatADaemonBeforeThisOneNamedIsOurs) {
  RunscTomlKeeper({toml_}, session_).Look();
  const std::string moved = folder_ / "moved.json";
  Write(moved, "{}");
  RunscTomlKeeper keeper({toml_}, moved);
  const auto notes = keeper.Look();
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_EQ(notes[0].kind, Kind::kInfo);
  EXPECT_THAT(Read(), HasSubstr("pod-init-config = \"" + moved + "\""));
  EXPECT_THAT(keeper.Look(), IsEmpty());
  // And back, as a rollback does.
  RunscTomlKeeper({toml_}, session_).Look();
  EXPECT_THAT(Read(), HasSubstr(Line()));
}

TEST_F(RunscTomlTest, EachFileIsItsOwn) {
  const std::string broken = folder_ / "broken.toml";
  Write(broken, "[runsc_config\n");
  RunscTomlKeeper keeper({folder_ / "none.toml", broken, toml_}, session_);
  const auto notes = keeper.Look();
  ASSERT_THAT(notes, SizeIs(3));
  EXPECT_THAT(notes[0].text, HasSubstr("none.toml"));
  EXPECT_THAT(notes[1].text, HasSubstr(broken + ":"));
  EXPECT_EQ(notes[2].kind, Kind::kInfo);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none.toml"));
  EXPECT_EQ(ReadWholeFile(broken, 100).value_or(""), "[runsc_config\n");
}

}  // namespace
}  // namespace gyrfalcon
