#include "wire/receive_batch.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace gyrfalcon {

ReceiveBatch::ReceiveBatch(size_t message_bytes_max)
    // An odd number of cache lines more than asked, lest all slots fall into the same cache set.
    : stride_((message_bytes_max / 128) * 128 + 192),
      memory_(std::make_unique_for_overwrite<std::byte[]>(stride_ * kMessagesMax)) {
  for (size_t i = 0; i < kMessagesMax; ++i) {
    parts_[i] = {.iov_base = memory_.get() + i * stride_, .iov_len = message_bytes_max};
    headers_[i].msg_hdr.msg_iov = &parts_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

ReceiveBatch::Received ReceiveBatch::Receive(int fd, size_t count) noexcept {
  // A peer that closed without reading our answer leaves one ECONNRESET before the messages that it
  // sent; asked again, the kernel yields them.
  bool reset_seen = false;
  while (true) {
    const int got =
        ::recvmmsg(fd, headers_.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
    if (got >= 0) return {.count = static_cast<size_t>(got)};
    if (errno == EAGAIN) return {};
    if (errno == EINTR) continue;
    if (errno == ECONNRESET && !std::exchange(reset_seen, true)) continue;
    return {.error = errno, .is_over = errno != ENOMEM && errno != ENOBUFS};
  }
}

std::span<const std::byte> ReceiveBatch::bytes(size_t i) const noexcept {
  return {memory_.get() + i * stride_, std::min<size_t>(headers_[i].msg_len, parts_[i].iov_len)};
}

}  // namespace gyrfalcon
