// The store against a simulated systemd: a socket that takes messages and keeps descriptors by
// name. The real one is in tests/systemd/.
#include "service/fd_store.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/peer.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

// What systemd does with FDSTORE=1 and FDSTOREREMOVE=1 (service.c): descriptors by name, more than
// one of a name, none twice, and all of a name go at once.
class SimulatedSystemd {
 public:
  explicit SimulatedSystemd(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }

  // Takes what has been said, until nothing comes for a moment.
  void Listen(int patience_ms = 50) {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, patience_ms) > 0) TakeOne();
  }

  // What the next process gets; the store keeps its own.
  std::vector<ReceivedFd> Start() const {
    std::vector<ReceivedFd> received;
    for (const auto& [name, fd] : store_) received.push_back({UniqueFd(::dup(fd.get())), name});
    return received;
  }
  const std::multimap<std::string, UniqueFd>& store() const { return store_; }
  void Add(const std::string& name, int fd) { store_.emplace(name, UniqueFd(::dup(fd))); }
  const std::vector<std::string>& said() const { return said_; }

 private:
  void TakeOne() {
    char text[512] = {};
    iovec part{.iov_base = text, .iov_len = sizeof text - 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ASSERT_GT(::recvmsg(socket_.get(), &message, 0), 0);
    said_.emplace_back(text);
    const std::string all(text);
    const std::string name = all.substr(all.find("FDNAME=") + 7);
    if (all.starts_with("FDSTOREREMOVE=1\n")) store_.erase(name);
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr) return;
    ASSERT_TRUE(all.starts_with("FDSTORE=1\nFDPOLL=0\n")) << all;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    UniqueFd owned(fd);
    for (const auto& [other, kept] : store_) {
      if (SocketCookie(fd) != 0 && SocketCookie(fd) == SocketCookie(kept.get())) return;
    }
    store_.emplace(name, std::move(owned));
  }

  UniqueFd socket_;
  std::multimap<std::string, UniqueFd> store_;
  std::vector<std::string> said_;
};

class FdStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "gyrfalcon-notify-" + std::to_string(getpid());
    std::filesystem::remove(path_);
    systemd_.emplace(path_);
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("FDSTORE");
    std::filesystem::remove(path_);
  }

  // As the process that starts now.
  void StartStore(size_t capacity = 100) {
    std::vector<ReceivedFd> received = systemd_->Start();
    auto store = FdStore::Start(capacity, received,
                                [this](const Error& error) { problems_.push_back(error.message); });
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    EXPECT_TRUE(received.empty());
  }
  // A connection that is stored; its other end is the result.
  UniqueFd Admit(uint64_t id, const std::string& command_line = "runsc", bool answered = true) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    accepted_.emplace_back(ends[0]);
    store_->OnAdmitted(ends[0], ConnectionId{id},
                       {.pid = 12, .uid = 3, .command_line = command_line});
    if (answered) store_->OnAnswered(ConnectionId{id});
    return UniqueFd(ends[1]);
  }
  // Its descriptors are gone, and it has said no more.
  void Kill() {
    systemd_->Listen();
    store_.reset();
    accepted_.clear();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, fd] : systemd_->store()) names.push_back(name);
    return names;
  }

  std::string path_;
  std::optional<SimulatedSystemd> systemd_;
  std::unique_ptr<FdStore> store_;
  std::vector<UniqueFd> accepted_;
  std::vector<std::string> problems_;
};

TEST(FdStoreNames, AreOneToThreeLettersAndComeBack) {
  size_t bytes = 0;
  for (uint32_t place = 0; place < kFdStoreMax; ++place) {
    const std::string name = StoredName(place);
    ASSERT_EQ(PlaceOfName(name), place) << name;
    ASSERT_LE(name.size(), 3u);
    bytes += name.size() + 1;
  }
  EXPECT_EQ(StoredName(0), "0");
  EXPECT_EQ(StoredName(61), "z");
  EXPECT_EQ(StoredName(62), "00");
  // LISTEN_FDNAMES is one string of the environment, which the kernel bounds by 128 KiB.
  EXPECT_LT(bytes, 128u * 1024 - 1024);
  for (const char* no : {"", "+", "+connections", "gvisor", "stored", "a b", "-"}) {
    EXPECT_FALSE(PlaceOfName(no)) << no;
  }
}

TEST_F(FdStoreTest, ThereIsOneWhereSystemdSaysSo) {
  EXPECT_EQ(FdStore::Capacity(), 0u);
  setenv("FDSTORE", "16384", 1);
  EXPECT_EQ(FdStore::Capacity(), 16376u);
  setenv("FDSTORE", "1000000", 1);
  EXPECT_EQ(FdStore::Capacity(), kFdStoreMax);
  for (const char* none : {"0", "", "x", "7"}) {
    setenv("FDSTORE", none, 1);
    EXPECT_EQ(FdStore::Capacity(), 0u) << none;
  }
  setenv("FDSTORE", "100", 1);
  unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(FdStore::Capacity(), 0u);
}

