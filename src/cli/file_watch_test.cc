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
