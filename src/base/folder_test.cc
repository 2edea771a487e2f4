#include "base/folder.h"

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

TEST(Folder, IsWhatThePathLiesIn) {
  EXPECT_EQ(FolderOf("/run/g/x.sock"), "/run/g");
  EXPECT_EQ(FolderOf("/x"), "/");
  EXPECT_EQ(FolderOf("/"), "/");
  EXPECT_EQ(FolderOf("g/x"), "g");
  EXPECT_EQ(FolderOf("x"), ".");
}

TEST(Folder, TheNearestOneThatIsThereIsAboveThoseThatAreNot) {
  const TestFolder folder;
  EXPECT_EQ(FolderThere(folder / "x"), folder.path());
  EXPECT_EQ(FolderThere(folder / "none/nor/x"), folder.path());
  EXPECT_EQ(FolderThere("/no-such-folder/x"), "/");
  EXPECT_EQ(FolderThere("no-such-folder/x"), ".");
}

TEST(Folder, AFileBesideAnotherIsInItsFolder) {
  EXPECT_EQ(Beside("/run/g/x.sock", "y"), "/run/g/y");
  EXPECT_EQ(Beside("/x", "y"), "/y");
  EXPECT_EQ(Beside("x", "y"), "y");
}

}  // namespace
}  // namespace gyrfalcon
