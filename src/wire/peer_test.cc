#include "wire/peer.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

TEST(Peer, AFileIsRootsAloneOnlyWithAllItsFolders) {
  EXPECT_TRUE(IsRootsAlone("/etc/passwd"));
  EXPECT_FALSE(IsRootsAlone("etc/passwd"));
  EXPECT_FALSE(IsRootsAlone("/etc")) << "no file";
  EXPECT_FALSE(IsRootsAlone("/etc/no/such/file"));
  EXPECT_FALSE(IsRootsAlone(""));
  const TestFolder folder;  // below one that all may write to
  const std::string file = folder / "runsc";
  std::ofstream(file) << "x";
  EXPECT_FALSE(IsRootsAlone(file));
}

TEST(Peer, AProgramThatIsNoRunscIsNotToBeRun) {
  EXPECT_EQ(TrustedRunsc(0), "");
  EXPECT_EQ(TrustedRunsc(getpid()), "");
}

// The path of a running copy of sleep called `name` in /run, which root alone can write to.
class RunningPeer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can make a program that is root's alone";
    std::string name = "/run/gyrfalcon-peer.XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) GTEST_SKIP() << "/run is not writable";
    folder_ = name;
    program_ = folder_ + "/runsc-copy";
    fs::copy_file("/bin/sleep", program_);
    fs::permissions(program_, fs::perms(0755));
    std::string word = "60";
    char* arguments[] = {program_.data(), word.data(), nullptr};
    ASSERT_EQ(posix_spawn(&pid_, program_.c_str(), nullptr, nullptr, arguments, environ), 0);
  }
  void TearDown() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::string folder_;
  std::string program_;
  pid_t pid_ = 0;
};

TEST_F(RunningPeer, IsKnownByItsPathWhileThatIsRootsAlone) {
  EXPECT_EQ(TrustedRunsc(pid_), program_);
  fs::permissions(program_, fs::perms(0775));
  EXPECT_EQ(TrustedRunsc(pid_), "");
  fs::permissions(program_, fs::perms(0755));
  fs::permissions(folder_, fs::perms(0777));
  EXPECT_EQ(TrustedRunsc(pid_), "");
}

TEST_F(RunningPeer, IsNotKnownOnceAnotherFileHasItsPath) {
  fs::remove(program_);
  EXPECT_EQ(TrustedRunsc(pid_), "");
  std::ofstream(program_) << "x";
  EXPECT_EQ(TrustedRunsc(pid_), "");
}

}  // namespace
}  // namespace gyrfalcon
