#include "runsc/sandbox_list.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(SandboxList, TellsContainersWithTheirSandbox) {
  const auto listed = ParseSandboxList(R"([
    {"ociVersion":"1.0.2","id":"a","pid":12,"status":"running","bundle":"/b/a","owner":"0"},
    {"id":"p","status":"running","annotations":{"io.kubernetes.cri.sandbox-id":"p"}},
    {"id":"c","status":"stopped","annotations":{"io.kubernetes.cri.container-type":"container",
                                                "io.kubernetes.cri.sandbox-id":"p"}},
    {"id":"z","status":"paused"}])");
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 4u);
  EXPECT_EQ((*listed)[0].sandbox_id, "a");
  EXPECT_TRUE((*listed)[0].running);
  EXPECT_EQ((*listed)[0].pid, 12);
  EXPECT_EQ((*listed)[0].bundle, "/b/a");
  EXPECT_EQ((*listed)[2].sandbox_id, "p");
  EXPECT_FALSE((*listed)[2].running);
  EXPECT_TRUE((*listed)[2].stopped);
  EXPECT_FALSE((*listed)[3].running);
  EXPECT_FALSE((*listed)[3].stopped);
}

// Docker takes any annotation: naming another sandbox must not take one out of sight.
TEST(SandboxList, OnlyAContainerOfAPodBelongsToAnotherSandbox) {
  const auto listed = ParseSandboxList(R"([
    {"id":"a","status":"running","annotations":{"io.kubernetes.cri.sandbox-id":"p"}},
    {"id":"b","status":"running","annotations":{"io.kubernetes.cri.container-type":"sandbox",
                                                "io.kubernetes.cri.sandbox-id":"p"}},
    {"id":"c","status":"running","annotations":{"io.kubernetes.cri-o.ContainerType":"container",
                                                "io.kubernetes.cri-o.SandboxID":"p"}}])");
  ASSERT_TRUE(listed);
  EXPECT_EQ((*listed)[0].sandbox_id, "a");
  EXPECT_EQ((*listed)[1].sandbox_id, "b");
  EXPECT_EQ((*listed)[2].sandbox_id, "p");
}

TEST(SandboxList, TakesWhateverIsPrinted) {
  EXPECT_TRUE(ParseSandboxList("null\n")->empty());
  EXPECT_TRUE(ParseSandboxList("[]")->empty());
  EXPECT_TRUE(ParseSandboxList(R"([1, null, {}, {"id": 5}, [[]]])")->empty());
  const auto odd = ParseSandboxList(R"([{"id":"a","pid":"x","status":7,"annotations":[1]}])");
  ASSERT_EQ(odd->size(), 1u);
  EXPECT_FALSE((*odd)[0].running);
  for (const char* bad : {"", "{}", "{\"a\":", "no such thing", "7"}) {
    EXPECT_FALSE(ParseSandboxList(bad)) << bad;
  }
  std::string many = "[";
  for (size_t i = 0; i <= kListedContainersMax; ++i) many += R"({"id":"x"},)";
  many.back() = ']';
  EXPECT_EQ(ParseSandboxList(many)->size(), kListedContainersMax);
}

TEST(SandboxList, StateOfOneIsReadOnlyWhereItIsThatOnes) {
  // `echo` prints its arguments: what runsc would be called with, and so no state.
  const RunscCall call{.program = "echo", .root = "/r", .limits = {}};
  EXPECT_FALSE(ReadContainerState(call, "a"));
  EXPECT_THAT(*ListContainerIds(call), ::testing::IsEmpty()) << "--root=… is a flag and no id";
}

TEST(Child, GivesItsOutputOrSaysWhyNot) {
  EXPECT_EQ(RunChild({"echo", "a b"}), "a b\n");
  EXPECT_THAT(RunChild({"/no/such/program"}).error().message, HasSubstr("No such file"));
  EXPECT_THAT(RunChild({"sh", "-c", "exit 7"}).error().message, HasSubstr("ended with 7"));
  EXPECT_THAT(RunChild({"sh", "-c", "kill -9 $$"}).error().message, HasSubstr("was killed"));
}

TEST(Child, QuotesTheLastLineOfWhatItComplainedAbout) {
  EXPECT_EQ(RunChild({"sh", "-c", "echo first >&2; printf 'last \\033[31m one\\n' >&2; exit 128"})
                .error()
                .message,
            "sh: ended with 128: last \\x1b[31m one");
  const std::string long_line =
      RunChild({"sh", "-c", "yes | tr -d '\\n' | head -c 300000 >&2; exit 1"}).error().message;
  EXPECT_EQ(long_line, "sh: ended with 1: " + std::string(512, 'y'));
  const ChildLimits limits{.patience = milliseconds(200)};
  EXPECT_EQ(RunChild({"sh", "-c", "echo busy >&2; sleep 60"}, limits).error().message,
            "sh: took too long: busy");
  EXPECT_EQ(RunChild({"sh", "-c", "echo fine >&2; echo out"}), "out\n");
}

TEST(Child, IsKilledAtItsLimits) {
  const auto begin = std::chrono::steady_clock::now();
  ChildLimits limits{.patience = milliseconds(200), .output_bytes_max = 1000};
  EXPECT_THAT(RunChild({"sleep", "60"}, limits).error().message, HasSubstr("too long"));
  EXPECT_THAT(RunChild({"sh", "-c", "sleep 60 & sleep 60"}, limits).error().message,
              HasSubstr("too long"));
  EXPECT_FALSE(RunChild({"sh", "-c", "exec >&-; sleep 60"}, limits));
  limits.patience = milliseconds(10'000);
  EXPECT_THAT(RunChild({"cat", "/dev/zero"}, limits).error().message, HasSubstr("too much"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(9'000));
}

TEST(Child, IsKilledWhenNobodyWantsItsAnswerAnyMore) {
  const auto begin = std::chrono::steady_clock::now();
  const UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  const ChildLimits limits{.patience = milliseconds(60'000), .stop_fd = stop.get()};
  std::jthread stopper([&stop] {
    std::this_thread::sleep_for(milliseconds(100));
    eventfd_write(stop.get(), 1);
  });
  EXPECT_THAT(RunChild({"sleep", "60"}, limits).error().message, HasSubstr("stopped"));
  EXPECT_FALSE(RunChild({"sleep", "60"}, limits)) << "from then on, at once";
  EXPECT_FALSE(RunChild({"sh", "-c", "exec >&-; sleep 60"}, limits));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(20'000));
}

}  // namespace
}  // namespace gyrfalcon
