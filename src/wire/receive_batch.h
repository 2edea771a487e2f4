// The buffers of one recvmmsg: as many messages of one connection as are there, up to a bound, for
// one system call.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include <sys/socket.h>

namespace gyrfalcon {

// For one thread. Each slot is as large as the largest message, 27 MB of addresses in all; the
// memory is one uninitialised block, so small messages touch only the first page of each slot,
// 512 KiB. Many messages at once keep the caches of what reads them warm: with 16 a message costs
// half as much again beside the receiving, with 128 a third (gyrfalcon bench).
class ReceiveBatch {
 public:
  static constexpr size_t kMessagesMax = 128;
  static constexpr size_t kMessageBytesMax = 16 * 1024 * 1024;

  // Of larger messages the rest is cut off.
  explicit ReceiveBatch(size_t message_bytes_max);
  // Its headers point into its block.
  ReceiveBatch(const ReceiveBatch&) = delete;
  ReceiveBatch& operator=(const ReceiveBatch&) = delete;

  struct Received {
    size_t count = 0;      // 0: nothing is there, or `error` says why
    int error = 0;         // errno; 0 for "nothing is there now"
    bool is_over = false;  // the connection is broken for good
  };
  // Of a connection's end the kernel makes messages of length 0. Does not wait. `count` is at most
  // kMessagesMax. What was received before is gone.
  Received Receive(int fd, size_t count) noexcept;

  // Of what the last Receive got.
  std::span<const std::byte> bytes(size_t i) const noexcept;
  bool truncated(size_t i) const noexcept {
    return (headers_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }

 private:
  size_t stride_;
  std::unique_ptr<std::byte[]> memory_;
  std::array<iovec, kMessagesMax> parts_{};
  std::array<mmsghdr, kMessagesMax> headers_{};
};

}  // namespace gyrfalcon
