#include "metadata/user_table.h"

#include <random>

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

std::string NameOf(const UserTable& table, uint32_t uid) {
  const UserEntry* user = table.FindUser(uid);
  return user == nullptr ? "none" : user->name;
}

TEST(UserTable, ReadsUsersAndGroups) {
  const auto table = UserTable::Parse(
      "root:x:0:0:root:/root:/bin/sh\nweb:x:33:7:Web, Server:/var/www:/usr/sbin/nologin\n",
      "root:x:0:\nweb:x:7:alice,bob");
  const UserEntry* web = table.FindUser(33);
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(web->name, "web");
  EXPECT_EQ(web->home, "/var/www");
  EXPECT_EQ(web->shell, "/usr/sbin/nologin");
  ASSERT_NE(table.FindGroup(7), nullptr);
  EXPECT_EQ(*table.FindGroup(7), "web");
  EXPECT_EQ(table.FindUser(7), nullptr);
  EXPECT_EQ(table.FindGroup(33), nullptr);
  EXPECT_EQ(table.skipped_lines(), 0u);
}

TEST(UserTable, TakesTheFirstOfTwoEntriesOfOneId) {
  const auto table = UserTable::Parse("a:x:5:5::/a:/a\nb:x:5:5::/b:/b\n", "g:x:5:\nh:x:5:\n");
  EXPECT_EQ(NameOf(table, 5), "a");
  EXPECT_EQ(*table.FindGroup(5), "g");
}

TEST(UserTable, SkipsAndCountsWhatIsNoEntry) {
  const auto table = UserTable::Parse(
      "# comment\n\n  \n"    // fine
      ":x:1:1::/:/\n"        // no name
      "two:x:2\n"            // too short
      "minus:x:-3:3::/:/\n"  // no id
      "blank:x: 4:4::/:/\n"  // no id
      "big:x:4294967295:1::/:/\n"
      "huge:x:4294967296:1::/:/\n"
      "+::::::\n"
      "good:x:4294967294:1::/:/\n",
      "g\n:x:1:\nok:x:2:\n");
  EXPECT_EQ(table.user_count(), 1u);
  EXPECT_EQ(NameOf(table, 4294967294), "good");
  EXPECT_EQ(table.group_count(), 1u);
  EXPECT_EQ(table.skipped_lines(), 9u);
}

TEST(UserTable, SkipsLinesThatAreTooLongOrHoldANul) {
  const std::string long_name(kUserLineBytesMax, 'a');
  const std::string nul("n\0l:x:8:8::/:/\n", 15);
  const auto table = UserTable::Parse(long_name + ":x:7:7::/:/\n" + nul + "c:x:9:9::/:/\n", "");
  EXPECT_EQ(table.user_count(), 1u);
  EXPECT_EQ(NameOf(table, 9), "c");
  EXPECT_EQ(table.skipped_lines(), 2u);
}

TEST(UserTable, KeepsNoMoreEntriesThanItsLimit) {
  std::string passwd;
  for (size_t i = 0; i < kUserEntriesMax + 10; ++i) {
    passwd += "u:x:" + std::to_string(i) + ":0::/:/\n";
  }
  const auto table = UserTable::Parse(passwd, "");
  EXPECT_EQ(table.user_count(), kUserEntriesMax);
  EXPECT_EQ(table.skipped_lines(), 10u);
}

TEST(UserTable, TakesAnyBytes) {
  constexpr std::string_view kAlphabet("ax0:19\n#/ \0\xff\r", 13);
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = kAlphabet[random() % kAlphabet.size()];
    const auto table = UserTable::Parse(text, text);
    EXPECT_LE(table.user_count() + table.skipped_lines(), 401u);
    for (uint32_t id = 0; id < 20; ++id) EXPECT_NE(NameOf(table, id), "");
  }
}

}  // namespace
}  // namespace gyrfalcon
