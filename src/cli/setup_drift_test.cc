#include "cli/setup_drift.h"

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/file.h"
#include "cli/setup_files.h"
#include "runsc/session.h"
#include "setup/docker_config.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SetupDriftTest : public testing::Test {
 protected:
  SetupDriftTest() {
    std::string name = "/tmp/gyrfalcon-drift.XXXXXX";
    folder_ = mkdtemp(name.data());
    session_ = Path("pod-init.json");
    options_.record_folder = Path("install");
    options_.settle = std::chrono::milliseconds(0);
    fs::create_directories(options_.record_folder);
    options_.on_alert = [this](const Alert& alert) { alerts_.push_back(alert.message); };
    options_.on_warning = [this](const std::string& text) { warnings_.push_back(text); };
    options_.on_note = [this](const std::string& text) { notes_.push_back(text); };
    options_.on_new_session = [this] { ++new_sessions_; };
    options_.remake = [](const SessionRecord&) {
      return Result<NodeSession>(NodeSession{.text = "new", .points = 7, .metadata = {"new"}});
    };
  }
  ~SetupDriftTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  static void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(ReplaceFile(path, text));
  }
  void KeepRecord(const std::string& target, SetupFile kind, const std::string& path,
                  const std::string& after) const {
    UndoRecord record;
    record.session_file = session_;
    record.files.push_back({kind, path, std::nullopt, after});
    Write(options_.record_folder + "/" + target + ".json", WriteUndoRecord(record));
  }

  std::string folder_, session_;
  SetupDriftOptions options_;
  std::vector<std::string> alerts_, warnings_, notes_;
  int new_sessions_ = 0;
};

TEST_F(SetupDriftTest, NothingInstalledIsNothingToSay) {
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_THAT(alerts_, IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(SetupDriftTest, ARuntimeThatLostItIsToldOnceAndAgainWhenItLosesItAgain) {
  const std::string json = Path("daemon.json");
  const std::string after =
      *AddToDockerConfig(json, "", {.session_file = session_, .new_path = "/usr/bin/runsc"});
  KeepRecord("docker", SetupFile::kDocker, json, after);
  Write(json, after);
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_THAT(alerts_, IsEmpty());
  EXPECT_THAT(check.files(), Contains(json));
  // As `runsc install` leaves it.
  Write(json, R"({"runtimes": {"runsc": {"path": "/usr/bin/runsc"}}})");
  check.Look();
  check.Look();
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_THAT(alerts_[0], HasSubstr("gyrfalcon: runtime no longer configured"));
  EXPECT_THAT(alerts_[0], HasSubstr("gyrfalcon_setup_file=" + json));
  EXPECT_THAT(alerts_[0], HasSubstr("gyrfalcon_setup_mend=gyrfalcon install docker"));
  Write(json, after);
  check.Look();
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("again")));
  fs::remove(json);
  check.Look();
  ASSERT_EQ(alerts_.size(), 2u);
  EXPECT_THAT(alerts_[1], HasSubstr("the file is gone"));
  // Undone: nothing is expected any more.
  fs::remove(options_.record_folder + "/docker.json");
  check.Look();
  EXPECT_EQ(alerts_.size(), 2u);
}

