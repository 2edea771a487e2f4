// Processes first seen without a start, and what a snapshot of them adds.
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "points/test_message.h"
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

using testing::AsBytes;
using testing::Message;

constexpr int64_t kStart = 1'000'000;  // of process 9
constexpr uint32_t kTerminalMode = 020620;

struct Told {
  std::string type, name, exe, exe_path, command_line, cwd, parent;
  uint64_t number = 0;
  int64_t time_ns = 0;
  uint32_t tty = 0, uid = 0;
  bool synthetic = false;
};

class SandboxSnapshotTest : public ::testing::Test, protected HappeningSink {
 protected:
  SandboxSnapshotTest() { sandbox_.AllowSnapshots(false); }

  static Message Context(int32_t tid, std::string_view name, int64_t start = kStart) {
    Message out;
    out.Number(1, ++clock_ns_).Number(2, tid).Number(3, start).Number(4, tid).Number(5, start);
    out.Text(6, "c1");
    if (!name.empty()) out.Text(9, name);
    return out;
  }
  void Send(MessageType type, const Message& message) {
    told_.clear();
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), AsBytes(message.bytes()), event));
    sandbox_.Apply(event, received_ns_, *this);
  }
  void Close(const Message& context) {
    Send(MessageType::kClose,
         Message().Nested(1, context).Nested(2, Message()).Number(3, 3).Number(4, 77));
  }
  void Exec(const Message& context, std::string_view path) {
    Send(MessageType::kSentryExec,
         Message().Nested(1, context).Text(2, path).Text(3, path).Text(17, path));
  }
  void Clone(const Message& context, int32_t child, int64_t start) {
    Send(MessageType::kSentryClone,
         Message().Nested(1, context).Number(3, child).Number(4, child).Number(5, start));
  }
  void TaskExit(const Message& context) {
    Send(MessageType::kSentryTaskExit, Message().Nested(1, context));
  }
  void Take(const std::vector<ProcessSnapshot>& processes) {
    told_.clear();
    missed_ = sandbox_.TakeSnapshot({.question = question_, .processes = processes}, *this);
  }
  void Fail() {
    told_.clear();
    missed_ =
        sandbox_.TakeSnapshot({.question = question_, .failed = true, .processes = {}}, *this);
  }
  void Ask() { sandbox_.NoteSnapshotAsked(++question_); }

  static ProcessSnapshot Shell() {
    ProcessSnapshot shell;
    shell.tgid = 9;
    shell.start_time_ns = kStart;
    shell.name = "sh";
    shell.exe_path = "/bin/busybox";
    shell.argv = {"sh", "-c", "sleep 3"};
    shell.env = {"PATH=/bin"};
    shell.cwd = "/srv";
    shell.credentials = Credentials{.real_uid = 7, .effective_uid = 7, .saved_uid = 7};
    shell.group_id = shell.session_id = 9;
    shell.fd_limit = 20;
    shell.fds = {{.number = 0, .mode = kTerminalMode, .path = "host:[10]"},
                 {.number = 5, .mode = 0100644, .path = "/etc/shadow"}};
    return shell;
  }
  void CloseFd(int32_t fd) {
    Send(MessageType::kClose, Message().Nested(1, Context(9, "sh")).Number(3, 3).Number(4, fd));
    Send(MessageType::kClose,
         Message().Nested(1, Context(9, "sh")).Nested(2, Message()).Number(3, 3).Number(4, fd));
  }
  size_t Execs() const {
    return static_cast<size_t>(std::ranges::count(told_, "execve", &Told::type));
  }
  const Told& Only() {
    EXPECT_EQ(told_.size(), 1u);
    static const Told kNone;
    return told_.empty() ? kNone : told_.front();
  }

  std::vector<Told> told_;
  uint64_t question_ = 0;
  size_t missed_ = 0;
  int64_t received_ns_ = 0;
  Sandbox sandbox_{SandboxLimits{.processes_max = 8, .awaiting_snapshot_max = 4}, Arch::kX86_64};

 private:
  void OnHappening(const Happening& h) override {
    if (h.raised != nullptr) h.raised->Note(1);
    told_.push_back({.type = std::string(Describe(h.type).name),
                     .name = std::string(h.process->name.view()),
                     .exe = std::string(h.process->image->exe),
                     .exe_path = std::string(h.process->image->exe_path),
                     .command_line = std::string(h.process->CommandLine()),
                     .cwd = std::string(h.process->cwd),
                     .parent = h.process->parent ? std::string(h.process->parent->name.view()) : "",
                     .number = h.number,
                     .time_ns = h.time_ns,
                     .tty = h.process->tty,
                     .uid = h.process->credentials.effective_uid,
                     .synthetic = h.synthetic});
  }
  static inline int64_t clock_ns_ = 2'000'000;
};

