#include "engine/process_lookup.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "engine/pipeline.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::Message;

// Answers that have come, in their order: how many processes, or one of these.
class Answers {
 public:
  static constexpr int kFailed = -1;
  static constexpr int kSpared = -2;
  ProcessLookup::Answer Taker() {
    return [this](const ProcessAnswer& answer) {
      const std::scoped_lock lock(mutex_);
      counts_.push_back(answer.list     ? static_cast<int>(answer.list->processes.size())
                        : answer.spared ? kSpared
                                        : kFailed);
      came_.notify_all();
    };
  }
  std::vector<int> Wait(size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, std::chrono::seconds(20), [&] { return counts_.size() >= count; });
    return counts_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<int> counts_;
};

// A script that stands in for runsc, and notes each call with its time.
class ProcessLookupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.runsc = base_ / "runsc";
    options_.pause = options_.delay = milliseconds(0);
  }
  void Runsc(const std::string& commands) const {
    base_.WriteScript("runsc", "echo \"$*\" >>calls\n" + commands);
  }
  std::vector<std::string> Calls() const {
    std::vector<std::string> calls;
    std::ifstream file(base_ / "calls");
    for (std::string line; std::getline(file, line);) calls.push_back(line);
    return calls;
  }
  static SandboxPlace Place(const std::string& id) {
    return {.state_root = "/r", .sandbox_id = id, .bundle = ""};
  }

  static constexpr char kOne[] =
      R"(echo 'PROCFS DUMP'; echo; echo '{"clone_ts":5,"status":{"pid":7,"comm":"x"}}')";

  const TestFolder base_;
  ProcessLookupOptions options_;
  Answers answers_;
  std::shared_ptr<SharedWanted> wanted_ =
      std::make_shared<SharedWanted>(WantedProcesses{.all = true, .tgids = {}});
  std::vector<std::string> problems_;
  ProcessLookup::OnProblem on_problem_ = [this](const Error& error) {
    problems_.push_back(error.message);
  };
};

