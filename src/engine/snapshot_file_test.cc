#include "engine/snapshot_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/pipeline.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

constexpr SnapshotKind kSession = SnapshotKind::kSession;
constexpr SnapshotKind kExtra = SnapshotKind::kExtra;

std::unique_ptr<SnapshotFile> Make(SnapshotFileOptions options = {.bytes_max = 1 << 20}) {
  auto file = SnapshotFile::Create(options);
  EXPECT_TRUE(file) << file.error().message;
  return file ? std::move(*file) : nullptr;
}

// As the next process does, on the same file.
Result<std::unique_ptr<SnapshotFile>> Reopen(const SnapshotFile& file,
                                             SnapshotFileOptions options = {}) {
  return SnapshotFile::Open(UniqueFd(::fcntl(file.fd(), F_DUPFD_CLOEXEC, 0)), options);
}

std::string Contents(int fd) {
  struct stat info{};
  EXPECT_EQ(::fstat(fd, &info), 0);
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  EXPECT_EQ(::pread(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return bytes;
}

UniqueFd FileWith(std::string_view bytes) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(bytes.size())), 0);
  // Only what is there, so that holes stay holes.
  for (size_t at = 0; at < bytes.size(); at += 4096) {
    const std::string_view page = bytes.substr(at, 4096);
    if (page.find_first_not_of('\0') == std::string_view::npos) continue;
    EXPECT_GT(::pwrite(fd.get(), page.data(), page.size(), static_cast<off_t>(at)), 0);
  }
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
  return fd;
}

std::string GetOr(const SnapshotFile& file, SnapshotKind kind, uint64_t key) {
  auto bytes = file.Get(kind, key);
  return bytes ? *bytes : "none";
}

