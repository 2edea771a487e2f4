// The memory of one sandbox's state: everything that a sandbox makes us remember is allocated here,
// so its share is one number, and letting the sandbox go gives all of it back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <utility>

#include "state/block_pool.h"

namespace gyrfalcon {

// Thread-compatible: one worker owns a sandbox.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::pmr::memory_resource* resource() { return &pool_; }
  // Gives all memory back; only when no object of the arena is left.
  void Release() { pool_.Release(); }
  // What living objects use now, and what the pool keeps of the heap for them and for later ones.
  size_t used_bytes() const { return pool_.used_bytes(); }
  size_t held_bytes() const { return upstream_.bytes; }

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
  // Passes on to another resource and counts what is out.
  class CountingResource final : public std::pmr::memory_resource {
   public:
    explicit CountingResource(std::pmr::memory_resource* next) : next_(next) {}
    size_t bytes = 0;

   private:
    void* do_allocate(size_t size, size_t alignment) override {
      void* memory = next_->allocate(size, alignment);
      bytes += size;
      return memory;
    }
    void do_deallocate(void* memory, size_t size, size_t alignment) override {
      next_->deallocate(memory, size, alignment);
      bytes -= size;
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
      return this == &other;
    }

    std::pmr::memory_resource* const next_;
  };

  CountingResource upstream_{std::pmr::new_delete_resource()};
  BlockPool pool_{&upstream_};
};

// An object of the arena that Ref counts.
template <class T>
struct ArenaObject {
  // NOLINTNEXTLINE(bugprone-crtp-constructor-accessibility): nobody can call it
  ArenaObject(const ArenaObject&) = delete;
  ArenaObject& operator=(const ArenaObject&) = delete;

  static void Free(T* object) noexcept { object->arena.Delete(object); }

  Arena& arena;
  uint32_t references = 0;
  uint32_t saved_as = 0;  // its number in the snapshot that is being written; 0: it has none yet

 private:
  friend T;
  explicit ArenaObject(Arena& owner) : arena(owner) {}
};

}  // namespace gyrfalcon
