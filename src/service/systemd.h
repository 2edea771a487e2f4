// What a service and systemd say to each other: sd_notify, the descriptors that systemd hands over,
// and the watchdog's interval. By the documented protocol (sd_notify(3), sd_listen_fds(3)): one
// datagram to $NOTIFY_SOCKET, three environment variables.
//
// Without systemd every call succeeds and does nothing. Notify and NotifyWithFds are for any
// thread; what changes the environment (ReceivedFds) is for the main thread, before there are
// others.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

// The kernel's SCM_MAX_FD: as many descriptors go with one message.
inline constexpr size_t kNotifyFdsMax = 253;

// `text`: assignments such as "READY=1\nSTATUS=one line". Fails (Fault::kEnvironment) when systemd
// can't be reached, or takes no message for five seconds.
Result<void> Notify(std::string_view text);

// With at most kNotifyFdsMax descriptors, that stay the caller's: `text` says what is to become of
// them all, such as "FDSTORE=1\nFDPOLL=0\nFDNAME=c". An answer does not come: systemd closes what
// it does not want, and what is above FileDescriptorStoreMax=.
Result<void> NotifyWithFds(std::string_view text, std::span<const int> fds);

// Whether there is a systemd to speak to.
bool IsNotified();

// For Type=notify-reload, which wants to know when the reload began.
std::string ReloadingText();

struct ReceivedFd {
  UniqueFd fd;       // close-on-exec
  std::string name;  // FileDescriptorName= of a socket unit, FDNAME= of one that was stored
};

// What systemd has handed over: sockets of socket units, and what the process before has stored.
// Gives them once: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are gone from the environment
// afterwards, so no child takes them for its own. Empty when they are meant for another process.
// Fails (Fault::kEnvironment) when the variables contradict each other or the descriptors.
Result<std::vector<ReceivedFd>> ReceivedFds();

// WatchdogSec= of the unit: systemd restarts a service that does not say WATCHDOG=1 that often.
// nullopt: it does not ask for that.
std::optional<std::chrono::microseconds> WatchdogUsec();

}  // namespace gyrfalcon
