#include "cli/scratch_folder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "cli/install_session.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// TMPDIR as long as it lives.
class OtherTmp {
 public:
  explicit OtherTmp(const std::string& path) {
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", path.c_str(), 1);
  }
  ~OtherTmp() { before_ ? ::setenv("TMPDIR", before_->c_str(), 1) : ::unsetenv("TMPDIR"); }
  OtherTmp(const OtherTmp&) = delete;
  OtherTmp& operator=(const OtherTmp&) = delete;

 private:
  std::optional<std::string> before_;
};

TEST(ScratchFolder, GoesWithWhatIsInIt) {
  const TestFolder folder;
  const OtherTmp tmp(folder.path());
  std::string path;
  {
    const auto scratch = ScratchFolder::MakeInTmp();
    ASSERT_TRUE(scratch) << scratch.error().message;
    path = scratch->path();
    EXPECT_THAT(path, StartsWith(folder.path() + "/"));
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
    std::ofstream(path + "/file") << "text";
    EXPECT_TRUE(std::filesystem::exists(path + "/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScratchFolder, WhereNoneCanBeMadeThereIsAnError) {
  const TestFolder folder;
  const auto nowhere = ScratchFolder::Make(folder / "none");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().fault, Fault::kEnvironment);
  EXPECT_THAT(nowhere.error().message, HasSubstr("none: No such file or directory"));
  const OtherTmp tmp(folder / "none");
  // Nothing is thrown on the way of those who need one.
  const auto taken = CheckSessionTaken(folder.WriteScript("runsc", "exit 0"), "{}");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().fault, Fault::kEnvironment);
  EXPECT_THAT(taken.error().message, HasSubstr("TMPDIR is no folder"));
}

}  // namespace
}  // namespace gyrfalcon
