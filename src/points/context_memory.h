// A thread says the same of itself in message after message, only the time differs. So the last
// context is kept with its bytes, and neither decoded again nor held against the state while they
// are the same.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "points/event.h"

namespace gyrfalcon {

// Of one connection. One thread. What it keeps stays where it is: events borrow it.
class ContextMemory {
 public:
  ContextMemory() = default;
  ContextMemory(const ContextMemory&) = delete;
  ContextMemory& operator=(const ContextMemory&) = delete;

  // What a context's bytes, without its time, mean; nullptr: they are not those kept last. Whoever
  // is given it sets its time.
  Context* Recall(std::string_view bytes) noexcept {
    const bool is_same =
        bytes.size() == size_ && std::memcmp(bytes.data(), bytes_.data(), size_) == 0;
    return is_same ? &context_ : nullptr;
  }

  // What `bytes` mean, its views into them, is kept with them, and has an id then. nullptr: they
  // are too many.
  Context* Keep(std::string_view bytes, const Context& context) noexcept {
    if (bytes.empty() || bytes.size() > bytes_.size()) return nullptr;
    size_ = bytes.size();
    std::memcpy(bytes_.data(), bytes.data(), size_);
    context_ = context;
    context_.id = ++last_id_;
    for (std::string_view Context::* text : kTexts) {
      std::string_view& view = context_.*text;
      if (!view.empty()) view = {bytes_.data() + (view.data() - bytes.data()), view.size()};
    }
    return &context_;
  }

 private:
  static constexpr std::array kTexts = {&Context::container_id, &Context::cwd,
                                        &Context::process_name};
  std::array<char, 256> bytes_;
  size_t size_ = 0;  // 0: nothing is kept
  Context context_;
  uint64_t last_id_ = 0;
};

}  // namespace gyrfalcon
