#include "cli/attach_session.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "cli/load_rules.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class AttachSessionTest : public ::testing::Test {
 protected:
  void SetUp() override { socket_ = folder_ / "gvisor.sock"; }
  std::string SessionFor(const std::string& socket) {
    SessionOptions options;
    options.socket_path = socket;
    const std::string file = folder_ / "session.json";
    std::ofstream(file) << GenerateSession(options, *rules_);
    return file;
  }

  const TestFolder folder_;
  std::string socket_;
  // Those that are built in.
  std::shared_ptr<const RuleSet> rules_ = LoadRules({}, {})->rules;
  Config config_;
};

TEST_F(AttachSessionTest, TheOperatorsWhereItLeadsHere) {
  config_.session_file = SessionFor(socket_);
  const AttachSession session = MakeAttachSession(config_, socket_, *rules_);
  EXPECT_EQ(session.file, config_.session_file);
  EXPECT_FALSE(session.text);
  EXPECT_EQ(session.trouble, "");
}

TEST_F(AttachSessionTest, OneMadeForTheRulesWhereThereIsNoneOrItLeadsElsewhere) {
  const AttachSession none = MakeAttachSession(config_, socket_, *rules_);
  EXPECT_EQ(none.file, folder_ / "attach.json");
  ASSERT_TRUE(none.text);
  EXPECT_EQ(ParseSessionConfig("x", *none.text)->endpoint, socket_);
  EXPECT_EQ(none.trouble, "");
  config_.session_file = SessionFor("/run/falco/gvisor.sock");
  const AttachSession elsewhere = MakeAttachSession(config_, socket_, *rules_);
  EXPECT_EQ(elsewhere.text, none.text);
  EXPECT_THAT(elsewhere.trouble, HasSubstr("/run/falco/gvisor.sock is not the socket"));
}

TEST_F(AttachSessionTest, NoneWhereAttachingIsOff) {
  config_.attach = false;
  EXPECT_EQ(MakeAttachSession(config_, socket_, *rules_).file, "");
  config_.attach = true;
  config_.runsc_path = "";
  EXPECT_EQ(MakeAttachSession(config_, socket_, *rules_).file, "");
}

TEST(IsProgramThere, ByPathOrInPath) {
  EXPECT_TRUE(IsProgramThere("/bin/sh"));
  EXPECT_TRUE(IsProgramThere("sh"));
  EXPECT_FALSE(IsProgramThere("/bin/no-such-runsc"));
  EXPECT_FALSE(IsProgramThere("no-such-runsc"));
  EXPECT_FALSE(IsProgramThere("/tmp"));
  EXPECT_FALSE(IsProgramThere(""));
}

}  // namespace
}  // namespace gyrfalcon
