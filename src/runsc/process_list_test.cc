#include "runsc/process_list.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<ProcessList> ParseAll(std::string_view text) {
  return ParseProcessList(text, {.all = true, .tgids = {}});
}

std::string Dump(const std::string& runsc) {
  std::ifstream file(std::string(GYRFALCON_TEST_DATA) + "/procfs/" + runsc + ".txt");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ProcessList, TellsWhatBothRunscsPrint) {
  for (const char* runsc : {"old", "new"}) {
    SCOPED_TRACE(runsc);
    const auto list = ParseAll(Dump(runsc));
    ASSERT_TRUE(list) << list.error().message;
    EXPECT_EQ(list->malformed, 0u);
    EXPECT_FALSE(list->cut);
    ASSERT_EQ(list->processes.size(), 3u);
    const ProcessSnapshot& init = list->processes[0];
    EXPECT_EQ(init.tgid, 1);
    EXPECT_EQ(init.parent_tgid, 0);
    EXPECT_THAT(init.argv, ElementsAre("sh", "-c", "sleep 6; true"));
    EXPECT_EQ(init.env.size(), 2u);
    EXPECT_EQ(init.exe_path, "/bin/busybox");
    EXPECT_EQ(init.cwd, "/");
    EXPECT_EQ(init.fd_limit, 20'000);
    EXPECT_GT(init.start_time_ns, 1'795'355'000'000'000'000);
    EXPECT_EQ(list->processes[1].parent_tgid, 1);
    const ProcessSnapshot& session = list->processes[2];
    EXPECT_EQ(session.name, "sh");
    EXPECT_EQ(session.group_id, 5);
    EXPECT_EQ(session.session_id, 5);
    ASSERT_TRUE(session.credentials);
    EXPECT_EQ(session.credentials->effective_uid, 0u);
    ASSERT_EQ(session.fds.size(), 4u);
    EXPECT_EQ(session.fds[3].number, 10);
    EXPECT_EQ(session.fds[0].mode, 020600u);
  }
}

constexpr char kLeast[] = R"({"clone_ts":5,"status":{"pid":7,"comm":"x"}})";

TEST(ProcessList, NeedsWhatNamesAProcess) {
  const auto least = ParseProcess(kLeast);
  ASSERT_TRUE(least);
  EXPECT_EQ(least->tgid, 7);
  EXPECT_FALSE(least->credentials);
  for (const char* bad :
       {"", "no", "[]", "7", "{}", "{\"exe\":\"/x\"}", R"({"clone_ts":5,"status":{"comm":"x"}})",
        R"({"clone_ts":5,"status":{"pid":7}})", R"({"status":{"pid":7,"comm":"x"}})",
        R"({"clone_ts":-5,"status":{"pid":7,"comm":"x"}})",
        R"({"clone_ts":5,"status":{"pid":0,"comm":"x"}})",
        R"({"clone_ts":5,"status":{"pid":4294967303,"comm":"x"}})",
        R"({"clone_ts":5,"status":{"pid":7.5,"comm":"x"}})"}) {
    EXPECT_FALSE(ParseProcess(bad)) << bad;
  }
}

TEST(ProcessList, TakesNoValueOfAnotherType) {
  const std::string begin = R"({"clone_ts":5,"status":{"pid":7,"comm":"x"},)";
  for (const char* bad :
       {R"("args":"sh")", R"("args":[1])", R"("args":{"a":"b"})", R"("env":null)", R"("exe":[])",
        R"("cwd":0)", R"("fdlist":{})", R"("fdlist":[1])", R"("fdlist":[{"number":"0"}])",
        R"("fdlist":[{"number":0,"mode":-1}])", R"("fdlist":[{"number":0,"path":1}])",
        R"("stat":[])", R"("stat":{"sid":"5"})", R"("limits":1)",
        R"("limits":{"RLIMIT_NOFILE":1})"}) {
    const auto parsed = ParseProcess(begin + bad + "}");
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().message,
              "Missing json field or wrong type: cannot parse procfs entry");
  }
  const auto no_limit =
      ParseProcess(begin + R"("limits":{"RLIMIT_NOFILE":{"cur":18446744073709551615}}})");
  ASSERT_TRUE(no_limit);
  EXPECT_EQ(no_limit->fd_limit, INT64_MAX);
}

