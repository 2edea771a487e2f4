#include "plays.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "daemon.h"
#include "points/schema.h"
#include "sandbox_messages.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMillion = 1'000'000;

// What may be sent at most (docs/limits.md): the default send buffer, less what the kernel takes.
constexpr size_t kHugeBytes = 190'000;

std::string Header(uint16_t header_size, uint16_t type, uint32_t dropped = 0) {
  std::string out;
  for (const uint32_t value : {uint32_t{header_size}, uint32_t{type}}) {
    out += static_cast<char>(value & 0xff);
    out += static_cast<char>(value >> 8 & 0xff);
  }
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(dropped >> shift & 0xff);
  return out;
}

// A message of a sandbox of its own making.
class Forged {
 public:
  Forged(MessageType type, std::string_view container, int32_t tgid, int64_t start_ns = 0)
      : bytes_(Header(8, static_cast<uint16_t>(type))) {
    std::string context;
    protozero::pbf_writer writer(context);
    writer.add_int64(1, RealTimeNs());
    writer.add_int32(2, tgid);
    if (start_ns != 0) writer.add_int64(3, start_ns);
    writer.add_int32(4, tgid);
    if (start_ns != 0) writer.add_int64(5, start_ns);
    writer.add_string(6, container.data(), container.size());
    writer.add_string(9, "hostile");
    protozero::pbf_writer(bytes_).add_message(1, context);
  }
  Forged& Text(uint32_t field, std::string_view text) {
    protozero::pbf_writer(bytes_).add_string(field, text.data(), text.size());
    return *this;
  }
  Forged& Number(uint32_t field, int64_t value) {
    protozero::pbf_writer(bytes_).add_int64(field, value);
    return *this;
  }
  Forged& Result(int64_t value) {
    std::string exit;
    protozero::pbf_writer(exit).add_int64(1, value);
    protozero::pbf_writer(bytes_).add_message(2, exit);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// One that has shaken hands; empty when it could not.
UniqueFd Enter(const Stage& stage) {
  auto fd = ConnectSandbox(stage.socket_path);
  return fd ? std::move(*fd) : UniqueFd();
}

// False: the daemon is gone, or has closed it.
bool Send(Stage& stage, const UniqueFd& fd, std::string_view message) {
  if (::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    return errno == EMSGSIZE;  // no sandbox could send it either
  }
  ++stage.sent;
  return true;
}

UniqueFd ConnectOnly(const Stage& stage) {
  const sockaddr_un address = UnixAddress(stage.socket_path).value();
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return fd && ::connect(fd.get(), Generic(address), sizeof address) == 0 ? std::move(fd)
                                                                          : UniqueFd();
}

void Wait(const Stage& stage) {
  while (!stage.is_over()) std::this_thread::sleep_for(10ms);
}

void Nothing(Stage& stage) {
  Wait(stage);
}

// Clients that never shake hands: with those that wait, two thousand at any time.
void Silence(Stage& stage) {
  std::vector<UniqueFd> clients;
  while (!stage.is_over()) {
    UniqueFd fd = clients.size() < 2'000 ? ConnectOnly(stage) : UniqueFd();
    if (!fd) {
      std::this_thread::sleep_for(1ms);
      continue;
    }
    clients.push_back(std::move(fd));
    ++stage.sent;
  }
}

void ByteASecond(Stage& stage) {
  std::vector<UniqueFd> sandboxes;
  for (int i = 0; i < 50; ++i) sandboxes.push_back(Enter(stage));
  while (!stage.is_over()) {
    UniqueFd handshake = ConnectOnly(stage);
    if (handshake) Send(stage, handshake, "\n");
    for (const UniqueFd& fd : sandboxes) Send(stage, fd, "x");
    for (int i = 0; i < 100 && !stage.is_over(); ++i) std::this_thread::sleep_for(10ms);
  }
}

void Garbage(Stage& stage) {
  std::mt19937_64 random(1);
  std::string message;
  UniqueFd fd = Enter(stage);
  while (fd && !stage.is_over()) {
    message.resize(random() % (random() % 16 == 0 ? 100'000 : 300) + 1);
    for (char& byte : message) byte = static_cast<char>(random());
    // Half of them get as far as a decoder.
    if (random() % 2 == 0 && message.size() > 8) {
      message.replace(0, 8, Header(8, static_cast<uint16_t>(random() % 40)));
    }
    if (!Send(stage, fd, message)) fd = Enter(stage);
  }
}

void HugeFields(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  const std::string huge(kHugeBytes, 'h');
  const std::string part(kHugeBytes / 1'000 - 8, 'p');
  for (int32_t i = 1; !stage.is_over(); ++i) {
    const int32_t tgid = i % 30'000 + 1;
    Forged exec(MessageType::kSentryExec, "huge", tgid, i);
    for (int j = 0; j < 990; ++j) exec.Text(3, part);
    bool goes_on =
        Send(stage, fd, exec.bytes()) &&
        Send(stage, fd, Forged(MessageType::kSentryExec, "huge", tgid).Text(3, huge).bytes()) &&
        Send(stage, fd, Forged(MessageType::kSentryExec, "huge", tgid).Text(4, huge).bytes()) &&
        Send(stage, fd, Forged(MessageType::kChdir, "huge", tgid).Text(5, huge).bytes()) &&
        Send(stage, fd,
             Forged(MessageType::kOpen, "huge", tgid)
                 .Result(i % 4'096)
                 .Number(3, 257)
                 .Text(6, huge)
                 .bytes());
    const std::string id = std::to_string(i) + huge;
    goes_on = goes_on && Send(stage, fd, Forged(MessageType::kOpen, id, tgid).bytes());
    if (!goes_on) return;
  }
}

void HeaderSizes(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  const std::string body(300, 'b');
  for (uint32_t size = 0; !stage.is_over(); size = (size + 1) & 0xffff) {
    const std::string header = Header(static_cast<uint16_t>(size), 7, size);
    if (!Send(stage, fd, header.substr(0, size % 9)) || !Send(stage, fd, header + body)) return;
  }
}

void AllTypes(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  const std::string body = Forged(MessageType::kOpen, "types", 1).Text(6, "/x").bytes().substr(8);
  for (uint32_t type = 0; !stage.is_over(); type = (type + 1) & 0xffff) {
    if (!Send(stage, fd, Header(8, static_cast<uint16_t>(type)) + body)) return;
  }
}

void Processes(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  const auto count = static_cast<int32_t>(kMillion * stage.part);
  for (int32_t tgid = 2; tgid < count && !stage.is_over(); ++tgid) {
    const bool goes_on = Send(stage, fd,
                              Forged(MessageType::kSentryClone, "processes", tgid / 2)
                                  .Number(3, tgid)
                                  .Number(4, tgid)
                                  .Number(5, tgid)
                                  .bytes()) &&
                         Send(stage, fd,
                              Forged(MessageType::kSentryExec, "processes", tgid, tgid)
                                  .Text(2, fmt::format("/bin/program-{}", tgid))
                                  .Text(3, "program")
                                  .Text(3, std::string(200, 'a'))
                                  .bytes());
    if (!goes_on) return;
  }
}

void Descriptors(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  const auto count = static_cast<int64_t>(kMillion * stage.part);
  for (int64_t i = 0; i < count && !stage.is_over(); ++i) {
    const auto tgid = static_cast<int32_t>(i % 500 + 1);
    const std::string message = Forged(MessageType::kOpen, "descriptors", tgid)
                                    .Result(i / 500)
                                    .Number(3, 257)
                                    .Text(6, fmt::format("/data/{:0200}", i))
                                    .bytes();
    if (!Send(stage, fd, message)) return;
  }
}

void ForgedContainers(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  for (uint64_t i = 0; !stage.is_over(); ++i) {
    const std::string id = i % 2 == 0 ? stage.witness_id : fmt::format("{:064x}", i);
    const std::string message = Forged(MessageType::kOpen, id, static_cast<int32_t>(i % 100 + 1))
                                    .Result(3)
                                    .Number(3, 257)
                                    .Text(6, "/etc/shadow")
                                    .bytes();
    if (!Send(stage, fd, message)) return;
  }
}

// A thousand a second, or as many as the machine allows.
void ComeAndGo(Stage& stage) {
  auto next = std::chrono::steady_clock::now();
  while (!stage.is_over()) {
    const UniqueFd fd = Enter(stage);
    if (fd) ++stage.sent;
    next += 1ms;
    std::this_thread::sleep_until(next);
  }
}

void Crowd(Stage& stage) {
  std::vector<UniqueFd> sandboxes;
  const auto count = static_cast<size_t>(5'000 * std::max(stage.part, 0.2));
  while (sandboxes.size() < count && !stage.is_over()) {
    UniqueFd fd = Enter(stage);
    if (!fd) {
      std::this_thread::sleep_for(1ms);
      continue;
    }
    for (const std::string& message :
         SandboxThatRuns(fmt::format("crowd-{:058}", sandboxes.size()), 20, 2)) {
      if (::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) break;
    }
    sandboxes.push_back(std::move(fd));
    ++stage.sent;
  }
  Wait(stage);
}

// Four that never let their queue be empty.
void Flood(Stage& stage) {
  std::vector<std::thread> sandboxes;
  for (int i = 0; i < 4; ++i) {
    sandboxes.emplace_back([&stage, i] {
      const UniqueFd fd = Enter(stage);
      const std::string message = Forged(MessageType::kRead, fmt::format("flood-{}", i), 1)
                                      .Result(1)
                                      .Number(3, 0)
                                      .Number(4, 3)
                                      .bytes();
      while (!stage.is_over() && Send(stage, fd, message)) {
      }
    });
  }
  for (std::thread& sandbox : sandboxes) sandbox.join();
}

// The same, of messages that all raise an alert.
void AlertFlood(Stage& stage) {
  const UniqueFd fd = Enter(stage);
  const std::string message = Forged(MessageType::kOpen, "alerts", 1)
                                  .Result(3)
                                  .Number(3, 257)
                                  .Text(6, "/hostile-alert")
                                  .bytes();
  while (!stage.is_over() && Send(stage, fd, message)) {
  }
}

constexpr Play kPlays[] = {
    {"none", "the well-behaved sandbox alone", Nothing},
    {"silence", "2,000 clients that never shake hands", Silence},
    {"byte a second", "50 sandboxes that send a byte a second, and so handshakes", ByteASecond},
    {"garbage", "random bytes, half of them behind a good header", Garbage},
    {"huge fields", "arguments, environments, paths, folders and ids of 190,000 bytes", HugeFields},
    {"header sizes", "headers that say 0 to 65,535, and cut ones", HeaderSizes},
    {"message types", "all 65,536", AllTypes},
    {"processes", "a million, each with a program", Processes},
    {"descriptors", "a million, in 500 processes", Descriptors},
    {"forged ids", "the well-behaved sandbox's container, and a new one each time",
     ForgedContainers},
    {"come and go", "1,000 connections a second", ComeAndGo},
    {"crowd", "5,000 sandboxes of 20 processes at once", Crowd},
    {"flood", "four sandboxes, as many reads as they can send", Flood},
    {"alert flood", "each message raises an alert", AlertFlood},
};

}  // namespace

std::span<const Play> Plays() {
  return kPlays;
}

}  // namespace gyrfalcon
