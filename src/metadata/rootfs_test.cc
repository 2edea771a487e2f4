#include "metadata/rootfs.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

// A host in a folder: a state root, a bundle and a root file system, with a file outside of it that
// nobody may be led to.
class RootfsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ + "/etc");
    fs::create_directories(base_ + "/state");
    fs::create_directories(base_ + "/bundle");
    Write(base_ + "/passwd", "host:x:1000:1000::/host:/bin/host\n");
    place_ = {.state_root = base_ + "/state", .sandbox_id = "sb", .bundle = base_ + "/bundle"};
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  std::string UserName(std::string_view container, uint32_t uid) const {
    const auto table = LoadUserTable(place_, container);
    if (!table) return "unreachable";
    const UserEntry* user = (*table)->FindUser(uid);
    return user == nullptr ? "unknown" : user->name;
  }
  void WriteBundle() const {
    Write(base_ + "/bundle/config.json", R"({"root": {"path": "../rootfs"}})");
  }
  void WriteState(const std::string& container, const std::string& root) const {
    Write(base_ + "/state/" + container + "_sandbox:sb.state",
          R"({"id": "x", "spec": {"root": {"path": ")" + root + R"("}}, "bundleDir": ")" + base_ +
              R"(/bundle"})");
  }

  const TestFolder folder_;
  const std::string base_ = folder_.path();
  const std::string root_ = base_ + "/rootfs";
  SandboxPlace place_;
};

constexpr char kPasswd[] = "inside:x:1000:1000::/home/inside:/bin/sh\n";

TEST_F(RootfsTest, FindsTheRootByTheBundleOfTheSandboxsOwnContainer) {
  WriteBundle();
  Write(root_ + "/etc/passwd", kPasswd);
  Write(root_ + "/etc/group", "crew:x:1000:\n");
  EXPECT_EQ(UserName("sb", 1000), "inside");
  EXPECT_EQ(UserName("sb", 0), "unknown");
  const auto table = LoadUserTable(place_, "sb");
  ASSERT_TRUE(table);
  EXPECT_EQ(*(*table)->FindGroup(1000), "crew");
}

TEST_F(RootfsTest, FindsOtherContainersByRunscsStateOfTheSameSandboxOnly) {
  WriteBundle();  // the sandbox's own, not that of the others
  fs::create_directories(base_ + "/second/etc");
  Write(base_ + "/second/etc/passwd", kPasswd);
  EXPECT_EQ(UserName("c2", 1000), "unreachable");
  WriteState("c2", base_ + "/second");
  EXPECT_EQ(UserName("c2", 1000), "inside");
  place_.sandbox_id = "another";
  EXPECT_EQ(UserName("c2", 1000), "unreachable");
}

TEST_F(RootfsTest, TakesARootRelativeToTheStatesBundle) {
  Write(root_ + "/etc/passwd", kPasswd);
  place_.bundle.clear();
  WriteState("sb", "../rootfs");
  EXPECT_EQ(UserName("sb", 1000), "inside");
}

TEST_F(RootfsTest, OneOfTheTwoFilesIsEnough) {
  WriteBundle();
  Write(root_ + "/etc/group", "crew:x:1000:\n");
  EXPECT_EQ(UserName("sb", 1000), "unknown");
  EXPECT_NE((*LoadUserTable(place_, "sb"))->FindGroup(1000), nullptr);
}

TEST_F(RootfsTest, IsNotLedOutBySymbolicLinks) {
  WriteBundle();
  const std::string up = "../../../../../../../../../../../..";
  for (const std::string& target : {base_ + "/passwd", up + base_ + "/passwd",
                                    std::string("/proc/self/root") + base_ + "/passwd"}) {
    fs::remove(root_ + "/etc/passwd");
    fs::create_symlink(target, root_ + "/etc/passwd");
    EXPECT_EQ(UserName("sb", 1000), "unreachable") << target;
  }
  fs::remove_all(root_ + "/etc");
  fs::create_symlink(base_, root_ + "/etc");  // the folder itself leads out
  EXPECT_EQ(UserName("sb", 1000), "unreachable");
}

TEST_F(RootfsTest, FollowsSymbolicLinksAsTheContainerSeesThem) {
  WriteBundle();
  fs::create_directories(root_ + "/usr/lib");
  Write(root_ + "/usr/lib/passwd", kPasswd);
  fs::create_symlink("/usr/lib/passwd", root_ + "/etc/passwd");
  EXPECT_EQ(UserName("sb", 1000), "inside");
}

TEST_F(RootfsTest, ReadsRegularFilesOnlyAndWaitsForNone) {
  WriteBundle();
  ASSERT_EQ(::mkfifo((root_ + "/etc/passwd").c_str(), 0600), 0);
  EXPECT_EQ(UserName("sb", 1000), "unreachable");  // and does not hang
  fs::remove(root_ + "/etc/passwd");
  fs::create_directories(root_ + "/etc/passwd");
  EXPECT_EQ(UserName("sb", 1000), "unreachable");
  EXPECT_FALSE(ReadBelowRoot("/dev", "zero", 10));
  EXPECT_FALSE(ReadBelowRoot("/proc", "self/root/etc/passwd", 1 << 20));  // a magic link
  EXPECT_FALSE(ReadBelowRoot("/", "proc/self/status", 1 << 20));          // another mount
}

TEST_F(RootfsTest, RefusesHugeFiles) {
  WriteBundle();
  Write(root_ + "/etc/passwd", kPasswd);
  fs::resize_file(root_ + "/etc/passwd", uintmax_t{1} << 40);  // a hole: takes no room
  EXPECT_EQ(UserName("sb", 1000), "unreachable");
  fs::resize_file(root_ + "/etc/passwd", sizeof kPasswd - 1);
  EXPECT_EQ(UserName("sb", 1000), "inside");
}

TEST_F(RootfsTest, NamesNoFileAfterAnIdThatIsNone) {
  for (const char* id : {"", ".", "..", "a/b", "../state/x", "a\nb", "a b", "sb_sandbox:sb"}) {
    EXPECT_FALSE(IsContainerId(id)) << id;
    EXPECT_FALSE(FindRootFolder(place_, id)) << id;
  }
  EXPECT_FALSE(IsContainerId(std::string(201, 'a')));
  EXPECT_TRUE(IsContainerId("runsc-12_3.4+x"));
}

TEST_F(RootfsTest, MalformedStateAndBundlesAreErrors) {
  for (const char* text : {"", "{", "[]", "{}", R"({"root": 1})", R"({"root": {"path": 1}})",
                           R"({"root": {"path": ""}})", R"({"spec": []})", R"({"spec": {}})"}) {
    Write(base_ + "/bundle/config.json", text);
    Write(base_ + "/state/sb_sandbox:sb.state", text);
    EXPECT_FALSE(FindRootFolder(place_, "sb")) << text;
  }
  EXPECT_FALSE(FindRootFolder({}, "sb"));
}

}  // namespace
}  // namespace gyrfalcon
