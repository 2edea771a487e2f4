#include "runsc/sentry_process.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using namespace std::string_literals;

TEST(FindSentries, ByBootAndTheIdAmongTheArguments) {
  const TestFolder folder;
  const std::filesystem::path proc = folder.path();
  const auto add = [&proc](const std::string& name, const std::string& words) {
    std::filesystem::create_directories(proc / name);
    std::ofstream(proc / name / "cmdline", std::ios::binary) << words;
  };
  add("7", "runsc-sandbox\0--root=/r\0boot\0--bundle=/b\0alive\0"s);
  add("8", "runsc-gofer\0--root=/r\0gofer\0gone\0"s);
  add("9", "grep\0gone\0"s);
  add("self", "runsc-sandbox\0boot\0gone\0"s);
  std::filesystem::create_directories(proc / "10");  // it has ended meanwhile
  const auto found = FindSentries({"alive", "gone"}, folder.path());
  EXPECT_EQ(found.size(), 1u);
  EXPECT_TRUE(found.contains("alive") && found.at("alive") == 7);
  EXPECT_TRUE(FindSentries({}, folder.path()).empty());
  std::filesystem::remove_all(proc);
}

}  // namespace
}  // namespace gyrfalcon
