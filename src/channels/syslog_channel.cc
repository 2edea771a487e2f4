#include "channels/syslog_channel.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "channels/give_up.h"

namespace gyrfalcon {
namespace {

constexpr std::chrono::seconds kPatience{5};  // with a socket whose queue is full
// What is sent of a line at most. A sandbox decides how long one is: it must not get out of an
// alert by making it too long for the socket.
constexpr size_t kLineBytesMax = 64 * 1024;
constexpr size_t kLineBytesSmall = 2 * 1024;  // where even that is too long
constexpr std::string_view kCutMark = " …(cut)";

constexpr std::pair<std::string_view, int> kFacilities[] = {
    {"user", LOG_USER},         {"daemon", LOG_DAEMON}, {"auth", LOG_AUTH},
    {"authpriv", LOG_AUTHPRIV}, {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2},     {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}};

std::optional<int> FacilityOf(std::string_view name) {
  for (const auto& [known, facility] : kFacilities) {
    if (known == name) return facility;
  }
  return std::nullopt;
}

// "Nov 23 03:18:57": the local time of sending, in English in any locale.
std::string SyslogTime(std::time_t now) {
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm local{};
  localtime_r(&now, &local);
  return fmt::format("{} {:2} {:02}:{:02}:{:02}", kMonths.at(static_cast<size_t>(local.tm_mon)),
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

// Not in the middle of a character.
std::string Cut(std::string line, size_t bytes_max) {
  if (line.size() <= bytes_max) return line;
  size_t end = bytes_max - kCutMark.size();
  constexpr unsigned kContinuationMask = 0xc0;
  constexpr unsigned kContinuation = 0x80;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & kContinuationMask) == kContinuation) {
    --end;
  }
  line.resize(end);
  line += kCutMark;
  return line;
}

class SyslogChannel final : public Channel {
 public:
  SyslogChannel(SyslogOptions options, int facility, AlertFormatOptions format)
      : options_(std::move(options)), facility_(facility), format_(std::move(format)) {}

  std::string_view name() const override { return "syslog_output"; }

  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    Delivery delivery;
    for (const OutgoingAlert& alert : batch) {
      if (const auto sent = Send(alert); !sent) {
        delivery.problem = sent.error();
        break;
      }
      ++delivery.done;
    }
    return delivery;
  }

  void GiveUp() override { give_up_.Raise(); }

 private:
  Result<void> Send(const OutgoingAlert& alert) {
    const std::string line = FormatAlert(*alert.alert, format_, alert.stamp());
    auto result = SendLine(alert.alert->priority, line, kLineBytesMax);
    if (result == EMSGSIZE || result == ENOBUFS) {
      result = SendLine(alert.alert->priority, line, kLineBytesSmall);
    }
    if (result == 0) return {};
    socket_.reset();  // the next one connects anew
    return Fail(Fault::kEnvironment,
                fmt::format("syslog_output: {}: {}{}", options_.socket, ErrnoText(result),
                            result == ENOENT ? "; does a syslog daemon run here?" : ""));
  }

  // errno's number, or 0. A daemon that was restarted has a new socket behind the same name: one
  // more try.
  int SendLine(Priority priority, const std::string& line, size_t bytes_max) {
    const std::string packet =
        Cut(fmt::format("<{}>{} {}[{}]: {}", facility_ | static_cast<int>(priority),
                        SyslogTime(std::time(nullptr)), options_.ident, getpid(), line),
            bytes_max);
    const bool was_connected = static_cast<bool>(socket_);
    int result = SendPacket(packet);
    if (was_connected && (result == ECONNREFUSED || result == ENOTCONN || result == ECONNRESET)) {
      socket_.reset();
      result = SendPacket(packet);
    }
    return result;
  }

  int SendPacket(const std::string& packet) {
    if (const int failed = Connect(); failed != 0) return failed;
    while (send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return errno;
      if (give_up_.WaitFor(socket_.get(), POLLOUT, kPatience) != Waited::kReady) return ETIMEDOUT;
    }
    return 0;
  }

  int Connect() {
    if (socket_) return 0;
    UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd) return errno;
    const auto address = UnixAddress(options_.socket);
    if (!address) return ENAMETOOLONG;
    if (connect(fd.get(), Generic(*address), sizeof *address) != 0) return errno;
    socket_ = std::move(fd);
    return 0;
  }

  const SyslogOptions options_;
  const int facility_;
  const AlertFormatOptions format_;
  GiveUpSignal give_up_;
  UniqueFd socket_;  // connected, or none
};

}  // namespace

Result<std::unique_ptr<Channel>> MakeSyslogChannel(SyslogOptions options,
                                                   AlertFormatOptions format) {
  const auto facility = FacilityOf(options.facility);
  if (!facility) {
    return Fail(Fault::kInput, fmt::format("syslog_output.facility: `{}` is none of {}",
                                           options.facility, kSyslogFacilities));
  }
  if (options.socket.empty() || options.socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail(Fault::kInput,
                fmt::format("syslog_output.socket: a path of 1 to {} bytes is expected",
                            sizeof(sockaddr_un::sun_path) - 1));
  }
  return std::make_unique<SyslogChannel>(std::move(options), *facility, std::move(format));
}

}  // namespace gyrfalcon
