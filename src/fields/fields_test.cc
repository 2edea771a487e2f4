#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>

#include "fields/field.h"
#include "fields/flag_names.h"
#include "points/test_message.h"
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

using testing::Message;

// Asks one field of the last happening that a few messages make.
class FieldsTest : public ::testing::Test, private HappeningSink {
 protected:
  void Send(MessageType type, const Message& message) {
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), testing::AsBytes(message.bytes()), event));
    answers_.clear();
    sandbox_.Apply(event, 0, *this);
  }
  static Message Context(int32_t tid) {
    return Message().Number(1, 1'795'335'717'026'572'338).Number(2, tid).Text(6, "c1");
  }
  // The field's printed value at the next message.
  std::string Ask(std::string_view name, std::optional<std::string_view> bracket, MessageType type,
                  const Message& message) {
    const auto bound = AllFields().Bind(name, bracket);
    EXPECT_TRUE(bound) << name;
    return AskBound(*bound, type, message);
  }
  std::string AskBound(const BoundField& bound, MessageType type, const Message& message) {
    asked_ = &bound;
    Send(type, message);
    asked_ = nullptr;
    return answers_.empty() ? "(no happening)" : answers_.back();
  }
  void Start(int32_t tid, std::vector<std::string> args) {
    Message message;
    message.Nested(1, Context(tid)).Text(2, "c1").Text(3, "/root");
    for (const std::string& arg : args) message.Text(4, arg);
    message.Text(5, "HOME=/root").Text(5, "LD_PRELOAD= /tmp/x.so ");
    Send(MessageType::kContainerStart, message);
  }
  static Message OpenMessage(int32_t tid, uint32_t flags, int64_t result = 3, int64_t error = 0) {
    return Message()
        .Nested(1, Context(tid))
        .Nested(2, Message().Number(1, result).Number(2, error))
        .Number(3, 257)
        .Number(4, AT_FDCWD)
        .Text(6, "../etc//shadow")
        .Number(7, flags)
        .Number(8, 0644);
  }

 private:
  void OnHappening(const Happening& happening) override {
    if (asked_ == nullptr) return;
    scratch_.Reset();
    std::string out;
    AppendPrinted(asked_->ExtractPrinted(happening, scratch_), asked_->print, out);
    answers_.push_back(std::move(out));
  }

  Sandbox sandbox_{SandboxLimits{}, Arch::kX86_64};
  Scratch scratch_;
  const BoundField* asked_ = nullptr;
  std::vector<std::string> answers_;
};

struct FieldCase {
  std::string_view name;
  std::optional<std::string_view> bracket;
  std::string_view expected;
};

TEST_F(FieldsTest, AnOpenShowsItsFileAndItsProcess) {
  Start(1, {"/usr/bin/cat", "-A", "x y"});
  const FieldCase kCases[] = {
      {"evt.type", {}, "openat"},
      {"evt.dir", {}, "<"},
      {"evt.res", {}, "SUCCESS"},
      {"evt.rawres", {}, "3"},
      {"evt.is_open_read", {}, "true"},
      {"evt.is_open_write", {}, "false"},
      {"evt.arg.flags", {}, "O_RDONLY|O_CLOEXEC"},
      {"evt.rawarg.flags", {}, "1001"},
      {"evt.arg.mode", {}, "0644"},
      {"evt.rawarg.mode", {}, "644"},
      {"evt.arg.name", {}, "/etc/shadow"},
      {"evt.rawarg.name", {}, "../etc//shadow"},
      {"evt.arg.dirfd", {}, "AT_FDCWD"},
      {"evt.arg.fd", {}, "<f>/etc/shadow"},
      {"evt.arg.target", {}, "<NA>"},
      {"evt.type.is.openat", {}, "1"},
      {"evt.type.is.close", {}, "0"},
      {"fd.num", {}, "3"},
      {"fd.name", {}, "/etc/shadow"},
      {"fd.nameraw", {}, "../etc/shadow"},
      {"fd.directory", {}, "/etc"},
      {"fd.filename", {}, "shadow"},
      {"fd.type", {}, "file"},
      {"fd.typechar", {}, "f"},
      {"fd.types", "3", "file"},
      {"fd.types", {}, "(file)"},
      {"fs.path.name", {}, "/etc/shadow"},
      {"proc.name", {}, "cat"},
      {"proc.exe", {}, "/usr/bin/cat"},
      {"proc.args", {}, "-A x y"},
      {"proc.args", "1", "x y"},
      {"proc.args", "7", ""},
      {"proc.cmdline", {}, "cat -A x y"},
      {"proc.exeline", {}, "/usr/bin/cat -A x y"},
      {"proc.cmdnargs", {}, "2"},
      {"proc.cmdlenargs", {}, "5"},
      {"proc.env", "HOME", "/root"},
      {"proc.env", "LD_PRELOAD", "/tmp/x.so"},
      {"proc.env", "NONE", ""},
      {"proc.cwd", {}, "/root/"},
      {"proc.pname", {}, "<NA>"},
      {"proc.aname", "2", "<NA>"},
      {"proc.vpid", {}, "1"},
      {"proc.pid", {}, "5"},
      {"proc.tty", {}, "0"},
      {"user.name", {}, "root"},
      {"user.uid", {}, "0"},
      {"user.loginuid", {}, "-1"},
      {"container.id", {}, "c1"},
      {"container.image.repository", {}, "<NA>"},
      {"thread.cap_effective", {}, "<NA>"},
      {"evt.rawtime.ns", {}, "026572338"},
      {"evt.time.iso8601", {}, "2026-11-22T08:21:57.026572338+0000"},
  };
  Start(5, {"/usr/bin/cat", "-A", "x y"});
  for (const FieldCase& c : kCases) {
    EXPECT_EQ(Ask(c.name, c.bracket, MessageType::kOpen, OpenMessage(5, O_RDONLY | O_CLOEXEC)),
              c.expected)
        << c.name;
  }
}

