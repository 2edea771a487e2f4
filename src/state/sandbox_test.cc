#include "state/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>

#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::AsBytes;
using testing::Message;

// What a happening showed while it was told; its pointers die afterwards.
struct Told {
  std::string type, name, command_line, exe_path, path, file_name, cwd, container, parent;
  std::string previous_name;
  int64_t fd = -1, return_value = 0;
  int32_t tgid = 0;
  uint32_t uid = 0;
  bool has_file = false, is_exec = false, synthetic = false, written_before = false;
  bool name_changed = false;
  uint32_t tty = 0;
  size_t ancestors = 0;
  uint32_t line_version = 0;
};

class SandboxTest : public ::testing::Test, protected HappeningSink {
 protected:
  // The context of a thread, whole as --all sessions ask for it.
  static Message Context(int32_t tid, int32_t tgid, std::string_view name = {},
                         std::string_view container = "c1") {
    Message out;
    out.Number(1, ++clock_ns_).Number(2, tid);
    if (tgid != 0) out.Number(4, tgid);
    if (!container.empty()) out.Text(6, container);
    if (!name.empty()) out.Text(9, name);
    return out;
  }
  // As in a thin session: time, thread and container only.
  static Message Thin(int32_t tid) { return Context(tid, 0); }

  static Message Exit(int64_t result, int64_t error_number = 0) {
    Message out;
    if (result != 0) out.Number(1, result);
    if (error_number != 0) out.Number(2, error_number);
    return out;
  }

  // Sends one message; what it told is in told_.
  void Send(MessageType type, const Message& message) {
    told_.clear();
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), AsBytes(message.bytes()), event));
    sandbox_.Apply(event, 0, *this);
  }

  void Start(int32_t tid, std::vector<std::string> args, std::string_view container = "c1") {
    Message message;
    message.Nested(1, Context(tid, tid, {}, container)).Text(2, container).Text(3, "/");
    for (const std::string& arg : args) message.Text(4, arg);
    Send(MessageType::kContainerStart, message);
  }
  void Clone(const Message& context, int32_t tid, int32_t tgid, uint64_t flags = 0) {
    Send(MessageType::kSentryClone, Message()
                                        .Nested(1, context)
                                        .Number(3, tid)
                                        .Number(4, tgid)
                                        .Number(6, static_cast<int64_t>(flags)));
  }
  void Exec(const Message& context, std::string_view path, std::vector<std::string> argv,
            std::string_view exec_name = {}) {
    Message message;
    message.Nested(1, context).Text(2, path);
    for (const std::string& arg : argv) message.Text(3, arg);
    if (!exec_name.empty()) message.Text(17, exec_name);
    Send(MessageType::kSentryExec, message);
  }
  void Open(const Message& context, std::string_view path, uint32_t flags, int64_t result,
            int64_t error_number = 0) {
    Send(MessageType::kOpen, Message()
                                 .Nested(1, context)
                                 .Nested(2, Exit(result, error_number))
                                 .Number(3, 257)
                                 .Number(4, AT_FDCWD)
                                 .Text(6, path)
                                 .Number(7, flags));
  }
  void Close(const Message& context, int64_t fd, int64_t error_number = 0) {
    Send(MessageType::kClose,
         Message().Nested(1, context).Nested(2, Exit(0, error_number)).Number(3, 3).Number(4, fd));
  }
  void TaskExit(const Message& context) {
    Send(MessageType::kSentryTaskExit, Message().Nested(1, context));
  }
  // syscall/execve, enter or exit
  void ExecveEnter(const Message& context, std::string_view path, std::string_view argv0) {
    Send(MessageType::kExecve,
         Message().Nested(1, context).Number(3, 59).Text(6, path).Text(7, argv0));
  }
  void ExecveExit(const Message& context, std::string_view path, std::string_view argv0,
                  int64_t error_number = 0) {
    Send(MessageType::kExecve, Message()
                                   .Nested(1, context)
                                   .Nested(2, Exit(0, error_number))
                                   .Number(3, 59)
                                   .Text(6, path)
                                   .Text(7, argv0));
  }

  const Told& Only() {
    EXPECT_EQ(told_.size(), 1u);
    static const Told kNone;
    return told_.empty() ? kNone : told_.front();
  }

  std::vector<Told> told_;
  Sandbox sandbox_{SandboxLimits{}, Arch::kX86_64};

 private:
  void OnHappening(const Happening& h) override {
    Told told;
    told.type = Describe(h.type).name;
    told.name = h.process->name.view();
    told.command_line = h.process->CommandLine();
    told.exe_path = h.process->image->exe_path;
    told.path = h.path;
    told.cwd = h.process->cwd;
    told.container = h.container == nullptr ? "" : std::string(h.container->short_id());
    told.parent = h.process->parent ? std::string(h.process->parent->name.view()) : "";
    for (const Process* p = h.process->parent.get(); p != nullptr; p = p->parent.get()) {
      ++told.ancestors;
    }
    told.fd = h.fd;
    told.return_value = h.return_value;
    told.tgid = h.process->tgid;
    told.uid = h.process->credentials.effective_uid;
    told.has_file = h.file != nullptr;
    if (h.file != nullptr) told.file_name = h.file->name;
    told.is_exec = h.is_exec;
    told.synthetic = h.synthetic;
    told.written_before = h.process->image->written_before;
    told.name_changed = h.name_changed;
    told.previous_name = h.process->previous_name.view();
    told.tty = h.process->tty;
    told.line_version = h.line_version;
    told_.push_back(std::move(told));
  }

  static inline int64_t clock_ns_ = 1'795'335'717'000'000'000;
};

TEST_F(SandboxTest, AContainersStartIsTheExecOfItsFirstProcess) {
  Start(7, {"/bin/sh", "-c", "x"});
  EXPECT_EQ(Only().type, "execve");
  EXPECT_TRUE(Only().is_exec);
  EXPECT_EQ(Only().command_line, "sh -c x");
  EXPECT_EQ(Only().exe_path, "/bin/sh");
  EXPECT_EQ(Only().container, "c1");
}

