// Where descriptors come from, and when what was claimed of one dies with its number.
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "points/test_message.h"
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

using testing::AsBytes;
using testing::Message;

struct Told {
  std::string type, file;
  FdOrigin origin{};
  int64_t fd = -1;
  bool second_chance = false;
  FileType file_type = FileType::kUnknown;
};

class FdOriginTest : public ::testing::Test, private HappeningSink {
 protected:
  explicit FdOriginTest(bool with_closes = true) {
    Send(MessageType::kContainerStart,
         Message().Nested(1, Context(1)).Text(2, "c").Text(3, "/").Text(4, "sh"));
    if (!with_closes) return;
    // A session with opens and closes.
    Open(1, "/dev/null", 9);
    CloseEnter(1, 9, "/dev/null");
    CloseExit(1, 9);
  }

  // Thread 11 is another one of process 1.
  static Message Context(int32_t tid) {
    return Message().Number(2, tid).Number(4, tid == 11 ? 1 : tid).Text(6, "c");
  }

  void Send(MessageType type, const Message& message) {
    told_.clear();
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), AsBytes(message.bytes()), event));
    sandbox_.Apply(event, 1, *this);
  }
  void Open(int32_t tid, std::string_view path, int64_t fd) {
    Send(MessageType::kOpen, Message()
                                 .Nested(1, Context(tid))
                                 .Nested(2, Message().Number(1, fd))
                                 .Number(3, 257)
                                 .Number(4, AT_FDCWD)
                                 .Text(6, path));
  }
  void CloseEnter(int32_t tid, int64_t fd, std::string_view path) {
    Send(MessageType::kClose,
         Message().Nested(1, Context(tid)).Number(3, 3).Number(4, fd).Text(5, path));
  }
  void CloseExit(int32_t tid, int64_t fd) {
    Send(MessageType::kClose,
         Message().Nested(1, Context(tid)).Nested(2, Message()).Number(3, 3).Number(4, fd));
  }
  void Read(int32_t tid, int64_t fd, std::string_view path) {
    Send(MessageType::kRead, Message()
                                 .Nested(1, Context(tid))
                                 .Nested(2, Message().Number(1, 1))
                                 .Number(3, 0)
                                 .Number(4, fd)
                                 .Text(5, path));
  }
  // dup, dup2, dup3 by number
  void Dup(int32_t tid, int64_t sysno, int64_t from, int64_t to, std::string_view path) {
    Send(MessageType::kDup, Message()
                                .Nested(1, Context(tid))
                                .Nested(2, Message().Number(1, to))
                                .Number(3, sysno)
                                .Number(4, from)
                                .Number(5, to)
                                .Text(6, path));
  }
  void DupByFcntl(int32_t tid, int64_t from, int64_t to, std::string_view path) {
    Send(MessageType::kFcntl, Message()
                                  .Nested(1, Context(tid))
                                  .Nested(2, Message().Number(1, to))
                                  .Number(3, 72)
                                  .Number(4, from)
                                  .Text(5, path)
                                  .Number(6, F_DUPFD_CLOEXEC)
                                  .Number(7, to));
  }
  void Clone(int32_t parent, int32_t child) {
    Send(MessageType::kSentryClone,
         Message().Nested(1, Context(parent)).Number(3, child).Number(4, child));
  }
  void Socket(int32_t tid, int64_t fd) {
    Send(MessageType::kSocket, Message()
                                   .Nested(1, Context(tid))
                                   .Nested(2, Message().Number(1, fd))
                                   .Number(3, 41)
                                   .Number(4, 2)
                                   .Number(5, 1));
  }
  const Told& Last() {
    static const Told kNothing;
    EXPECT_FALSE(told_.empty());
    return told_.empty() ? kNothing : told_.back();
  }
  uint64_t corrected() const { return sandbox_.counters()[StateCounter::kPathsCorrected]; }

  std::vector<Told> told_;
  Sandbox sandbox_{SandboxLimits{}, Arch::kX86_64};

 private:
  void OnHappening(const Happening& happening) override {
    told_.push_back(
        {.type = std::string(Describe(happening.type).name),
         .file = happening.file == nullptr ? "" : std::string(happening.file->name),
         .origin = happening.fd_origin,
         .fd = happening.fd,
         .second_chance = happening.second_chance,
         .file_type = happening.file == nullptr ? FileType::kUnknown : happening.file->type});
  }
};

TEST_F(FdOriginTest, EachWayIsTold) {
  Open(1, "/a", 3);
  EXPECT_EQ(Last().origin, FdOrigin::kOpen);
  Socket(1, 4);
  EXPECT_EQ(Last().origin, FdOrigin::kSocket);
  Dup(1, 32, 3, 5, "/a");
  EXPECT_EQ(Last().origin, FdOrigin::kDup);
  Clone(1, 2);
  Read(2, 3, "/a");
  EXPECT_EQ(Last().origin, FdOrigin::kInherited);
  Read(1, 3, "/a");
  EXPECT_EQ(Last().origin, FdOrigin::kOpen) << "the parent's stays its own";
}

