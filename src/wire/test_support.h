// Helpers of this folder's tests; not part of the library.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"

namespace gyrfalcon::test {

inline std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteFile(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline sockaddr_un Address(const std::string& path) {
  return UnixAddress(path).value();
}

inline bool ConnectTo(const UniqueFd& fd, const std::string& path) {
  const sockaddr_un address = Address(path);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A client's end; none when nobody listens.
inline UniqueFd Connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  return ConnectTo(fd, path) ? std::move(fd) : UniqueFd();
}

inline bool Send(const UniqueFd& fd, std::string_view message, int flags = 0) {
  return ::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL | flags) ==
         static_cast<ssize_t>(message.size());
}

// "" when the other end hung up.
inline std::string Receive(const UniqueFd& fd) {
  std::string buffer(65'536, '\0');
  const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
  buffer.resize(static_cast<size_t>(got > 0 ? got : 0));
  return buffer;
}

}  // namespace gyrfalcon::test