TEST_F(FdStoreTest, WhatIsStoredTheNextProcessGetsWithItsPeer) {
  StartStore();
  const UniqueFd first = Admit(1, "runsc --root=/a create one");
  const UniqueFd second = Admit(2, std::string(size_t{64} * 1024, 'c'));
  ASSERT_EQ(send(first.get(), "unread", 6, 0), 6);
  Kill();
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections", "0", "1"}));
  StartStore();
  std::vector<AcceptedConnection> got = store_->TakeConnections();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].id, ConnectionId{1});
  EXPECT_EQ(got[0].peer->command_line, "runsc --root=/a create one");
  EXPECT_EQ(got[0].peer->uid, 3u);
  EXPECT_EQ(got[1].peer->command_line.size(), 64u * 1024);
  EXPECT_EQ(store_->next_connection(), ConnectionId{3});
  char text[16] = {};
  EXPECT_EQ(recv(got[0].fd.get(), text, sizeof text, MSG_DONTWAIT), 6);
  // Not answered again: the sandbox would not read it.
  EXPECT_EQ(recv(first.get(), text, sizeof text, MSG_DONTWAIT), -1);
  // It goes on like the one before.
  store_->OnEnded(ConnectionId{1});
  systemd_->Listen();
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections", "1"}));
  const UniqueFd third = Admit(3);
  systemd_->Listen();
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections", "0", "1"}));
  EXPECT_TRUE(problems_.empty());
}

TEST_F(FdStoreTest, IsToldBeforeTheClientIsAnswered) {
  StartStore();
  systemd_->Listen();
  const UniqueFd client = Admit(1, "runsc", false);
  systemd_->Listen(0);
  EXPECT_EQ(systemd_->store().count("0"), 1u);
  // Killed between: the next one answers.
  Kill();
  StartStore();
  EXPECT_EQ(store_->TakeConnections().size(), 1u);
  char answer[16];
  EXPECT_EQ(recv(client.get(), answer, sizeof answer, MSG_DONTWAIT), 2);
}

TEST_F(FdStoreTest, AnEndIsRemovedAndItsNameIsUsedAgain) {
  StartStore();
  std::vector<UniqueFd> clients;
  for (uint64_t id = 1; id <= 70; ++id) clients.push_back(Admit(id));
  systemd_->Listen();
  EXPECT_EQ(systemd_->store().count("07"), 1u);
  for (uint64_t id = 1; id <= 70; ++id) store_->OnEnded(ConnectionId{id});
  systemd_->Listen();
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections"}));
  clients.push_back(Admit(71));
  systemd_->Listen();
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections", "0"}));
}

TEST_F(FdStoreTest, AFullStoreIsCountedAndToldOnce) {
  StartStore(3);
  std::vector<UniqueFd> clients;
  for (uint64_t id = 1; id <= 5; ++id) clients.push_back(Admit(id));
  EXPECT_EQ(store_->refused(), 2u);
  store_->OnEnded(ConnectionId{5});  // was never stored
  store_->OnEnded(ConnectionId{2});
  clients.push_back(Admit(6));
  EXPECT_EQ(store_->refused(), 2u);
  systemd_->Listen();
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections", "0", "1", "2"}));
  store_.reset();  // its thread tells of problems
  ASSERT_EQ(problems_.size(), 1u);
  EXPECT_THAT(problems_[0], HasSubstr("beyond 3 do not outlive a restart"));
}

TEST_F(FdStoreTest, AConnectionWhoseRecordIsAnothersIsAskedWhoItIs) {
  StartStore();
  const UniqueFd client = Admit(1, "runsc of the one before");
  Kill();
  // The place has another connection by now.
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  systemd_->Add("0", ends[0]);
  StartStore();
  std::vector<AcceptedConnection> got = store_->TakeConnections();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].id, ConnectionId{1});
  EXPECT_EQ(got[0].peer->command_line, "runsc of the one before");
  EXPECT_EQ(got[1].id, ConnectionId{2});
  EXPECT_EQ(got[1].peer->pid, getpid());
  // Two of one name would go together; now each has its own.
  systemd_->Listen();
  EXPECT_EQ(systemd_->store().size(), 4u);
  store_->OnEnded(ConnectionId{2});
  systemd_->Listen();
  ASSERT_EQ(systemd_->store().size(), 3u);
  EXPECT_EQ(SocketCookie(systemd_->store().rbegin()->second.get()), SocketCookie(got[0].fd.get()));
  close(ends[0]);
  close(ends[1]);
}

TEST_F(FdStoreTest, ADamagedMapIsReplacedAndTheConnectionsAreTaken) {
  StartStore();
  const UniqueFd client = Admit(1);
  Kill();
  const auto map = systemd_->store().find("+connections");
  ASSERT_EQ(pwrite(map->second.get(), "damaged!", 8, 0), 8);
  StartStore();
  std::vector<AcceptedConnection> got = store_->TakeConnections();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].peer->pid, getpid());
  ASSERT_EQ(problems_.size(), 1u);
  systemd_->Listen();
  Kill();
  StartStore();
  EXPECT_EQ(store_->TakeConnections().size(), 1u);
  EXPECT_EQ(problems_.size(), 1u);
}

