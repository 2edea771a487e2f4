#include "bench/sender_messages.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

namespace gyrfalcon {
namespace {

constexpr size_t kTextBytesMax = 64 * 1024;

// The fixed part of an answer; the text follows.
struct AnswerHead {
  bool failed;
  Fault fault;
  Sent sent;
};

ssize_t ReceiveAll(int fd, void* to, size_t bytes) {
  ssize_t got = 0;
  do {
    got = ::recv(fd, to, bytes, 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

}  // namespace

Result<void> PutOrder(int fd, const SenderOrder& order) {
  if (::send(fd, &order, sizeof order, MSG_NOSIGNAL) == sizeof order) return {};
  return Fail(Fault::kEnvironment, "the sending process is gone: " + ErrnoText(errno));
}

std::optional<SenderOrder> TakeOrder(int fd) {
  SenderOrder order{};
  if (ReceiveAll(fd, &order, sizeof order) != sizeof order) return std::nullopt;
  return order;
}

bool PutAnswer(int fd, const SenderAnswer& answer) {
  const AnswerHead head{answer.failed, answer.fault, answer.sent};
  std::string bytes(sizeof head, '\0');
  std::memcpy(bytes.data(), &head, sizeof head);
  bytes += answer.text.substr(0, kTextBytesMax);
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

Result<SenderAnswer> TakeAnswer(int fd) {
  std::string bytes(sizeof(AnswerHead) + kTextBytesMax, '\0');
  const ssize_t got = ReceiveAll(fd, bytes.data(), bytes.size());
  if (got < static_cast<ssize_t>(sizeof(AnswerHead))) {
    return Fail(Fault::kEnvironment, "the sending process ended too early");
  }
  AnswerHead head{};
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes.resize(static_cast<size_t>(got));
  SenderAnswer answer{head.failed, head.fault, head.sent, bytes.substr(sizeof head)};
  if (answer.failed) return Fail(answer.fault, answer.text);
  return answer;
}

}  // namespace gyrfalcon