TEST_F(SandboxSnapshotTest, AnExecMadeUpIsToldOnceMoreWithWhatTheSnapshotKnows) {
  Close(Context(9, "sh"));
  ASSERT_EQ(told_.size(), 2u);
  const Told first = told_[0];
  EXPECT_EQ(first.command_line, "sh");
  EXPECT_EQ(first.tty, 0u);
  ASSERT_TRUE(sandbox_.wants_snapshot());
  Ask();
  EXPECT_FALSE(sandbox_.wants_snapshot());
  Close(Context(9, "sh"));
  EXPECT_EQ(Only().type, "close") << "nothing waits for the snapshot";

  Take({Shell()});
  const Told& second = Only();
  EXPECT_EQ(second.type, "execve");
  EXPECT_TRUE(second.synthetic);
  EXPECT_EQ(second.number, first.number);
  EXPECT_EQ(second.time_ns, first.time_ns);
  EXPECT_EQ(second.exe, "sh");
  EXPECT_EQ(second.exe_path, "/bin/busybox");
  EXPECT_EQ(second.command_line, "sh -c sleep 3");
  EXPECT_EQ(second.cwd, "/srv");
  EXPECT_EQ(second.uid, 7u);
  EXPECT_NE(second.tty, 0u);
  const Process& process = *sandbox_.FindProcess(9);
  EXPECT_EQ(process.session_id, 9);
  EXPECT_EQ(process.fd_limit, 20);
  ASSERT_NE(process.fds->Find(5), nullptr);
  EXPECT_EQ(process.fds->Find(5)->name, "/etc/shadow");
  EXPECT_FALSE(sandbox_.wants_snapshot());
  Take({Shell()});
  EXPECT_TRUE(told_.empty()) << "twice is enough";
  EXPECT_EQ(sandbox_.counters()[StateCounter::kProcessesCompleted], 1u);
}

TEST_F(SandboxSnapshotTest, AProcessWhoseNameNoMessageHasIsToldWithTheSnapshotsName) {
  Close(Context(9, ""));
  EXPECT_EQ(Only().type, "close");
  Ask();
  Take({Shell()});
  EXPECT_EQ(Only().type, "execve");
  EXPECT_EQ(Only().name, "sh");
  EXPECT_EQ(Only().command_line, "sh -c sleep 3");
  Close(Context(9, "sh"));
  EXPECT_EQ(Only().type, "close") << "told already";
}

TEST_F(SandboxSnapshotTest, OneThatHasEndedMeanwhileIsToldTooAndWithoutTheSnapshotOnce) {
  Close(Context(9, ""));
  Ask();
  TaskExit(Context(9, ""));
  Take({Shell()});
  EXPECT_EQ(Only().command_line, "sh -c sleep 3");
  EXPECT_EQ(sandbox_.process_count(), 0u);

  Close(Context(9, "sh", 2 * kStart));
  EXPECT_EQ(told_.size(), 2u);
  Ask();
  Take({});
  EXPECT_TRUE(told_.empty());
  EXPECT_FALSE(sandbox_.wants_snapshot()) << "no second try";
}

TEST_F(SandboxSnapshotTest, WhatMessagesSaidStays) {
  Message context = Context(9, "sh");
  context.Nested(7, Message().Number(2, 33)).Text(8, "/told");
  Close(context);
  EXPECT_EQ(told_[0].cwd, "/told");
  Ask();
  Take({Shell()});
  EXPECT_EQ(Only().cwd, "/told");
  EXPECT_NE(Only().uid, 7u);
}

