#include "runsc/process_list.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Dump(const std::string& runsc) {
  std::ifstream file(std::string(GYRFALCON_TEST_DATA) + "/procfs/" + runsc + ".txt");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ProcessList, TellsWhatBothRunscsPrint) {
  for (const char* runsc : {"old", "new"}) {
    SCOPED_TRACE(runsc);
    const auto list = ParseProcessList(Dump(runsc));
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
  EXPECT_FALSE(ParseProcessList(""));
  EXPECT_THAT(ParseProcessList("usage: …").error().message, HasSubstr("no dump"));
  const auto empty = ParseProcessList("PROCFS DUMP\n");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->processes.empty());
  const std::string line = kLeast;
  const auto mixed = ParseProcessList("PROCFS DUMP\n\n" + line + "\n{\"a\xff\":1}\n\nnull\n" +
                                      std::string(100'000, '[') + "\n" + line);
  ASSERT_TRUE(mixed);
  EXPECT_EQ(mixed->processes.size(), 2u);
  EXPECT_EQ(mixed->malformed, 3u);
}

TEST(ProcessList, IsBounded) {
  const std::string line = kLeast;
  std::string many = "PROCFS DUMP\n";
  for (size_t i = 0; i <= kProcessEntriesMax; ++i) many += line + "\n";
  const auto entries = ParseProcessList(many);
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->processes.size(), kProcessEntriesMax);
  EXPECT_TRUE(entries->cut);

  std::string wide = line.substr(0, line.size() - 1) + R"(,"args":[)";
  for (int i = 0; i < 100'000; ++i) wide += R"("",)";
  wide += R"(""]})";
  const auto items = ParseProcessList("PROCFS DUMP\n" + wide + "\n" + wide + "\n" + wide + "\n");
  ASSERT_TRUE(items);
  EXPECT_EQ(items->processes.size(), 2u);
  EXPECT_TRUE(items->cut);

  const auto long_line =
      ParseProcessList("PROCFS DUMP\n" + line.substr(0, line.size() - 1) + R"(,"cwd":")" +
                       std::string(kProcessLineBytesMax, 'x') + "\"}\n" + line);
  ASSERT_TRUE(long_line);
  EXPECT_EQ(long_line->processes.size(), 1u);
  EXPECT_EQ(long_line->malformed, 1u);
}

TEST(ProcessList, IsAskedOfRunscOnlyForIds) {
  EXPECT_FALSE(ListProcesses({.program = "true", .root = "/r", .limits = {}}, "--help"));
}

}  // namespace
}  // namespace gyrfalcon