TEST_F(SandboxTest, AContainersStartMayHaveNoArguments) {
  Start(7, {});
  EXPECT_EQ(Only().type, "execve");
  EXPECT_EQ(Only().name, "");
}

TEST_F(SandboxTest, OnlyIdsOfSixtyFourHexDigitsAreShortened) {
  Start(1, {"a"}, std::string(64, 'a'));
  EXPECT_EQ(Only().container, std::string(12, 'a'));
  Start(2, {"a"}, "runsc-626827-and-more");
  EXPECT_EQ(Only().container, "runsc-626827-and-more");
  Start(3, {"a"}, std::string(64, 'g'));
  EXPECT_EQ(Only().container, std::string(64, 'g'));
}

TEST_F(SandboxTest, AChildIsItsParentUntilItExecs) {
  Start(1, {"/bin/bash"});
  Clone(Context(1, 1, "bash"), 2, 2);
  EXPECT_EQ(Only().type, "clone");
  EXPECT_EQ(Only().return_value, 2);
  Open(Context(2, 2, "bash"), "/etc/passwd", O_RDONLY, 3);
  EXPECT_EQ(Only().name, "bash");
  EXPECT_EQ(Only().parent, "bash");
  Exec(Context(2, 2, "bash"), "/usr/bin/cat", {"cat", "/etc/shadow"}, "/bin/cat");
  EXPECT_EQ(Only().type, "execve");
  EXPECT_EQ(Only().command_line, "cat /etc/shadow");
  EXPECT_EQ(Only().exe_path, "/usr/bin/cat");
  EXPECT_FALSE(Only().synthetic);
}

TEST_F(SandboxTest, AncestorsOutliveTheirExitWhileChildrenLive) {
  Start(1, {"init"});
  Clone(Thin(1), 2, 2);
  Exec(Thin(2), "/bin/middle", {"middle"});
  Clone(Thin(2), 3, 3);
  TaskExit(Thin(2));
  EXPECT_EQ(Only().type, "procexit");
  EXPECT_EQ(sandbox_.FindProcess(2), nullptr);
  Exec(Thin(3), "/bin/child", {"child"});
  EXPECT_EQ(Only().parent, "middle");
  EXPECT_EQ(Only().ancestors, 2u);
  TaskExit(Thin(3));
  EXPECT_EQ(sandbox_.process_count(), 1u);
}

TEST_F(SandboxTest, ALineOfDaemonsThatForkAndExitDoesNotGrowForEver) {
  Start(1, {"init"});
  for (int32_t tid = 1; tid < 2000; ++tid) {
    Clone(Thin(tid), tid + 1, tid + 1);
    TaskExit(Thin(tid));
  }
  Exec(Thin(2000), "/bin/x", {"x"});
  EXPECT_LE(Only().ancestors, SandboxLimits{}.ancestors_max);
  EXPECT_GT(sandbox_.counters()[StateCounter::kAncestorsCut], 0u);
}

TEST_F(SandboxTest, AThinSessionKnowsProcessAndCwdFromState) {
  Start(1, {"/bin/sh"});
  Send(MessageType::kChdir,
       Message().Nested(1, Thin(1)).Nested(2, Exit(0)).Number(3, 80).Text(6, "/etc"));
  EXPECT_EQ(Only().cwd, "/etc");
  Clone(Thin(1), 2, 2);
  Open(Thin(2), "shadow", O_RDONLY, 3);
  EXPECT_EQ(Only().path, "/etc/shadow");
  EXPECT_EQ(Only().name, "sh");
  Send(MessageType::kChdir,
       Message().Nested(1, Thin(2)).Nested(2, Exit(0, ENOENT)).Number(3, 80).Text(6, "/nowhere"));
  EXPECT_EQ(Only().cwd, "/etc");
}

TEST_F(SandboxTest, OneCloneIsOneHappeningHoweverOftenItIsTold) {
  Start(1, {"sh"});
  // Whole session: enter, sentry, exit.
  Send(MessageType::kClone, Message().Nested(1, Context(1, 1)).Number(3, 56));
  EXPECT_TRUE(told_.empty());
  Clone(Context(1, 1), 2, 2);
  EXPECT_TRUE(told_.empty());
  Send(MessageType::kClone, Message().Nested(1, Context(1, 1)).Nested(2, Exit(2)).Number(3, 56));
  EXPECT_EQ(Only().type, "clone");
  // Only exits beside sentry/clone.
  Clone(Context(1, 1), 3, 3);
  EXPECT_EQ(Only().type, "clone");
  Send(MessageType::kClone, Message().Nested(1, Context(1, 1)).Nested(2, Exit(3)).Number(3, 56));
  EXPECT_TRUE(told_.empty());
  // A failure has no sentry/clone.
  Send(MessageType::kClone,
       Message().Nested(1, Context(1, 1)).Nested(2, Exit(0, 11)).Number(3, 56));
  EXPECT_EQ(Only().return_value, -11);
}

TEST_F(SandboxTest, AnExecIsToldBySentryOnly) {
  Start(1, {"sh"});
  // Old order: enter, sentry, exit.
  ExecveEnter(Context(1, 1, "sh"), "/bin/id", "id");
  EXPECT_TRUE(told_.empty());
  Exec(Context(1, 1, "sh"), "/bin/busybox", {"id"});
  EXPECT_EQ(Only().name, "id")
      << "named after the path as passed, which old runsc tell at enter only";
  ExecveExit(Context(1, 1, "sh"), "/bin/id", "id");
  EXPECT_TRUE(told_.empty());
  Close(Context(1, 1, "id"), 3);
  EXPECT_EQ(Only().command_line, "id");
}

