#include "cli/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ReadWholeFile, AReadThatFailsIsNoEndOfTheFile) {
  constexpr size_t kBytesMax = 4096;
  const std::string path = "/proc/self/mem";  // opens, and has nothing mapped at its begin
  const auto text = ReadWholeFile(path, kBytesMax);
  ASSERT_FALSE(text) << text->size() << " bytes";
  EXPECT_EQ(text.error().fault, Fault::kEnvironment);
  EXPECT_THAT(text.error().message, StartsWith(path + ": "));
  EXPECT_THAT(text.error().message, HasSubstr("Input/output error"));
}

}  // namespace
}  // namespace gyrfalcon
