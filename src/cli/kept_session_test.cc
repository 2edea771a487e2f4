#include "cli/kept_session.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KeptSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    policy_ = folder_ / "policy.toml";
    session_ = folder_ / "pod-init.json";
    auto loaded = LoadRules({}, {});
    ASSERT_TRUE(loaded);
    rules_ = loaded->rules;
  }
  void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  std::string Read(const std::string& path) { return ReadWholeFile(path, 1 << 20).value_or(""); }
  Result<KeptSession> Make(std::optional<OnFailure> on_failure = {}) {
    return MakeKeptSession({.policy_file = policy_,
                            .session_file = session_,
                            .socket_path = "/s/g.sock",
                            .on_failure = on_failure},
                           *rules_);
  }

  const TestFolder folder_;
  std::string policy_, session_;
  std::shared_ptr<const RuleSet> rules_;
};

TEST_F(KeptSessionTest, AsksForWhatTheRulesNeedOfWhatThePolicyNames) {
  Write(policy_, "syscall_allowlist = [\"execve\", \"openat\"]\n");
  const auto kept = Make();
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_THAT(kept->text, HasSubstr("\"syscall/openat/exit\""));
  EXPECT_THAT(kept->text, HasSubstr("\"container/start\"")) << "the state needs it";
  EXPECT_THAT(kept->text, Not(HasSubstr("\"syscall/connect/exit\"")));
  EXPECT_THAT(kept->text, HasSubstr("\"/s/g.sock\""));
  EXPECT_GT(kept->points, 2u);
}

TEST_F(KeptSessionTest, ABrokenPolicyIsToldWithItsPlace) {
  Write(policy_, "syscall_allowlist = [\n  \"execve\",\n  17,\n]\n");
  const auto kept = Make();
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().message, HasSubstr(policy_ + ":3:3: "));
  EXPECT_EQ(kept.error().fault, Fault::kInput);
  std::filesystem::remove(policy_);
  EXPECT_THAT(Make().error().message, HasSubstr(policy_));
}

TEST_F(KeptSessionTest, IsWrittenOnlyWhereItDiffersAndKeepsWhatWasThereOnce) {
  Write(policy_, "syscall_allowlist = [\"execve\"]\n");
  const auto kept = Make();
  ASSERT_TRUE(kept);
  EXPECT_EQ(WriteKeptSession(session_, *kept), true);
  EXPECT_EQ(Read(session_), kept->text);
  EXPECT_FALSE(std::filesystem::exists(session_ + ".bak")) << "there was nothing to keep";
  EXPECT_EQ(WriteKeptSession(session_, *kept), false);
  for (const char* text : {"by hand", "once more"}) {
    Write(session_, text);
    EXPECT_EQ(WriteKeptSession(session_, *kept), true);
    EXPECT_EQ(Read(session_ + ".bak"), "by hand");
  }
}

TEST_F(KeptSessionTest, IsWrittenAgainOnlyWhereItIsGone) {
  EXPECT_EQ(RestoreKeptSession(session_, "kept"), true);
  EXPECT_EQ(Read(session_), "kept");
  EXPECT_EQ(RestoreKeptSession(session_, "kept"), false);
  Write(session_, "by hand");
  EXPECT_EQ(RestoreKeptSession(session_, "kept"), false);
  EXPECT_EQ(Read(session_), "by hand");
  EXPECT_FALSE(RestoreKeptSession(folder_ / "none/pod-init.json", "kept"));
}

// `refused`: of the config, which this runsc does not take.
std::string RunscThatRefuses(const TestFolder& folder, const std::string& refused) {
  return folder.WriteScript("runsc", R"sh(case $* in
  "trace metadata")
    echo 'POINTS (2)'
    echo 'Name: container/start, optional fields: [env], context fields: [time|container_id]'
    echo 'Name: syscall/execve/enter, optional fields: [envv], context fields: [time]'
    exit 0 ;;
  *"trace create"*) ;;
  *) exit 1 ;;
esac
for word; do case $word in --config=*) config=${word#*=} ;; esac; done
if grep -q ')sh" + refused + R"sh(' "$config"; then
  echo 'json: unknown field ")sh" + refused +
                                         R"sh("' >&2
else
  echo 'loading sandbox: no such sandbox' >&2
fi
exit 128
)sh");
}