TEST_F(SandboxTest, AFailedExecIsAnEventOfTheCaller) {
  Start(1, {"/bin/sh"});
  ExecveEnter(Context(1, 1, "sh"), "/bin/none", "none");
  ExecveExit(Context(1, 1, "sh"), "/bin/none", "none", ENOENT);
  EXPECT_EQ(Only().type, "execve");
  EXPECT_EQ(Only().return_value, -ENOENT);
  EXPECT_EQ(Only().name, "sh");
  EXPECT_FALSE(Only().is_exec);
}

TEST_F(SandboxTest, WithoutSentryAnExecIsConcludedFromWhatFollows) {
  Start(1, {"/bin/sh"});
  // A search along PATH: each attempt is told as a success by current runsc.
  ExecveExit(Thin(1), "/usr/local/bin/id", "id");
  EXPECT_TRUE(told_.empty());
  ExecveExit(Thin(1), "/usr/bin/id", "id");
  EXPECT_TRUE(told_.empty()) << "another attempt means that the first failed";
  Open(Thin(1), "/etc/ld.so.cache", O_RDONLY, 3);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].type, "execve");
  EXPECT_TRUE(told_[0].synthetic);
  EXPECT_EQ(told_[0].exe_path, "/usr/bin/id");
  EXPECT_EQ(told_[1].type, "openat");
  EXPECT_EQ(told_[1].name, "id");
}

TEST_F(SandboxTest, ANameThatDidNotChangeShowsThatTheExecFailed) {
  Start(1, {"/bin/sh"});
  ExecveExit(Context(1, 1, "sh"), "/usr/bin/id", "id");
  Close(Context(1, 1, "sh"), 3);
  EXPECT_EQ(Only().type, "close");
  EXPECT_EQ(Only().name, "sh");
}

TEST_F(SandboxTest, ARawExecIsNoSecondEvent) {
  Start(1, {"/bin/sh"});
  Send(MessageType::kRaw, Message().Nested(1, Thin(1)).Nested(2, Exit(0)).Number(4, 59));
  EXPECT_TRUE(told_.empty());
  Exec(Thin(1), "/bin/id", {"id"}, "/bin/id");
  EXPECT_EQ(Only().type, "execve");
}

// A static shell with one command: it opens nothing, and the command takes its place.
TEST_F(SandboxTest, AProcessFirstSeenByTheCallOfItsExecGetsAnExecMadeUp) {
  Send(MessageType::kRaw, Message().Nested(1, Thin(9)).Number(4, 59));
  ExecveEnter(Context(9, 9, "sh"), "/bin/cat", "cat");
  EXPECT_TRUE(Only().synthetic);
  EXPECT_EQ(Only().name, "sh");
  Exec(Thin(9), "/bin/cat", {"cat", "/etc/shadow"});
  EXPECT_FALSE(Only().synthetic);
  EXPECT_EQ(Only().name, "cat");
}

TEST_F(SandboxTest, AProcessWhoseForkNamesItGetsTheExecMadeUp) {
  Clone(Thin(9), 10, 10);
  ExecveEnter(Context(10, 10, "sh"), "/bin/sleep", "sleep");
  EXPECT_TRUE(Only().synthetic);
  EXPECT_EQ(Only().name, "sh");
  EXPECT_EQ(Only().tgid, 9);
  EXPECT_EQ(Only().parent, "");
  Exec(Thin(10), "/bin/sleep", {"sleep", "1"});
  EXPECT_FALSE(Only().synthetic);
  EXPECT_EQ(Only().parent, "sh");
  Open(Context(9, 9, "sh"), "/etc/passwd", O_RDONLY, 3);
  EXPECT_EQ(Only().type, "openat") << "told once";
}

TEST_F(SandboxTest, AProcessFirstSeenGetsAnExecMadeUpOnce) {
  Message context = Context(9, 9, "cat");
  context.Number(11, 1);
  Open(context, "/etc/shadow", O_RDONLY, 3);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].type, "execve");
  EXPECT_TRUE(told_[0].synthetic);
  EXPECT_EQ(told_[0].name, "cat");
  EXPECT_EQ(told_[1].type, "openat");
  Close(Context(9, 9, "cat"), 3);
  EXPECT_EQ(Only().type, "close");
}

TEST_F(SandboxTest, AForkWhoseMessageWasLostIsNoNewProgram) {
  Start(1, {"/bin/sh"});
  Message context = Context(5, 5, "sh");
  context.Number(10, 1);
  Close(context, 3);
  EXPECT_EQ(Only().type, "close");
  EXPECT_EQ(Only().command_line, "sh");
  EXPECT_EQ(Only().parent, "sh");
}

TEST_F(SandboxTest, MessagesAfterTheLastExitMakeNobodyUp) {
  Start(1, {"/bin/sh"});
  Clone(Context(1, 1, "sh"), 2, 2);
  TaskExit(Context(2, 2, "sh"));
  Send(MessageType::kSentryExitNotifyParent, Message().Nested(1, Context(2, 2, "sh")));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(sandbox_.process_count(), 1u);
}

TEST_F(SandboxTest, TheExitOfAnUnknownThreadIsOnlyThat) {
  Start(1, {"/bin/sh"});
  TaskExit(Context(7, 7, "gone"));
  EXPECT_EQ(Only().type, "procexit");
  EXPECT_EQ(sandbox_.counters()[StateCounter::kUnknownThreadExits], 1u);
  EXPECT_EQ(sandbox_.process_count(), 1u);
}

