#include "status.h"

#include <array>
#include <cstring>
#include <string_view>

#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "service/control.h"

namespace gyrfalcon {

Result<std::map<std::string, uint64_t>> AskCounters(const std::string& socket_path) {
  const std::string path = ControlSocketPath(socket_path);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = UnixAddress(path);
  if (!address) return std::unexpected(address.error());
  constexpr std::string_view kRequest =
      "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  if (::connect(fd.get(), Generic(*address), sizeof *address) != 0 ||
      ::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0) {
    return Fail(Fault::kEnvironment, "cannot ask " + path + ": " + ErrnoText(errno));
  }
  std::string answer;
  std::array<char, 4096> block;
  for (ssize_t got = 0; (got = ::recv(fd.get(), block.data(), block.size(), 0)) > 0;) {
    answer.append(block.data(), static_cast<size_t>(got));
  }
  const size_t body = answer.find("\r\n\r\n");
  const auto json = nlohmann::json::parse(
      body == std::string::npos ? std::string() : answer.substr(body + 4), nullptr, false);
  if (!json.is_object() || !json.contains("counters")) {
    return Fail(Fault::kEnvironment, path + " answers nonsense");
  }
  std::map<std::string, uint64_t> counters;
  for (const auto& [name, value] : json["counters"].items()) counters[name] = value.get<uint64_t>();
  return counters;
}

}  // namespace gyrfalcon
