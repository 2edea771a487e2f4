#include "engine/metadata_lookup.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using testing::Message;

constexpr const char* kSpec = R"({"annotations": {"io.kubernetes.cri.container-name": "web",
    "io.kubernetes.cri.image-name": "nginx:1", "io.kubernetes.cri.sandbox-id": "sb"}})";

// Answers as they come.
class Answers {
 public:
  MetadataLookup::Answer Taker() {
    return [this](const ContainerAnswer& answer) {
      const std::scoped_lock lock(mutex_);
      answers_.push_back(answer);
      came_.notify_all();
    };
  }
  std::vector<ContainerAnswer> Wait(size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, std::chrono::seconds(20), [&] { return answers_.size() >= count; });
    return answers_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<ContainerAnswer> answers_;
};

class MetadataLookupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gyrfalcon-metadata.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    place_ = {.state_root = base_, .sandbox_id = "sb", .bundle = ""};
    options_.docker_socket = "";
    options_.usual_roots = false;
  }
  void TearDown() override { fs::remove_all(base_); }
  void WriteState(const std::string& container, const std::string& spec = kSpec) const {
    std::ofstream(base_ + "/" + container + "_sandbox:sb.state") << R"({"spec": )" << spec << "}";
  }

  std::string base_;
  SandboxPlace place_;
  MetadataOptions options_;
  Answers answers_;
};

TEST_F(MetadataLookupTest, AnswersWithWhatTheStateFileTells) {
  WriteState("c1");
  MetadataLookup lookup(options_);
  EXPECT_TRUE(lookup.Ask(place_, "c1", answers_.Taker()));
  const auto answers = answers_.Wait(1);
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_NE(answers[0].info, nullptr);
  EXPECT_TRUE(answers[0].is_final);
  EXPECT_EQ(answers[0].info->name, "web");
}

TEST_F(MetadataLookupTest, LooksAgainForWhatRunscHasNotWrittenYet) {
  options_.files = {.tries = 1000, .wait_ms = 5, .waiting_max = 10};
  MetadataLookup lookup(options_);
  EXPECT_TRUE(lookup.Ask(place_, "c1", answers_.Taker()));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  WriteState("c1");
  EXPECT_NE(answers_.Wait(1).at(0).info, nullptr);
}

TEST_F(MetadataLookupTest, SaysSoWhenNothingIsFound) {
  options_.files = {.tries = 3, .wait_ms = 1, .waiting_max = 10};
  MetadataLookup lookup(options_);
  EXPECT_TRUE(lookup.Ask(place_, "c1", answers_.Taker()));
  const auto answers = answers_.Wait(1);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].info, nullptr);
  EXPECT_TRUE(answers[0].is_final);
}

TEST_F(MetadataLookupTest, WhatIsNoIdIsRefused) {
  MetadataLookup lookup(options_);
  for (const char* id : {"../c1", "", ".", "a/b", "a\nb"}) {
    EXPECT_FALSE(lookup.Ask(place_, id, answers_.Taker())) << id;
  }
}

// runsc's command line is not to be seen across PID namespaces: its state, by the container's id.
TEST_F(MetadataLookupTest, WithoutAPlaceTheKnownRootsAreLookedThrough) {
  std::ofstream(base_ + "/c1_sandbox:c1.state") << R"({"spec": )" << kSpec << "}";
  WriteState("c2");
  options_.roots = {base_};
  MetadataLookup lookup(options_);
  EXPECT_TRUE(lookup.Ask({}, "c1", answers_.Taker()));
  ASSERT_NE(answers_.Wait(1).at(0).info, nullptr);
  EXPECT_TRUE(lookup.Ask({}, "c2", answers_.Taker()));
  EXPECT_EQ(answers_.Wait(2).at(1).info, nullptr) << "another sandbox's container";
}

