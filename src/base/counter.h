// Counters as tables: each folder that counts something has an enum and a table of rows in the same
// order; metrics, `--summary`, the closing totals and the docs read the rows.
#pragma once

#include <array>
#include <atomic>
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
  // What was added since `before`, an earlier copy.
  Counters Since(const Counters& before) const noexcept {
    Counters added;
    for (size_t i = 0; i < kSize; ++i) added.values_[i] = values_[i] - before.values_[i];
    return added;
  }

 private:
  std::array<uint64_t, kSize> values_{};
};

// The same for a counter that one thread adds to while others read. Each value is exact by itself;
// values read together may be from slightly different moments.
template <class Enum>
class AtomicCounters {
 public:
  static constexpr size_t kSize = static_cast<size_t>(Enum::kCount);

  void Add(Enum which, uint64_t n = 1) noexcept {
    values_[static_cast<size_t>(which)].fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t operator[](Enum which) const noexcept {
    return values_[static_cast<size_t>(which)].load(std::memory_order_relaxed);
  }
  Counters<Enum> Snapshot() const noexcept {
    Counters<Enum> copy;
    for (size_t i = 0; i < kSize; ++i) {
      copy.Add(static_cast<Enum>(i), values_[i].load(std::memory_order_relaxed));
    }
    return copy;
  }

 private:
  std::array<std::atomic<uint64_t>, kSize> values_{};
};

}  // namespace gyrfalcon