TEST_F(FieldsTest, AFailedOpenIsMinusOneWithAPath) {
  Start(5, {"/bin/sh"});
  const FieldCase kCases[] = {
      {"fd.num", {}, "-1"},         {"fd.name", {}, "/etc/shadow"}, {"fd.directory", {}, "/etc"},
      {"fd.filename", {}, "<NA>"},  {"fd.type", {}, "<NA>"},        {"fd.typechar", {}, "f"},
      {"evt.res", {}, "EACCES"},    {"evt.rawres", {}, "-13"},      {"evt.failed", {}, "true"},
      {"evt.arg.fd", {}, "EACCES"},
  };
  for (const FieldCase& c : kCases) {
    EXPECT_EQ(Ask(c.name, c.bracket, MessageType::kOpen, OpenMessage(5, O_RDONLY, 0, 13)),
              c.expected)
        << c.name;
  }
}

TEST_F(FieldsTest, AncestorsAreCountedFromTheProcessItself) {
  Start(1, {"/sbin/init"});
  for (int32_t tid = 2; tid <= 4; ++tid) {
    Send(MessageType::kSentryClone,
         Message().Nested(1, Context(tid - 1)).Number(3, tid).Number(4, tid));
    const std::string name = "p" + std::to_string(tid);
    Send(MessageType::kSentryExec,
         Message().Nested(1, Context(tid)).Text(2, "/bin/" + name).Text(3, name).Text(3, "arg"));
  }
  const FieldCase kCases[] = {
      {"proc.aname", "0", "p4"},        {"proc.aname", "1", "p3"},
      {"proc.aname", "3", "init"},      {"proc.aname", "4", "<NA>"},
      {"proc.aname", {}, "p3 p2 init"}, {"proc.pname", {}, "p3"},
      {"proc.pcmdline", {}, "p3 arg"},  {"proc.apid", "2", "2"},
      {"proc.pexepath", {}, "/bin/p3"}, {"proc.aname", "-1", "<NA>"},
      {"proc.aargs", {}, "arg arg"},    {"proc.aargs", "1", "arg"},
      {"proc.apid", {}, "4"},           {"proc.aenv", {}, ""},
  };
  for (const FieldCase& c : kCases) {
    EXPECT_EQ(Ask(c.name, c.bracket, MessageType::kOpen, OpenMessage(4, 0)), c.expected) << c.name;
  }
}

