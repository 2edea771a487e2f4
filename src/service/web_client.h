// One client of the web server: a descriptor that nobody waits for, plain or with TLS, and how far
// its request and the answer are. For the server's thread alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>
#include <poll.h>

#include "base/unique_fd.h"

namespace gyrfalcon {

struct SslDeleter {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;
using SslContextPtr = std::unique_ptr<SSL_CTX, SslDeleter>;

inline constexpr size_t kWebHeadBytesMax = 16 * 1024;

class WebClient {
 public:
  enum class Stage : uint8_t {
    kReading,  // its request
    kWaiting,  // for its answer
    kWriting,
    kClosing,  // all is written: it may close first, so that the answer is not cut off
    kDone,
    kFailed,
  };

  // `ssl`: nullptr for plain HTTP.
  WebClient(uint64_t id, UniqueFd fd, SslPtr ssl, int64_t until_ns)
      : id_(id), fd_(std::move(fd)), ssl_(std::move(ssl)), until_ns_(until_ns) {}

  uint64_t id() const { return id_; }
  int fd() const { return fd_.get(); }
  Stage stage() const { return stage_; }
  short wants() const { return wants_; }          // POLLIN or POLLOUT
  int64_t until_ns() const { return until_ns_; }  // steady; its patience ends
  std::string_view head() const { return in_; }   // of the request, once it is whole

  // Goes on where it was; call when the descriptor is as it wants. True: the head has just come
  // whole, or is too long (then it is not whole).
  bool GoOn();
  // The whole answer, head and body.
  void Answer(std::string bytes, int64_t until_ns);
  void GiveUp() { stage_ = stage_ == Stage::kClosing ? Stage::kDone : Stage::kFailed; }

 private:
  bool ReadHead();
  void Write();
  void ReadRest();
  // Bytes read or written; 0: not now; -1: it is over.
  int Read(char* out, int size);
  int Send(std::string_view bytes);
  int NotNow(int result);

  const uint64_t id_;
  const UniqueFd fd_;
  const SslPtr ssl_;
  Stage stage_ = Stage::kReading;
  short wants_ = POLLIN;
  int64_t until_ns_;
  std::string in_;
  std::string out_;
  size_t written_ = 0;
};

}  // namespace gyrfalcon