TEST_F(SetupDriftTest, WhatAnInstallOrAnUndoHasHalfDoneIsNotTold) {
  options_.settle = std::chrono::hours(1);
  const std::string toml = Path("runsc.toml");
  const std::string after = *AddToRunscConfig(toml, "", session_, false);
  KeepRecord("containerd", SetupFile::kRunsc, toml, after);
  SetupDriftCheck check(options_);
  check.Look();  // the record is there, the file not yet
  ASSERT_TRUE(check.next());
  EXPECT_GT(*check.next(), std::chrono::minutes(59));
  Write(toml, after);
  check.Look();
  EXPECT_FALSE(check.next());
  fs::remove(toml);
  check.Look();
  check.Look();
  fs::remove(options_.record_folder + "/containerd.json");
  check.Look();
  EXPECT_THAT(alerts_, IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(SetupDriftTest, WhatWasToldAndIsUndoneThenIsNotAsItWasAgain) {
  const std::string toml = Path("runsc.toml");
  KeepRecord("containerd", SetupFile::kRunsc, toml, *AddToRunscConfig(toml, "", session_, false));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_EQ(alerts_.size(), 1u);
  fs::remove(options_.record_folder + "/containerd.json");
  check.Look();
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(SetupDriftTest, RunscsTomlAndOneThatIsBroken) {
  const std::string toml = Path("runsc.toml");
  const std::string after = *AddToRunscConfig(toml, "", session_, false);
  KeepRecord("containerd", SetupFile::kRunsc, toml, after);
  Write(toml, "[runsc_config\n");
  SetupDriftCheck check(options_);
  check.Look();
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_THAT(alerts_[0], HasSubstr("not TOML"));
  EXPECT_THAT(alerts_[0], HasSubstr("gyrfalcon_setup_mend=gyrfalcon install containerd"));
}

TEST_F(SetupDriftTest, SwitchedOffItIsAWarningOnly) {
  options_.builtins.Enable(Builtin::kRuntimeUnconfigured, false);
  const std::string toml = Path("runsc.toml");
  KeepRecord("containerd", SetupFile::kRunsc, toml, *AddToRunscConfig(toml, "", session_, false));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_THAT(alerts_, IsEmpty());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("the file is gone")));
}

TEST_F(SetupDriftTest, ASessionConfigThatIsGoneIsWrittenAgain) {
  ASSERT_TRUE(KeepSessionRecord(options_.record_folder, {session_, "text", "standard", {}, {}}));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_EQ(*ReadWholeFile(session_, 100), "text");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("is written again")));
  // One that somebody changed is not ours to touch.
  Write(session_, "theirs");
  check.Look();
  EXPECT_EQ(*ReadWholeFile(session_, 100), "theirs");
}

TEST_F(SetupDriftTest, ASessionConfigThatLeadsElsewhereIsTold) {
  const auto made_for = [](const std::string& socket) {
    SessionOptions options;
    options.socket_path = socket;
    return GenerateFullSession(options);
  };
  const std::string ours = made_for("/run/gyrfalcon/gvisor.sock");
  options_.socket_path = "/run/gyrfalcon/gvisor.sock";
  Write(session_, ours);
  ASSERT_TRUE(KeepSessionRecord(options_.record_folder, {session_, ours, "standard", {}, {}}));
  KeepRecord("docker", SetupFile::kOwn, Path("unit"), "");
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_THAT(check.files(), Contains(session_));
  EXPECT_THAT(warnings_, IsEmpty());
  Write(session_, made_for("/run/falco/gvisor.sock"));
  check.Look();
  check.Look();
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("it sends to /run/falco/gvisor.sock")));
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_THAT(alerts_[0], HasSubstr("gyrfalcon: runtime no longer configured"));
  EXPECT_THAT(alerts_[0], HasSubstr("gyrfalcon install docker --session-config=" + session_));
  Write(session_, ours);
  check.Look();
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("leads to gyrfalcon again")));
  Write(session_, EmptySession());  // an undo's
  check.Look();
  EXPECT_EQ(alerts_.size(), 1u);
  Write(session_, "{ oops");
  check.Look();
  EXPECT_EQ(alerts_.size(), 2u);
}

TEST_F(SetupDriftTest, TheSessionConfigThatTheDaemonWasGivenIsLookedAtToo) {
  SessionOptions ours, other;
  ours.socket_path = options_.socket_path = "/run/gyrfalcon/gvisor.sock";
  other.socket_path = "/run/falco/gvisor.sock";
  options_.session_file = session_;
  Write(session_, GenerateFullSession(other));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_THAT(alerts_, IsEmpty()) << "it never led here";
  Write(session_, GenerateFullSession(ours));
  check.Look();
  Write(session_, GenerateFullSession(other));
  check.Look();
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_THAT(alerts_[0], HasSubstr("session generate --socket /run/gyrfalcon/gvisor.sock"));
}

