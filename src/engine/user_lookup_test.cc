#include "engine/user_lookup.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "engine/pipeline.h"
#include "engine/sandbox_id.h"
#include "engine/test_replay.h"
#include "points/test_message.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using testing::Message;

class UserLookupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(base_ / "root/etc");
    std::ofstream(base_ / "root/etc/passwd") << "inside:x:1000:1000::/home/inside:/bin/zsh\n";
    std::ofstream(base_ / "root/etc/group") << "crew:x:1000:\n";
    place_ = {.state_root = base_.path(), .sandbox_id = "sb", .bundle = ""};
  }
  void WriteState(const std::string& container) const {
    const std::string path = base_ / (container + "_sandbox:sb.state");
    std::ofstream(path) << R"({"spec": {"root": {"path": ")" + base_.path() + R"(/root"}}})";
  }

  const TestFolder base_;
  SandboxPlace place_;
};

TEST_F(UserLookupTest, AnswersWithTheContainersUsers) {
  WriteState("sb");
  std::promise<std::shared_ptr<const UserTable>> answered;
  UserLookup lookup;
  EXPECT_TRUE(lookup.Ask(place_, "sb", [&](auto users) { answered.set_value(std::move(users)); }));
  auto future = answered.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  const auto users = future.get();
  ASSERT_NE(users->FindUser(1000), nullptr);
  EXPECT_EQ(users->FindUser(1000)->name, "inside");
}