TEST_F(MetadataLookupTest, DockersFilesAreFoundByTheMountsOfTheSpec) {
  const std::string folder = base_ + "/containers/sb";
  fs::create_directories(folder);
  std::ofstream(folder + "/config.v2.json")
      << R"({"ID": "sb", "Name": "/web", "Config": {"Image": "busybox"}})";
  WriteState("sb",
             R"({"mounts": [{"destination": "/etc/hosts", "source": ")" + folder + R"(/hosts"}]})");
  MetadataLookup lookup(options_);
  EXPECT_TRUE(lookup.Ask(place_, "sb", answers_.Taker()));
  const auto answers = answers_.Wait(1);
  ASSERT_NE(answers.at(0).info, nullptr);
  EXPECT_EQ(answers[0].info->type, "docker");
  EXPECT_EQ(answers[0].info->image_name.repository, "busybox");
}

// What a pipeline waits for, and what its rules see of a container.
class Held : public ::testing::Test, protected HostLookups, protected AlertSink {
 protected:
  static constexpr char kRules[] = R"(
- rule: open
  desc: x
  condition: evt.type = openat
  output: "%fd.name %container.name %container.image.repository:%container.image.tag %k8s.pod.name"
  priority: INFO
- rule: image
  desc: x
  condition: evt.type = execve and container.image.repository = nginx
  output: "nginx runs %proc.name"
  priority: INFO
)";
  static constexpr int64_t kMs = 1'000'000;
  virtual const char* Rules() const { return kRules; }

  void SetUp() override { OpenConnection(7, "sb"); }

  void OpenConnection(uint64_t connection, const std::string& sandbox,
                      const char* verb = "create") {
    auto peer = std::make_shared<Peer>();
    const std::string words[] = {"runsc", "--root=/r", verb, "--x=y", sandbox};
    for (const std::string& word : words) peer->command_line += word + '\0';
    Record record;
    record.kind = RecordKind::kOpened;
    record.peer = std::move(peer);
    Process(connection, std::move(record));
  }
  void CloseConnection(uint64_t connection = 7) {
    Record record;
    record.kind = RecordKind::kClosed;
    Process(connection, std::move(record));
  }
  void Send(MessageType type, const Message& message, uint64_t connection = 7) {
    std::string datagram{'\x08', '\0', static_cast<char>(type), '\0', '\0', '\0', '\0', '\0'};
    datagram += message.bytes();
    Record record;
    record.frame = std::as_bytes(std::span(datagram));
    Process(connection, std::move(record));
  }
  void Open(const std::string& path, std::string_view container = "sb", uint64_t connection = 7) {
    Send(MessageType::kOpen,
         Message()
             .Nested(1, Message().Number(1, 1).Number(2, 5).Number(4, 5).Text(6, container))
             .Nested(2, Message().Number(1, 3))
             .Number(3, 257)
             .Text(6, path),
         connection);
  }
  void Exec(const std::string& path, std::string_view container = "sb", uint64_t connection = 7) {
    Send(MessageType::kSentryExec,
         Message()
             .Nested(1, Message().Number(1, 1).Number(2, 5).Number(4, 5).Text(6, container))
             .Text(2, path)
             .Text(3, path),
         connection);
  }
  static ContainerAnswer Web(bool is_final = true) {
    ContainerInfo info;
    info.name = "web";
    info.pod_name = "web-7d4";
    info.pod_uid = "u1";
    info.pod_labels = {{"owner", "pool"}};  // as the container runtime says
    info.SetImage("nginx:1");
    return {.info = std::make_shared<const ContainerInfo>(std::move(info)), .is_final = is_final};
  }
  uint64_t Count(EngineCounter counter) { return pipeline().totals().engine[counter]; }
  void Wait(int64_t ms) {
    now_ns_ += ms * kMs;
    pipeline().TellDue(now_ns_);
  }

  Pipeline& pipeline() {
    if (!pipeline_) {
      options_.containers = &containers_;
      AlertSink& alerts = *this;
      HostLookups* lookups = this;
      pipeline_ =
          std::make_unique<Pipeline>(testing::RulesFromText(Rules()), options_, alerts, lookups);
    }
    return *pipeline_;
  }

  std::vector<std::string> asked_;
  std::vector<std::string> told_;
  std::vector<uint64_t> ended_;
  PipelineOptions options_{.limits = {}, .arch = Arch::kX86_64};

 private:
  void Process(uint64_t connection, Record record) {
    record.connection = ConnectionId{connection};
    record.receive_time_ns = now_ns_ += 1'000;
    pipeline().Process(record);
  }
  bool AskUsers(uint64_t /*connection*/, const SandboxPlace& /*place*/,
                const std::string& /*id*/) override {
    return true;
  }
  bool AskContainer(uint64_t connection, const SandboxPlace& place,
                    const std::string& id) override {
    asked_.push_back(std::to_string(connection) + " " + place.sandbox_id + " " + id);
    return true;
  }
  void OnSessionEnd(uint64_t connection) override { ended_.push_back(connection); }
  bool CanAskProcesses(const SandboxPlace& /*place*/) const override { return false; }
  bool AskProcesses(uint64_t /*connection*/, uint64_t /*question*/, const SandboxPlace& /*place*/,
                    std::shared_ptr<const SharedWanted> /*wanted*/) override {
    return false;
  }
  bool OnAlert(Alert alert) override {
    told_.push_back(alert.message);
    return true;
  }

  int64_t now_ns_ = 1'700'000'000'000'000'000;
  ContainerRegistry containers_;
  std::unique_ptr<Pipeline> pipeline_;
};

