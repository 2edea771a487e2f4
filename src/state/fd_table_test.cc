#include "state/fd_table.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(FdTable, FindsWhatWasPutThereWhateverGapsThereAre) {
  Arena arena;
  FdTable& table = *arena.New<FdTable>();
  const Ref<FdTable> owner(&table);
  std::map<int64_t, File*> expected;
  std::mt19937 random(1);
  constexpr size_t kMax = 24;
  for (int step = 0; step < 20'000; ++step) {
    const int64_t fd = random() % 32;
    if (random() % 2 == 0) {
      const Ref<File> file(arena.New<File>(FileType::kFile));
      const bool fits = expected.contains(fd) || expected.size() < kMax;
      EXPECT_EQ(table.Set(fd, file, false, FdOrigin::kOpen, kMax), fits);
      if (fits) expected[fd] = file.get();
    } else {
      table.Remove(fd);
      expected.erase(fd);
    }
    ASSERT_EQ(table.size(), expected.size());
    for (int64_t i = -1; i < 34; ++i) {
      const auto known = expected.find(i);
      ASSERT_EQ(table.Find(i), known == expected.end() ? nullptr : known->second);
      ASSERT_EQ(table.OriginOf(i) == FdOrigin::kOpen, known != expected.end());
    }
  }
}

}  // namespace
}  // namespace gyrfalcon
