#include "wire/socket_source.h"

#include <atomic>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "wire/kept_records.h"
#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using test::Send;
using test::Text;

// A source fed by one end of socket pairs; the test holds the other ends.
class SocketSourceTest : public testing::Test {
 protected:
  void MakeSource(SocketSourceOptions options = {}) {
    auto source = SocketSource::Create(options);
    ASSERT_TRUE(source) << source.error().message;
    source_ = std::move(*source);
    source_->set_idle_timeout_ms(0);
  }

  UniqueFd Connect(uint64_t id) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return {};
    AcceptedConnection connection{.fd = UniqueFd(ends[0]),
                                  .id = ConnectionId{id},
                                  .peer = std::make_shared<const Peer>(Peer{.pid = 7})};
    source_->Add(std::move(connection));
    return UniqueFd(ends[1]);
  }

  // All records until kIdle or kEnd. They live as long as the test.
  std::span<const Record> Drain() {
    KeptRecords& records = drained_.emplace_back();
    Record record;
    while (source_->Next(record) == SourceStatus::kRecord) records.Add(record);
    return records.all();
  }

  // "opened", the frames' texts, "closed".
  static std::vector<std::string> Texts(std::span<const Record> records) {
    std::vector<std::string> texts;
    for (const Record& record : records) {
      if (record.kind == RecordKind::kOpened) texts.push_back("opened");
      if (record.kind == RecordKind::kFrame) texts.push_back(Text(record.frame));
      if (record.kind == RecordKind::kClosed) texts.push_back("closed");
    }
    return texts;
  }

  uint64_t Count(WireCounter which) const { return source_->counters()[which]; }

  std::unique_ptr<SocketSource> source_;
  std::deque<KeptRecords> drained_;
};

using Expected = std::vector<std::string>;

TEST_F(SocketSourceTest, YieldsOpenedThenFramesThenClosed) {
  MakeSource();
  UniqueFd client = Connect(5);
  ASSERT_TRUE(Send(client, "one") && Send(client, "two"));
  client.reset();
  const auto records = Drain();
  EXPECT_EQ(Texts(records), (Expected{"opened", "one", "two", "closed"}));
  EXPECT_EQ(records[0].peer->pid, 7);
  for (const Record& record : records) {
    EXPECT_EQ(record.connection, ConnectionId{5});
    EXPECT_GT(record.receive_time_ns, 1'600'000'000'000'000'000);
  }
  EXPECT_EQ(Count(WireCounter::kFrames), 2u);
  EXPECT_EQ(Count(WireCounter::kFrameBytes), 6u);
  EXPECT_EQ(Count(WireCounter::kConnectionsClosed), 1u);
}

TEST_F(SocketSourceTest, AFullQueueIsReadToItsEndBeforeClosed) {
  MakeSource();
  UniqueFd client = Connect(1);
  Expected expected = {"opened"};
  while (Send(client, std::to_string(expected.size()), MSG_DONTWAIT)) {
    expected.push_back(std::to_string(expected.size()));
  }
  ASSERT_GT(expected.size(), 100u) << "or this tests nothing";
  client.reset();
  expected.push_back("closed");
  EXPECT_EQ(Texts(Drain()), expected);
}

// `trace create --force`: the sandbox has closed one connection and speaks on the other.
TEST_F(SocketSourceTest, AConnectionThatHasEndedIsReadToItsEndBeforeANewerOne) {
  MakeSource({.messages_per_turn = 3});
  UniqueFd older = Connect(1);
  const UniqueFd newer = Connect(2);
  EXPECT_EQ(Texts(Drain()), (Expected{"opened", "opened"}));
  ASSERT_TRUE(Send(newer, "after"));
  for (const char* text : {"1", "2", "3", "4", "5", "6", "7"}) ASSERT_TRUE(Send(older, text));
  older.reset();
  EXPECT_EQ(Texts(Drain()), (Expected{"1", "2", "3", "4", "5", "6", "7", "closed", "after"}));
}