using Texts = std::vector<std::string>;

TEST_F(Held, MessagesWaitForTheAnswerAndAreTakenUpInOrder) {
  EXPECT_EQ(asked_, Texts{"7 sb sb"}) << "asked at connect";
  Exec("/bin/x");
  Open("/a");
  Open("/b");
  EXPECT_EQ(told_, Texts{});
  pipeline().SetContainer(7, "sb", Web());
  EXPECT_EQ(told_, (Texts{"nginx runs x", "/a web nginx:1 web-7d4", "/b web nginx:1 web-7d4"}));
  Open("/c");
  EXPECT_EQ(told_.back(), "/c web nginx:1 web-7d4");
  EXPECT_EQ(Count(EngineCounter::kMessagesHeld), 3u);
  EXPECT_EQ(Count(EngineCounter::kMessages), 4u) << "each is counted once";
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(Held, NothingWaitsWhereTheAnswerCameFirst) {
  pipeline().SetContainer(7, "sb", Web());
  Exec("/bin/x");
  EXPECT_EQ(told_, Texts{"nginx runs x"});
  EXPECT_EQ(Count(EngineCounter::kMessagesHeld), 0u);
}

TEST_F(Held, AfterTheWaitTheyAreTakenUpWithoutAnAnswer) {
  Open("/a");
  Wait(299);
  EXPECT_EQ(told_, Texts{});
  Wait(2);
  EXPECT_EQ(told_, Texts{"/a <NA> <NA>:<NA> <NA>"});
  EXPECT_EQ(Count(EngineCounter::kMetadataWaitsEnded), 1u);
  Open("/b");
  EXPECT_EQ(told_.size(), 2u) << "a container is waited for once";
}

// The process that asked before the answer came: what was remembered of it is out of date.
TEST_F(Held, WhatComesLateIsSeenByProcessesThatWereThere) {
  Exec("/bin/x");
  Wait(301);
  EXPECT_EQ(told_, Texts{});
  Exec("/bin/x");
  EXPECT_EQ(told_, Texts{});
  pipeline().SetContainer(7, "sb", Web());
  Exec("/bin/x");
  EXPECT_EQ(told_, Texts{"nginx runs x"});
}

TEST_F(Held, APartOfTheAnswerIsKeptButTheRestWaitedFor) {
  Open("/a");
  pipeline().SetContainer(7, "sb", Web(false));
  EXPECT_EQ(told_, Texts{});
  Wait(301);
  EXPECT_EQ(told_, Texts{"/a web nginx:1 web-7d4"});
}

TEST_F(Held, AnAnswerThatThereIsNoneEndsTheWait) {
  Open("/a");
  pipeline().SetContainer(7, "sb", {});
  EXPECT_EQ(told_, Texts{"/a <NA> <NA>:<NA> <NA>"});
  EXPECT_EQ(Count(EngineCounter::kMetadataUnknown), 1u);
}

TEST_F(Held, ASecondContainerOfThePodIsAskedForAndWaitedForByItself) {
  pipeline().SetContainer(7, "sb", {});
  Open("/a");
  Open("/b", "second");
  Open("/c");
  EXPECT_EQ(asked_, (Texts{"7 sb sb", "7 sb second"}));
  EXPECT_EQ(told_, Texts{"/a <NA> <NA>:<NA> <NA>"}) << "order is kept within a sandbox";
  pipeline().SetContainer(7, "second", Web());
  EXPECT_EQ(told_,
            (Texts{"/a <NA> <NA>:<NA> <NA>", "/b web nginx:1 web-7d4", "/c <NA> <NA>:<NA> <NA>"}));
}

// What waits behind one container names another one.
TEST_F(Held, SeveralContainersAreWaitedForOneAfterTheOther) {
  Open("/a");
  Open("/b", "second");
  Open("/c");
  pipeline().SetContainer(7, "sb", {});
  EXPECT_EQ(told_.size(), 1u);
  pipeline().SetContainer(7, "second", Web());
  EXPECT_EQ(told_,
            (Texts{"/a <NA> <NA>:<NA> <NA>", "/b web nginx:1 web-7d4", "/c <NA> <NA>:<NA> <NA>"}));
}

TEST_F(Held, ASandboxThatHasEndedIsStillWaitedFor) {
  Exec("/bin/x");
  CloseConnection();
  EXPECT_EQ(ended_, std::vector<uint64_t>{});
  EXPECT_EQ(pipeline().sandbox_count(), 1u);
  pipeline().SetContainer(7, "sb", Web());
  EXPECT_EQ(told_, Texts{"nginx runs x"});
  EXPECT_EQ(ended_, std::vector<uint64_t>{7});
  EXPECT_EQ(pipeline().sandbox_count(), 0u);
}

TEST_F(Held, AtTheEndWhatIsHeldIsTakenUp) {
  Open("/a");
  CloseConnection();
  pipeline().TakeUpHeld();
  EXPECT_EQ(told_, Texts{"/a <NA> <NA>:<NA> <NA>"});
  EXPECT_EQ(pipeline().sandbox_count(), 0u);
}

// `trace create --force`: the state moves with the first message of the new connection.
TEST_F(Held, WhatTheConnectionBeforeHasSaidComesFirst) {
  Open("/a");
  OpenConnection(8, "sb", "trace");
  Open("/b", "sb", 8);
  EXPECT_EQ(told_, Texts{"/a <NA> <NA>:<NA> <NA>"});
  pipeline().SetContainer(8, "sb", Web());
  EXPECT_EQ(told_.back(), "/b web nginx:1 web-7d4");
}

TEST_F(Held, OneThatMovesToAnotherWorkerTakesItsMessagesWithIt) {
  Open("/a");
  const uint64_t connections[] = {7};
  auto released = pipeline().Release(connections);
  EXPECT_FALSE(pipeline().sandbox_count());
  pipeline().Adopt(std::move(released));
  pipeline().SetContainer(7, "sb", Web());
  EXPECT_EQ(told_, Texts{"/a web nginx:1 web-7d4"});
}

class HeldLittle : public Held {
 protected:
  void SetUp() override {
    options_.held_bytes_max = 1'000;
    Held::SetUp();
  }
};

TEST_F(HeldLittle, MoreThanMayWaitIsTakenUpWithoutTheAnswerAndNothingIsLost) {
  for (int i = 0; i < 100; ++i) Open("/" + std::to_string(i));
  ASSERT_EQ(told_.size(), 100u);
  for (size_t i = 0; i < told_.size(); ++i) {
    EXPECT_TRUE(told_[i].starts_with("/" + std::to_string(i) + " ")) << told_[i];
  }
  EXPECT_EQ(Count(EngineCounter::kMetadataWaitsCut), 1u);
  EXPECT_EQ(Count(EngineCounter::kMessages), 100u);
}

class HeldNever : public Held {
 protected:
  void SetUp() override {
    options_.metadata_wait_ns = 0;
    Held::SetUp();
  }
};

TEST_F(HeldNever, WithoutAWaitTheAnswerIsForLaterMessages) {
  Open("/a");
  EXPECT_EQ(told_, Texts{"/a <NA> <NA>:<NA> <NA>"});
  pipeline().SetContainer(7, "sb", Web());
  Open("/b");
  EXPECT_EQ(told_.back(), "/b web nginx:1 web-7d4");
}

// What the API server tells of pods.
class PodLabels : public Held {
 protected:
  const char* Rules() const override {
    return R"(
- rule: owner
  desc: x
  condition: evt.type = execve and k8s.pod.label.owner != bob
  output: "%k8s.pod.labels runs %proc.name"
  priority: INFO
)";
  }
  void SetPod(const std::string& uid, const std::string& owner) {
    pipeline().SetPod(
        {.uid = uid, .labels = std::make_shared<const Labels>(Labels{{"owner", owner}})});
  }
};