TEST_F(SandboxSnapshotTest, AnotherProgramOrProcessIsNotBelieved) {
  struct Case {
    const char* what;
    std::function<void(ProcessSnapshot&)> change;
  };
  const Case kCases[] = {
      {"another start", [](ProcessSnapshot& s) { s.start_time_ns += 1; }},
      {"another id", [](ProcessSnapshot& s) { s.tgid = 10; }},
      {"another name: it has made an exec that is not heard of yet",
       [](ProcessSnapshot& s) { s.name = "nc"; }},
      {"no name", [](ProcessSnapshot& s) { s.name.clear(); }},
  };
  int64_t start = kStart;
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    start += 100;
    Close(Context(9, "sh", start));
    Ask();
    ProcessSnapshot snapshot = Shell();
    snapshot.start_time_ns = start;
    c.change(snapshot);
    Take({snapshot});
    EXPECT_TRUE(told_.empty());
    Close(Context(9, "sh", start));
    EXPECT_EQ(Only().command_line, "sh");
  }
  Close(Context(9, "sh"));
  Ask();
  Exec(Context(9, "sh"), "/bin/nc");
  EXPECT_EQ(Only().name, "nc");
  Take({Shell()});
  EXPECT_TRUE(told_.empty()) << "older than the exec";
  Close(Context(9, "nc"));
  EXPECT_EQ(Only().exe_path, "/bin/nc");
}

TEST_F(SandboxSnapshotTest, WithoutAStartItIsTheOneThatHadTheIdWhenItWasMet) {
  const auto thin = [] { return Message().Number(1, 5'000).Number(2, 9).Text(9, "sh"); };
  Close(thin());
  Ask();
  Take({Shell()});  // started later
  EXPECT_TRUE(told_.empty());
  TaskExit(thin());
  Close(Message().Number(1, kStart + 1).Number(2, 9).Text(9, "sh"));
  Ask();
  Take({Shell()});
  EXPECT_EQ(Only().command_line, "sh -c sleep 3");
}

TEST_F(SandboxSnapshotTest, ForksMadeMeanwhileRunTheSameProgramAndTellNoExec) {
  Close(Context(9, ""));
  Ask();
  Clone(Context(9, ""), 10, 5 * kStart);
  Take({Shell()});
  EXPECT_EQ(told_.size(), 1u);
  Close(Context(10, "sh", 5 * kStart));
  EXPECT_EQ(Only().type, "close");
  EXPECT_EQ(Only().exe_path, "/bin/busybox");
}

TEST_F(SandboxSnapshotTest, OneMetAfterTheQuestionIsAskedForAgain) {
  Close(Context(9, "sh"));
  Ask();
  Close(Context(12, "nc", 7 * kStart));
  Take({Shell()});
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_TRUE(sandbox_.wants_snapshot());
  Ask();
  Take({});
  EXPECT_FALSE(sandbox_.wants_snapshot());
}

TEST_F(SandboxSnapshotTest, NothingIsAskedWhereNobodyCanBe) {
  Sandbox alone(SandboxLimits{}, Arch::kX86_64);
  EXPECT_FALSE(alone.wants_snapshot());
  for (int i = 0; i < 20; ++i) Close(Context(100 + i, "x", i + 1));
  EXPECT_TRUE(sandbox_.wants_snapshot());  // at most four of them wait
  std::vector<ProcessSnapshot> all(20);
  for (int i = 0; i < 20; ++i) {
    all[static_cast<size_t>(i)].tgid = 100 + i;
    all[static_cast<size_t>(i)].start_time_ns = i + 1;
    all[static_cast<size_t>(i)].name = "x";
  }
  Take(all);
  EXPECT_EQ(told_.size(), 4u);
}

TEST_F(SandboxSnapshotTest, OneThatIsMetAtItsExitIsNotAskedAbout) {
  TaskExit(Context(9, ""));
  EXPECT_EQ(Only().type, "procexit");
  EXPECT_FALSE(sandbox_.wants_snapshot());
}

TEST_F(SandboxSnapshotTest, SeedsWhatRanBeforeTheConnectionAndTellsItWhenItSpeaks) {
  sandbox_.AllowSnapshots(true);
  EXPECT_TRUE(sandbox_.wants_snapshot());
  Close(Context(1, "nginx", 10));
  Ask();
  std::vector<ProcessSnapshot> running(3, Shell());
  running[0].tgid = 1;
  running[0].start_time_ns = 10;
  running[0].name = "nginx";
  running[1].parent_tgid = 1;
  running[2].tgid = 11;
  running[2].start_time_ns = 12;
  running[2].parent_tgid = 9;
  running[2].argv = {"sh", "-i"};
  Take(running);
  EXPECT_EQ(Only().name, "nginx") << "those that have not spoken are not told";
  EXPECT_EQ(sandbox_.process_count(), 3u);
  Close(Context(11, "sh", 12));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].type, "execve");
  EXPECT_TRUE(told_[0].synthetic);
  EXPECT_EQ(told_[0].command_line, "sh -i");
  EXPECT_EQ(told_[0].parent, "sh");
  EXPECT_EQ(sandbox_.FindProcess(9)->parent->name.view(), "nginx");
  // One that only ends begins nothing.
  TaskExit(Context(9, "sh"));
  EXPECT_EQ(Only().type, "procexit");
  EXPECT_EQ(sandbox_.process_count(), 2u);
  // Of the past there is one snapshot.
  Take(running);
  EXPECT_EQ(sandbox_.process_count(), 2u);
}

