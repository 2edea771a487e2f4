// One HTTP request to a daemon of this host, over its Unix socket: HTTP/1.1, or HTTP/2 as gRPC
// needs it.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace gyrfalcon {

struct LocalRequest {
  std::string socket;
  std::string path;  // with its query, escaped
  std::string body;  // gRPC only: the message
  bool grpc = false;
  int timeout_ms = 1'000;  // of all
  size_t answer_bytes_max = size_t{4} << 20;
};

struct LocalAnswer {
  long status = 0;  // HTTP's
  std::string body;
  std::string grpc_status;   // "0": well; "": the server said none
  std::string grpc_message;  // why it is not
};

// Waits, for the timeout at most. Any thread; each call has a connection of its own.
Result<LocalAnswer> CallLocal(const LocalRequest& request);

}  // namespace gyrfalcon