TEST_F(FieldsTest, AConnectionShowsTheSideThatIsKnown) {
  Start(1, {"/bin/nc"});
  Send(MessageType::kSocket, Message()
                                 .Nested(1, Context(1))
                                 .Nested(2, Message().Number(1, 3))
                                 .Number(3, 41)
                                 .Number(4, 2)
                                 .Number(5, 1));
  const std::string_view address("\x02\x00\x01\xbb\x08\x08\x08\x08\0\0\0\0\0\0\0\0", 16);
  const Message connect = Message()
                              .Nested(1, Context(1))
                              .Nested(2, Message())
                              .Number(3, 42)
                              .Number(4, 3)
                              .Text(6, address);
  const FieldCase kCases[] = {
      {"fd.sip", {}, "8.8.8.8"},    {"fd.sport", {}, "443"},       {"fd.rip", {}, "8.8.8.8"},
      {"fd.cip", {}, "<NA>"},       {"fd.lip", {}, "<NA>"},        {"fd.lport", {}, "<NA>"},
      {"fd.ip", {}, "(8.8.8.8)"},   {"fd.port", {}, "(443)"},      {"fd.sproto", {}, "443"},
      {"fd.l4proto", {}, "tcp"},    {"fd.type", {}, "ipv4"},       {"fd.sockfamily", {}, "ip"},
      {"fd.connected", {}, "true"}, {"fd.is_server", {}, "false"},
  };
  for (const FieldCase& c : kCases) {
    EXPECT_EQ(Ask(c.name, c.bracket, MessageType::kConnect, connect), c.expected) << c.name;
  }
}

TEST_F(FieldsTest, AnEventTellsItsKindAndItsCounts) {
  Start(5, {"/bin/sh"});
  const FieldCase kCases[] = {
      {"evt.category", {}, "file"},
      {"evt.count", {}, "1"},
      {"evt.count.exit", {}, "1"},
      {"evt.count.error", {}, "1"},
      {"evt.count.error.file", {}, "1"},
      {"evt.count.error.net", {}, "<NA>"},
      {"evt.count.error.memory", {}, "<NA>"},
      {"evt.count.error.other", {}, "<NA>"},
      {"evt.count.procinfo", {}, "0"},
      {"evt.latency", {}, "0"},
      {"evt.latency.ns", {}, "000000000"},
      {"evt.latency.human", {}, "0ns"},
      {"evt.wait_latency", {}, "0"},
      {"evt.is_syslog", {}, "false"},
      {"evt.infra.docker.name", {}, "<NA>"},
      {"evt.buflen.file", {}, "<NA>"},
      {"thread.nametid", {}, "sh5"},
      {"evt.arg", "0", "EACCES"},
      {"evt.arg", "2", "/etc/shadow"},
      {"evt.arg", "5", "<NA>"},
      {"evt.arg", "99", "<NA>"},
      {"evt.arg", "-1", "<NA>"},
      {"evt.args",
       {},
       "fd=-13(EACCES) dirfd=-100(AT_FDCWD) name=../etc//shadow(/etc/shadow) "
       "flags=1(O_RDONLY) mode=0644"},
  };
  for (const FieldCase& c : kCases) {
    EXPECT_EQ(Ask(c.name, c.bracket, MessageType::kOpen, OpenMessage(5, O_RDONLY, 0, 13)),
              c.expected)
        << c.name;
  }
}

// A call of a point that names an fd, on a file that was opened as 3.
TEST_F(FieldsTest, BytesAreCountedByDirectionAndByKindOfFd) {
  Start(5, {"/bin/sh"});
  Send(MessageType::kOpen, OpenMessage(5, O_RDONLY));
  const Message read = Message()
                           .Nested(1, Context(5))
                           .Nested(2, Message().Number(1, 17))
                           .Number(3, 0)
                           .Number(4, 3)
                           .Number(6, 64);
  const FieldCase kCases[] = {
      {"evt.category", {}, "file"},        {"evt.buflen", {}, "17"},
      {"evt.buflen.in", {}, "17"},         {"evt.buflen.out", {}, "<NA>"},
      {"evt.buflen.file", {}, "17"},       {"evt.buflen.file.in", {}, "17"},
      {"evt.buflen.file.out", {}, "<NA>"}, {"evt.buflen.net", {}, "<NA>"},
      {"evt.arg.size", {}, "64"},          {"evt.arg.fd", {}, "<f>/etc/shadow"},
      {"evt.arg.data", {}, "<NA>"},        {"evt.rawarg.fd", {}, "3"},
  };
  for (const FieldCase& c : kCases) {
    EXPECT_EQ(Ask(c.name, c.bracket, MessageType::kRead, read), c.expected) << c.name;
  }
}