// A session with enters only, or a thread that is killed while it closes.
TEST_F(SandboxTest, ACloseWhoseExitDoesNotComeIsToldAtTheLatestWhenItsThreadIsLeft) {
  const auto close_enter = [this](const Message& context) {
    Send(MessageType::kClose,
         Message().Nested(1, context).Number(3, 3).Number(4, 3).Text(5, "/etc/x"));
    EXPECT_TRUE(told_.empty());
  };
  Start(1, {"/bin/sh"});
  close_enter(Context(1, 1));
  sandbox_.Finish(*this);
  EXPECT_EQ(Only().type, "close");
  EXPECT_EQ(Only().file_name, "/etc/x");
  told_.clear();
  sandbox_.Finish(*this);
  EXPECT_TRUE(told_.empty()) << "once";
  close_enter(Context(1, 1));
  sandbox_.BeginConnection(*this);
  EXPECT_EQ(Only().type, "close");
  close_enter(Context(1, 1).Number(3, 100));
  // The same id is another thread's.
  Close(Context(1, 1).Number(3, 200), 7);
  ASSERT_GE(told_.size(), 2u);
  EXPECT_EQ(told_[0].file_name, "/etc/x");
  EXPECT_EQ(told_[0].name, "sh");
}

TEST_F(SandboxTest, AChildThatIsAThreadStillIsCountedAsRecycled) {
  Start(1, {"/bin/sh"});
  Clone(Context(1, 1), 2, 2);
  EXPECT_EQ(sandbox_.counters()[StateCounter::kIdsRecycled], 0u);
  Clone(Context(1, 1), 2, 2);
  EXPECT_EQ(sandbox_.counters()[StateCounter::kIdsRecycled], 1u);
}

TEST_F(SandboxTest, ARecycledIdIsAnotherProcess) {
  Start(1, {"/bin/sh"});
  Message before = Context(5, 5, "old");
  before.Number(3, 100).Number(5, 100);
  Close(before, 3);
  Message after = Context(5, 5, "new");
  after.Number(3, 200).Number(5, 200);
  Close(after, 3);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_TRUE(told_[0].synthetic);
  EXPECT_EQ(told_[1].name, "new");
  EXPECT_GT(sandbox_.counters()[StateCounter::kIdsRecycled], 0u);
}

TEST_F(SandboxTest, OpensKeepTheirPathUntilTheFdIsClosed) {
  Start(1, {"sh"});
  Open(Thin(1), "/etc//./passwd", O_RDONLY, 3);
  EXPECT_EQ(Only().path, "/etc/passwd");
  EXPECT_EQ(Only().fd, 3);
  Send(MessageType::kDup,
       Message().Nested(1, Thin(1)).Nested(2, Exit(9)).Number(3, 32).Number(4, 3));
  EXPECT_EQ(Only().file_name, "/etc/passwd");
  Close(Thin(1), 3);
  EXPECT_EQ(Only().file_name, "/etc/passwd") << "still known while the close is told";
  Close(Thin(1), 3, EBADF);
  EXPECT_FALSE(Only().has_file);
  Close(Thin(1), 9);
  EXPECT_EQ(Only().file_name, "/etc/passwd");
}

TEST_F(SandboxTest, AFailedOpenHasAPathAndNoFd) {
  Start(1, {"sh"});
  Open(Thin(1), "/etc/shadow", O_RDONLY, 0, EACCES);
  EXPECT_EQ(Only().fd, -1);
  EXPECT_FALSE(Only().has_file);
  EXPECT_EQ(Only().path, "/etc/shadow");
  EXPECT_EQ(Only().return_value, -EACCES);
  Close(Thin(1), 0);
  EXPECT_FALSE(Only().has_file) << "the failure is not fd 0";
}

TEST_F(SandboxTest, ARelativeOpenStartsAtItsDirectory) {
  Start(1, {"sh"});
  Open(Thin(1), "/var/log", O_RDONLY | O_DIRECTORY, 4);
  const auto open_at = [&](const Message& context, std::string_view fd_path) {
    Message message;
    message.Nested(1, context).Nested(2, Exit(5)).Number(3, 257).Number(4, 4);
    if (!fd_path.empty()) message.Text(5, fd_path);
    Send(MessageType::kOpen, message.Text(6, "../x").Number(7, O_RDONLY));
  };
  open_at(Thin(1), "");
  EXPECT_EQ(Only().path, "/var/x");
  open_at(Thin(1), "/srv/data");
  EXPECT_EQ(Only().path, "/srv/x");
}

TEST_F(SandboxTest, ForkCopiesFdsAndCloneFilesSharesThem) {
  Start(1, {"sh"});
  Open(Thin(1), "/etc/passwd", O_RDONLY, 3);
  Clone(Thin(1), 2, 2);
  Close(Thin(2), 3);
  EXPECT_TRUE(Only().has_file);
  Close(Thin(1), 3);
  EXPECT_TRUE(Only().has_file) << "the child's close is not the parent's";
  Open(Thin(1), "/etc/group", O_RDONLY, 3);
  Clone(Thin(1), 4, 4, CLONE_FILES);
  Close(Thin(4), 3);
  Close(Thin(1), 3);
  EXPECT_FALSE(Only().has_file);
}

TEST_F(SandboxTest, ExecClosesWhatIsMarkedAndLeavesAnothersTableAlone) {
  Start(1, {"sh"});
  Open(Thin(1), "/etc/secret", O_RDONLY | O_CLOEXEC, 3);
  Open(Thin(1), "/etc/kept", O_RDONLY, 4);
  Clone(Thin(1), 2, 2, CLONE_FILES);
  Exec(Thin(2), "/bin/id", {"id"});
  Close(Thin(2), 3);
  EXPECT_FALSE(Only().has_file);
  Close(Thin(2), 4);
  EXPECT_TRUE(Only().has_file);
  Close(Thin(1), 3);
  EXPECT_TRUE(Only().has_file);
}

Message Sockaddr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port) {
  const char raw[] = {2,
                      0,
                      static_cast<char>(port >> 8),
                      static_cast<char>(port & 0xff),
                      static_cast<char>(a),
                      static_cast<char>(b),
                      static_cast<char>(c),
                      static_cast<char>(d),
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0};
  return Message().Raw(std::string_view(raw, sizeof raw));
}

