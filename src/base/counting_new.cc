// A program's operator new: malloc, counted for each thread (base/allocation_count.h). It costs a
// load and a store of the thread's own. Sanitizers have their own, which must stay.
#include <cstdlib>
#include <new>

#include "base/allocation_count.h"

// GCC's macros, then clang's; some headers define __has_feature for GCC as well, as always 0.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GYRFALCON_SANITIZED 1
#elif defined(__has_feature)
#define GYRFALCON_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define GYRFALCON_SANITIZED 0
#endif

#if !GYRFALCON_SANITIZED
[[gnu::noinline]] void* operator new(size_t size) {
  gyrfalcon::CountAllocation(size);
  for (;;) {
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  gyrfalcon::CountAllocation(size);
  const auto align = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#endif
