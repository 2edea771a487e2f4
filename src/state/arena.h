// The memory of one sandbox's state: everything that a sandbox makes us remember is allocated here,
// so its share is one number, and letting the sandbox go gives all of it back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <utility>

namespace gyrfalcon {

// Thread-compatible: one worker owns a sandbox.
class Arena {
 public:
  Arena() : pool_(&upstream_) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::pmr::memory_resource* resource() { return &pool_; }
  // Gives all memory back; only when no object of the arena is left.
  void Release() { pool_.release(); }
  size_t held_bytes() const { return upstream_.held_bytes; }

  template <class T, class... Args>
  T* New(Args&&... args) {
    void* memory = pool_.allocate(sizeof(T), alignof(T));
    return new (memory) T(*this, std::forward<Args>(args)...);
  }
  template <class T>
  void Delete(T* object) noexcept {
    object->~T();
    pool_.deallocate(object, sizeof(T), alignof(T));
  }

 private:
  // Counts what the pool takes from the heap.
  struct CountingResource final : std::pmr::memory_resource {
    size_t held_bytes = 0;

    void* do_allocate(size_t bytes, size_t alignment) override {
      void* memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
      held_bytes += bytes;
      return memory;
    }
    void do_deallocate(void* memory, size_t bytes, size_t alignment) override {
      std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
      held_bytes -= bytes;
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
      return this == &other;
    }
  };

  CountingResource upstream_;
  std::pmr::unsynchronized_pool_resource pool_;
};

// An object of the arena that Ref counts.
template <class T>
struct ArenaObject {
  explicit ArenaObject(Arena& owner) : arena(owner) {}
  ArenaObject(const ArenaObject&) = delete;
  ArenaObject& operator=(const ArenaObject&) = delete;

  static void Free(T* object) noexcept { object->arena.Delete(object); }

  Arena& arena;
  uint32_t references = 0;
};

}  // namespace gyrfalcon
