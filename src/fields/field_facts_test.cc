#include "fields/field_facts.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/text.h"

namespace gyrfalcon {
namespace {

FactSet Facts(std::string_view field, std::string_view type,
              std::optional<std::string_view> bracket = {}) {
  const auto bound = AllFields().Bind(field, bracket);
  EXPECT_TRUE(bound) << field;
  return FactsOf(*bound, *FindEventType(type));
}

TEST(FieldFacts, EveryFieldThatCanBeThereHasExactlyOneRow) {
  std::map<std::string_view, int> rows;
  for (const FieldFacts& row : FieldFactsTable()) {
    for (const std::string_view name : Split(row.names, ' ')) ++rows[name];
  }
  for (const FieldDef& field : AllFields().rows()) {
    const bool never = field.extract == nullptr && field.extract_printed == nullptr;
    if (!never) {
      EXPECT_EQ(rows[field.name], 1) << field.name;
    }
    rows.erase(field.name);
  }
  for (const auto& [name, count] : rows) ADD_FAILURE() << "no such field: " << name;
}

TEST(FieldFacts, OfTheDescriptorDependOnWhetherTheEventMakesIt) {
  EXPECT_EQ(Facts("fd.name", "openat"), Bit(Fact::kFolder));
  EXPECT_EQ(Facts("fd.name", "connect"), Bit(Fact::kFolder) | Bit(Fact::kFds));
  EXPECT_EQ(Facts("fd.type", "dup2"), Bit(Fact::kFolder) | Bit(Fact::kFds));
  EXPECT_EQ(Facts("fd.sport", "accept4"), Bit(Fact::kFolder) | Bit(Fact::kFds));
  EXPECT_EQ(Facts("fd.name", "execve"), 0u);
}

TEST(FieldFacts, OfAnArgumentGoByItsName) {
  EXPECT_EQ(Facts("evt.arg.flags", "openat"), 0u);
  EXPECT_EQ(Facts("evt.arg.flags", "execve"), Bit(Fact::kBinaryInfo) | Bit(Fact::kCredentials));
  EXPECT_EQ(Facts("evt.arg.uid", "execve"), Bit(Fact::kCredentials));
  EXPECT_EQ(Facts("evt.arg.res", "execve"), 0u);
  EXPECT_NE(Facts("evt.arg", "execve", "3"), 0u);  // by place: any
}

TEST(FieldFacts, OfFieldsThatAreNeverThereAreNone) {
  EXPECT_EQ(Facts("thread.cap_effective", "execve"), 0u);
}

}  // namespace
}  // namespace gyrfalcon
