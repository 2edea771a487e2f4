// UTF-8, as far as texts that are edited need it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gyrfalcon {

// The offset of the first byte that is no part of a character; nullopt: all are.
std::optional<size_t> FirstNonUtf8(std::string_view text);

// `point` is a character's, no surrogate.
void AppendUtf8(uint32_t point, std::string& out);

}  // namespace gyrfalcon