TEST_F(FdOriginTest, AFileThatNoMessageGaveWasPassed) {
  Clone(1, 2);
  Read(2, 3, "/etc/shadow");
  EXPECT_EQ(Last().origin, FdOrigin::kPassed);
  Dup(2, 32, 3, 7, "/etc/shadow");
  EXPECT_EQ(Last().origin, FdOrigin::kPassed) << "and stays so";
  Clone(2, 3);
  Read(3, 7, "/etc/shadow");
  EXPECT_EQ(Last().origin, FdOrigin::kPassed);
  Read(2, 0, "/dev/null");
  EXPECT_EQ(Last().origin, FdOrigin::kUnknown) << "standard input comes with the container";
  Read(2, 8, "/memfd:x (deleted)");
  EXPECT_EQ(Last().origin, FdOrigin::kUnknown) << "memfd_create sends no message";
}

TEST_F(FdOriginTest, WhereSomethingMayBeMissingItIsUnknown) {
  sandbox_.NoteLoss();
  Read(1, 3, "/etc/shadow");
  EXPECT_EQ(Last().origin, FdOrigin::kUnknown);
  Read(50, 3, "/etc/shadow");
  EXPECT_EQ(Last().origin, FdOrigin::kUnknown) << "not known from its start";
}

TEST_F(FdOriginTest, AClaimDiesWithItsNumber) {
  Open(1, "/honest", 3);
  Open(1, "/other", 4);
  Dup(1, 33, 4, 3, "/other");
  Read(1, 3, "/other");
  EXPECT_EQ(Last().file, "/other");
  Open(1, "/second", 5);
  DupByFcntl(1, 4, 5, "/other");
  Read(1, 5, "/other");
  EXPECT_EQ(Last().file, "/other");
  Open(1, "/third", 6);
  Dup(1, 292, 4, 6, "/other");
  Read(1, 6, "/other");
  EXPECT_EQ(Last().file, "/other");
  // close_range frees the number without a message, the next open has it.
  Open(1, "/fourth", 6);
  Read(1, 6, "/fourth");
  EXPECT_EQ(Last().file, "/fourth");
  EXPECT_EQ(corrected(), 0u);
}

TEST_F(FdOriginTest, ASocketsNumberThatIsAFilesNowIsNoCorrection) {
  Clone(1, 2);
  Socket(2, 3);
  Read(2, 3, "/etc/shadow");
  EXPECT_EQ(Last().file, "/etc/shadow");
  EXPECT_EQ(Last().origin, FdOrigin::kPassed);
  Open(2, "/x", 4);
  Read(2, 4, "socket:[7]");
  EXPECT_EQ(Last().file, "");
  EXPECT_EQ(corrected(), 0u);
}

// Where closes are not asked for, a number may go on as a socket that it is no more.
TEST_F(FdOriginTest, ASocketsNumberThatIsAnotherThingsNowIsNoSocket) {
  Socket(1, 3);
  Dup(1, 33, 3, 0, "socket:[7]");
  EXPECT_EQ(Last().file_type, FileType::kIpv4);
  Dup(1, 33, 3, 0, "anon_inode:[eventpoll]");
  EXPECT_EQ(Last().file_type, FileType::kEpoll);
}

TEST_F(FdOriginTest, ACloseFreesItsNumberAtItsEnter) {
  Open(1, "/a", 3);
  CloseEnter(1, 3, "/a");
  EXPECT_TRUE(told_.empty());
  // Another thread has the number before the exit is told.
  Open(11, "/b", 3);
  CloseExit(1, 3);
  EXPECT_EQ(Last().file, "/a");
  Read(1, 3, "/b");
  EXPECT_EQ(Last().file, "/b");
  EXPECT_EQ(Last().origin, FdOrigin::kOpen);
  EXPECT_EQ(corrected(), 0u);
}

TEST_F(FdOriginTest, ACloseIsOneEventAlsoWithoutItsExit) {
  Open(1, "/a", 3);
  CloseEnter(1, 3, "/a");
  EXPECT_TRUE(told_.empty());
  CloseExit(1, 3);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(Last().file, "/a");
  Open(1, "/a", 3);
  CloseEnter(1, 3, "/a");
  Open(1, "/b", 4);
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_EQ(told_[0].type, "close");
  EXPECT_EQ(told_[0].file, "/a");
  EXPECT_EQ(told_[0].origin, FdOrigin::kOpen);
  EXPECT_EQ(told_[1].type, "openat");
}

class NoClosesTest : public FdOriginTest {
 protected:
  NoClosesTest() : FdOriginTest(false) {}
};

TEST_F(NoClosesTest, ANumberIsWhatItsMessageSaysAndNotWhatItWas) {
  Open(1, "/tmp/x", 3);
  Read(1, 3, "/etc/shadow");
  EXPECT_EQ(Last().file, "/etc/shadow");
  Dup(1, 33, 3, 0, "/etc/shadow");
  EXPECT_EQ(Last().file, "/etc/shadow");
  Open(1, "/tmp/y", 4);
  Read(1, 4, "pipe:[7]");
  EXPECT_EQ(Last().file_type, FileType::kPipe);
  Open(1, "/tmp/z", 5);
  Read(1, 5, "/tmp/z (deleted)");
  EXPECT_EQ(Last().file, "/tmp/z");
}

TEST_F(NoClosesTest, ALinkThatWasUsedBeforeTheFirstCloseHasItsSecondChanceThen) {
  Open(1, "/tmp/link", 3);
  Read(1, 3, "/etc/shadow");
  CloseEnter(1, 3, "/etc/shadow");
  ASSERT_FALSE(told_.empty());
  EXPECT_TRUE(told_.front().second_chance);
  EXPECT_EQ(told_.front().file, "/etc/shadow");
}

}  // namespace
}  // namespace gyrfalcon