TEST_F(UserLookupTest, LooksAgainForWhatRunscHasNotWrittenYet) {
  std::promise<void> answered;
  UserLookup lookup({.tries = 1000, .wait_ms = 5, .waiting_max = 10});
  EXPECT_TRUE(lookup.Ask(place_, "late", [&](const auto&) { answered.set_value(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  WriteState("late");
  EXPECT_EQ(answered.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(UserLookupTest, RefusesMoreQuestionsThanItsLimitAndStopsAtOnce) {
  UserLookup lookup({.tries = 1000, .wait_ms = 60'000, .waiting_max = 2});
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    if (lookup.Ask(place_, "c" + std::to_string(i), [](const auto&) { ADD_FAILURE(); })) ++taken;
  }
  EXPECT_GE(taken, 2);
  EXPECT_LE(taken, 3);  // one may be in the thread's hands
  lookup.Stop();
}

TEST_F(UserLookupTest, AsksNothingOfPlacesThatNobodyKnows) {
  UserLookup lookup({.tries = 1, .wait_ms = 1, .waiting_max = 0});
  EXPECT_TRUE(lookup.Ask({}, "c", [](const auto&) { ADD_FAILURE(); }));
  EXPECT_TRUE(lookup.Ask(place_, "../c", [](const auto&) { ADD_FAILURE(); }));
}

TEST(SandboxPlace, ComesFromTheCommandLineOfRunsc) {
  const struct {
    std::string_view words, root, id, bundle;
  } kCases[] = {
      {"runsc --root=/r create --bundle /b abc", "/r", "abc", "/b"},
      {"runsc --root /r --log x run -bundle=/b abc", "/r", "abc", "/b"},
      {"runsc run --bundle=rel abc", "/var/run/runsc", "abc", ""},
      {"runsc --root=rel run --bundle=/b abc", "", "", ""},
      {"runsc --root=/r trace create --config c abc", "/r", "abc", ""},
      {"runsc --root=/r do true", "", "", ""},
      {"", "", "", ""},
  };
  for (const auto& c : kCases) {
    std::string command_line(c.words);
    std::ranges::replace(command_line, ' ', '\0');
    const SandboxPlace place = SandboxPlaceFromCommandLine(command_line);
    EXPECT_EQ(place.state_root, c.root) << c.words;
    EXPECT_EQ(place.sandbox_id, c.id) << c.words;
    EXPECT_EQ(place.bundle, c.bundle) << c.words;
  }
}

// What a pipeline asks, and what alerts show once it is answered.
class NamesInAlerts : public ::testing::Test, private HostLookups, private AlertSink {
 protected:
  static constexpr char kRules[] = R"(
- rule: open
  desc: x
  condition: evt.type = openat
  output: "%user.name %user.homedir %user.shell %group.name %user.loginname"
  priority: INFO
- rule: setuid
  desc: x
  condition: evt.type in (setuid, setgid)
  output: "%evt.type %evt.arg.uid %evt.rawarg.uid %evt.arg.gid"
  priority: INFO
)";

  NamesInAlerts() {
    auto peer = std::make_shared<Peer>();
    peer->command_line = std::string("runsc\0--root=/r\0create\0--bundle\0/b\0sb", 37);
    Record record;
    record.kind = RecordKind::kOpened;
    record.connection = {7};
    record.peer = std::move(peer);
    pipeline_.Process(record);
  }

  static Message Context(std::string_view container, uint32_t uid) {
    Message credentials;
    if (uid != 0) credentials.Number(2, uid).Number(5, uid);
    return Message().Number(1, 1).Number(2, 5).Text(6, container).Nested(7, credentials);
  }
  std::string Send(MessageType type, const Message& message) {
    const std::string datagram = testing::Datagram(type, message);
    messages_.clear();
    Record record;
    record.connection = {7};
    record.frame = std::as_bytes(std::span(datagram));
    pipeline_.Process(record);
    return messages_.empty() ? "(no alert)" : messages_.back();
  }
  std::string Open(std::string_view container, uint32_t uid) {
    return Send(MessageType::kOpen, Message()
                                        .Nested(1, Context(container, uid))
                                        .Nested(2, Message().Number(1, 3))
                                        .Number(3, 257)
                                        .Text(6, "/x"));
  }
  std::string SetId(int sysno, uint32_t id) {
    return Send(
        MessageType::kSetid,
        Message().Nested(1, Context("sb", 0)).Nested(2, Message()).Number(3, sysno).Number(4, id));
  }
  void Answer(const std::string& container) {
    pipeline_.SetUsers(
        7, container,
        std::make_shared<const UserTable>(UserTable::Parse(
            "admin:x:0:0::/adm:/bin/ash\nweb:x:33:33::/var/www:\n", "wheel:x:0:\nweb:x:33:\n")));
  }

  std::vector<std::string> asked_;

 private:
  bool AskUsers(uint64_t connection, const SandboxPlace& place, const std::string& id) override {
    asked_.push_back(std::to_string(connection) + " " + place.state_root + " " + place.bundle +
                     " " + place.sandbox_id + " " + id);
    return true;
  }
  bool CanAskProcesses(const SandboxPlace& /*place*/) const override { return false; }
  bool AskProcesses(uint64_t /*connection*/, uint64_t /*question*/, const SandboxPlace& /*place*/,
                    std::shared_ptr<const SharedWanted> /*wanted*/) override {
    return false;
  }
  bool OnAlert(Alert alert) override {
    messages_.push_back(alert.message);
    return true;
  }

  std::vector<std::string> messages_;
  Pipeline pipeline_{
      testing::RulesFromText(kRules), {.limits = {}, .arch = Arch::kX86_64}, *this, this};
};

TEST_F(NamesInAlerts, AreTheContainersOwnOnceTheyAreKnown) {
  EXPECT_EQ(Open("sb", 0), "root /root <NA> root <NA>");
  EXPECT_EQ(Open("sb", 33), "33 <NA> <NA> 33 <NA>");
  Answer("sb");
  EXPECT_EQ(Open("sb", 0), "admin /adm /bin/ash wheel <NA>");
  EXPECT_EQ(Open("sb", 33), "web /var/www <NA> web <NA>");
  EXPECT_EQ(Open("sb", 1000), "1000 <NA> <NA> 1000 <NA>");
}

TEST_F(NamesInAlerts, AreAskedOnceForEachContainer) {
  EXPECT_EQ(asked_, std::vector<std::string>{"7 /r /b sb sb"});
  Open("sb", 0);
  EXPECT_EQ(asked_.size(), 1u);
  Open("second", 0);
  Open("second", 0);
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_EQ(asked_[1], "7 /r /b sb second");
}

TEST_F(NamesInAlerts, MayBeKnownBeforeTheFirstMessageAndAreNoOtherContainers) {
  Answer("sb");
  EXPECT_EQ(Open("sb", 33), "web /var/www <NA> web <NA>");
  EXPECT_EQ(Open("second", 33), "33 <NA> <NA> 33 <NA>");
}

TEST_F(NamesInAlerts, StandInArgumentsToo) {
  EXPECT_EQ(SetId(105, 33), "setuid 33 33 <NA>");
  Answer("sb");
  EXPECT_EQ(SetId(105, 33), "setuid web 33 <NA>");
  EXPECT_EQ(SetId(105, 1000), "setuid 1000 1000 <NA>");
  EXPECT_EQ(SetId(106, 33), "setgid <NA> <NA> web");
  EXPECT_EQ(SetId(105, UINT32_MAX), "setuid -1 4294967295 <NA>");
}

}  // namespace
}  // namespace gyrfalcon