TEST_F(SandboxSnapshotTest, ASeededForkOfItsParentTellsNoExec) {
  sandbox_.AllowSnapshots(true);
  Ask();
  std::vector<ProcessSnapshot> running(2, Shell());
  running[1].tgid = 11;
  running[1].start_time_ns = 12;
  running[1].parent_tgid = 9;
  Take(running);
  Close(Context(11, "sh", 12));
  EXPECT_EQ(Only().type, "close");
  EXPECT_EQ(Only().command_line, "sh -c sleep 3");
  EXPECT_EQ(Only().parent, "sh");
}

TEST_F(SandboxSnapshotTest, ADescriptorThatChangedSinceTheQuestionIsNotPutBack) {
  Close(Context(9, "sh"));
  Ask();
  CloseFd(5);
  ProcessSnapshot shell = Shell();
  shell.fds.push_back({.number = 6, .mode = 0100644, .path = "/etc/hosts"});
  Take({shell});
  EXPECT_EQ(Only().type, "execve");
  EXPECT_EQ(sandbox_.FindProcess(9)->fds->Find(5), nullptr);
  EXPECT_NE(sandbox_.FindProcess(9)->fds->Find(6), nullptr);
}

TEST_F(SandboxSnapshotTest, TheSeedIsTriedAgainAfterAFailureButNotForEver) {
  sandbox_.AllowSnapshots(true);
  Close(Context(1, "nginx", 10));
  Ask();
  Fail();
  EXPECT_TRUE(sandbox_.wants_seed());
  ASSERT_TRUE(sandbox_.wants_snapshot());
  Ask();
  Take({Shell()});
  EXPECT_NE(sandbox_.FindProcess(9), nullptr);
  EXPECT_FALSE(sandbox_.wants_snapshot());
  sandbox_.AllowSnapshots(true);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(sandbox_.wants_snapshot());
    Ask();
    Fail();
  }
  EXPECT_FALSE(sandbox_.wants_snapshot());
}

TEST_F(SandboxSnapshotTest, OneThatEndedSinceTheQuestionIsNotSeeded) {
  sandbox_.AllowSnapshots(true);
  Close(Context(1, "nginx", 10));
  Ask();
  TaskExit(Context(9, "sh"));
  Take({Shell()});
  EXPECT_EQ(sandbox_.FindProcess(9), nullptr);
}