TEST_F(SocketSourceTest, AnEmptyMessageIsAFrameAndNotTheEnd) {
  MakeSource();
  UniqueFd client = Connect(1);
  ASSERT_TRUE(Send(client, "") && Send(client, "") && Send(client, "after"));
  client.reset();
  EXPECT_EQ(Texts(Drain()), (Expected{"opened", "", "", "after", "closed"}));
}

TEST_F(SocketSourceTest, AnEmptyMessageOnAQuietConnectionIsNotTheEnd) {
  MakeSource();
  const UniqueFd client = Connect(1);
  ASSERT_TRUE(Send(client, ""));
  EXPECT_EQ(Texts(Drain()), (Expected{"opened", ""}));
  ASSERT_TRUE(Send(client, "after"));
  EXPECT_EQ(Texts(Drain()), (Expected{"after"}));
}

TEST_F(SocketSourceTest, EmptyMessagesAcrossABatchAreNotTheEnd) {
  MakeSource();
  UniqueFd client = Connect(1);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Send(client, ""));
  ASSERT_TRUE(Send(client, "after"));
  client.reset();
  const auto texts = Texts(Drain());
  ASSERT_EQ(texts.size(), 43u);
  EXPECT_EQ(texts[41], "after");
}

TEST_F(SocketSourceTest, APeerThatLeftWithoutReadingOurAnswerLosesNothing) {
  MakeSource();
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd server(ends[0]);
  UniqueFd client(ends[1]);
  ASSERT_TRUE(Send(server, "answer") && Send(client, "one") && Send(client, "two"));
  client.reset();
  source_->Add({.fd = std::move(server), .id = ConnectionId{1}, .peer = nullptr});
  EXPECT_EQ(Texts(Drain()), (Expected{"opened", "one", "two", "closed"}));
  EXPECT_EQ(Count(WireCounter::kReceiveErrors), 0u);
}

