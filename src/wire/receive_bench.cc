// What it costs to take messages out of full queues, without doing anything with them: recvmmsg by
// the size of its batch, against io_uring's multishot receive. Items are messages of 114 bytes, the
// mean of a busy sandbox, in queues of eight connections.
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>
#include <liburing.h>
#include <sys/socket.h>

#include "base/unique_fd.h"
#include "wire/receive_batch.h"

namespace gyrfalcon {
namespace {

constexpr size_t kConnections = 8;
constexpr size_t kMessageBytes = 114;
constexpr size_t kMessageBytesMax = 212'992;

// Connected pairs whose queues are filled while the clock stands.
class Queues {
 public:
  Queues() {
    for (auto& pair : pairs_) {
      std::array<int, 2> fds{};
      if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) != 0) continue;
      pair.receiver.reset(fds[0]);
      pair.sender.reset(fds[1]);
    }
  }
  int receiver(size_t i) const { return pairs_[i].receiver.get(); }
  size_t Fill() {
    size_t sent = 0;
    const std::array<std::byte, kMessageBytes> message{};
    for (const auto& pair : pairs_) {
      while (::send(pair.sender.get(), message.data(), message.size(), MSG_DONTWAIT) > 0) ++sent;
    }
    return sent;
  }

 private:
  struct Pair {
    UniqueFd receiver;
    UniqueFd sender;
  };
  std::array<Pair, kConnections> pairs_;
};

void BM_Recvmmsg(benchmark::State& state) {
  Queues queues;
  ReceiveBatch batch(kMessageBytesMax);
  const auto batch_size = static_cast<size_t>(state.range(0));
  size_t messages = 0;
  for (auto _ : state) {
    state.PauseTiming();
    messages += queues.Fill();
    state.ResumeTiming();
    for (size_t i = 0; i < kConnections; ++i) {
      while (batch.Receive(queues.receiver(i), batch_size).count == batch_size) {
      }
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(messages));
}
BENCHMARK(BM_Recvmmsg)->Arg(1)->Arg(4)->Arg(ReceiveBatch::kMessagesMax);

// A ring whose receives stay armed, and buffers that the kernel takes as messages come.
class MultishotReceiver {
 public:
  explicit MultishotReceiver(const Queues& queues) : queues_(queues) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 8192;
    if (::io_uring_queue_init_params(64, &ring_, &params) != 0) return;
    io_uring_buf_reg reg{};
    const size_t ring_bytes = kBuffers * sizeof(io_uring_buf);
    ring_memory_ = std::make_unique_for_overwrite<std::byte[]>(ring_bytes + 4096);
    const auto address = reinterpret_cast<uintptr_t>(ring_memory_.get());
    buffers_ = reinterpret_cast<io_uring_buf_ring*>((address + 4095) & ~uintptr_t{4095});
    reg.ring_addr = reinterpret_cast<uintptr_t>(buffers_);
    reg.ring_entries = kBuffers;
    if (::io_uring_register_buf_ring(&ring_, &reg, 0) != 0) return;
    ::io_uring_buf_ring_init(buffers_);
    for (uint16_t i = 0; i < kBuffers; ++i) GiveBack(i);
    for (size_t i = 0; i < kConnections; ++i) Arm(i);
    ::io_uring_submit(&ring_);
    works_ = true;
  }
  ~MultishotReceiver() { ::io_uring_queue_exit(&ring_); }
  bool works() const { return works_; }

  size_t Take(size_t expected) {
    size_t taken = 0;
    while (taken < expected) {
      ::io_uring_submit_and_wait(&ring_, 1);
      unsigned head = 0;
      unsigned seen = 0;
      io_uring_cqe* entry = nullptr;
      io_uring_for_each_cqe(&ring_, head, entry) {
        ++seen;
        if (entry->res > 0) {
          ++taken;
          GiveBack(static_cast<uint16_t>(entry->flags >> IORING_CQE_BUFFER_SHIFT));
        }
        if ((entry->flags & IORING_CQE_F_MORE) == 0) Arm(entry->user_data);
      }
      ::io_uring_cq_advance(&ring_, seen);
    }
    return taken;
  }

 private:
  static constexpr uint16_t kBuffers = 64;
  static constexpr size_t kStride = (kMessageBytesMax / 128) * 128 + 192;

  void GiveBack(uint16_t i) {
    ::io_uring_buf_ring_add(buffers_, memory_.get() + i * kStride, kMessageBytesMax, i,
                            ::io_uring_buf_ring_mask(kBuffers), 0);
    ::io_uring_buf_ring_advance(buffers_, 1);
  }
  void Arm(size_t connection) {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    ::io_uring_prep_recv_multishot(entry, queues_.receiver(connection), nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
    entry->user_data = connection;
  }

  const Queues& queues_;
  io_uring ring_{};
  std::unique_ptr<std::byte[]> ring_memory_;
  io_uring_buf_ring* buffers_ = nullptr;
  std::unique_ptr<std::byte[]> memory_ =
      std::make_unique_for_overwrite<std::byte[]>(kStride * kBuffers);
  bool works_ = false;
};

void BM_IoUringMultishot(benchmark::State& state) {
  Queues queues;
  MultishotReceiver receiver(queues);
  if (!receiver.works()) {
    state.SkipWithError("this kernel has no io_uring for us");
    return;
  }
  size_t messages = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const size_t sent = queues.Fill();
    state.ResumeTiming();
    messages += receiver.Take(sent);
  }
  state.SetItemsProcessed(static_cast<int64_t>(messages));
}
BENCHMARK(BM_IoUringMultishot);

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
