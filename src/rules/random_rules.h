// For tests: conditions and rules files made from a row of choices. The same choices give the same
// text, fewer or smaller ones a simpler text; so whoever shrinks the choices shrinks the text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fields/field.h"

namespace gyrfalcon {

class Choices {
 public:
  explicit Choices(std::span<const uint16_t> row) : row_(row) {}

  // Below `count`; 0 when the row is at its end.
  size_t Below(size_t count);
  bool Maybe() { return Below(2) == 1; }
  template <class T>
  const T& From(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

 private:
  std::span<const uint16_t> row_;
  size_t next_ = 0;
};

class RandomConditions {
 public:
  // `plain_values`: only values that Falco's way of printing a condition can carry.
  RandomConditions(const FieldCatalog& catalog, bool plain_values);

  // A condition that parses and binds. `names`: macros that may be used.
  std::string Condition(Choices& choices, const std::vector<std::string>& macros,
                        size_t depth = 4) const;
  std::string Check(Choices& choices) const;
  std::string Value(Choices& choices, FieldType type) const;
  std::string RulesFile(Choices& choices) const;

 private:
  struct Spelling {
    std::string text;
    FieldType type;
  };

  std::string Left(Choices& choices, FieldType& type) const;
  std::string List(Choices& choices, FieldType type) const;
  std::string Right(Choices& choices, FieldType type) const;
  bool Binds(const std::string& check) const;

  const FieldCatalog& catalog_;
  bool plain_values_;
  std::vector<Spelling> fields_;
};

// Rules that compare a few fields with the few texts that random values have: many, so that plans
// make indexes, and in long chains of `or`, so that they join them.
std::string RandomTextRules(Choices& choices);

}  // namespace gyrfalcon