TEST_F(SetupDriftTest, WhereAPolicyKeepsTheSessionItIsLeftAlone) {
  options_.remake = {};
  ASSERT_TRUE(KeepSessionRecord(options_.record_folder, {session_, "text", "standard", {}, {}}));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_FALSE(fs::exists(session_));
}

// A program that answers as a runsc that knows the points of `name`, those that are built in.
std::string Runsc(const std::string& path, const std::string& text) {
  std::string script = "#!/bin/sh\ncat <<'END'\n" + text + "END\n";
  EXPECT_TRUE(ReplaceFile(path, script));
  chmod(path.c_str(), 0755);
  return path;
}
constexpr const char* kOne =
    "POINTS (1)\nName: container/start, optional fields: [env], context fields: [time]\n\nSINKS "
    "(0)\n";
constexpr const char* kOther =
    "POINTS (1)\nName: sentry/clone, optional fields: [], context fields: [time]\n\nSINKS (0)\n";

TEST_F(SetupDriftTest, AnotherRunscGetsASessionConfigOfItsOwn) {
  const std::string runsc = Runsc(Path("runsc"), kOne);
  const auto metadata = AskMetadata(runsc);
  ASSERT_TRUE(metadata) << metadata.error().message;
  Write(session_, "old");
  ASSERT_TRUE(KeepSessionRecord(options_.record_folder,
                                {session_, "old", "standard", {runsc}, {*metadata}}));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_THAT(warnings_, IsEmpty());
  Runsc(runsc, kOther);
  check.Look();
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("is another one"), HasSubstr("was made anew")));
  EXPECT_EQ(*ReadWholeFile(session_, 100), "new");
  EXPECT_EQ(new_sessions_, 1);
  const auto record = ReadSessionRecord(options_.record_folder);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->text, "new");
  check.Look();
  EXPECT_EQ(warnings_.size(), 2u);
}

TEST_F(SetupDriftTest, ASessionConfigThatSomebodyChangedStaysAlsoForAnotherRunsc) {
  const std::string runsc = Runsc(Path("runsc"), kOne);
  Write(session_, "theirs");
  ASSERT_TRUE(KeepSessionRecord(options_.record_folder,
                                {session_, "old", "standard", {runsc}, {"of another"}}));
  SetupDriftCheck check(options_);
  check.Look();
  EXPECT_EQ(*ReadWholeFile(session_, 100), "theirs");
  EXPECT_THAT(warnings_, Contains(HasSubstr("and stays")));
  EXPECT_EQ(new_sessions_, 0);
  SetupDriftCheck next(options_);  // the next start of the daemon
  next.Look();
  EXPECT_EQ(warnings_.size(), 2u);
}

TEST_F(SetupDriftTest, TheThreadSeesAChangeAndTellsItOnceItHasSettled) {
  const std::string json = Path("daemon.json");
  const std::string after =
      *AddToDockerConfig(json, "", {.session_file = session_, .new_path = "/usr/bin/runsc"});
  KeepRecord("docker", SetupFile::kDocker, json, after);
  Write(json, after);
  std::mutex mutex;
  std::condition_variable told;
  int count = 0;
  options_.on_alert = [&](const Alert&) {
    const std::scoped_lock lock(mutex);
    ++count;
    told.notify_all();
  };
  options_.interval = std::chrono::minutes(10);
  options_.settle = std::chrono::milliseconds(300);
  const SetupDrift drift(options_);
  Write(json, "{}");
  std::unique_lock lock(mutex);
  EXPECT_TRUE(told.wait_for(lock, std::chrono::seconds(30), [&] { return count == 1; }));
}

}  // namespace
}  // namespace gyrfalcon
