#include "cli/file_watch.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

class FileWatching : public ::testing::Test {
 protected:
  std::string Path(std::string_view name) const { return folder_ / name; }
  static void Write(const std::string& path) { std::ofstream(path) << "x"; }

  const TestFolder folder_;
};

TEST_F(FileWatching, AWrittenFileIsAChangeAndItsNeighbourIsNone) {
  Write(Path("a.yaml"));
  FileWatch watch({Path("a.yaml")}, {});
  EXPECT_FALSE(watch.TakeChange());
  Write(Path("b.yaml"));
  EXPECT_FALSE(watch.TakeChange());
  Write(Path("a.yaml"));
  EXPECT_TRUE(watch.TakeChange());
  EXPECT_FALSE(watch.TakeChange());
}

TEST_F(FileWatching, AFileThatAnEditorReplacesIsAChange) {
  Write(Path("a.yaml"));
  FileWatch watch({Path("a.yaml")}, {});
  Write(Path("a.yaml.tmp"));
  fs::rename(Path("a.yaml.tmp"), Path("a.yaml"));
  EXPECT_TRUE(watch.TakeChange());
}

TEST_F(FileWatching, ASwappedConfigMapIsAChange) {
  fs::create_directory(Path("..v1"));
  Write(Path("..v1/a.yaml"));
  fs::create_symlink("..v1", Path("..data"));
  fs::create_symlink("..data/a.yaml", Path("a.yaml"));
  FileWatch watch({Path("a.yaml")}, {});
  fs::create_symlink("..v2", Path("..tmp"));
  fs::rename(Path("..tmp"), Path("..data"));
  EXPECT_TRUE(watch.TakeChange());
}

// As kubelet does it: the new version beside the old one, the link replaced in one step, the old
// one removed.
TEST_F(FileWatching, ASwappedConfigMapThatALinkElsewhereLeadsToIsAChange) {
  fs::create_directories(Path("map/..v1"));
  Write(Path("map/..v1/a.yaml"));
  fs::create_symlink("..v1", Path("map/..data"));
  fs::create_symlink("..data/a.yaml", Path("map/a.yaml"));
  fs::create_symlink(Path("map/a.yaml"), Path("a.yaml"));
  FileWatch watch({Path("a.yaml")}, {});
  EXPECT_FALSE(watch.TakeChange());
  fs::create_directory(Path("map/..v2"));
  Write(Path("map/..v2/a.yaml"));
  EXPECT_FALSE(watch.TakeChange()) << "not in force yet";
  fs::create_symlink("..v2", Path("map/..data_tmp"));
  fs::rename(Path("map/..data_tmp"), Path("map/..data"));
  EXPECT_TRUE(watch.TakeChange());
}

TEST_F(FileWatching, AFolderOfRulesThatALinkIsSwappedForIsAChange) {
  fs::create_directories(Path("v1"));
  fs::create_directories(Path("v2"));
  fs::create_symlink("v1", Path("rules"));
  FileWatch watch({}, {Path("rules")});
  Write(Path("v1/new.yaml"));
  EXPECT_TRUE(watch.TakeChange());
  fs::create_symlink("v2", Path("tmp"));
  fs::rename(Path("tmp"), Path("rules"));
  EXPECT_TRUE(watch.TakeChange());
}

TEST_F(FileWatching, WhatIsMadeLaterIsAChange) {
  FileWatch watch({Path("a/b/c.yaml")}, {});
  EXPECT_FALSE(watch.TakeChange());
  fs::create_directories(Path("a/b"));
  EXPECT_TRUE(watch.TakeChange());
}

TEST_F(FileWatching, ALinkThatLeadsToItselfEnds) {
  fs::create_symlink("loop", Path("loop"));
  FileWatch watch({Path("loop")}, {Path("loop")});
  Write(Path("other"));
  EXPECT_FALSE(watch.TakeChange());
}

TEST_F(FileWatching, ContentIsComparedNotTimes) {
  fs::create_directory(Path("rules"));
  Write(Path("a.yaml"));
  Write(Path("rules/b.yaml"));
  const std::vector<std::string> files = {Path("a.yaml"), Path("missing")};
  const std::vector<std::string> folders = {Path("rules")};
  const uint64_t before = ContentOf(files, folders);
  Write(Path("a.yaml"));
  EXPECT_EQ(ContentOf(files, folders), before);
  fs::rename(Path("rules/b.yaml"), Path("rules/c.yaml"));
  EXPECT_NE(ContentOf(files, folders), before) << "rules go by the order of names";
  fs::rename(Path("rules/c.yaml"), Path("rules/b.yaml"));
  EXPECT_EQ(ContentOf(files, folders), before);
  std::ofstream(Path("a.yaml")) << "y";
  EXPECT_NE(ContentOf(files, folders), before);
}

TEST_F(FileWatching, EachNameInAWatchedFolderIsAChange) {
  FileWatch watch({}, {folder_.path(), "/no/such/folder"});
  Write(Path("new.yaml"));
  EXPECT_TRUE(watch.TakeChange());
  fs::remove(Path("new.yaml"));
  EXPECT_TRUE(watch.TakeChange());
}

TEST(FileWatch, NothingWatchedHasNoDescriptor) {
  EXPECT_EQ(FileWatch().fd(), -1);
}

}  // namespace
}  // namespace gyrfalcon