TEST_F(SandboxTest, AConnectionIsNamedByItsEndsAndAnUnknownOneIsAbsent) {
  Start(1, {"sh"});
  Send(MessageType::kSocket,
       Message().Nested(1, Thin(1)).Nested(2, Exit(3)).Number(3, 41).Number(4, 2).Number(5, 1));
  EXPECT_EQ(Only().file_name, "");
  Send(MessageType::kConnect, Message()
                                  .Nested(1, Thin(1))
                                  .Nested(2, Exit(0, EINPROGRESS))
                                  .Number(3, 42)
                                  .Number(4, 3)
                                  .Nested(6, Sockaddr4(10, 0, 0, 7, 4444)));
  EXPECT_EQ(Only().file_name, "0.0.0.0:0->10.0.0.7:4444");
  EXPECT_TRUE(Only().name_changed);
  const File* file = sandbox_.FindProcess(1)->fds->Find(3);
  ASSERT_NE(file, nullptr);
  EXPECT_FALSE(file->local);
  EXPECT_EQ(file->remote->port, 4444);
  EXPECT_TRUE(file->connected);
  // Over standard output, as a reverse shell does.
  Send(MessageType::kDup,
       Message().Nested(1, Thin(1)).Nested(2, Exit(1)).Number(3, 33).Number(4, 3).Number(5, 1));
  EXPECT_EQ(Only().fd, 1);
  EXPECT_EQ(Only().file_name, "0.0.0.0:0->10.0.0.7:4444");
}

TEST_F(SandboxTest, AnAcceptedSocketIsTheNewFd) {
  Start(1, {"srv"});
  Send(MessageType::kSocket,
       Message().Nested(1, Thin(1)).Nested(2, Exit(3)).Number(3, 41).Number(4, 2).Number(5, 1));
  Send(MessageType::kBind, Message()
                               .Nested(1, Thin(1))
                               .Nested(2, Exit(0))
                               .Number(3, 49)
                               .Number(4, 3)
                               .Nested(6, Sockaddr4(0, 0, 0, 0, 8080)));
  Send(MessageType::kAccept, Message()
                                 .Nested(1, Thin(1))
                                 .Nested(2, Exit(5))
                                 .Number(3, 43)
                                 .Number(4, 3)
                                 .Nested(6, Sockaddr4(127, 0, 0, 1, 50000)));
  EXPECT_EQ(Only().fd, 5);
  EXPECT_EQ(Only().file_name, "127.0.0.1:50000->0.0.0.0:8080");
}

TEST_F(SandboxTest, SetuidOfRootChangesAllIdsAndAnothersOnlyTheEffectiveOne) {
  Start(1, {"sh"});
  const auto setuid = [&](uint32_t id, int64_t error_number) {
    Send(
        MessageType::kSetid,
        Message().Nested(1, Thin(1)).Nested(2, Exit(0, error_number)).Number(3, 105).Number(4, id));
  };
  setuid(1000, EPERM);
  EXPECT_EQ(Only().uid, 0u);
  setuid(1000, 0);
  EXPECT_EQ(Only().uid, 1000u);
  EXPECT_EQ(sandbox_.FindProcess(1)->credentials.saved_uid, 1000u);
}

TEST_F(SandboxTest, ARawCallIsAnEventOnlyWhereNoSchemaTellsIt) {
  Start(1, {"sh"});
  // unlink has no schema: at once.
  Send(MessageType::kRaw, Message().Nested(1, Thin(1)).Nested(2, Exit(0)).Number(4, 87));
  EXPECT_EQ(Only().type, "unlink");
  // openat has: the raw exit waits for its twin, and is none if it comes.
  Send(MessageType::kRaw, Message().Nested(1, Thin(1)).Nested(2, Exit(3)).Number(4, 257));
  EXPECT_TRUE(told_.empty());
  Open(Thin(1), "/etc/passwd", O_RDONLY, 3);
  EXPECT_EQ(Only().type, "openat");
  // Now the session is known to have the schema: a tripwire.
  Send(MessageType::kRaw, Message().Nested(1, Thin(1)).Nested(2, Exit(3)).Number(4, 257));
  Close(Thin(1), 3);
  EXPECT_EQ(Only().type, "close");
}

TEST_F(SandboxTest, ARawCallWithoutItsTwinIsToldWithTheNextMessage) {
  Start(1, {"sh"});
  Send(MessageType::kRaw, Message().Nested(1, Thin(1)).Nested(2, Exit(3)).Number(4, 41));
  Send(MessageType::kRaw, Message().Nested(1, Thin(1)).Nested(2, Exit(0)).Number(4, 87));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].type, "socket");
  EXPECT_EQ(told_[1].type, "unlink");
}

TEST_F(SandboxTest, AFileWrittenBeforeItIsRunIsRemembered) {
  Start(1, {"sh"});
  Open(Thin(1), "/tmp/x", O_WRONLY | O_CREAT, 3);
  Exec(Thin(1), "/tmp/x", {"x"});
  EXPECT_TRUE(Only().written_before);
  Exec(Thin(1), "/bin/id", {"id"});
  EXPECT_FALSE(Only().written_before);
  Open(Thin(1), "/bin/id", O_RDONLY, 3);
  Exec(Thin(1), "/bin/id", {"id"});
  EXPECT_FALSE(Only().written_before);
}

TEST_F(SandboxTest, AFileWrittenThroughALinkWasWrittenByItsOwnPathToo) {
  Start(1, {"sh"});
  Open(Thin(1), "/bin/x", O_WRONLY | O_CREAT, 3);
  Send(MessageType::kClose,
       Message().Nested(1, Thin(1)).Number(3, 3).Number(4, 3).Text(5, "/usr/bin/x"));
  Close(Thin(1), 3);
  Exec(Thin(1), "/usr/bin/x", {"x"});
  EXPECT_TRUE(Only().written_before);
  Open(Thin(1), "/bin/y", O_RDONLY, 3);
  Send(MessageType::kClose,
       Message().Nested(1, Thin(1)).Number(3, 3).Number(4, 3).Text(5, "/usr/bin/y"));
  Close(Thin(1), 3);
  Exec(Thin(1), "/usr/bin/y", {"y"});
  EXPECT_FALSE(Only().written_before);
}

