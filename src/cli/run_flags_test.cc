#include "cli/run_flags.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class CheckOutputsTest : public ::testing::Test {
 protected:
  CheckOutputsTest() {
    config_.stdout_enabled = false;
    config_.store_enabled = false;
  }
  std::string Problem() const {
    const auto checked = CheckOutputs(config_);
    return checked ? "" : checked.error().message;
  }
  bool IsFolderEmpty() const { return std::filesystem::is_empty(folder_.path()); }

  const TestFolder folder_;
  Config config_;
};

TEST_F(CheckOutputsTest, AFileThatIsNotThereIsNotMade) {
  config_.file_enabled = true;
  config_.file_name = folder_ / "alerts.jsonl";
  EXPECT_EQ(Problem(), "");
  EXPECT_TRUE(IsFolderEmpty());
  config_.file_name = folder_ / "no/folder/alerts.jsonl";
  EXPECT_THAT(Problem(), HasSubstr("make its folder"));
  config_.file_name = folder_.path();
  EXPECT_THAT(Problem(), HasSubstr("names a file, not a folder"));
  config_.file_name.clear();
  EXPECT_THAT(Problem(), HasSubstr("without a file_output.filename"));
}

TEST_F(CheckOutputsTest, AStoreThatIsNoneIsToldAndLeftAsItIs) {
  config_.store_enabled = true;
  config_.store_path = folder_ / "below/alerts.db";
  EXPECT_EQ(Problem(), "");
  EXPECT_TRUE(IsFolderEmpty());
  config_.store_path = folder_ / "passwd";
  std::ofstream(config_.store_path) << "root:x:0:0";
  EXPECT_THAT(Problem(), HasSubstr("store.path: " + config_.store_path + " is no store"));
  EXPECT_EQ(std::filesystem::file_size(config_.store_path), 10u);
}

}  // namespace
}  // namespace gyrfalcon