TEST_F(KeptSessionTest, IsMadeWithoutWhatAnOldRunscRefuses) {
  Write(policy_, "syscall_allowlist = [\"execve\", \"openat\"]\n");
  const auto kept = Make();
  ASSERT_TRUE(kept);
  EXPECT_THAT(kept->text, HasSubstr("ignore_missing"));
  const auto fitted = FitToRunsc(*kept, RunscThatRefuses(folder_, "ignore_missing"));
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_THAT(fitted->text, Not(HasSubstr("ignore_missing")));
  EXPECT_THAT(fitted->text, HasSubstr("container/start"));
  EXPECT_THAT(fitted->text, Not(HasSubstr("syscall/openat"))) << "it does not know that";
  EXPECT_LT(fitted->points, kept->points);
  const auto taken = FitToRunsc(*kept, RunscThatRefuses(folder_, "nothing of this"));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->text, kept->text);
}

TEST_F(KeptSessionTest, WhatRunscRefusesIsNoneAndWhoCantBeAskedIsTold) {
  Write(policy_, "syscall_allowlist = [\"execve\"]\n");
  const auto kept = Make();
  ASSERT_TRUE(kept);
  const auto refused = FitToRunsc(*kept, RunscThatRefuses(folder_, "trace_session"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("unknown field"));
  for (const std::string& runsc : {folder_ / "none", folder_.WriteScript("broken", "exit 1\n")}) {
    const auto unknown = FitToRunsc(*kept, runsc);
    ASSERT_TRUE(unknown);
    EXPECT_EQ(unknown->text, kept->text);
    EXPECT_EQ(unknown->warnings.size(), runsc.ends_with("broken") ? 1u : 0u);
  }
}

TEST_F(KeptSessionTest, WhatHappensWhenNobodyAnswersStaysAsItWas) {
  Write(policy_, "syscall_allowlist = [\"execve\"]\n");
  EXPECT_THAT(Make()->text, HasSubstr("\"ignore_setup_error\": true"));
  Write(session_,
        GenerateSession({.socket_path = "/old", .on_failure = OnFailure::kClosed}, *rules_));
  EXPECT_THAT(Make()->text, HasSubstr("\"ignore_setup_error\": false"));
}

TEST_F(KeptSessionTest, AFileIsReplacedBehindALinkAndKeepsItsMode) {
  const std::string target = folder_ / "target";
  Write(target, "old");
  std::filesystem::permissions(target, std::filesystem::perms::owner_read);
  std::filesystem::create_symlink(target, session_);
  ASSERT_TRUE(ReplaceFile(session_, "new"));
  EXPECT_TRUE(std::filesystem::is_symlink(session_));
  EXPECT_EQ(Read(target), "new");
  EXPECT_EQ(std::filesystem::status(target).permissions(), std::filesystem::perms::owner_read);
  const auto nowhere = ReplaceFile(folder_ / "none/x", "new");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message, HasSubstr("its folder must be there"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2)
      << "nothing is left over";
}

TEST_F(KeptSessionTest, WithoutAPolicyItIsWhatTheRulesNeed) {
  Config config;
  EXPECT_FALSE(KeptSessionWishOf(config, "/s/g.sock"));
  config.runsc_toml = {"/etc/containerd/runsc.toml"};
  config.session_file = session_;
  config.session_profile = "lean";
  auto wish = KeptSessionWishOf(config, "/s/g.sock");
  ASSERT_TRUE(wish);
  const auto kept = MakeKeptSession(*wish, *rules_);
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(
      kept->text,
      GenerateSession({.socket_path = "/s/g.sock", .profile = SessionProfile::kLean}, *rules_));
  // What the config says of it goes before what the file has.
  config.on_failure = "closed";
  wish = KeptSessionWishOf(config, "/s/g.sock");
  ASSERT_EQ(WriteKeptSession(session_, *kept), true);
  const auto closed = ParseSessionConfig(session_, MakeKeptSession(*wish, *rules_)->text);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->on_failure, OnFailure::kClosed);
}

}  // namespace
}  // namespace gyrfalcon