TEST_F(SandboxTest, AnExecRemembersWhichProgramItReplaced) {
  Start(1, {"bash"});
  EXPECT_EQ(Only().previous_name, "");
  Clone(Thin(1), 2, 2);
  Exec(Thin(2), "/usr/bin/nc", {"nc"});
  EXPECT_EQ(Only().previous_name, "bash");
  Exec(Thin(2), "/bin/sh", {"sh"});
  EXPECT_EQ(Only().previous_name, "nc");
}

TEST_F(SandboxTest, AnExecFromAnotherThreadMakesItTheLeader) {
  Start(1, {"prog"});
  Clone(Thin(1), 2, 1, CLONE_THREAD | CLONE_FILES);
  Exec(Thin(2), "/bin/id", {"id"});
  EXPECT_EQ(Only().tgid, 1);
  // The old leader's exit comes after the exec, under the id that the caller has now.
  TaskExit(Thin(1));
  EXPECT_EQ(Only().type, "procexit");
  Close(Thin(1), 3);
  EXPECT_EQ(Only().type, "close");
  EXPECT_EQ(Only().command_line, "id");
  TaskExit(Thin(1));
  EXPECT_EQ(sandbox_.process_count(), 0u);
}

TEST_F(SandboxTest, WithStartTimesTheOldLeadersExitIsNoOtherProcess) {
  const auto timed = [](int32_t tid, int64_t start) {
    return Context(tid, 1).Number(3, start).Number(5, 100);
  };
  Message start;
  start.Nested(1, timed(1, 100)).Text(2, "c1").Text(4, "prog");
  Send(MessageType::kContainerStart, start);
  Send(MessageType::kSentryClone, Message()
                                      .Nested(1, timed(1, 100))
                                      .Number(3, 2)
                                      .Number(4, 1)
                                      .Number(5, 200)
                                      .Number(6, CLONE_THREAD));
  Exec(timed(2, 200), "/bin/id", {"id"});
  TaskExit(timed(1, 100));
  EXPECT_EQ(Only().type, "procexit");
  Close(timed(1, 200), 3);
  EXPECT_EQ(Only().type, "close") << "no exec made up";
  EXPECT_EQ(Only().exe_path, "/bin/id");
}

TEST_F(SandboxTest, AThreadOfAnotherGroupOrContainerIsAnotherThread) {
  Start(10, {"/bin/good"}, "c1");
  Close(Context(10, 20, "evil", "c1"), 3);
  EXPECT_EQ(told_.back().tgid, 20);
  EXPECT_EQ(told_.back().exe_path, "");
  Start(30, {"/bin/good"}, "c1");
  Close(Context(30, 0, "evil", "c2"), 3);
  EXPECT_EQ(told_.back().container, "c2");
  EXPECT_EQ(told_.back().exe_path, "");
}

// What is remembered of a process, ancestors included, is known to be stale by it.
TEST_F(SandboxTest, WhoLosesAncestorsHasChanged) {
  Start(1, {"init"});
  const auto max = static_cast<int32_t>(SandboxLimits{}.ancestors_max);
  int32_t last = 1;
  for (; last < max; ++last) Clone(Thin(last), last + 1, last + 1);
  Close(Context(5, 5, "init"), 3);
  const Told before = told_.back();
  for (; last < max + 5; ++last) Clone(Thin(last), last + 1, last + 1);
  Close(Context(5, 5, "init"), 3);
  EXPECT_LT(told_.back().ancestors, before.ancestors);
  EXPECT_NE(told_.back().line_version, before.line_version);
}

TEST_F(SandboxTest, ALineOfAncestorsGrowsFromNeitherEndForEver) {
  // Each process learns its parent late, so the line grows upwards.
  constexpr int32_t kCount = 5000;
  for (int32_t tid = kCount; tid >= 1; --tid) {
    Close(Context(tid, tid, "p"), 3);
    if (tid < kCount) Close(Context(tid + 1, tid + 1, "p").Number(10, tid), 3);
  }
  Close(Context(kCount, kCount, "p"), 3);
  EXPECT_LE(told_.back().ancestors, SandboxLimits{}.ancestors_max);
  Close(Context(kCount / 2, kCount / 2, "p"), 3);
  EXPECT_LE(told_.back().ancestors, SandboxLimits{}.ancestors_max);
  EXPECT_GT(sandbox_.counters()[StateCounter::kAncestorsCut], 0u);
}

TEST_F(SandboxTest, MemoryThatIsFreeAgainIsUsedAgain) {
  Start(1, {"sh"});
  const std::string path = "/" + std::string(3000, 'x');
  for (int32_t round = 0; round < 40; ++round) {
    const int32_t tid = 100 + round;
    Clone(Thin(1), tid, tid);
    for (int64_t fd = 3; fd < 1000; ++fd) Open(Thin(tid), path, O_RDONLY, fd);
    TaskExit(Thin(tid));
  }
  Clone(Thin(1), 50, 50);
  Exec(Thin(50), "/bin/id", {"id", "-u"});
  EXPECT_EQ(Only().command_line, "id -u");
  EXPECT_EQ(Only().parent, "sh");
}

TEST_F(SandboxTest, TheOldestWrittenFileIsForgottenNotTheNewest) {
  Start(1, {"sh"});
  for (size_t i = 0; i <= SandboxLimits{}.written_files_max; ++i) {
    Open(Thin(1), "/tmp/" + std::to_string(i), O_WRONLY | O_CREAT, 3);
  }
  Open(Thin(1), "/tmp/x", O_WRONLY | O_CREAT, 3);
  Exec(Thin(1), "/tmp/x", {"x"});
  EXPECT_TRUE(Only().written_before);
}

