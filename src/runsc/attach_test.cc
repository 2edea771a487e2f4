// With a runsc that is a script: it keeps a session in a file and says what real ones say.
#include "runsc/attach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

constexpr const char* kRunsc = R"sh(
echo "$*" >>calls
case "$2 $3" in
"trace list")
  if [ -s session ]; then
    printf 'SESSIONS (1)\n"Default"\n\tSink: "remote", dropped: %s\n' "$(cat session)"
  else
    echo 'SESSIONS (0)'
  fi ;;
"trace create")
  if [ "$4" = --force ]; then rm -f session
  elif [ -s session ]; then
    echo 'creating session: creating trace session: session "Default" already exists' >&2
    exit 128
  fi
  if [ -s refuses ]; then cat refuses >&2; exit 128; fi
  echo 0 >session ;;
"trace delete")
  if [ ! -s session ]; then
    echo 'deleting session: deleting trace session: session "Default" not found' >&2
    exit 128
  fi
  rm session ;;
esac
)sh";

class AttachTest : public ::testing::Test {
 protected:
  void SetUp() override { Script(kRunsc); }
  void Script(const std::string& commands) {
    call_ = {.program = folder_.WriteScript("runsc", commands), .root = "/r", .limits = {}};
  }

  const TestFolder folder_;
  RunscCall call_;
};

TEST(TraceList, TellsWhetherThereIsASessionAndWhatItDropped) {
  const auto none = ParseTraceList("SESSIONS (0)\n");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->exists);
  const auto one =
      ParseTraceList("SESSIONS (1)\n\"Default\"\n\tSink: \"remote\", dropped: 4294967295\n");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->exists);
  EXPECT_EQ(one->dropped, 4'294'967'295u);
  const auto two = ParseTraceList(
      "SESSIONS (1)\n\"Default\"\n\tSink: \"remote\", dropped: 3\n\tSink: \"null\", dropped: 4\n");
  ASSERT_TRUE(two);
  EXPECT_EQ(two->dropped, 7u);
}

TEST(TraceList, WhatHasAnotherFormIsAnError) {
  for (const char* bad : {"", "\n", "SESSIONS", "SESSIONS (", "SESSIONS (x)", "sessions (1)",
                          "SESSIONS (99999999999999999999)", "PROCFS DUMP\n"}) {
    EXPECT_FALSE(ParseTraceList(bad)) << bad;
  }
  const auto odd = ParseTraceList("SESSIONS (1)\n\"Default\"\n\tSink: \"remote\", dropped: many\n");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->dropped, 0u);
}

TEST_F(AttachTest, GivesASandboxItsFirstSession) {
  const auto outcome = Attach(call_, "s", "/etc/session.json", false);
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_FALSE(outcome->replaced);
  EXPECT_FALSE(outcome->dropped_before);
  EXPECT_EQ(folder_.Read("calls"),
            "--root=/r trace list s\n--root=/r trace create --config /etc/session.json s\n");
}

TEST_F(AttachTest, ReadsWhatWasDroppedBeforeForcingSetsItBack) {
  folder_.Write("session", "17");
  Script(std::string("[ $3 = create ] && sleep 0.05\n") + kRunsc);
  const auto outcome = Attach(call_, "s", "/etc/session.json", true);
  ASSERT_TRUE(outcome) << outcome.error().error.message;
  EXPECT_TRUE(outcome->replaced);
  EXPECT_EQ(outcome->dropped_before, 17u);
  EXPECT_GE(outcome->window_ns, 50'000'000);
  EXPECT_EQ(ReadTraceSession(call_, "s")->dropped, 0u);
}

TEST_F(AttachTest, ASessionThatIsThereStaysWithoutForce) {
  folder_.Write("session", "0");
  const auto outcome = Attach(call_, "s", "/etc/session.json", false);
  ASSERT_FALSE(outcome);
  EXPECT_FALSE(outcome.error().session_lost);
  EXPECT_FALSE(outcome.error().config_refused);
  EXPECT_THAT(outcome.error().error.message, HasSubstr("sandbox s below /r: "));
  EXPECT_THAT(outcome.error().error.message, HasSubstr("session \"Default\" already exists; "));
  EXPECT_THAT(outcome.error().error.message, HasSubstr("--update"));
}

TEST_F(AttachTest, SaysWhenARefusedConfigHasCostTheSession) {
  folder_.Write("session", "5");
  folder_.Write("refuses",
                "creating session: creating trace session: point \"sentry/x\" not found\n");
  const auto outcome = Attach(call_, "s", "/etc/session.json", true);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().session_lost);
  EXPECT_TRUE(outcome.error().config_refused);
  EXPECT_THAT(outcome.error().error.message, HasSubstr("point \"sentry/x\" not found"));
  EXPECT_THAT(outcome.error().error.message, HasSubstr("nobody watches it"));
}

TEST_F(AttachTest, NobodyThatListensIsNoFaultOfTheConfig) {
  folder_.Write("refuses", "creating session: creating trace session: bad file descriptor\n");
  const auto outcome = Attach(call_, "s", "/etc/session.json", false);
  ASSERT_FALSE(outcome);
  EXPECT_FALSE(outcome.error().config_refused);
  EXPECT_FALSE(outcome.error().session_lost) << "it had none";
  EXPECT_THAT(outcome.error().error.message, HasSubstr("Start gyrfalcon first"));
}

TEST_F(AttachTest, WordsThatAreNotKnownComeWithTheCommand) {
  Script("echo 'something new' >&2; exit 128");
  const auto outcome = Attach(call_, "s 1", "/etc/session.json", true);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().error.message, HasSubstr("something new; try it by hand: "));
  EXPECT_THAT(outcome.error().error.message,
              HasSubstr("--root=/r trace create --force --config /etc/session.json 's 1'"));
}

TEST_F(AttachTest, EndsASession) {
  folder_.Write("session", "3");
  const auto ended = Detach(call_, "s");
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(ended->dropped, 3u);
  EXPECT_THAT(folder_.Read("calls"), HasSubstr("trace delete --name Default s"));
  const auto again = Detach(call_, "s");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("it is not traced"));
}

TEST_F(AttachTest, AnIdThatIsAFlagIsNone) {
  EXPECT_EQ(ReadTraceSession(call_, "--force").error().fault, Fault::kUsage);
  EXPECT_FALSE(Attach(call_, "", "/etc/session.json", true));
  EXPECT_FALSE(Detach(call_, "-x"));
  EXPECT_EQ(folder_.Read("calls"), "");
}

}  // namespace
}  // namespace gyrfalcon
