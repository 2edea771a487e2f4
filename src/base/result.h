// How this project reports failure: a value, never an exception, on any path that input can reach.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace gyrfalcon {

// Whose fault an error is; the command line turns it into an exit code.
enum class Fault : uint8_t {
  kInput,        // the thing asked about is not well: rules, a capture, a config (exit 1)
  kUsage,        // the command line is wrong (exit 2)
  kEnvironment,  // the machine is: socket, permission, file (exit 3)
};

// `message` is one sentence for a person: what is wrong, where, and what to do about it.
struct Error {
  std::string message;
  Fault fault = Fault::kInput;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> Fail(Fault fault, std::string message) {
  return std::unexpected(Error{std::move(message), fault});
}

// `what`: strerror-style text of `error_number`, e.g. "No such file or directory".
std::string ErrnoText(int error_number);

}  // namespace gyrfalcon
