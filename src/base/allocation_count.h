// How often each thread has taken from the heap. Counted only in a program that is linked with an
// operator new that calls CountAllocation (base/counting_new.cc): gyrfalcon itself, for its
// `bench`, and the engine's tests.
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace gyrfalcon {

// The calling thread takes from the heap, once more. From operator new: allocates nothing.
void CountAllocation(size_t bytes) noexcept;

// Any thread. By thread id; of a thread that has taken nothing, 0. Beyond 256 threads they are no
// longer told apart, and count for none.
uint64_t AllocationsOf(pid_t thread_id) noexcept;
uint64_t AllocationsOfThisThread() noexcept;
// Of those, the ones of more than this: they do not fit into the blocks of a sandbox's pool.
inline constexpr size_t kLargeAllocationBytes = 4096;
uint64_t LargeAllocationsOfThisThread() noexcept;

// False where nothing is counted: another operator new is in force, a sanitizer's for instance.
bool AllocationsAreCounted() noexcept;

}  // namespace gyrfalcon