TEST_F(FdStoreTest, WhatIsKnownOfSandboxesTheNextProcessGets) {
  StartStore();
  EXPECT_EQ(store_->state_before(), nullptr);
  ASSERT_TRUE(store_->state().Put(SnapshotKind::kSession, 7, "of the seventh"));
  store_->state().MarkOf(9)->store(3);
  Kill();
  StartStore();
  ASSERT_NE(store_->state_before(), nullptr);
  EXPECT_EQ(store_->state_before()->Get(SnapshotKind::kSession, 7), "of the seventh");
  EXPECT_EQ(store_->state_before()->frames_read(9), 3u);
  // Nobody else is called so, or would get what is not theirs.
  EXPECT_EQ(store_->next_connection(), ConnectionId{10});
  // It is the same file that is written on.
  ASSERT_TRUE(store_->state().Put(SnapshotKind::kSession, 8, "another"));
  Kill();
  StartStore();
  EXPECT_EQ(store_->state_before()->Keys(SnapshotKind::kSession), (std::vector<uint64_t>{7, 8}));
  EXPECT_EQ(Names(), (std::vector<std::string>{"+", "+connections"}));
  EXPECT_TRUE(problems_.empty());
}

TEST_F(FdStoreTest, StateThatCannotBeReadIsReplaced) {
  StartStore();
  const UniqueFd client = Admit(1);
  Kill();
  const auto state = systemd_->store().find("+");
  ASSERT_EQ(pwrite(state->second.get(), "damaged!", 8, 0), 8);
  StartStore();
  EXPECT_EQ(store_->state_before(), nullptr);
  EXPECT_EQ(store_->TakeConnections().size(), 1u);
  ASSERT_EQ(problems_.size(), 1u);
  EXPECT_THAT(problems_[0], HasSubstr("not a file with the state of sandboxes"));
  ASSERT_TRUE(store_->state().Put(SnapshotKind::kSession, 1, "anew"));
  Kill();
  StartStore();
  ASSERT_NE(store_->state_before(), nullptr);
  EXPECT_EQ(store_->state_before()->Get(SnapshotKind::kSession, 1), "anew");
  EXPECT_EQ(problems_.size(), 1u);
}

TEST_F(FdStoreTest, AStoreThatCannotBeReachedIsToldAndHoldsUpNobody) {
  systemd_.reset();
  std::filesystem::remove(path_);
  std::vector<ReceivedFd> none;
  auto store =
      FdStore::Start(10, none, [this](const Error& error) { problems_.push_back(error.message); });
  ASSERT_TRUE(store);
  store_ = std::move(*store);
  for (uint64_t id = 1; id <= 3; ++id) Admit(id);
  for (int tries = 0; store_->refused() < 3 && tries < 1'000; ++tries) usleep(10'000);
  EXPECT_EQ(store_->refused(), 3u) << "nobody keeps them";
  store_.reset();
  ASSERT_EQ(problems_.size(), 1u);
  EXPECT_THAT(problems_[0], HasSubstr("systemd could not be told"));
}

TEST(ConnectionMap, ARecordThatIsNotWholeIsNone) {
  auto map = ConnectionMap::Create();
  ASSERT_TRUE(map);
  EXPECT_FALSE(map->Get(0));
  map->Put(5, {.cookie = 9, .id = ConnectionId{4}, .peer = {.pid = 3}, .answered = false});
  ASSERT_TRUE(map->Get(5));
  EXPECT_EQ(map->Get(5)->cookie, 9u);
  EXPECT_FALSE(map->Get(5)->answered);
  map->MarkAnswered(5);
  EXPECT_TRUE(map->Get(5)->answered);
  EXPECT_EQ(map->Get(5)->peer.pid, 3);
  EXPECT_FALSE(map->Get(4));
  constexpr off_t kPlace5 = 4096 + 5 * 19 * 4096;
  for (off_t i = 0; i < 40; ++i) {
    char byte = 0;
    ASSERT_EQ(pread(map->fd(), &byte, 1, kPlace5 + i), 1);
    const char changed = static_cast<char>(byte ^ 0x10);
    ASSERT_EQ(pwrite(map->fd(), &changed, 1, kPlace5 + i), 1);
    constexpr off_t kAnswered = 24;  // and what is unused behind it
    const bool is_checked = i < kAnswered || i >= 32;
    EXPECT_EQ(map->Get(5).has_value(), !is_checked) << i;
    ASSERT_EQ(pwrite(map->fd(), &byte, 1, kPlace5 + i), 1);
  }
  map->Clear(5);
  EXPECT_FALSE(map->Get(5));
}

}  // namespace
}  // namespace gyrfalcon
