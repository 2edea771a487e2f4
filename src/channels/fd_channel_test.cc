// Standard output and the file.
#include <csignal>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "channels/test_alerts.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class FileChannel : public ::testing::Test {
 protected:
  FileChannel() : path_(testing::TempDir() + "gyrfalcon-file-" + std::to_string(getpid())) {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  void TearDown() override {
    unlink(path_.c_str());
    unlink((path_ + ".1").c_str());
  }
  std::unique_ptr<Channel> Open(bool buffered, bool keep_open) const {
    return std::move(*MakeFileChannel(path_, {}, buffered, keep_open));
  }
  static std::string TextOf(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string Line(const std::string& message) {
    return "08:21:57.026572338: Warning " + message + "\n";
  }
  void Rotate() const { ASSERT_EQ(rename(path_.c_str(), (path_ + ".1").c_str()), 0); }

  const std::string path_;
};

TEST_F(FileChannel, ARotatedFileIsBegunAnewAtTheSignalOrAtOnce) {
  const TestAlerts alerts({"one", "two", "three"});
  for (const bool keep_open : {false, true}) {
    const auto channel = Open(false, keep_open);
    channel->Deliver(alerts.batch().subspan(0, 1));
    Rotate();
    channel->Deliver(alerts.batch().subspan(1, 1));
    if (keep_open) channel->Reopen();
    channel->Deliver(alerts.batch().subspan(2, 1));
    EXPECT_EQ(TextOf(path_ + ".1"), keep_open ? Line("one") + Line("two") : Line("one"));
    EXPECT_EQ(TextOf(path_), keep_open ? Line("three") : Line("two") + Line("three"));
    unlink(path_.c_str());
  }
}

TEST_F(FileChannel, AFolderThatIsGoneIsAProblemUntilItIsBack) {
  const std::string folder = path_ + "-folder";
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  const auto channel = std::move(*MakeFileChannel(folder + "/a", {}, false, true));
  unlink((folder + "/a").c_str());
  rmdir(folder.c_str());
  channel->Reopen();
  const TestAlerts alerts({"one"});
  for (int i = 0; i < 2; ++i) {
    const Delivery delivery = channel->Deliver(alerts.batch());
    EXPECT_EQ(delivery.done, 0);
    ASSERT_TRUE(delivery.problem);
    EXPECT_THAT(delivery.problem->message, HasSubstr("; make its folder"));
  }
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  EXPECT_EQ(channel->Deliver(alerts.batch()).done, 1);
  EXPECT_EQ(TextOf(folder + "/a"), Line("one"));
  unlink((folder + "/a").c_str());
  rmdir(folder.c_str());
}

// A file may grow to so many bytes: as on a full disk, what fits is written, and then there is an
// error.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(FileChannel, ALineThatAFullDiskCutGoesOnWhereItWasCut) {
  for (const bool buffered : {false, true}) {
    for (const bool keep_open : {false, true}) {
      const auto channel = Open(buffered, keep_open);
      const TestAlerts alerts({"one", "two", "three"});
      Delivery delivery;
      {
        const FileSizeLimit limit(Line("one").size() + 10);
        delivery = channel->Deliver(alerts.batch());
      }
      EXPECT_EQ(delivery.done, 1);
      ASSERT_TRUE(delivery.problem);
      EXPECT_THAT(delivery.problem->message, HasSubstr(path_));
      EXPECT_EQ(TextOf(path_).size(), Line("one").size() + 10);
      EXPECT_EQ(channel->Deliver(alerts.batch().subspan(1)).done, 2);
      EXPECT_EQ(TextOf(path_), Line("one") + Line("two") + Line("three"));
      unlink(path_.c_str());
    }
  }
}

TEST_F(FileChannel, ACutLineWhoseAlertDoesNotComeAgainIsEnded) {
  const auto channel = Open(false, false);
  const TestAlerts alerts({"one", "two"});
  {
    const FileSizeLimit limit(10);
    EXPECT_EQ(channel->Deliver(alerts.batch()).done, 0);
  }
  EXPECT_EQ(channel->Deliver(alerts.batch().subspan(1)).done, 1);
  EXPECT_EQ(TextOf(path_), Line("one").substr(0, 10) + "\n" + Line("two"));
}

TEST_F(FileChannel, ACutLineOfAFileThatWasRotatedIsWrittenWhole) {
  const auto channel = Open(false, true);
  const TestAlerts alerts({"one"});
  {
    const FileSizeLimit limit(10);
    EXPECT_EQ(channel->Deliver(alerts.batch()).done, 0);
  }
  Rotate();
  channel->Reopen();
  EXPECT_EQ(channel->Deliver(alerts.batch()).done, 1);
  EXPECT_EQ(TextOf(path_), Line("one"));
}

TEST(FdChannel, AClosedReaderIsAProblemAndAReaderThatStopsIsGivenUp) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  const auto channel = MakeFdChannel("standard output", writing.get(), {}, true);
  const TestAlerts alerts = TestAlerts::Many(10'000);
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    channel->GiveUp();
  });
  const Delivery delivery = channel->Deliver(alerts.batch());
  stopper.join();
  EXPECT_GT(delivery.done, 0) << "whole lines that the pipe took";
  EXPECT_LT(delivery.done, 10'000);
  ASSERT_TRUE(delivery.problem);
  reading.reset();
  const auto other = MakeFdChannel("standard output", writing.get(), {}, true);
  EXPECT_THAT(other->Deliver(alerts.batch()).problem->message,
              HasSubstr("Broken pipe; nobody reads it any more: restart gyrfalcon with a reader"));
}

}  // namespace
}  // namespace gyrfalcon