TEST_F(PodLabels, ThoseThatChangeAreSeenByProcessesThatWereThere) {
  pipeline().SetContainer(7, "sb", Web());
  Exec("/bin/x");
  SetPod("u1", "bob");
  Exec("/bin/x");
  SetPod("u2", "carol");
  Exec("/bin/x");
  SetPod("u1", "alice");
  Exec("/bin/x");
  pipeline().SetPod({.uid = "u1", .labels = nullptr});  // what still runs keeps them
  Exec("/bin/x");
  EXPECT_EQ(told_, (Texts{"owner:pool runs x", "owner:alice runs x", "owner:alice runs x"}));
}

TEST_F(PodLabels, ThoseOfBeforeTheContainerGoBeforeItsRuntimes) {
  SetPod("u1", "alice");
  Exec("/bin/x");
  pipeline().SetContainer(7, "sb", Web());
  EXPECT_EQ(told_, Texts{"owner:alice runs x"});
}

TEST_F(PodLabels, WhoComesFromAnotherWorkerGetsThoseThatItDidNotHear) {
  pipeline().SetContainer(7, "sb", Web());
  const uint64_t connections[] = {7};
  auto released = pipeline().Release(connections);
  SetPod("u1", "alice");
  pipeline().Adopt(std::move(released));
  Exec("/bin/x");
  EXPECT_EQ(told_, Texts{"owner:alice runs x"});
}