TEST_F(SandboxTest, ATerminalOfTheContainerIsInherited) {
  Message start;
  start.Nested(1, Context(1, 1)).Text(2, "c1").Text(4, "sh").Number(6, 1);
  Send(MessageType::kContainerStart, start);
  EXPECT_NE(Only().tty, 0u);
  Clone(Thin(1), 2, 2);
  Exec(Thin(2), "/bin/id", {"id"});
  EXPECT_NE(Only().tty, 0u);
}

TEST_F(SandboxTest, AProcessThatRenamesItselfKeepsItsCommandLine) {
  Start(1, {"/bin/miner", "--pool", "x"});
  Close(Context(1, 1, "dpkg"), 3);
  EXPECT_EQ(Only().name, "dpkg");
  EXPECT_EQ(Only().command_line, "miner --pool x");
}

struct IgnoreHappenings final : HappeningSink {
  void OnHappening(const Happening&) override {}
};

TEST(SandboxLimits, EverythingThatGrowsIsBoundedAndCounted) {
  IgnoreHappenings sink;
  SandboxLimits limits;
  limits.processes_max = 10;
  limits.threads_max = 20;
  limits.containers_max = 5;
  limits.fds_per_process_max = 8;
  limits.text_bytes_max = 16;
  limits.written_files_max = 4;
  Sandbox sandbox(limits, Arch::kX86_64);
  const auto send = [&](MessageType type, const Message& message) {
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), AsBytes(message.bytes()), event));
    sandbox.Apply(event, 0, sink);
  };
  for (int32_t tid = 1; tid <= 100; ++tid) {
    const Message context =
        Message().Number(2, tid).Number(4, tid).Text(6, "container-" + std::to_string(tid));
    send(MessageType::kOpen, Message()
                                 .Nested(1, context)
                                 .Nested(2, Message().Number(1, tid))
                                 .Number(3, 257)
                                 .Number(4, AT_FDCWD)
                                 .Text(6, "/a/path/that/is/too/long" + std::to_string(tid))
                                 .Number(7, O_WRONLY));
  }
  for (int32_t fd = 1000; fd < 1100; ++fd) {
    send(MessageType::kOpen, Message()
                                 .Nested(1, Message().Number(2, 100).Number(4, 100))
                                 .Nested(2, Message().Number(1, fd))
                                 .Number(3, 257)
                                 .Text(6, "/x"));
  }
  EXPECT_LE(sandbox.process_count(), limits.processes_max);
  for (const StateCounter counter :
       {StateCounter::kProcessesRefused, StateCounter::kThreadsRefused,
        StateCounter::kContainersRefused, StateCounter::kFdsRefused, StateCounter::kTextsCut,
        StateCounter::kWrittenFilesForgotten}) {
    EXPECT_GT(sandbox.counters()[counter], 0u)
        << kStateCounterRows[static_cast<size_t>(counter)].name;
  }
}

TEST(SandboxLimits, TheThreadThatActsIsNeverEvicted) {
  IgnoreHappenings sink;
  SandboxLimits limits;
  limits.threads_max = 3;
  limits.processes_max = 3;
  Sandbox sandbox(limits, Arch::kX86_64);
  for (int32_t tid = 1; tid <= 200; ++tid) {
    for (const int64_t child : {1000 + tid, 2000 + tid}) {
      const Message message = Message()
                                  .Nested(1, Message().Number(2, tid).Number(4, tid))
                                  .Nested(2, Message().Number(1, child))
                                  .Number(3, 56);
      Event event;
      ASSERT_TRUE(
          Decode(static_cast<uint16_t>(MessageType::kClone), AsBytes(message.bytes()), event));
      sandbox.Apply(event, 0, sink);  // under the address sanitizer: no use of what was let go
    }
  }
  EXPECT_GT(sandbox.counters()[StateCounter::kThreadsRefused], 0u);
}

TEST(SandboxLimits, AtItsShareOfMemoryASandboxLosesWhatHasBeenSilentForLongest) {
  IgnoreHappenings sink;
  SandboxLimits limits;
  limits.sandbox_bytes_max = 1 << 20;
  Sandbox sandbox(limits, Arch::kX86_64);
  const std::string big(100'000, 'x');
  for (int32_t tid = 1; tid <= 200; ++tid) {
    Message message;
    message.Nested(1, Message().Number(2, tid).Number(4, tid))
        .Text(2, "/bin/x")
        .Text(3, "x")
        .Text(3, big);
    Event event;
    ASSERT_TRUE(
        Decode(static_cast<uint16_t>(MessageType::kSentryExec), AsBytes(message.bytes()), event));
    sandbox.Apply(event, 0, sink);
  }
  EXPECT_GT(sandbox.counters()[StateCounter::kThreadsForgotten], 0u);
  EXPECT_EQ(sandbox.counters()[StateCounter::kStateForgotten], 0u);
  EXPECT_EQ(sandbox.FindProcess(1), nullptr);
  ASSERT_NE(sandbox.FindProcess(200), nullptr);
  EXPECT_EQ(sandbox.FindProcess(200)->image->args.size(), 1u) << "the newest is remembered whole";
  EXPECT_LT(sandbox.held_bytes(), 3 * limits.sandbox_bytes_max);
}

TEST(SandboxLimits, WhereAllHaveTooLittleASandboxLosesItsOldestState) {
  IgnoreHappenings sink;
  Sandbox sandbox(SandboxLimits{}, Arch::kX86_64);
  const std::string line(2'000, 'x');
  constexpr int32_t kProcesses = 2'000;
  for (int32_t tid = 1; tid <= kProcesses; ++tid) {
    Message message;
    message.Nested(1, Message().Number(2, tid).Number(4, tid).Text(6, "ab"))
        .Text(2, "/bin/x")
        .Text(3, "x")
        .Text(3, line);
    Event event;
    ASSERT_TRUE(
        Decode(static_cast<uint16_t>(MessageType::kSentryExec), AsBytes(message.bytes()), event));
    sandbox.Apply(event, 0, sink);
  }
  const size_t share = sandbox.memory_bytes() / 4;
  sandbox.Shrink(share, sink);
  EXPECT_LE(sandbox.memory_bytes(), share);
  EXPECT_EQ(sandbox.counters()[StateCounter::kStateForgotten], 0u);
  EXPECT_EQ(sandbox.FindProcess(1), nullptr);
  EXPECT_GT(sandbox.process_count(), size_t{kProcesses} / 20) << "as much as it may have is kept";
  const Process* newest = sandbox.FindProcess(kProcesses);
  ASSERT_NE(newest, nullptr);
  EXPECT_EQ(newest->image->args.size(), 1u);
  ASSERT_NE(newest->container.get(), nullptr);
  EXPECT_EQ(newest->container->id, "ab");
}

TEST(SandboxLimits, WhoSpeaksIsNotForgottenForOthersThatAreSilent) {
  IgnoreHappenings sink;
  SandboxLimits limits;
  limits.sandbox_bytes_max = 1 << 20;
  Sandbox sandbox(limits, Arch::kX86_64);
  const auto apply = [&](MessageType type, const Message& message) {
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), AsBytes(message.bytes()), event));
    sandbox.Apply(event, 0, sink);
  };
  const std::string big(20'000, 'x');
  for (int32_t tid = 1; tid <= 1'000; ++tid) {
    apply(MessageType::kSentryExec, Message()
                                        .Nested(1, Message().Number(2, tid).Number(4, tid))
                                        .Text(2, "/bin/x")
                                        .Text(3, "x")
                                        .Text(3, big));
    apply(MessageType::kChdir, Message().Nested(1, Message().Number(2, 1).Number(4, 1)));
  }
  EXPECT_GT(sandbox.counters()[StateCounter::kThreadsForgotten], 500u);
  ASSERT_NE(sandbox.FindProcess(1), nullptr);
  EXPECT_EQ(sandbox.FindProcess(1)->image->args.size(), 1u);
}

