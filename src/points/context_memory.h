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

// Of one connection. One thread.
class ContextMemory {
 public:
  // A context's bytes without its time. False: they are not those kept last. Else `context` is what
  // they mean, its views into `bytes`.
  bool Recall(std::string_view bytes, Context& context) const noexcept {
    if (bytes.size() != size_ || std::memcmp(bytes.data(), bytes_.data(), size_) != 0) return false;
    context = context_;
    for (size_t i = 0; i < kTexts.size(); ++i) {
      context.*kTexts[i] = {bytes.data() + texts_[i].offset, texts_[i].size};
    }
    return true;
  }

  // What `bytes` mean, its views into them. Large ones are not kept. `context` has an id then.
  void Keep(std::string_view bytes, Context& context) noexcept {
    if (bytes.empty() || bytes.size() > bytes_.size()) return;
    context.id = ++last_id_;
    size_ = bytes.size();
    std::memcpy(bytes_.data(), bytes.data(), size_);
    context_ = context;
    for (size_t i = 0; i < kTexts.size(); ++i) {
      const std::string_view text = context.*kTexts[i];
      texts_[i] = {.offset = 0, .size = static_cast<uint16_t>(text.size())};
      if (!text.empty()) texts_[i].offset = static_cast<uint16_t>(text.data() - bytes.data());
    }
  }

 private:
  static constexpr std::array kTexts = {&Context::container_id, &Context::cwd,
                                        &Context::process_name};
  struct Text {
    uint16_t offset = 0;
    uint16_t size = 0;
  };

  std::array<char, 256> bytes_;
  size_t size_ = 0;  // 0: nothing is kept
  Context context_;
  std::array<Text, kTexts.size()> texts_;
  uint64_t last_id_ = 0;
};

}  // namespace gyrfalcon
