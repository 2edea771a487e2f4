// Counters as tables: each folder that counts something has an enum and a table of rows in the same
// order; metrics, `--summary`, the closing totals and the docs read the rows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gyrfalcon {

enum class Severity : uint8_t {
  kInfo,      // plain traffic
  kDataLoss,  // something that happened was not seen, or not kept
};

struct CounterRow {
  std::string_view name;  // snake_case, no unit suffix: these count things
  Severity severity;
  std::string_view help;
};

// One counter per row of an enum that ends in kCount. Not synchronised: each owner has its own.
template <class Enum>
class Counters {
 public:
  static constexpr size_t kSize = static_cast<size_t>(Enum::kCount);

  void Add(Enum which, uint64_t n = 1) noexcept { values_[static_cast<size_t>(which)] += n; }
  uint64_t operator[](Enum which) const noexcept { return values_[static_cast<size_t>(which)]; }
  void Add(const Counters& other) noexcept {
    for (size_t i = 0; i < kSize; ++i) values_[i] += other.values_[i];
  }

 private:
  std::array<uint64_t, kSize> values_{};
};

}  // namespace gyrfalcon