TEST_F(PodLabels, ASessionThatIsMadeAnewHasThoseOfAPodThatIsGone) {
  pipeline().SetContainer(7, "sb", Web());
  SetPod("u1", "alice");
  pipeline().SetPod({.uid = "u1", .labels = nullptr});
  OpenConnection(8, "sb", "trace");
  pipeline().SetContainer(8, "sb", Web());
  CloseConnection(7);
  Open("/x", "sb", 8);
  Exec("/bin/x", "sb", 8);
  EXPECT_EQ(told_, Texts{"owner:alice runs x"});
}

TEST_F(PodLabels, AStateThatWasKeptMeanwhileHasThoseOfNow) {
  pipeline().SetContainer(7, "sb", Web());
  Exec("/bin/x");
  CloseConnection(7);
  SetPod("u1", "alice");
  OpenConnection(8, "sb", "trace");
  pipeline().SetContainer(8, "sb", Web());
  Exec("/bin/x", "sb", 8);
  EXPECT_EQ(told_, (Texts{"owner:pool runs x", "owner:alice runs x"}));
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 1u);
}

// A Sentry may invent as many containers as it likes.
TEST_F(Held, InventedContainersAreAskedForAFewAtATime) {
  pipeline().SetContainer(7, "sb", {});
  for (int i = 0; i < 1'000; ++i) {
    Open("/x", "invented" + std::to_string(i));
    pipeline().SetContainer(7, "invented" + std::to_string(i), {});
  }
  EXPECT_LE(asked_.size(), kLookupsAtOnce + 2);
  EXPECT_EQ(told_.size(), 1'000u);
  EXPECT_GE(Count(EngineCounter::kMetadataLookupsRefused), 900u);
}

}  // namespace
}  // namespace gyrfalcon