TEST_F(SandboxSnapshotTest, AnAnswerToAnOlderQuestionEndsNoNewerOne) {
  Close(Context(1, "nginx", 10));
  Ask();
  sandbox_.BeginConnection(*this);
  Close(Context(9, "sh"));
  ASSERT_TRUE(sandbox_.wants_snapshot());
  Ask();
  told_.clear();
  EXPECT_EQ(sandbox_.TakeSnapshot({.question = question_ - 1, .processes = {}}, *this), 0u);
  EXPECT_FALSE(sandbox_.wants_snapshot());
  Take({Shell()});
  EXPECT_EQ(Only().command_line, "sh -c sleep 3");
}

TEST_F(SandboxSnapshotTest, OfThoseThatShareAProgramOneTellsItsStart) {
  Close(Context(9, ""));
  Clone(Context(9, ""), 10, 5 * kStart);
  Close(Context(10, "sh", 5 * kStart));
  EXPECT_EQ(Execs(), 1u);
  Close(Context(9, "sh"));
  EXPECT_EQ(Execs(), 0u);
}

TEST_F(SandboxSnapshotTest, WhoIsNotCompletedIsCountedAndMissedOnlyWhereTheAnswerIsNotWhole) {
  Close(Context(9, "sh"));
  Ask();
  ProcessSnapshot renamed = Shell();
  renamed.name = "kworker";
  Take({renamed});
  EXPECT_EQ(missed_, 0u);
  EXPECT_EQ(sandbox_.counters()[StateCounter::kProcessesNotCompleted], 1u);
  Close(Context(10, "sh", 7));
  Ask();
  Take({});
  EXPECT_EQ(missed_, 0u) << "it has ended";
  Close(Context(11, "sh", 8));
  Ask();
  told_.clear();
  EXPECT_EQ(sandbox_.TakeSnapshot({.question = question_, .whole = false, .processes = {}}, *this),
            1u);
  Close(Context(12, "sh", 9));
  Ask();
  Fail();
  EXPECT_EQ(missed_, 1u);
  EXPECT_EQ(sandbox_.counters()[StateCounter::kProcessesNotCompleted], 4u);
}

TEST_F(SandboxSnapshotTest, WhoHasEndedIsNotWaitedForAnyMore) {
  Close(Context(9, "sh"));
  EXPECT_EQ(sandbox_.AwaitedTgids(), std::vector<int32_t>{9});
  const uint64_t before = sandbox_.awaited_version();
  TaskExit(Context(9, "sh"));
  EXPECT_NE(sandbox_.awaited_version(), before);
  EXPECT_TRUE(sandbox_.AwaitedTgids().empty());
}

TEST_F(SandboxSnapshotTest, AnExecIsHeldBackUntilTheSnapshotIsThereAndToldOnce) {
  received_ns_ = 1'000;
  Close(Context(9, "sh"));
  EXPECT_EQ(Only().type, "close") << "others flow on";
  Ask();
  received_ns_ += Sandbox::kHoldNs - 1;
  Close(Context(9, "sh"));
  EXPECT_EQ(Only().type, "close");
  Take({Shell()});
  EXPECT_EQ(Only().command_line, "sh -c sleep 3");
  EXPECT_EQ(Only().number, 1u);
  received_ns_ += 10 * Sandbox::kHoldNs;
  Close(Context(9, "sh"));
  EXPECT_EQ(Only().type, "close");
}

