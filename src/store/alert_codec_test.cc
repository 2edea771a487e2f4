#include "store/alert_codec.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "alerts/alert_format.h"

namespace gyrfalcon {
namespace {

Alert SomeAlert() {
  return {.rule = "R",
          .priority = Priority::kWarning,
          .source = "syscall",
          .tags = {"a", "b"},
          .time_ns = 1'795'335'717'026'572'338,
          .message = std::string("file=/etc/\n\0\xff", 14),
          .fields = {{"evt.time", int64_t{1'795'335'717'026'572'338}},
                     {"least", std::numeric_limits<int64_t>::min()},
                     {"most", std::numeric_limits<uint64_t>::max()},
                     {"text", std::string("/etc/shadow")},
                     {"none", {}},
                     {"no", false},
                     {"yes", true},
                     {"real", -0.25}},
          .sandbox = "box"};
}

TEST(AlertCodec, WhatIsReadBackFormatsAsBefore) {
  std::string bytes = "from before";
  EncodeAlert(SomeAlert(), bytes);
  const auto read = DecodeAlert(bytes);
  ASSERT_TRUE(read) << read.error().message;
  for (const bool json : {false, true}) {
    AlertFormatOptions options;
    options.json_output = json;
    EXPECT_EQ(FormatAlert(*read, options), FormatAlert(SomeAlert(), options));
  }
  EXPECT_EQ(read->message, SomeAlert().message);
  EXPECT_EQ(read->sandbox, "box");
  ASSERT_EQ(read->fields.size(), SomeAlert().fields.size());
  for (size_t i = 0; i < read->fields.size(); ++i) {
    EXPECT_EQ(read->fields[i].value, SomeAlert().fields[i].value) << read->fields[i].name;
  }
}

TEST(AlertCodec, ACutOrProlongedRowIsAnError) {
  std::string bytes;
  EncodeAlert(SomeAlert(), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeAlert(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(DecodeAlert(bytes + '\0'));
}

TEST(AlertCodec, AnotherVersionAndAPriorityThatIsNoneAreErrors) {
  std::string bytes;
  EncodeAlert(SomeAlert(), bytes);
  std::string other = bytes;
  other[0] = 2;
  EXPECT_FALSE(DecodeAlert(other));
  other = bytes;
  other[1] = 8;
  EXPECT_FALSE(DecodeAlert(other));
}

}  // namespace
}  // namespace gyrfalcon
