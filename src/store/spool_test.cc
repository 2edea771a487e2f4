#include "store/spool.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "alerts/test_alert.h"
#include "base/test_folder.h"
#include "store/position.h"
#include "store/spool_files.h"
#include "store/spool_reader.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kSecondNs = 1'000'000'000;

class SpoolTest : public ::testing::Test {
 protected:
  void SetUp() override { options_.path = folder_ / "below/alerts.db"; }
  void TearDown() override { spool_.reset(); }
  void Open(const std::string& boot = "boot") {
    spool_.reset();
    auto opened = Spool::Open(options_, boot, [this](std::string note) { notes_ += note; });
    ASSERT_TRUE(opened) << opened.error().message;
    spool_ = std::move(*opened);
    sequence_ = 0;
  }
  void Append(const Alert& alert, int64_t now_ns = kSecondNs) {
    const AlertToSpool row{++sequence_, &alert};
    const auto appended = spool_->Append({&row, 1}, now_ns, trimmed_);
    ASSERT_TRUE(appended) << appended.error().message;
  }
  std::vector<SpooledAlert> ReadAll(SpoolRange range = {}) {
    auto reader = SpoolReader::Open(options_.path);
    EXPECT_TRUE(reader) << reader.error().message;
    if (!reader) return {};
    auto page = reader->Read(range);
    EXPECT_TRUE(page) << page.error().message;
    return page ? std::move(page->alerts) : std::vector<SpooledAlert>{};
  }
  std::vector<std::string> Messages() {
    std::vector<std::string> out;
    for (const SpooledAlert& spooled : ReadAll()) out.push_back(spooled.alert.message);
    return out;
  }
  // By a connection of the test's own, as somebody else would.
  void Execute(const std::string& text) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(options_.path.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  const TestFolder folder_;
  SpoolOptions options_;
  std::string notes_;
  std::unique_ptr<Spool> spool_;
  uint64_t sequence_ = 0;
  Trimmed trimmed_;
};

TEST_F(SpoolTest, WhatWasAppendedIsReadBesideTheWriterWithBootAndSequence) {
  Open("first");
  Append(MakeTestAlert("one"));
  Append(MakeTestAlert("two"));
  Open("second");
  Append(MakeTestAlert("three"));
  const auto all = ReadAll();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].boot_id, "first");
  EXPECT_EQ(all[1].alert.message, "two");
  EXPECT_EQ(SequenceOf(all[1].position), 2u);
  EXPECT_EQ(all[2].boot_id, "second");
  EXPECT_EQ(SequenceOf(all[2].position), 1u);
  EXPECT_GT(BootOf(all[2].position), BootOf(all[1].position));
  EXPECT_EQ(spool_->alerts(), 3u);
  EXPECT_EQ(notes_, "");
}

