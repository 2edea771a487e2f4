// Which of several starts on one machine is the newer one, where each has a name that outlives its
// process: the pods of a DaemonSet during a rollout, each with its uid, whose containers are
// restarted after any end. A process takes over from older instances only.
//
// Names get numbers in the order in which they first appear, in the file "instances" beside the
// daemon's socket (mode 0600): "NUMBER NAME" a line, at most kInstancesMax of them. A number is the
// time in seconds, or one more than the last one where that is greater: so the order outlives the
// loss of the file, and a clock that was set back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gyrfalcon {

inline constexpr size_t kInstancesMax = 64;
inline constexpr size_t kInstanceNameBytesMax = 128;

// Letters, digits, '.', '_' and '-'.
bool IsInstanceName(std::string_view name);

// The number of `name`, which it gets here the first time. Makes the socket's folder where it is
// missing (0700). Fault::kEnvironment where the file can't be read and written.
Result<uint64_t> NumberInstance(const std::string& socket_path, const std::string& name);

// 0: it has none.
Result<uint64_t> FindInstance(const std::string& socket_path, const std::string& name);

}  // namespace gyrfalcon