TEST_F(SandboxSnapshotTest, WhatEndsTheHold) {
  struct Case {
    const char* what;
    std::function<void()> act;
  };
  const Case kCases[] = {
      {"time",
       [&] {
         received_ns_ += Sandbox::kHoldNs;
         Close(Context(500, "", 3));
       }},
      {"time without a message",
       [&] {
         told_.clear();
         sandbox_.TellDue(received_ns_ + Sandbox::kHoldNs, *this);
       }},
      {"its exit", [&] { TaskExit(Context(9, "sh")); }},
      {"its next exec", [&] { Exec(Context(9, "sh"), "/bin/nc"); }},
      {"another name", [&] { Close(Context(9, "kworker")); }},
      {"another user",
       [&] {
         Message context = Context(9, "sh");
         context.Nested(7, Message().Number(2, 33));
         Close(context);
       }},
      {"a failure", [&] { Fail(); }},
      {"an answer without it", [&] { Take({}); }},
      {"the end",
       [&] {
         told_.clear();
         sandbox_.Finish(*this);
       }},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    received_ns_ = 1'000;
    Message context = Context(9, "sh");
    context.Nested(7, Message().Number(1, 7));
    Close(context);
    EXPECT_EQ(Execs(), 0u);
    Ask();
    c.act();
    ASSERT_FALSE(told_.empty());
    EXPECT_EQ(told_[0].type, "execve");
    EXPECT_EQ(told_[0].name, "sh");
    EXPECT_EQ(told_[0].command_line, "sh");
    told_.clear();
    sandbox_.TellDue(received_ns_ + 9 * Sandbox::kHoldNs, *this);
    EXPECT_TRUE(told_.empty()) << "once";
    Take({});
    TaskExit(Context(9, "sh"));
  }
}

TEST_F(SandboxSnapshotTest, SnapshotsLeaveRoomForWhatMessagesSay) {
  const SandboxLimits limits;
  Sandbox sandbox(limits, Arch::kX86_64);
  sandbox.AllowSnapshots(true);
  std::vector<ProcessSnapshot> many(16 * 1024, Shell());
  for (int32_t i = 0; i < 16 * 1024; ++i) {
    ProcessSnapshot& one = many[static_cast<size_t>(i)];
    one.tgid = i + 1;
    one.start_time_ns = i + 1;
    one.parent_tgid = i;
    one.cwd = one.exe_path = std::string(4096, 'x');
    for (int32_t fd = 0; fd < 12; ++fd) {
      one.fds.push_back({.number = fd, .mode = 0100644, .path = std::string(600, 'y')});
    }
  }
  many[5].fds.assign(20'000, {.number = 0, .mode = 0100644, .path = std::string(4000, 'z')});
  for (int32_t fd = 0; fd < 20'000; ++fd) many[5].fds[static_cast<size_t>(fd)].number = fd;
  for (uint64_t question = 1; question <= 3; ++question) {
    sandbox.NoteSnapshotAsked(question);
    sandbox.TakeSnapshot({.question = question, .processes = many}, *this);
    sandbox.AllowSnapshots(true);
  }
  EXPECT_LE(sandbox.process_count(), limits.processes_seeded_max * 3);
  EXPECT_GT(sandbox.process_count(), 1'000u);
  EXPECT_LT(sandbox.held_bytes(), limits.sandbox_bytes_max);
  EXPECT_EQ(sandbox.counters()[StateCounter::kMemoryRefused], 0u)
      << "nothing that happened is lost";
  EXPECT_GT(sandbox.counters()[StateCounter::kSnapshotsCut], 0u);
}

TEST_F(SandboxSnapshotTest, HostileSnapshotsStayWithinTheLimits) {
  sandbox_.AllowSnapshots(true);
  std::vector<ProcessSnapshot> many(100, Shell());
  for (int32_t i = 0; i < 100; ++i) {
    ProcessSnapshot& one = many[static_cast<size_t>(i)];
    one.tgid = i + 1;
    one.parent_tgid = (i + 7) % 100 + 1;  // lines that bite their tails
    one.name = std::string(1000, '\xff');
    one.cwd = std::string(100'000, 'x');
    one.argv = {std::string(300'000, 'a'), std::string(300'000, 'b')};
    one.fds.assign(10'000, {.number = -1, .mode = ~0u, .path = "\n"});
    for (int32_t fd = 0; fd < 5'000; ++fd) one.fds[static_cast<size_t>(fd)].number = fd;
  }
  Ask();
  Take(many);
  EXPECT_EQ(sandbox_.process_count(), 8u);
  EXPECT_LT(sandbox_.held_bytes(), SandboxLimits{}.sandbox_bytes_max);
  for (int32_t i = 1; i <= 100; ++i) Close(Context(i, "", kStart));
  EXPECT_FALSE(told_.empty());
}

}  // namespace
}  // namespace gyrfalcon