TEST_F(SpoolTest, FolderAndFilesAreForTheirOwnerAlone) {
  Open();
  Append(MakeTestAlert("one"));
  struct stat status{};
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    ASSERT_EQ(stat((options_.path + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
  }
  ASSERT_EQ(stat((folder_ / "below").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(SpoolTest, ALargeLogIsMovedIntoTheDatabaseWhileTheWriterIsAtIt) {
  options_.sync_interval_ms = 10;
  Open();
  constexpr size_t kAlertBytes = 64 * 1024;
  constexpr size_t kAlerts = 160;  // 10 MiB: more than the log is to hold
  for (size_t i = 0; i < kAlerts; ++i) Append(MakeTestAlert(std::string(kAlertBytes, 'x')));
  const auto is_moved = [this] {
    return std::filesystem::file_size(options_.path) > kAlerts * kAlertBytes / 2;
  };
  for (int i = 0; i < 1'000 && !is_moved(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(is_moved()) << std::filesystem::file_size(options_.path) << " bytes";
  EXPECT_EQ(ReadAll({.bytes_max = 2 * kAlerts * kAlertBytes}).size(), kAlerts);
}

TEST_F(SpoolTest, ASecondWriterIsToldThatItIsTaken) {
  Open();
  const auto second = Spool::Open(options_, "other", [](const std::string&) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, StoreFault::kTaken);
}

TEST_F(SpoolTest, WhenItIsFullTheOldestGo) {
  options_.bytes_max = 100'000;
  Open();
  for (int i = 0; i < 200; ++i)
    Append(MakeTestAlert(std::to_string(i) + std::string(1'000, 'x'), ""));
  EXPECT_LE(spool_->bytes(), options_.bytes_max);
  EXPECT_GT(spool_->bytes(), options_.bytes_max * 9 / 10);
  const auto left = Messages();
  EXPECT_EQ(left.size(), spool_->alerts());
  EXPECT_TRUE(left.back().starts_with("199x"));
  EXPECT_EQ(trimmed_.by_bytes + left.size(), 200u);
  EXPECT_EQ(trimmed_.by_share, 0u);
  const uint64_t before = spool_->bytes();
  Open();
  EXPECT_EQ(spool_->bytes(), before) << "counted as it was, after a start";
}

TEST_F(SpoolTest, ASandboxOverItsShareLosesItsOwnOldestFirst) {
  options_.bytes_max = 100'000;
  options_.sandbox_share_percent = 25;
  Open();
  for (int i = 0; i < 20; ++i) Append(MakeTestAlert(std::string(1'000, 'q'), "quiet"));
  for (int i = 0; i < 500; ++i) {
    Append(MakeTestAlert(std::to_string(i) + std::string(1'000, 'x'), "loud"));
  }
  const auto all = ReadAll();
  const auto quiet = std::ranges::count_if(
      all, [](const SpooledAlert& spooled) { return spooled.alert.sandbox == "quiet"; });
  EXPECT_EQ(quiet, 20) << "they are older, and stay";
  EXPECT_EQ(trimmed_.by_bytes, 0u);
  EXPECT_EQ(trimmed_.by_share + spool_->alerts(), 520u);
  EXPECT_TRUE(Messages().back().starts_with("499x"));
}

TEST_F(SpoolTest, WhatIsTooOldGoes) {
  options_.age_max_ns = 100 * kSecondNs;
  Open();
  for (int i = 0; i < 10; ++i) Append(MakeTestAlert(std::to_string(i)), i * 10 * kSecondNs);
  ASSERT_TRUE(spool_->TrimOld(155 * kSecondNs, trimmed_));
  EXPECT_EQ(trimmed_.by_age, 6u);
  EXPECT_EQ(Messages().front(), "6");
  EXPECT_EQ(spool_->alerts(), 4u);
}

TEST_F(SpoolTest, HowManyThereWereIsKnownAfterTheyHaveGone) {
  options_.age_max_ns = kSecondNs;
  Open("a");
  for (int i = 0; i < 5; ++i) Append(MakeTestAlert("x"));
  std::vector<Cursor> dropped;
  const std::vector<std::string> channels = {"c"};
  const auto cursors = spool_->TakeCursors(channels, dropped);
  ASSERT_TRUE(cursors);
  EXPECT_EQ((*cursors)[0].position, MakePosition(spool_->boot(), 0));
  Open("b");
  for (int i = 0; i < 7; ++i) Append(MakeTestAlert("x"));
  ASSERT_TRUE(spool_->TrimOld(100 * kSecondNs, trimmed_));
  ASSERT_EQ(spool_->alerts(), 0u);
  Open("c");
  auto reader = SpoolReader::Open(options_.path);
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->CountBetween((*cursors)[0].position, MakePosition(spool_->boot(), 0)), 12u);
}

TEST_F(SpoolTest, CursorsStayAndThoseOfRemovedChannelsGo) {
  Open();
  std::vector<Cursor> dropped;
  const std::vector<std::string> both = {"stdout", "http"};
  ASSERT_TRUE(spool_->TakeCursors(both, dropped));
  Append(MakeTestAlert("one"));
  const Cursor moved{"http", MakePosition(spool_->boot(), 1)};
  ASSERT_TRUE(spool_->SaveCursors({&moved, 1}));
  Open();
  const std::vector<std::string> http = {"http"};
  const auto kept = spool_->TakeCursors(http, dropped);
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)[0].position, moved.position);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].channel, "stdout");
  Open();
  const auto back = spool_->TakeCursors(both, dropped);
  ASSERT_TRUE(back);
  EXPECT_EQ((*back)[0].position, MakePosition(spool_->boot(), 0)) << "as a new one: from now on";
}

TEST_F(SpoolTest, AtTheDefaultPlaceAnythingIsADamagedDatabaseWhichIsMovedAsideAndSaid) {
  options_.is_default_place = true;
  std::filesystem::create_directories(folder_ / "below");
  std::ofstream(options_.path) << std::string(8'192, 'x');
  Open();
  Append(MakeTestAlert("one"));
  EXPECT_EQ(Messages(), std::vector<std::string>{"one"});
  EXPECT_TRUE(std::filesystem::exists(options_.path + ".unreadable"));
  EXPECT_NE(notes_.find(options_.path + ".unreadable"), std::string::npos) << notes_;
}

TEST_F(SpoolTest, AFileThatNeverWasAStoreIsLeftAsItIs) {
  std::filesystem::create_directories(folder_ / "below");
  for (const std::string text : {"root:x:0:0:root:/root:/bin/bash\n", "x"}) {
    std::ofstream(options_.path) << text;
    const auto spool = Spool::Open(options_, "b", [](const std::string&) {});
    ASSERT_FALSE(spool);
    EXPECT_EQ(spool.error().fault, StoreFault::kForeign);
    EXPECT_NE(spool.error().message.find(options_.path + " is no store"), std::string::npos);
    EXPECT_NE(spool.error().message.find("store.path"), std::string::npos);
    std::ifstream file(options_.path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "below"), {}), 1)
        << "and nothing beside it";
  }
  options_.path = folder_ / "below";
  EXPECT_EQ(CheckSpoolPlace(options_).error().fault, StoreFault::kForeign) << "a folder";
  options_.path = folder_ / "not/there/yet";
  EXPECT_TRUE(CheckSpoolPlace(options_));
}

TEST_F(SpoolTest, SomebodyElsesDatabaseIsLeftAsItIsUnlessItLiesAtTheDefaultPlace) {
  std::filesystem::create_directories(folder_ / "below");
  Execute("CREATE TABLE mine(x)");
  const auto spool = Spool::Open(options_, "b", [](const std::string&) {});
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().fault, StoreFault::kForeign);
  Execute("INSERT INTO mine VALUES(1)");
  EXPECT_FALSE(std::filesystem::exists(options_.path + ".unreadable"));
  options_.is_default_place = true;
  Open();
  EXPECT_NE(notes_.find("something else"), std::string::npos) << notes_;
}

TEST_F(SpoolTest, TheOneThatReplacesADamagedDatabaseIsForItsOwnerAlone) {
  const mode_t before = umask(022);
  std::filesystem::create_directories(folder_ / "below");
  std::ofstream(options_.path) << "SQLite format 3" << std::string(8'192, '\0');
  Open();
  Append(MakeTestAlert("one"));
  umask(before);
  ASSERT_TRUE(std::filesystem::exists(options_.path + ".unreadable"));
  struct stat status{};
  for (const char* suffix : {"", "-wal", "-shm"}) {
    ASSERT_EQ(stat((options_.path + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(SpoolTest, DamageBeyondTheBeginningIsFoundToo) {
  Open();
  for (int i = 0; i < 500; ++i) Append(MakeTestAlert(std::string(100, 'a')));
  spool_.reset();
  const auto size = std::filesystem::file_size(options_.path);
  ASSERT_GT(size, 16'384U);
  {
    std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4'096);
    file << std::string(size - 4'096, 'x');
  }
  Open();
  Append(MakeTestAlert("one"));
  EXPECT_EQ(Messages(), std::vector<std::string>{"one"});
  EXPECT_NE(notes_.find(options_.path + ".unreadable"), std::string::npos) << notes_;
}

TEST_F(SpoolTest, AnotherVersionIsMovedAside) {
  Open();
  Append(MakeTestAlert("one"));
  spool_.reset();
  Execute("PRAGMA user_version=99");
  EXPECT_FALSE(SpoolReader::Open(options_.path));
  Open();
  EXPECT_EQ(spool_->alerts(), 0u);
  EXPECT_NE(notes_.find("version 99"), std::string::npos) << notes_;
}

TEST_F(SpoolTest, ADamagedRowIsPassedOverAndCounted) {
  Open();
  for (const char* text : {"one", "two", "three"}) Append(MakeTestAlert(text));
  Execute("UPDATE alerts SET body = x'010203' WHERE position & 255 = 2");
  auto reader = SpoolReader::Open(options_.path);
  ASSERT_TRUE(reader);
  const auto page = reader->Read({});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->damaged, 1u);
  ASSERT_EQ(page->alerts.size(), 2u);
  EXPECT_EQ(page->alerts[1].alert.message, "three");
}

TEST_F(SpoolTest, AFileThatWasDeletedIsNoticed) {
  Open();
  EXPECT_TRUE(spool_->IsInPlace());
  std::filesystem::remove(options_.path);
  EXPECT_FALSE(spool_->IsInPlace());
}

TEST_F(SpoolTest, PagesAreBoundedByNumberAndBytes) {
  Open();
  for (int i = 0; i < 20; ++i) Append(MakeTestAlert(std::string(1'000, 'x')));
  EXPECT_EQ(ReadAll({.alerts_max = 7}).size(), 7u);
  EXPECT_EQ(ReadAll({.bytes_max = 2'500}).size(), 3u);
  const auto rest = ReadAll({.after = MakePosition(1, 5), .before = MakePosition(1, 9)});
  EXPECT_EQ(rest.size(), 3u);
}

TEST_F(SpoolTest, APlaceThatCantBeMadeIsAnErrorThatNamesIt) {
  options_.path = "/proc/nowhere/alerts.db";
  const auto spool = Spool::Open(options_, "b", [](const std::string&) {});
  ASSERT_FALSE(spool);
  EXPECT_NE(spool.error().message.find("/proc/nowhere"), std::string::npos);
}

}  // namespace
}  // namespace gyrfalcon
