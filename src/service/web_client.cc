#include "service/web_client.h"

#include <array>
#include <cerrno>

#include <openssl/err.h>
#include <sys/socket.h>

namespace gyrfalcon {

bool WebClient::GoOn() {
  switch (stage_) {
    case Stage::kReading:
      return ReadHead();
    case Stage::kWriting:
      Write();
      return false;
    case Stage::kClosing:
      ReadRest();
      return false;
    default:
      return false;
  }
}

bool WebClient::ReadHead() {
  std::array<char, 4096> block{};
  for (;;) {
    const int got = Read(block.data(), static_cast<int>(block.size()));
    if (got < 0) stage_ = Stage::kFailed;
    if (got <= 0) return false;
    const size_t looked = in_.size() < 3 ? 0 : in_.size() - 3;
    in_.append(block.data(), static_cast<size_t>(got));
    if (in_.find("\r\n\r\n", looked) == std::string::npos && in_.size() <= kWebHeadBytesMax) {
      continue;
    }
    stage_ = Stage::kWaiting;
    return true;
  }
}

void WebClient::Answer(std::string bytes, int64_t until_ns) {
  out_ = std::move(bytes);
  until_ns_ = until_ns;
  stage_ = Stage::kWriting;
  wants_ = POLLOUT;
  Write();
}

void WebClient::Write() {
  while (written_ < out_.size()) {
    const int sent = Send(std::string_view(out_).substr(written_));
    if (sent < 0) stage_ = Stage::kFailed;
    if (sent <= 0) return;
    written_ += static_cast<size_t>(sent);
  }
  if (ssl_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  shutdown(fd_.get(), SHUT_WR);
  stage_ = Stage::kClosing;
  wants_ = POLLIN;
}

// What is not read when the descriptor is closed would make the kernel take the answer back.
void WebClient::ReadRest() {
  std::array<char, 4096> block{};
  for (int i = 0; i < 16; ++i) {
    const ssize_t got = recv(fd_.get(), block.data(), block.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) continue;
    stage_ = Stage::kDone;
    return;
  }
  stage_ = Stage::kDone;  // it sends without an end
}

int WebClient::NotNow(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      wants_ = POLLIN;
      return 0;
    case SSL_ERROR_WANT_WRITE:
      wants_ = POLLOUT;
      return 0;
    default:
      return -1;
  }
}

int WebClient::Read(char* out, int size) {
  if (ssl_) {
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), out, size);
    return got > 0 ? got : NotNow(got);
  }
  wants_ = POLLIN;
  const ssize_t got = recv(fd_.get(), out, static_cast<size_t>(size), MSG_DONTWAIT);
  if (got > 0) return static_cast<int>(got);
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int WebClient::Send(std::string_view bytes) {
  constexpr size_t kAtOnce = 64 * 1024;
  bytes = bytes.substr(0, kAtOnce);
  if (ssl_) {
    ERR_clear_error();
    const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    return sent > 0 ? sent : NotNow(sent);
  }
  wants_ = POLLOUT;
  const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) return static_cast<int>(sent);
  return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

}  // namespace gyrfalcon