TEST(SandboxLimits, NoMessageMakesTheStateOutgrowItsShare) {
  IgnoreHappenings sink;
  SandboxLimits limits;
  limits.sandbox_bytes_max = 1 << 20;
  Sandbox sandbox(limits, Arch::kX86_64);
  const std::string path(2000, 'p');
  size_t most = 0;
  for (int32_t tid = 1; tid <= 20'000; ++tid) {
    const Message context = Message().Number(2, tid).Text(8, path);
    Event event;
    const bool starts = tid % 2 == 0;
    const Message message =
        starts ? Message().Nested(1, context).Text(2, "c").Text(3, path).Text(4, path)
               : Message().Nested(1, context).Number(3, 59).Text(6, path);
    const MessageType type = starts ? MessageType::kContainerStart : MessageType::kExecve;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), AsBytes(message.bytes()), event));
    sandbox.Apply(event, 0, sink);
    most = std::max(most, sandbox.held_bytes());
  }
  EXPECT_GT(sandbox.counters()[StateCounter::kThreadsForgotten], 0u);
  EXPECT_LT(most, 2 * limits.sandbox_bytes_max);
}

// Raw exits that wait for their twins, one in each thread.
TEST_F(SandboxTest, WhatWaitsToBeJudgedCountsAsTheSandboxsMemory) {
  Start(1, {"/bin/sh"});
  const auto raw_exit = [this](Sandbox& sandbox, int32_t tid) {
    Event event;
    const Message message = Message().Nested(1, Context(tid, 1)).Nested(2, Exit(3)).Number(4, 257);
    ASSERT_TRUE(Decode(static_cast<uint16_t>(MessageType::kRaw), AsBytes(message.bytes()), event));
    sandbox.Apply(event, 0, *this);
  };
  constexpr int32_t kThreads = 1000;
  const size_t before = sandbox_.held_bytes();
  for (int32_t tid = 2; tid < 2 + kThreads; ++tid) raw_exit(sandbox_, tid);
  EXPECT_GE(sandbox_.held_bytes() - before, kThreads * sizeof(Event));

  constexpr size_t kLimit = 256 * 1024;
  Sandbox small({.sandbox_bytes_max = kLimit}, Arch::kX86_64);
  for (int32_t tid = 2; tid < 2 + kThreads; ++tid) {
    raw_exit(small, tid);
    ASSERT_LE(small.held_bytes(), 3 * kLimit);
  }
  EXPECT_GT(small.counters()[StateCounter::kThreadsForgotten], 0u);
}

TEST(Sockaddr, UnixPathsEndAtTheirNulAndAbstractNamesBeginWithOne) {
  const auto path = ParseSockaddr(std::string_view("\1\0/run/x.sock\0garbage", 21));
  ASSERT_TRUE(path);
  EXPECT_EQ(path->unix_path, "/run/x.sock");
  const auto abstract = ParseSockaddr(std::string_view("\1\0\0name\0garbage", 15));
  ASSERT_TRUE(abstract);
  EXPECT_TRUE(abstract->is_abstract);
  EXPECT_EQ(abstract->unix_path, "name");
  EXPECT_FALSE(ParseSockaddr("\1"));
  EXPECT_FALSE(ParseSockaddr(std::string_view("\2\0\0", 3))->endpoint) << "cut short";
}

TEST_F(SandboxTest, AProgramStartedWithoutArgumentsGoesByItsPath) {
  Start(1, {"/bin/sh"});
  Exec(Context(1, 1, "sh"), "/usr/bin/tool.real", {}, "/bin/tool");
  ASSERT_NE(sandbox_.FindProcess(1), nullptr);
  EXPECT_EQ(sandbox_.FindProcess(1)->image->exe, "/bin/tool");
  Exec(Context(1, 1, "tool"), "/usr/bin/other", {"argv0"}, "/bin/other");
  EXPECT_EQ(sandbox_.FindProcess(1)->image->exe, "argv0");
}

}  // namespace
}  // namespace gyrfalcon