TEST(SnapshotFile, OutlivesWhoWroteIt) {
  auto file = Make();
  ASSERT_TRUE(file->Put(kSession, 1, "one"));
  ASSERT_TRUE(file->Put(kSession, 2, "two"));
  ASSERT_TRUE(file->Put(kSession, 1, "one again"));
  ASSERT_TRUE(file->Put(kExtra, 1, "a map"));
  ASSERT_TRUE(file->Put(kSession, 3, ""));
  file->Remove(kSession, 2);
  auto next = Reopen(*file);
  file.reset();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ((*next)->Keys(kSession), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(GetOr(**next, kSession, 1), "one again");
  EXPECT_EQ(GetOr(**next, kSession, 3), "");
  EXPECT_EQ(GetOr(**next, kExtra, 1), "a map");
  EXPECT_EQ(GetOr(**next, kSession, 2), "none");
  // And goes on.
  ASSERT_TRUE((*next)->Put(kSession, 1, "one more"));
  auto third = Reopen(**next);
  ASSERT_TRUE(third);
  EXPECT_EQ(GetOr(**third, kSession, 1), "one more");
}

TEST(SnapshotFile, GivesBackWhatIsNotNeeded) {
  auto file = Make({.bytes_max = 64 * 1024});
  const std::string bytes(20'000, 'x');
  for (uint64_t i = 0; i < 1'000; ++i) ASSERT_TRUE(file->Put(kSession, i % 2, bytes)) << i;
  EXPECT_EQ(file->bytes(), 2 * 20'480U);
  struct stat info{};
  ASSERT_EQ(::fstat(file->fd(), &info), 0);
  EXPECT_LE(info.st_blocks * 512, 2 * 20'480 + 2 * 4096);
}

TEST(SnapshotFile, HoldsNoMoreThanItMay) {
  auto file = Make({.bytes_max = 64 * 1024, .record_bytes_max = 40'000});
  EXPECT_FALSE(file->Put(kSession, 1, std::string(40'001, 'x')));
  ASSERT_TRUE(file->Put(kSession, 1, std::string(40'000, 'x')));
  EXPECT_FALSE(file->Put(kSession, 2, std::string(40'000, 'y')));
  EXPECT_EQ(GetOr(*file, kSession, 2), "none");
  // In its own place there is room.
  EXPECT_TRUE(file->Put(kSession, 1, std::string(40'000, 'z')));
  // A record that finds no room leaves the one before.
  ASSERT_TRUE(file->Put(kSession, 3, "small"));
  EXPECT_FALSE(file->Put(kSession, 3, std::string(40'000, 'y')));
  EXPECT_EQ(GetOr(*file, kSession, 3), "small");
}

TEST(SnapshotFile, IsOfAFixedSize) {
  auto file = Make();
  EXPECT_NE(::ftruncate(file->fd(), 0), 0);
  EXPECT_NE(::ftruncate(file->fd(), 1 << 30), 0);
}

// The writer dies at any byte of a record: the one before it is found.
TEST(SnapshotFile, KeepsTheLastCompleteRecordWhereverItsWriterDies) {
  auto file = Make({.bytes_max = 16 * 1024});
  const std::string old_bytes(5'000, 'o');
  const std::string new_bytes(5'001, 'n');
  ASSERT_TRUE(file->Put(kSession, 1, old_bytes));
  ASSERT_TRUE(file->Put(kSession, 2, "another"));
  const std::string before = Contents(file->fd());
  ASSERT_TRUE(file->Put(kSession, 1, new_bytes));
  const std::string after = Contents(file->fd());
  // Where the new record lies: what was a hole before.
  size_t begin = 0;
  while (begin < after.size() && (before[begin] != '\0' || after[begin] == '\0')) ++begin;
  constexpr size_t kRecord = 2 * 4096;
  begin = begin / 4096 * 4096;
  const std::string record = after.substr(begin, kRecord);
  for (size_t written = 0; written <= kRecord; written += written < 80 ? 1 : 37) {
    std::string image = before;
    image.replace(begin, written, record, 0, written);
    auto next = SnapshotFile::Open(FileWith(image), {});
    ASSERT_TRUE(next) << next.error().message;
    const std::string found = GetOr(**next, kSession, 1);
    const bool complete = written >= 56 + new_bytes.size();
    EXPECT_TRUE(found == (complete ? new_bytes : old_bytes)) << written;
    EXPECT_EQ(GetOr(**next, kSession, 2), "another");
  }
}

// Any byte of a record changed: it is left out, and the others are there.
TEST(SnapshotFile, LeavesOutARecordThatIsNotAsItWasWritten) {
  auto file = Make({.bytes_max = 16 * 1024});
  ASSERT_TRUE(file->Put(kSession, 1, "the first"));
  ASSERT_TRUE(file->Put(kSession, 2, "the second"));
  const std::string image = Contents(file->fd());
  const size_t at = image.find("the second") - 56;
  for (size_t i = 0; i < 56 + 10; ++i) {
    std::string other = image;
    other[at + i] = static_cast<char>(other[at + i] ^ 0x10);
    auto next = SnapshotFile::Open(FileWith(other), {});
    ASSERT_TRUE(next) << next.error().message;
    EXPECT_EQ(GetOr(**next, kSession, 1), "the first");
    EXPECT_EQ((*next)->Keys(kSession), std::vector<uint64_t>{1}) << i;
    EXPECT_LE((*next)->bytes(), 4096U);
  }
}

TEST(SnapshotFile, ThatIsNoneIsAnError) {
  auto file = Make({.bytes_max = 16 * 1024});
  const std::string image = Contents(file->fd());
  EXPECT_FALSE(SnapshotFile::Open(UniqueFd(), {}));
  EXPECT_FALSE(SnapshotFile::Open(FileWith(""), {}));
  EXPECT_FALSE(SnapshotFile::Open(FileWith(image.substr(0, image.size() - 1)), {}));
  for (size_t i = 0; i < 32; ++i) {
    std::string other = image;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(SnapshotFile::Open(FileWith(other), {})) << i;
  }
  // Not sealed: who has it could shrink it under us.
  UniqueFd open(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::pwrite(open.get(), image.data(), image.size(), 0),
            static_cast<ssize_t>(image.size()));
  EXPECT_FALSE(SnapshotFile::Open(std::move(open), {}));
}

// A sandbox's text that looks like a record, on a page of its own.
TEST(SnapshotFile, TakesNothingInARecordForARecord) {
  auto forger = Make({.bytes_max = 64 * 1024});
  ASSERT_TRUE(forger->Put(kSession, 9, "forged"));
  const std::string image = Contents(forger->fd());
  const std::string forged = image.substr(image.find("forged") - 56, 4096);
  auto file = Make({.bytes_max = 64 * 1024});
  std::string text(4096 - 56, 'x');
  ASSERT_TRUE(file->Put(kSession, 1, text + forged + forged));
  std::string cut = Contents(file->fd());
  const size_t at = cut.find(text) - 56;
  cut.replace(at, 56, 56, '\0');
  auto next = SnapshotFile::Open(FileWith(cut), {});
  ASSERT_TRUE(next);
  EXPECT_TRUE((*next)->Keys(kSession).empty());
}

TEST(SnapshotFile, RemembersHowManyFramesWereRead) {
  auto file = Make();
  std::atomic<uint64_t>* mark = file->MarkOf(5);
  ASSERT_NE(mark, nullptr);
  mark->store(77);
  EXPECT_EQ(file->MarkOf(5), mark);
  ASSERT_NE(file->MarkOf(6), mark);
  auto next = Reopen(*file);
  ASSERT_TRUE(next);
  EXPECT_EQ((*next)->frames_read(5), 77U);
  EXPECT_EQ((*next)->frames_read(4), 0U);
  (*next)->Remove(kSession, 5);
  EXPECT_EQ((*next)->frames_read(5), 0U);
  // The next one to have the place begins at 0.
  EXPECT_EQ((*next)->MarkOf(8)->load(), 0U);
}

TEST(SnapshotFile, HasMarksForSoManyAndNoMore) {
  auto file = Make();
  for (uint64_t i = 0; i < SnapshotFile::kMarks; ++i) ASSERT_NE(file->MarkOf(i), nullptr);
  EXPECT_EQ(file->MarkOf(SnapshotFile::kMarks), nullptr);
  file->Remove(kSession, 3);
  EXPECT_NE(file->MarkOf(SnapshotFile::kMarks), nullptr);
}

// ---- what a pipeline writes

class SaveDueTest : public ::testing::Test, public AlertSink {
 protected:
  SaveDueTest() {
    options_.snapshots = file_.get();
    pipeline_ = std::make_unique<Pipeline>(
        testing::RulesFromText("- rule: r\n  desc: d\n  condition: evt.type = openat\n"
                               "  output: x\n  priority: INFO\n"),
        options_, *this);
  }
  void Send(RecordKind kind, uint64_t connection) {
    const std::string datagram = testing::Datagram(
        MessageType::kOpen, testing::Message()
                                .Nested(1, testing::Message().Number(2, 1).Text(6, "sb"))
                                .Nested(2, testing::Message().Number(1, 3))
                                .Number(3, 257)
                                .Text(6, "/etc/x"));
    Record record;
    record.kind = kind;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = 1'795'335'717'000'000'000;
    if (kind == RecordKind::kFrame) record.frame = testing::AsBytes(datagram);
    pipeline_->Process(record);
  }
  uint64_t Count(EngineCounter counter) const { return pipeline_->totals().engine[counter]; }

  std::unique_ptr<SnapshotFile> file_ = Make();
  PipelineOptions options_;
  std::unique_ptr<Pipeline> pipeline_;

 private:
  bool OnAlert(Alert /*alert*/) override { return true; }
};

constexpr int64_t kMs = 1'000'000;

TEST_F(SaveDueTest, WritesASessionWithinASecondOfItsChange) {
  Send(RecordKind::kOpened, 1);
  Send(RecordKind::kFrame, 1);
  int64_t now_ns = SteadyNs();
  const int64_t end_ns = now_ns + 950 * kMs;
  while (now_ns < end_ns && file_->Keys(kSession).empty()) {
    now_ns = std::min(pipeline_->SaveDue(now_ns), end_ns);
  }
  EXPECT_EQ(file_->Keys(kSession), std::vector<uint64_t>{1});
  EXPECT_EQ(file_->frames_read(1), 1U);
  // Nothing has changed since.
  EXPECT_EQ(pipeline_->SaveDue(now_ns + 10'000 * kMs), INT64_MAX);
  EXPECT_EQ(Count(EngineCounter::kSnapshotsWritten), 1U);
  EXPECT_EQ(Count(EngineCounter::kSnapshotsLate), 0U);
  Send(RecordKind::kFrame, 1);
  EXPECT_NE(pipeline_->SaveDue(now_ns), INT64_MAX);
  // What the next process finds is what was there at the time.
  Send(RecordKind::kFrame, 1);
  Pipeline next(testing::RulesFromText("[]"), {}, *this);
  ASSERT_TRUE(next.RestoreSession({.connection = 1, .frames_read = file_->frames_read(1)},
                                  *file_->Get(kSession, 1)));
  EXPECT_EQ(next.totals().engine[EngineCounter::kMessagesUnsaved], 2U);
}

TEST_F(SaveDueTest, ForgetsASessionThatHasEnded) {
  Send(RecordKind::kOpened, 1);
  Send(RecordKind::kFrame, 1);
  pipeline_->SaveAll();
  EXPECT_EQ(file_->Keys(kSession).size(), 1U);
  Send(RecordKind::kClosed, 1);
  EXPECT_TRUE(file_->Keys(kSession).empty());
  EXPECT_EQ(file_->frames_read(1), 0U);
}

TEST_F(SaveDueTest, SpreadsManyOverTheTime) {
  for (uint64_t i = 0; i < 900; ++i) {
    Send(RecordKind::kOpened, i);
    Send(RecordKind::kFrame, i);
  }
  int64_t now_ns = SteadyNs();
  const int64_t end_ns = now_ns + 1'000 * kMs;
  pipeline_->SaveDue(now_ns);
  uint64_t most = 0;
  uint64_t written = 0;
  for (; now_ns < end_ns; now_ns += Pipeline::kSaveEveryNs) {
    pipeline_->SaveDue(now_ns);
    const uint64_t by_now = Count(EngineCounter::kSnapshotsWritten);
    most = std::max(most, by_now - std::exchange(written, by_now));
  }
  EXPECT_GT(written, 100U);
  EXPECT_LE(most, 400U);
}

TEST_F(SaveDueTest, TellsWhereThereIsNoRoom) {
  auto small = Make({.bytes_max = 4096});
  options_.snapshots = small.get();
  pipeline_ = std::make_unique<Pipeline>(testing::RulesFromText("[]"), options_, *this);
  for (uint64_t i = 0; i < 2; ++i) {
    Send(RecordKind::kOpened, i);
    Send(RecordKind::kFrame, i);
  }
  pipeline_->SaveAll();
  EXPECT_EQ(Count(EngineCounter::kSnapshotsNotWritten), 1U);
  pipeline_.reset();
}

}  // namespace
}  // namespace gyrfalcon
