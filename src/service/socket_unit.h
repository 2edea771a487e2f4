// The listening socket that a systemd socket unit keeps for us. It outlives this process: sandboxes
// that start while nobody serves it wait in its queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/systemd.h"
#include "wire/listener.h"

namespace gyrfalcon {

// FileDescriptorName= of gyrfalcon.socket; without one systemd gives the unit's name.
inline constexpr std::string_view kSocketUnitFdName = "gvisor";

// Takes the socket out of what systemd has handed over: the descriptor of that name, or of a name
// that ends with ".socket". nullopt when there is none. Fails (Fault::kEnvironment) when it is no
// listening SOCK_SEQPACKET socket, when there are two, or when it listens elsewhere than at
// `socket_path`: sandboxes would connect to a place where nobody is.
Result<std::optional<Listener>> TakeListener(std::vector<ReceivedFd>& received,
                                             const std::string& socket_path);

// What keeps sandboxes from finding that socket: its file was removed or replaced. Empty: nothing.
std::string SocketFileProblem(const Listener& listener);

}  // namespace gyrfalcon
