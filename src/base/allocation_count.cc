#include "base/allocation_count.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include <unistd.h>

namespace gyrfalcon {
namespace {

// Written by its own thread alone, so a plain addition will do.
struct Slot {
  std::atomic<pid_t> thread_id = 0;
  std::atomic<uint64_t> count = 0;
  std::atomic<uint64_t> large = 0;
};

constexpr size_t kSlots = 256;
constinit std::array<Slot, kSlots> slots{};
constinit std::atomic<size_t> slots_used = 0;
constinit thread_local Slot* own_slot = nullptr;
constinit thread_local bool has_asked = false;

void Increment(std::atomic<uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// nullptr: there is none left.
Slot* OwnSlot() noexcept {
  if (has_asked) return own_slot;
  has_asked = true;
  const size_t index = slots_used.fetch_add(1, std::memory_order_relaxed);
  if (index >= kSlots) return nullptr;
  own_slot = &slots[index];
  own_slot->thread_id.store(::gettid(), std::memory_order_release);
  return own_slot;
}

}  // namespace

void CountAllocation(size_t bytes) noexcept {
  Slot* slot = OwnSlot();
  if (slot == nullptr) return;
  Increment(slot->count);
  if (bytes > kLargeAllocationBytes) Increment(slot->large);
}

uint64_t AllocationsOf(pid_t thread_id) noexcept {
  // Backwards: the kernel gives an ended thread's id away again.
  for (size_t i = std::min(slots_used.load(std::memory_order_relaxed), kSlots); i-- > 0;) {
    if (slots[i].thread_id.load(std::memory_order_acquire) == thread_id) {
      return slots[i].count.load(std::memory_order_relaxed);
    }
  }
  return 0;
}

uint64_t AllocationsOfThisThread() noexcept {
  return own_slot == nullptr ? 0 : own_slot->count.load(std::memory_order_relaxed);
}

uint64_t LargeAllocationsOfThisThread() noexcept {
  return own_slot == nullptr ? 0 : own_slot->large.load(std::memory_order_relaxed);
}

bool AllocationsAreCounted() noexcept {
  return slots_used.load(std::memory_order_relaxed) > 0;
}

}  // namespace gyrfalcon
