// A counted pointer for objects of one thread: no atomics. The object knows how to free itself.
#pragma once

#include <cstdint>
#include <utility>

namespace gyrfalcon {

// T has `uint32_t references` (starting at 0) and a static `void Free(T*) noexcept`.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { Acquire(); }
  Ref(const Ref& other) : object_(other.object_) { Acquire(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { reset(); }

  void reset() noexcept {
    T* object = std::exchange(object_, nullptr);
    if (object != nullptr && --object->references == 0) Free(object);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  void Acquire() {
    if (object_ != nullptr) ++object_->references;
  }

  // Out of line, so that letting go of one of several is two instructions where it stands.
  [[gnu::noinline]] static void Free(T* object) noexcept { T::Free(object); }

  T* object_ = nullptr;
};

}  // namespace gyrfalcon
