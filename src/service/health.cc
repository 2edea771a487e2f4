#include "service/health.h"

#include <array>
#include <cerrno>

#include <fmt/ranges.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "wire/handshake_message.h"

namespace gyrfalcon {

Result<void> ShakeHands(const std::string& socket_path, int patience_ms) {
  const auto address = UnixAddress(socket_path);
  if (!address) return std::unexpected(address.error());
  const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  constexpr int kMsPerSecond = 1'000;
  const timeval patience{patience_ms / kMsPerSecond, patience_ms % kMsPerSecond * 1'000};
  const auto hello = EncodeHandshake();
  std::array<std::byte, kHandshakeBytesMax> answer{};
  // The time for sending holds for connect() too.
  if (fd && setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
      connect(fd.get(), Generic(*address), sizeof *address) == 0 &&
      send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) > 0 &&
      recv(fd.get(), answer.data(), answer.size(), 0) > 0) {
    return {};
  }
  const std::string why = errno == EAGAIN ? "no answer in time" : ErrnoText(errno);
  return Fail(Fault::kEnvironment, "no handshake on " + socket_path + ": " + why);
}

HealthCheck::HealthCheck(HealthOptions options)
    : options_(std::move(options)), stalls_(options_.threads, options_.patience_ns, SteadyNs()) {}

Result<void> HealthCheck::Check() {
  constexpr int64_t kGoodForNs = 1'000'000'000;
  const std::scoped_lock lock(mutex_);
  if (checked_ns_ != 0 && SteadyNs() - checked_ns_ < kGoodForNs) return last_;
  last_ = ShakeHands(options_.socket_path, options_.handshake_ms);
  const auto stalled = stalls_.FindStalled(SteadyNs());
  if (last_ && !stalled.empty()) {
    last_ = Fail(Fault::kEnvironment, fmt::format("no progress: {}", fmt::join(stalled, ", ")));
  }
  checked_ns_ = SteadyNs();
  return last_;
}

}  // namespace gyrfalcon