TEST_F(SocketSourceTest, TheLargestMessageArrivesWhole) {
  MakeSource();
  const UniqueFd client = Connect(1);
  const int room = 2'000'000;
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  std::string largest(212'992, 'l');
  if (!Send(client, largest)) {
    largest.resize(212'960);  // what an unprivileged sender gets through
    ASSERT_TRUE(Send(client, largest));
  }
  const auto records = Drain();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(Text(records[1].frame), largest);
  EXPECT_FALSE(records[1].truncated);
}

TEST_F(SocketSourceTest, AMessageLargerThanTheBufferIsFlaggedAndItsNeighboursAreNot) {
  MakeSource({.message_bytes_max = 100});
  const UniqueFd client = Connect(1);
  ASSERT_TRUE(Send(client, std::string(100, 'a')) && Send(client, std::string(101, 'b')) &&
              Send(client, "c"));
  const auto records = Drain();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_FALSE(records[1].truncated);
  EXPECT_TRUE(records[2].truncated);
  EXPECT_EQ(Text(records[2].frame), std::string(100, 'b'));
  EXPECT_FALSE(records[3].truncated);
  EXPECT_EQ(Count(WireCounter::kFramesTruncated), 1u);
}

TEST_F(SocketSourceTest, AFloodingConnectionDoesNotStarveAnother) {
  constexpr size_t kTurn = 20;
  MakeSource({.messages_per_turn = kTurn});
  const UniqueFd flood = Connect(1);
  const UniqueFd quiet = Connect(2);
  const UniqueFd flood_too = Connect(3);
  for (const UniqueFd* fd : {&flood, &flood_too}) {
    size_t sent = 0;
    while (Send(*fd, "flood", MSG_DONTWAIT)) ++sent;
    ASSERT_GT(sent, 5 * kTurn);
  }
  ASSERT_TRUE(Send(quiet, "heard?"));
  const std::span<const Record> records = Drain();
  size_t before = 0;
  for (const std::string& text : Texts(records)) {
    if (text == "heard?") break;
    if (text == "flood") ++before;
  }
  EXPECT_LE(before, 2 * kTurn);
  size_t in_turn = 0;
  uint64_t cut = 0;
  for (const Record& record : records) {
    if (record.connection != ConnectionId{1} || record.kind != RecordKind::kFrame) continue;
    ++in_turn;
    if (!record.turn_cut) continue;
    EXPECT_EQ(std::exchange(in_turn, 0), kTurn) << "the last of its turn says so";
    ++cut;
  }
  EXPECT_GE(cut, 5u);
  EXPECT_GE(Count(WireCounter::kTurnsCut), 2 * cut) << "of both";
}

TEST_F(SocketSourceTest, AQueueThatIsFullIsToldWhateverTheSizeOfItsMessages) {
  for (const size_t bytes : {114u, 1'000u, 2'000u, 4'000u, 50'000u}) {
    MakeSource();
    const UniqueFd client = Connect(1);
    ASSERT_TRUE(Send(client, std::string(bytes, 'x')));
    Drain();
    EXPECT_EQ(Count(WireCounter::kTurnsCut), 0u) << bytes;
    while (Send(client, std::string(bytes, 'x'), MSG_DONTWAIT)) {
    }
    Drain();
    EXPECT_GE(Count(WireCounter::kTurnsCut), 1u) << bytes;
  }
}

TEST(StreamPause, IsDueWhereMessagesComeCloseTogether) {
  StreamPause pause;
  EXPECT_FALSE(pause.is_due()) << "nothing has come yet";
  pause.NoteWait(2'000'000);
  EXPECT_FALSE(pause.is_due()) << "a lone message";
  pause.NoteWait(10'000);
  EXPECT_TRUE(pause.is_due());
  pause.NoteWait(StreamPause::kStreamNs);
  EXPECT_FALSE(pause.is_due()) << "the stream is over";
}

TEST_F(SocketSourceTest, AStreamIsLetGather) {
  MakeSource();
  source_->set_idle_timeout_ms(1000);
  const UniqueFd client = Connect(1);
  constexpr int kMessages = 20'000;
  std::thread sender([&client] {
    for (int i = 0; i < kMessages; ++i) Send(client, "message");
  });
  Record record;
  for (int got = 0; got < kMessages;) {
    if (source_->Next(record) == SourceStatus::kRecord) got += record.kind == RecordKind::kFrame;
  }
  sender.join();
  EXPECT_GT(Count(WireCounter::kStreamPauses), 0u);
  EXPECT_LT(Count(WireCounter::kStreamPauses), uint64_t{kMessages} / 4) << "not one for each";
}

TEST_F(SocketSourceTest, StopDrainsEveryConnectionThenEnds) {
  MakeSource({.messages_per_turn = 2});
  std::vector<UniqueFd> clients;
  for (uint64_t id = 1; id <= 5; ++id) {
    clients.push_back(Connect(id));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(Send(clients.back(), "message"));
  }
  source_->Stop();
  std::map<uint64_t, size_t> frames;
  for (const Record& record : Drain()) {
    EXPECT_NE(record.kind, RecordKind::kClosed) << "the peer is still there";
    if (record.kind == RecordKind::kFrame) ++frames[record.connection.value];
  }
  for (uint64_t id = 1; id <= 5; ++id) EXPECT_EQ(frames[id], 50u);
  Record record;
  EXPECT_EQ(source_->Next(record), SourceStatus::kEnd);
  EXPECT_EQ(source_->Next(record), SourceStatus::kEnd);
}

TEST_F(SocketSourceTest, AStopEndsAlthoughASenderKeepsSending) {
  MakeSource();
  UniqueFd client = Connect(1);
  std::atomic<bool> done = false;
  std::thread sender([&] {
    while (!done) Send(client, "more", MSG_DONTWAIT);
  });
  source_->Stop();
  Drain();
  done = true;
  sender.join();
  Record record;
  EXPECT_EQ(source_->Next(record), SourceStatus::kEnd);
}

TEST_F(SocketSourceTest, WhatOneSourceHasNotReadTheNextOneReads) {
  MakeSource({.messages_per_turn = 100});
  constexpr int kMessages = 250;
  std::vector<UniqueFd> clients;
  for (uint64_t id = 1; id <= 3; ++id) clients.push_back(Connect(id));
  Drain();
  for (const UniqueFd& client : clients) {
    for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(Send(client, std::to_string(i)));
  }
  clients.push_back(Connect(4));   // not taken up yet
  clients.erase(clients.begin());  // has gone, and its messages are unread
  KeptRecords before;
  Record record;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(source_->Next(record), SourceStatus::kRecord);
    before.Add(record);
  }
  source_->StopReading();
  while (source_->Next(record) == SourceStatus::kRecord) before.Add(record);
  std::vector<AcceptedConnection> released = source_->ReleaseAll();
  ASSERT_EQ(released.size(), 4u);

  MakeSource();
  for (AcceptedConnection& connection : released) {
    EXPECT_EQ(connection.peer->pid, 7);
    source_->Adopt(std::move(connection));
  }
  std::map<uint64_t, std::vector<std::string>> by_connection;
  for (const Record& old : before.all()) {
    if (old.kind == RecordKind::kFrame)
      by_connection[old.connection.value].push_back(Text(old.frame));
  }
  EXPECT_LT(before.all().size(), 3u * kMessages);
  size_t closed = 0;
  for (const Record& next : Drain()) {
    EXPECT_NE(next.kind, RecordKind::kOpened);
    if (next.kind == RecordKind::kClosed) ++closed;
    if (next.kind == RecordKind::kFrame) {
      by_connection[next.connection.value].push_back(Text(next.frame));
    }
  }
  EXPECT_EQ(closed, 1u);
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_EQ(by_connection[id].size(), static_cast<size_t>(kMessages));
    for (size_t i = 0; i < kMessages; ++i) EXPECT_EQ(by_connection[id][i], std::to_string(i));
  }
}

TEST_F(SocketSourceTest, AKeeperHearsOfAnEndAndNotOfARelease) {
  struct Ends final : ConnectionKeeper {
    void OnAdmitted(int, ConnectionId, const Peer&) override {}
    void OnAnswered(ConnectionId) override {}
    void OnEnded(ConnectionId id) override { ended.push_back(id.value); }
    std::vector<uint64_t> ended;
  } keeper;
  MakeSource({.keeper = &keeper});
  Connect(1).reset();
  const UniqueFd lives = Connect(2);
  Drain();
  source_->StopReading();
  Drain();
  EXPECT_EQ(source_->ReleaseAll().size(), 1u);
  source_.reset();
  EXPECT_EQ(keeper.ended, std::vector<uint64_t>{1});
}

// Fills its queue, as a sandbox does that is ahead of us; how many messages it took.
size_t Fill(const UniqueFd& client) {
  size_t sent = 0;
  while (Send(client, std::string(114, 'm'), MSG_DONTWAIT)) ++sent;
  return sent;
}

// Connections of sandboxes that have gone and left full queues, taken up all at once.
class ManyEndedConnections : public SocketSourceTest {
 protected:
  static constexpr uint64_t kConnections = 1'000;

  void SetUp() override {
    rlimit enough{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    enough = before_;
    enough.rlim_cur = std::max<rlim_t>(before_.rlim_cur, kConnections + 200);
    if (::setrlimit(RLIMIT_NOFILE, &enough) != 0) GTEST_SKIP() << "too few open files allowed";
  }
  void TearDown() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

  void LeaveFullQueues() {
    for (uint64_t id = 1; id <= kConnections; ++id) {
      const UniqueFd client = Connect(id);
      ASSERT_TRUE(client);
      sent_[id] = Fill(client);
      ASSERT_GT(sent_[id], 100u);
    }
  }
  // Not kept: all frames together are 30 MB, and more under a sanitizer.
  void ExpectAllOfThem() {
    std::map<uint64_t, size_t> frames;
    std::map<uint64_t, size_t> closed;
    Record record;
    while (source_->Next(record) == SourceStatus::kRecord) {
      const uint64_t id = record.connection.value;
      if (record.kind == RecordKind::kFrame) {
        EXPECT_EQ(closed[id], 0u);
        ++frames[id];
      }
      if (record.kind == RecordKind::kClosed) ++closed[id];
    }
    EXPECT_EQ(frames, sent_);
    EXPECT_EQ(Count(WireCounter::kConnectionsClosed), kConnections);
    EXPECT_EQ(Count(WireCounter::kReceiveErrors), 0u);
    EXPECT_EQ(Count(WireCounter::kDrainCutShort), 0u);
  }

  rlimit before_{};
  std::map<uint64_t, size_t> sent_;
};

TEST_F(ManyEndedConnections, AreReadToTheLastMessage) {
  MakeSource();
  LeaveFullQueues();
  ExpectAllOfThem();
}

TEST_F(ManyEndedConnections, AreReadToTheLastMessageAtAStop) {
  MakeSource();
  LeaveFullQueues();
  source_->Stop();
  ExpectAllOfThem();
}

// More than a turn of a stop takes, in a send buffer larger than the default.
TEST_F(SocketSourceTest, AStopReadsAllOfOneThatHasGoneAndCutsOneThatLives) {
  constexpr int kMessages = 10'000;
  MakeSource();
  UniqueFd gone = Connect(1);
  const UniqueFd lives = Connect(2);
  const int room = 64 << 20;
  for (const UniqueFd* fd : std::initializer_list<const UniqueFd*>{&gone, &lives}) {
    if (::setsockopt(fd->get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
      GTEST_SKIP() << "not root: the send buffer can't be made larger";
    }
    for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(Send(*fd, "m", MSG_DONTWAIT)) << i;
  }
  gone.reset();
  source_->Stop();
  std::map<uint64_t, int> frames;
  size_t closed = 0;
  for (const Record& record : Drain()) {
    if (record.kind == RecordKind::kFrame) ++frames[record.connection.value];
    closed += record.kind == RecordKind::kClosed ? 1 : 0;
  }
  EXPECT_EQ(frames[1], kMessages);
  EXPECT_LT(frames[2], kMessages);
  EXPECT_GE(frames[2], 4'096);
  EXPECT_EQ(closed, 1u);
  EXPECT_EQ(Count(WireCounter::kDrainCutShort), 1u);
}

TEST_F(SocketSourceTest, AStopThatTakesTooLongStillReadsThoseThatHaveGone) {
  MakeSource({.stop_patience_ms = 0});
  UniqueFd gone = Connect(1);
  const UniqueFd lives = Connect(2);
  const size_t left = Fill(gone);
  ASSERT_GT(Fill(lives), 100u);
  gone.reset();
  source_->Stop();
  std::map<uint64_t, size_t> frames;
  for (const Record& record : Drain())
    frames[record.connection.value] += record.kind == RecordKind::kFrame;
  EXPECT_EQ(frames[1], left);
  EXPECT_EQ(frames[2], 0u);
  EXPECT_EQ(Count(WireCounter::kDrainCutShort), 1u);
}

TEST_F(SocketSourceTest, AddAndStopWakeAWorkerThatWaits) {
  MakeSource();
  source_->set_idle_timeout_ms(-1);
  std::span<const Record> records;
  std::thread worker([&] { records = Drain(); });
  const UniqueFd client = Connect(1);
  ASSERT_TRUE(Send(client, "hello"));
  while (Count(WireCounter::kFrames) == 0) std::this_thread::yield();
  source_->Stop();
  worker.join();
  EXPECT_EQ(Texts(records), (Expected{"opened", "hello"}));
}

TEST_F(SocketSourceTest, IdleComesAfterTheTimeout) {
  MakeSource();
  source_->set_idle_timeout_ms(1);
  Record record;
  record.truncated = true;
  EXPECT_EQ(source_->Next(record), SourceStatus::kIdle);
  EXPECT_FALSE(record.truncated) << "the record is empty then";
}

}  // namespace
}  // namespace gyrfalcon