TEST_F(FieldsTest, TimesAreMeasuredFromTheFirstMessageAndFromTheLastQuestion) {
  const auto open_at = [&](int64_t time_ns) {
    return Message()
        .Nested(1, Message().Number(1, time_ns).Number(2, 5).Text(6, "c1"))
        .Nested(2, Message().Number(1, 3))
        .Number(3, 257)
        .Text(6, "/x");
  };
  const auto delta = AllFields().Bind("evt.deltatime", {});
  const auto count = AllFields().Bind("util.cnt", {});
  Send(MessageType::kOpen, open_at(1'000'000'000));
  EXPECT_EQ(Ask("evt.reltime", {}, MessageType::kOpen, open_at(3'000'000'005)), "2000000005");
  EXPECT_EQ(Ask("evt.reltime.s", {}, MessageType::kOpen, open_at(3'000'000'005)), "2");
  EXPECT_EQ(Ask("evt.reltime.ns", {}, MessageType::kOpen, open_at(3'000'000'005)), "000000005");
  EXPECT_EQ(AskBound(*delta, MessageType::kOpen, open_at(4'000'000'000)), "0");
  EXPECT_EQ(AskBound(*delta, MessageType::kOpen, open_at(4'000'000'030)), "30");
  EXPECT_EQ(AskBound(*count, MessageType::kOpen, open_at(5'000'000'000)), "1");
  EXPECT_EQ(AskBound(*count, MessageType::kOpen, open_at(5'000'000'000)), "2");
  // Milliseconds from the moment that is asked for, rounded up.
  EXPECT_EQ(Ask("evt.around", "5000000000", MessageType::kOpen, open_at(5'002'000'001)), "3");
  EXPECT_EQ(Ask("evt.around", "5000000000", MessageType::kOpen, open_at(4'998'000'000)), "2");
}

// A raw message of x86-64.
Message Raw(const Message& context, int64_t sysno, std::initializer_list<int64_t> registers,
            int64_t result = 0) {
  Message message;
  message.Nested(1, context).Nested(2, Message().Number(1, result)).Number(4, sysno);
  uint32_t field = 5;
  for (const int64_t value : registers) message.Number(field++, value);
  return message;
}

TEST_F(FieldsTest, ArgumentsReadAsFalcoWritesThem) {
  struct ArgCase {
    int64_t sysno;
    std::initializer_list<int64_t> registers;
    std::string_view field, expected;
  };
  Start(5, {"/bin/sh"});
  Send(MessageType::kOpen, OpenMessage(5, O_RDONLY));
  const ArgCase kCases[] = {
      {90,
       {0, 04755},
       "evt.arg.mode",
       "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"},
      {90, {0, 04755}, "evt.rawarg.mode", "4755"},
      {91, {3, 0}, "fd.name", "/etc/shadow"},
      {91, {3, 0}, "evt.arg.fd", "<f>/etc/shadow"},
      {62, {5, 9}, "evt.arg.sig", "SIGKILL"},
      {62, {5, 9}, "evt.rawarg.sig", "9"},
      {62, {5, 9}, "evt.arg.pid", "sh"},
      {62, {99, 9}, "evt.arg.pid", "99"},
      {8, {3, 0, 2}, "evt.arg.whence", "SEEK_END"},
      {272, {0x10020000}, "evt.arg.flags", "CLONE_NEWNS|CLONE_NEWUSER"},
      {10,
       {0x1000, 4096, 5},
       "evt.args",
       "res=0 addr=1000 length=4096 prot=5(PROT_READ|PROT_EXEC)"},
      {160, {7}, "evt.arg.resource", "RLIMIT_NOFILE"},
      {321, {5}, "evt.arg.cmd", "BPF_PROG_LOAD"},
      {200, {5, 15}, "evt.arg.sig", "SIGTERM"},
      {263, {-100, 0, 0x200}, "evt.arg.dirfd", "AT_FDCWD"},
      {263, {-100, 0, 0x200}, "evt.arg.flags", "AT_REMOVEDIR"},
      {39, {}, "evt.args", ""},
      {39, {}, "evt.rawarg.nativeID", "39"},
  };
  for (const ArgCase& c : kCases) {
    EXPECT_EQ(Ask(c.field, {}, MessageType::kRaw, Raw(Context(5), c.sysno, c.registers)),
              c.expected)
        << c.sysno << " " << c.field;
  }
  const Message fcntl_message = Message()
                                    .Nested(1, Context(5))
                                    .Nested(2, Message().Number(1, 4))
                                    .Number(3, 72)
                                    .Number(4, 3)
                                    .Number(6, F_DUPFD_CLOEXEC);
  EXPECT_EQ(Ask("evt.arg.cmd", {}, MessageType::kFcntl, fcntl_message), "F_DUPFD_CLOEXEC");
  EXPECT_EQ(Ask("evt.rawarg.cmd", {}, MessageType::kFcntl, fcntl_message), "26");
}

TEST_F(FieldsTest, AnExitIsTheOnlyEventThatFalcoCallsAnEntry) {
  Start(5, {"/bin/sh"});
  const Message exit = Message().Nested(1, Context(5)).Number(2, 9);
  EXPECT_EQ(Ask("evt.dir", {}, MessageType::kSentryTaskExit, exit), ">");
  EXPECT_EQ(Ask("evt.arg.sig", {}, MessageType::kSentryTaskExit, exit), "SIGKILL");
  EXPECT_EQ(Ask("syscall.type", {}, MessageType::kSentryTaskExit, exit), "<NA>");
  EXPECT_EQ(Ask("evt.category", {}, MessageType::kSentryTaskExit, exit), "process");
}

TEST(Catalog, ArgumentsAreCheckedWhenAFieldIsBound) {
  const FieldCatalog& catalog = AllFields();
  for (const std::string_view good :
       {"evt.arg.flags", "thread.cgroup.cpu", "container.label.app"}) {
    EXPECT_TRUE(catalog.Bind(good, {})) << good;
  }
  struct Bad {
    std::string_view name;
    std::optional<std::string_view> bracket;
    std::string_view message;
  };
  for (const Bad& bad : {
           Bad{"proc.nmae", {}, "filter_check called with nonexistent field proc.nmae"},
           Bad{"proc.aname", "abc", "filter_check called with nonexistent field proc.aname[abc]"},
           Bad{"evt.abspath.foo", {}, "filter_check called with nonexistent field evt.abspath.foo"},
           Bad{"proc.args", "1.5", "filter_check called with nonexistent field proc.args[1.5]"},
           Bad{"proc.name", "1", "filter_check called with nonexistent field proc.name[1]"},
           Bad{"evt.arg", {}, "filter_check called with nonexistent field evt.arg"},
           Bad{"evt.arg.nothing", {}, "unknown event argument nothing"},
           Bad{"container.mount.dest",
               {},
               "filter_check called with nonexistent field container.mount.dest"},
       }) {
    const auto bound = catalog.Bind(bad.name, bad.bracket);
    ASSERT_FALSE(bound) << bad.name;
    EXPECT_EQ(bound.error(), bad.message);
  }
}

TEST(Catalog, ABoundFieldPrintsAsItWasWritten) {
  EXPECT_EQ(AllFields().Bind("proc.aname", "2")->Name(), "proc.aname[2]");
  EXPECT_EQ(AllFields().Bind("evt.arg.flags", {})->Name(), "evt.arg.flags");
  EXPECT_EQ(AllFields().Bind("proc.env", "HOME")->Name(), "proc.env[HOME]");
}

TEST(Catalog, EveryRowHasHelpAndOnlyThoseThatAreNeverThereHaveNoExtractor) {
  std::string_view last;
  for (const FieldDef& row : AllFields().rows()) {
    EXPECT_LT(last, row.name) << "sorted, each once";
    last = row.name;
    EXPECT_TRUE(row.help.ends_with('.')) << row.name;
    EXPECT_EQ(row.extract == nullptr, row.availability == Availability::kNever) << row.name;
  }
}

TEST(Scratch, IsReusedWithoutGrowing) {
  Scratch scratch;
  const char* first = scratch.Copy("hello").data();
  scratch.Chars(100'000);
  scratch.Reset();
  EXPECT_EQ(scratch.Copy("again").data(), first);
  const std::span<Value> values = scratch.Values(3);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(values.data()) % alignof(Value), 0u);
  EXPECT_TRUE(values[2].missing());
}

TEST(FlagNames, AreJoinedInFalcosOrder) {
  std::string out;
  AppendNames(Vocabulary::kOpenFlags,
              FalcoNumber(Vocabulary::kOpenFlags, O_WRONLY | O_CREAT | O_TRUNC), out);
  EXPECT_EQ(out, "O_TRUNC|O_CREAT|O_WRONLY");
  EXPECT_EQ(ErrnoName(2), "ENOENT");
  EXPECT_EQ(ErrnoName(512), "ERESTARTSYS");
  EXPECT_EQ(ErrnoName(0), "");
  EXPECT_EQ(ErrnoName(INT64_MAX), "");
  out.clear();
  AppendNames(Vocabulary::kPtraceRequests, FalcoNumber(Vocabulary::kPtraceRequests, PTRACE_ATTACH),
              out);
  EXPECT_EQ(out, "PTRACE_ATTACH");
}

Message ExecOf(std::string_view path, bool upper, bool lower) {
  return Message()
      .Nested(1, Message().Number(1, 5).Number(2, 1).Text(6, "c1"))
      .Text(2, path)
      .Text(3, "x")
      .Number(5, 0100755)
      .Number(9, upper ? 1 : 0)
      .Number(15, lower ? 1 : 0);
}

TEST_F(FieldsTest, AnExecShowsWhetherItsFileIsTheImages) {
  constexpr auto kExec = MessageType::kSentryExec;
  Start(1, {"sh"});
  const auto drift = [&](bool upper, bool lower) {
    return Ask("gyrfalcon.exe.drift", {}, kExec, ExecOf("/x", upper, lower)) + " " +
           Ask("gyrfalcon.exe.from_image", {}, kExec, ExecOf("/x", upper, lower));
  };
  EXPECT_EQ(drift(false, false), "unknown <NA>") << "nothing has shown that layers are told";
  EXPECT_EQ(drift(true, false), "added false");
  EXPECT_EQ(drift(true, true), "modified false");
  EXPECT_EQ(drift(false, true), "none true");
  EXPECT_EQ(drift(false, false), "unknown false") << "on a mount of its own";
  EXPECT_EQ(Ask("gyrfalcon.exe.drift", {}, kExec, ExecOf("/memfd:x (deleted)", false, false)),
            "added");
}

TEST_F(FieldsTest, AnExecShowsHashesOnlyWhenTheyAreWhole) {
  constexpr auto kExec = MessageType::kSentryExec;
  Start(1, {"sh"});
  const Message message =
      ExecOf("/x", false, true).Text(8, std::string(32, '\x0f')).Text(16, "short");
  EXPECT_EQ(Ask("gyrfalcon.exe.sha1", {}, kExec, message), "<NA>");
  std::string expected;
  for (int i = 0; i < 32; ++i) expected += "0f";
  EXPECT_EQ(Ask("gyrfalcon.exe.sha256", {}, kExec, message), expected);
  EXPECT_EQ(Ask("gyrfalcon.exe.size", {}, kExec, message), "<NA>");
  EXPECT_EQ(Ask("gyrfalcon.exe.mode", {}, kExec, message), "100755");
}

TEST_F(FieldsTest, AnExecShowsWhoIsAtTheOtherEndOfItsPipes) {
  constexpr auto kExec = MessageType::kSentryExec;
  Start(1, {"sh", "-c", "x"});
  const Message peer = Message().Nested(1, Message().Number(2, 1).Number(4, 1));
  const Message stranger = Message().Nested(1, Message().Number(4, 77).Text(9, "curl"));
  const Message message = ExecOf("/x", false, true).Nested(21, stranger).Nested(22, peer);
  EXPECT_EQ(Ask("gyrfalcon.pipe.in.name", {}, kExec, message), "curl");
  EXPECT_EQ(Ask("gyrfalcon.pipe.in.pid", {}, kExec, message), "77");
  EXPECT_EQ(Ask("gyrfalcon.pipe.in.cmdline", {}, kExec, message), "<NA>");
  EXPECT_EQ(Ask("gyrfalcon.pipe.out.pid", {}, kExec, message), "1");
  EXPECT_EQ(Ask("gyrfalcon.pipe.out.name", {}, kExec, ExecOf("/x", false, true)), "<NA>")
      << "gone with the next program";
}

TEST_F(FieldsTest, AListenShowsASocketThatWasNotSeenBefore) {
  Start(1, {"sh"});
  const Message message = Message()
                              .Nested(1, Context(1))
                              .Nested(2, Message())
                              .Number(3, 50)
                              .Number(4, 3)
                              .Text(5, "socket:[1]")
                              .Number(6, 128)
                              .Text(7, std::string("\x02\x00\x1f\x90\x7f\x00\x00\x01", 8))
                              .Number(8, 2)
                              .Number(9, 1);
  EXPECT_EQ(Ask("evt.arg.backlog", {}, MessageType::kListen, message), "128");
  EXPECT_EQ(Ask("fd.name", {}, MessageType::kListen, message), "127.0.0.1:8080");
  EXPECT_EQ(Ask("fd.l4proto", {}, MessageType::kListen, message), "tcp");
  EXPECT_EQ(Ask("fd.type", {}, MessageType::kListen, message), "ipv4");
}

}  // namespace
}  // namespace gyrfalcon