TEST(ProcessList, LeavesOutWhatIsNoEntry) {
  EXPECT_FALSE(ParseAll(""));
  EXPECT_THAT(ParseAll("usage: …").error().message, HasSubstr("no dump"));
  const auto empty = ParseAll("PROCFS DUMP\n");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->processes.empty());
  const std::string line = kLeast;
  const auto mixed = ParseAll("PROCFS DUMP\n\n" + line + "\n{\"a\xff\":1}\n\nnull\n" +
                              std::string(100'000, '[') + "\n" + line);
  ASSERT_TRUE(mixed);
  EXPECT_EQ(mixed->processes.size(), 2u);
  EXPECT_EQ(mixed->malformed, 3u);
}

TEST(ProcessList, IsBounded) {
  const std::string line = kLeast;
  std::string many = "PROCFS DUMP\n";
  for (size_t i = 0; i <= kProcessEntriesMax; ++i) many += line + "\n";
  const auto entries = ParseAll(many);
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->processes.size(), kProcessEntriesMax);
  EXPECT_TRUE(entries->cut);

  // Trimmed where it takes too much.
  std::string wide = line.substr(0, line.size() - 1) + R"(,"exe":"/bin/x","fdlist":[)";
  for (int i = 0; i < 900; ++i) {
    wide += R"({"number":)" + std::to_string(i) + R"(,"path":")" + std::string(4000, 'x') + "\"},";
  }
  wide += R"({"number":-1}],"env":["A=1"],"args":[)";
  for (int i = 0; i < 1000; ++i) wide += R"("sh",)";
  wide += R"("-i"]})";
  ASSERT_LT(wide.size(), kProcessLineBytesMax);
  std::string fat = "PROCFS DUMP\n";
  for (int i = 0; i < 20; ++i) fat += wide + "\n";
  const auto trimmed = ParseAll(fat);
  ASSERT_TRUE(trimmed);
  ASSERT_EQ(trimmed->processes.size(), 20u);
  EXPECT_GT(trimmed->trimmed, 8u);
  EXPECT_EQ(trimmed->processes[0].fds.size(), 901u);
  const ProcessSnapshot& last = trimmed->processes.back();
  EXPECT_EQ(last.exe_path, "/bin/x");
  EXPECT_EQ(last.argv.size(), kTrimmedArgumentsMax);
  EXPECT_EQ(last.argv.front(), "sh");
  EXPECT_TRUE(last.env.empty());
  EXPECT_EQ(last.fds.size(), 3u);

  const auto long_line =
      ParseAll("PROCFS DUMP\n" + line.substr(0, line.size() - 1) + R"(,"cwd":")" +
               std::string(kProcessLineBytesMax, 'x') + "\"}\n" + line);
  ASSERT_TRUE(long_line);
  EXPECT_EQ(long_line->processes.size(), 1u);
  EXPECT_EQ(long_line->malformed, 1u);
}

std::string Entry(int pid, const std::string& more = "") {
  return R"({"clone_ts":5,)" + more + R"("status":{"comm":"x","pid":)" + std::to_string(pid) +
         "}}\n";
}

TEST(ProcessList, OthersTakeNothingFromThoseThatAreWaitedFor) {
  std::string text = "PROCFS DUMP\n";
  for (size_t i = 0; i <= kProcessEntriesMax; ++i) text += Entry(1000 + static_cast<int>(i));
  const std::string deep(4000, 'd');
  for (int i = 0; i < 2'000; ++i) {  // 16 MiB and more
    text += Entry(2, R"("cwd":")" + deep + R"(","root":")" + deep + R"(",)");
  }
  text += Entry(3, R"("cwd":")" + std::string(kProcessLineBytesMax, 'x') + R"(",)");
  text += Entry(4, R"("args":["\"pid\":7"],)");
  text += Entry(7, R"("args":["sh","-i"],)") + Entry(77);
  const auto all = ParseProcessList(text, {.all = true, .tgids = {7}});
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->cut);
  EXPECT_EQ(all->processes.back().tgid, 7);
  ProcessListReader reader({.all = false, .tgids = {7}});
  for (size_t i = 0; i < text.size(); i += 65'536) {
    reader.Feed(std::string_view(text).substr(i, 65'536));
  }
  const auto one = reader.Finish();
  ASSERT_TRUE(one);
  ASSERT_EQ(one->processes.size(), 1u);
  EXPECT_THAT(one->processes[0].argv, ElementsAre("sh", "-i"));
  EXPECT_FALSE(one->cut);
  EXPECT_EQ(one->malformed, 1u) << "whose line is too long is not known";
  EXPECT_FALSE(one->whole());
}

TEST(ProcessList, IsAskedOfRunscOnlyForIds) {
  EXPECT_FALSE(ListProcesses({.program = "true", .root = "/r", .limits = {}}, "--help",
                             {.all = true, .tgids = {}}));
}

}  // namespace
}  // namespace gyrfalcon