TEST_F(ProcessLookupTest, AnswersWithWhatRunscPrints) {
  Runsc(kOne);
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_TRUE(lookup.Ask(Place("sb"), wanted_, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(1), std::vector<int>{1});
  lookup.Stop();
  EXPECT_EQ(Calls(), std::vector<std::string>{"--root=/r trace procfs sb"});
  EXPECT_TRUE(problems_.empty());
}

TEST_F(ProcessLookupTest, AsksTheRunscThatConnectedWhereThatIsPreferred) {
  Runsc(kOne);
  SandboxPlace place = Place("sb");
  place.runsc = options_.runsc;
  ProcessLookupOptions options = options_;
  options.runsc = "/no/such/runsc";
  ProcessLookup chosen(options, on_problem_);
  EXPECT_TRUE(chosen.Ask(place, wanted_, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(1), std::vector<int>{-1}) << "the config's own goes before";
  chosen.Stop();
  options.prefer_connecting = true;
  ProcessLookup lookup(options, on_problem_);
  EXPECT_TRUE(lookup.Ask(place, wanted_, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(2), (std::vector<int>{-1, 1}));
  EXPECT_TRUE(lookup.Ask(Place("other"), wanted_, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(3), (std::vector<int>{-1, 1, -1})) << "else the default";
}

TEST_F(ProcessLookupTest, AProblemNamesSandboxRootAndRunscsWords) {
  Runsc("echo 'no such sandbox' >&2; exit 128");
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_TRUE(lookup.Ask(Place("sb"), wanted_, answers_.Taker()));
  answers_.Wait(1);
  lookup.Stop();
  ASSERT_EQ(problems_.size(), 1u);
  EXPECT_EQ(problems_[0],
            "sandbox sb below /r: " + options_.runsc + ": ended with 128: no such sandbox");
}

TEST_F(ProcessLookupTest, AsksNobodyWithoutRunscOrPlace) {
  ProcessLookup nobody({}, on_problem_);
  EXPECT_FALSE(nobody.can_ask(Place("sb")));
  EXPECT_FALSE(nobody.Ask(Place("sb"), wanted_, answers_.Taker()));
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_FALSE(lookup.Ask({}, wanted_, answers_.Taker()));
}

TEST_F(ProcessLookupTest, AFailureIsAnsweredToldOnceAndNotTriedAgainSoon) {
  Runsc("exit 128\n");
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_TRUE(lookup.Ask(Place("a"), wanted_, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(1), std::vector<int>{-1});
  EXPECT_TRUE(lookup.Ask(Place("a"), wanted_, answers_.Taker()));  // in a while
  EXPECT_TRUE(lookup.Ask(Place("b"), wanted_, answers_.Taker())) << "another sandbox may be well";
  EXPECT_EQ(answers_.Wait(2).size(), 2u);
  lookup.Stop();
  EXPECT_EQ(Calls(),
            (std::vector<std::string>{"--root=/r trace procfs a", "--root=/r trace procfs b"}));
  ASSERT_EQ(problems_.size(), 2u) << "another sandbox fails by itself";
  EXPECT_THAT(problems_[0], HasSubstr("ended with 128"));
}

TEST_F(ProcessLookupTest, ARunscThatHangsOrFloodsIsEnded) {
  options_.child = {.patience = milliseconds(200), .output_bytes_max = 1000};
  options_.pause_after_failure = milliseconds(0);
  ProcessLookup lookup(options_, on_problem_);
  for (const char* commands : {"sleep 60\n", "cat /dev/zero\n"}) {
    Runsc(commands);
    const auto begin = std::chrono::steady_clock::now();
    Answers answers;
    EXPECT_TRUE(lookup.Ask(Place("sb"), wanted_, answers.Taker()));
    EXPECT_EQ(answers.Wait(1), std::vector<int>{-1});
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  }
}

TEST_F(ProcessLookupTest, StopDoesNotWaitForARunscThatHangs) {
  Runsc("sleep 60\n");
  options_.child.patience = milliseconds(60'000);
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_TRUE(lookup.Ask(Place("sb"), wanted_, answers_.Taker()));
  while (Calls().empty()) std::this_thread::sleep_for(milliseconds(5));
  const auto begin = std::chrono::steady_clock::now();
  lookup.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(ProcessLookupTest, PausesBetweenCallsForOneSandboxAndPutsOffWhatIsBeyondTheMinute) {
  Runsc(kOne);
  options_.pause = milliseconds(300);
  options_.calls_per_minute = 3;
  ProcessLookup lookup(options_, on_problem_);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(lookup.Ask(Place("sb"), wanted_, answers_.Taker())) << "late is better than never";
  }
  EXPECT_EQ(answers_.Wait(3).size(), 3u);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(600));
  EXPECT_TRUE(lookup.Ask(Place("other"), wanted_, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(4).size(), 4u);
  lookup.Stop();
  EXPECT_EQ(Calls().size(), 4u);
}

TEST_F(ProcessLookupTest, AllSandboxesTogetherHaveALimitToo) {
  Runsc(kOne);
  options_.calls_per_minute_of_all = 2;
  ProcessLookup lookup(options_, on_problem_);
  for (const char* id : {"a", "b", "c", "d"}) {
    EXPECT_TRUE(lookup.Ask(Place(id), wanted_, answers_.Taker()));
  }
  EXPECT_EQ(answers_.Wait(2).size(), 2u);
  std::this_thread::sleep_for(milliseconds(300));
  lookup.Stop();
  EXPECT_EQ(Calls().size(), 2u);
}

TEST_F(ProcessLookupTest, WhereNobodyIsWaitedForAnyMoreThereIsNoCallAndNoneIsUsedUp) {
  Runsc(kOne);
  options_.calls_per_minute = 2;
  options_.delay = milliseconds(50);
  ProcessLookup lookup(options_, on_problem_);
  for (int i = 0; i < 10; ++i) {
    const auto one = std::make_shared<SharedWanted>(WantedProcesses{.all = false, .tgids = {7}});
    Answers answers;
    EXPECT_TRUE(lookup.Ask(Place("sb"), one, answers.Taker()));
    one->Set({});  // it has ended
    EXPECT_EQ(answers.Wait(1), std::vector<int>{Answers::kSpared});
  }
  EXPECT_TRUE(Calls().empty());
  const auto seven = std::make_shared<SharedWanted>(WantedProcesses{.all = false, .tgids = {7}});
  const auto eight = std::make_shared<SharedWanted>(WantedProcesses{.all = false, .tgids = {8}});
  EXPECT_TRUE(lookup.Ask(Place("sb"), seven, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(1), std::vector<int>{1});
  EXPECT_TRUE(lookup.Ask(Place("sb"), eight, answers_.Taker()));
  EXPECT_EQ(answers_.Wait(2), (std::vector<int>{1, 0}));
}

TEST_F(ProcessLookupTest, TheAnswerIsNeitherCutByOthersNorLostAtALimit) {
  // Four MiB of another process, in lines of four kB; then the shell.
  Runsc(
      "echo 'PROCFS DUMP'; "
      "head -c 4194304 /dev/zero | tr '\\0' x | fold -w 4096 |"
      " sed 's/.*/{\"clone_ts\":5,\"cwd\":\"&\",\"status\":{\"pid\":2,\"comm\":\"x\"}}/'\n"
      R"(echo; echo '{"clone_ts":5,"status":{"pid":7,"comm":"x"}}')");
  const auto one = std::make_shared<SharedWanted>(WantedProcesses{.all = false, .tgids = {7}});
  {
    ProcessLookup lookup(options_, on_problem_);
    EXPECT_TRUE(lookup.Ask(Place("sb"), one, answers_.Taker()));
    EXPECT_EQ(answers_.Wait(1), std::vector<int>{1});
  }
  EXPECT_TRUE(problems_.empty());
  options_.child.output_bytes_max = 1 << 20;
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_TRUE(lookup.Ask(Place("sb"), wanted_, answers_.Taker()));
  EXPECT_GT(answers_.Wait(2)[1], 100) << "what came before the limit";
  lookup.Stop();
  ASSERT_EQ(problems_.size(), 1u);
  EXPECT_THAT(problems_[0], HasSubstr("printed too much"));
}

TEST_F(ProcessLookupTest, RefusesMoreThanItsLimitsAndStopsWithoutThem) {
  Runsc(kOne);
  options_.pause = milliseconds(60'000);
  options_.waiting_max = 2;
  ProcessLookup lookup(options_, on_problem_);
  EXPECT_TRUE(lookup.Ask(Place("a"), wanted_, answers_.Taker()));
  answers_.Wait(1);
  EXPECT_TRUE(lookup.Ask(Place("a"), wanted_, answers_.Taker()));  // in a minute
  EXPECT_TRUE(lookup.Ask(Place("a"), wanted_, answers_.Taker()));
  EXPECT_FALSE(lookup.Ask(Place("b"), wanted_, answers_.Taker())) << "too many wait";
  lookup.Stop();
  EXPECT_EQ(answers_.Wait(1).size(), 1u);
}

TEST_F(ProcessLookupTest, RemembersOfHowManySandboxesItWasAskedAbout) {
  options_.delay = milliseconds(60'000);
  options_.sandboxes_max = 3;
  ProcessLookup lookup(options_, on_problem_);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_TRUE(lookup.Ask(Place(id), wanted_, answers_.Taker()));
  }
  EXPECT_FALSE(lookup.Ask(Place("d"), wanted_, answers_.Taker())) << "too many sandboxes";
  EXPECT_TRUE(lookup.Ask(Place("a"), wanted_, answers_.Taker()));
}

// What a pipeline asks, and which alerts the answers raise.
class ExecSessions : public ::testing::Test, private HostLookups {
 protected:
  static constexpr char kRules[] = R"(
- rule: terminal
  desc: with a terminal
  condition: evt.type = execve and proc.name = sh and proc.tty != 0 and not proc.pname exists
  output: "%proc.cmdline tty=%proc.tty synthetic=%gyrfalcon.proc.synthetic"
  priority: INFO
- rule: shell
  desc: any
  condition: evt.type = execve and proc.name = sh
  output: "%proc.cmdline"
  priority: INFO
)";

  void Open(uint64_t connection, std::string_view command) {
    auto peer = std::make_shared<Peer>();
    peer->command_line = std::string("runsc\0--root=/r\0", 16) + std::string(command);
    std::ranges::replace(peer->command_line, ' ', '\0');
    Record record{.kind = RecordKind::kOpened, .connection = {connection}};
    record.peer = std::move(peer);
    pipeline_.Process(record);
  }
  void Close(uint64_t connection) {
    pipeline_.Process({.kind = RecordKind::kClosed, .connection = {connection}});
  }
  void Speak(uint64_t connection, int32_t tid, int64_t start, std::string_view name) {
    Send(connection, tid, start, name, MessageType::kClose,
         Message().Nested(2, Message()).Number(3, 3).Number(4, 9));
  }
  void Exit(uint64_t connection, int32_t tid, int64_t start) {
    Send(connection, tid, start, "", MessageType::kSentryTaskExit, Message());
  }
  void Send(uint64_t connection, int32_t tid, int64_t start, std::string_view name,
            MessageType type, const Message& rest) {
    Message context;
    context.Number(1, 1'000'000).Number(2, tid).Number(3, start).Number(4, tid).Number(5, start);
    context.Text(6, "sb");
    if (!name.empty()) context.Text(9, name);
    const std::string datagram =
        testing::Datagram(type, Message().Nested(1, context).Raw(rest.bytes()));
    pipeline_.Process({.kind = RecordKind::kFrame,
                       .connection = {connection},
                       .receive_time_ns = received_ns_,
                       .frame = std::as_bytes(std::span(datagram))});
  }
  static ProcessList Shell() {
    ProcessSnapshot shell;
    shell.tgid = 9;
    shell.start_time_ns = 5;
    shell.name = "sh";
    shell.argv = {"sh", "-i"};
    shell.fds = {{.number = 0, .mode = 020620, .path = "host:[3]"}};
    ProcessList list;
    list.processes = {shell};
    list.malformed = 2;
    return list;
  }

  void Answer(uint64_t connection, uint64_t question, ProcessList list) {
    pipeline_.SetProcesses(
        connection, question,
        {.list = std::make_shared<const ProcessList>(std::move(list)), .spared = false});
  }
  void AnswerNothing(uint64_t connection, uint64_t question) {
    pipeline_.SetProcesses(connection, question, {.list = nullptr, .spared = false});
  }
  size_t Losses() const {
    return static_cast<size_t>(std::ranges::count_if(alerts_, [](const std::string& alert) {
      return alert.find("events lost") != std::string::npos;
    }));
  }

  bool can_ask_ = true, takes_ = true;
  int64_t received_ns_ = 0;
  std::shared_ptr<const SharedWanted> wanted_;  // by the last question
  std::vector<uint64_t> asked_;
  std::vector<std::string> alerts_;
  testing::KeepAlertLines sink_{alerts_};
  Pipeline pipeline_{
      testing::RulesFromText(kRules), {.limits = {}, .arch = Arch::kX86_64}, sink_, this};

 private:
  bool AskUsers(uint64_t, const SandboxPlace&, const std::string&) override { return true; }
  bool CanAskProcesses(const SandboxPlace& place) const override {
    return can_ask_ && place.known();
  }
  bool AskProcesses(uint64_t connection, uint64_t question, const SandboxPlace& place,
                    std::shared_ptr<const SharedWanted> wanted) override {
    wanted_ = std::move(wanted);
    EXPECT_EQ(question, asked_.size() + 1);
    EXPECT_EQ(place.sandbox_id, "sb");
    asked_.push_back(connection);
    return takes_;
  }
};

constexpr char kCompleted[] = "terminal: sh -i tty=34816 synthetic=true";

TEST_F(ExecSessions, RaiseWhatOnlyTheCompletedExecMatchesOnTopOfWhatIsRaisedAtOnce) {
  Open(1, "create sb");
  EXPECT_TRUE(asked_.empty()) << "a sandbox that begins tells all";
  Speak(1, 9, 5, "sh");
  EXPECT_EQ(asked_, std::vector<uint64_t>{1});
  EXPECT_EQ(alerts_, std::vector<std::string>{"shell: sh"});
  Speak(1, 9, 5, "sh");
  EXPECT_EQ(asked_.size(), 1u) << "one is on its way";
  Answer(1, 1, Shell());
  EXPECT_EQ(alerts_, (std::vector<std::string>{"shell: sh", kCompleted}));
  EXPECT_EQ(pipeline_.totals().engine[EngineCounter::kProcessEntriesMalformed], 2u);
  Answer(1, 1, Shell());
  EXPECT_EQ(alerts_.size(), 2u);
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(ExecSessions, RaiseNoRuleTwice) {
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  ProcessList list = Shell();
  list.processes[0].fds.clear();
  Answer(1, 1, std::move(list));
  EXPECT_EQ(alerts_, std::vector<std::string>{"shell: sh"});
}

TEST_F(ExecSessions, OfWhichRunscCouldNotTellAreALossThatIsTold) {
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  EXPECT_EQ(alerts_, std::vector<std::string>{"shell: sh"});
  AnswerNothing(1, 1);
  EXPECT_EQ(Losses(), 1u);
  EXPECT_EQ(asked_.size(), 1u);
  takes_ = false;
  Speak(1, 10, 6, "sh");
  Speak(1, 10, 6, "sh");
  EXPECT_EQ(asked_.size(), 2u) << "each process once";
  EXPECT_EQ(std::ranges::count(alerts_, "shell: sh"), 2);
  takes_ = true;
  Speak(1, 11, 7, "sh");
  ProcessList cut;
  cut.cut = true;
  Answer(1, 3, std::move(cut));
  Speak(1, 12, 8, "sh");
  Answer(1, 4, {});  // it has ended
  Close(1);
  EXPECT_EQ(Losses(), 2u) << "the later ones together";
  const Totals totals = pipeline_.totals();
  EXPECT_EQ(totals.engine[EngineCounter::kProcessLookups], 4u);
  EXPECT_EQ(totals.engine[EngineCounter::kProcessLookupsFailed], 1u);
  EXPECT_EQ(totals.engine[EngineCounter::kProcessLookupsRefused], 1u);
  EXPECT_EQ(totals.engine[EngineCounter::kProcessesUnasked], 3u);
}

TEST_F(ExecSessions, ThatHaveEndedByTheirTurnNeedNoCallAndAreNoLoss) {
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  EXPECT_TRUE(wanted_->Get().tgids.contains(9));
  EXPECT_FALSE(wanted_->Get().all);
  Speak(1, 10, 6, "sh");
  EXPECT_EQ(wanted_->Get().tgids.size(), 2u) << "while it waits for its turn";
  Exit(1, 9, 5);
  Exit(1, 10, 6);
  EXPECT_TRUE(wanted_->Get().tgids.empty());
  pipeline_.SetProcesses(1, 1, {.list = nullptr, .spared = true});
  EXPECT_EQ(Losses(), 0u);
  EXPECT_EQ(pipeline_.totals().engine[EngineCounter::kProcessLookupsSpared], 1u);
  Speak(1, 11, 7, "sh");
  Close(1);
  EXPECT_TRUE(wanted_->Get().tgids.empty());
}

TEST_F(ExecSessions, ARuleThatExceptsArgumentsKnowsThem) {
  pipeline_.SetRules(testing::RulesFromText(R"(
- rule: shell
  desc: any but the probe
  condition: evt.type = execve and proc.name = sh and not proc.cmdline startswith "sh -i"
  output: "%proc.cmdline"
  priority: INFO
)"));
  received_ns_ = 1'000'000;
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  Answer(1, 1, Shell());
  pipeline_.TellDue(received_ns_ + 10 * Sandbox::kHoldNs);
  EXPECT_TRUE(alerts_.empty());
  Speak(1, 10, 5, "sh");
  EXPECT_TRUE(alerts_.empty());
  pipeline_.TellDue(received_ns_ + Sandbox::kHoldNs);
  EXPECT_EQ(alerts_, std::vector<std::string>{"shell: sh"}) << "not for longer";
}

TEST_F(ExecSessions, OneThatIsHeldBackAtAStopIsTold) {
  received_ns_ = 1'000'000;
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  EXPECT_TRUE(alerts_.empty()) << "held back for the answer";
  pipeline_.TellRest();
  EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(ExecSessions, AreNotAskedAboutWhereNobodyCanTell) {
  can_ask_ = false;
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  EXPECT_EQ(alerts_.size(), 1u);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(ExecSessions, ASandboxAttachedLateIsAskedAboutAtItsFirstMessage) {
  Open(1, "trace create --config c sb");
  Speak(1, 1, 2, "nginx");
  EXPECT_EQ(asked_.size(), 1u);
  ProcessList list = Shell();
  list.malformed = 0;
  Answer(1, 1, std::move(list));
  EXPECT_TRUE(alerts_.empty()) << "it has not spoken";
  Speak(1, 9, 5, "sh");
  EXPECT_EQ(alerts_, std::vector<std::string>{kCompleted});
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(ExecSessions, AnAnswerFollowsTheStateToANewerConnectionOrIsAskedForAnew) {
  Open(1, "create sb");
  Speak(1, 9, 5, "sh");
  Open(2, "trace create --force --config c sb");
  Speak(2, 9, 5, "sh");
  EXPECT_EQ(asked_, (std::vector<uint64_t>{1, 2}));
  Answer(1, 1, Shell());
  EXPECT_EQ(alerts_, (std::vector<std::string>{"shell: sh", kCompleted}));
  Close(1);
  Answer(1, 1, Shell());
  Answer(2, 2, Shell());
  Close(2);
  Answer(2, 2, Shell());
  EXPECT_EQ(alerts_.size(), 2u);
}

}  // namespace
}  // namespace gyrfalcon
