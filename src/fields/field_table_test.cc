// Holds the catalogue against the list of Falco's fields, row by row. The list lies beside the
// repository; where it is missing the test is skipped.
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fields/field.h"

namespace gyrfalcon {
namespace {

std::vector<std::string> CutCsvLine(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[i++];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else if (line[i] != '\r') {
      cells.back() += line[i];
    }
  }
  return cells;
}

enum Column : uint8_t {
  kName,
  kType = 2,
  kList,
  kArg,
  kForm,
  kFlags,
  kPrint,
  kAvailability = 12,
  kColumns
};

std::optional<ArgForm> FormOf(const std::vector<std::string>& cells) {
  static const std::map<std::string, ArgForm> kForms = {
      {"none ", ArgForm::kNone},
      {"allowed [INDEX]", ArgForm::kIndexAllowed},
      {"allowed [FD]", ArgForm::kIndexAllowed},
      {"allowed [NAME]", ArgForm::kKeyAllowed},
      {"allowed [NAME]|[INDEX]", ArgForm::kKeyAllowed},
      {"required [TIMESTAMP_NS]", ArgForm::kIndexRequired},
      {"required [INDEX]|[KEY]", ArgForm::kKeyRequired},
      {"required [KEY]", ArgForm::kDottedOrKey},
      {"required .NAME or [INDEX]", ArgForm::kDottedOrIndex},
      {"required .NAME", ArgForm::kDottedRequired},
      {"required .NAME|.NUMBER", ArgForm::kDottedRequired},
      {"required .SUBSYS", ArgForm::kDottedRequired},
      {"required \"\" | .src | .dst", ArgForm::kDottedAllowed},
  };
  const auto found = kForms.find(cells[kArg] + " " + cells[kForm]);
  return found == kForms.end() ? std::nullopt : std::optional(found->second);
}

void CheckFlags(const FieldDef& row, const std::string& flags) {
  const std::pair<std::string_view, uint8_t> kBits[] = {{"FILTER_ONLY", kFilterOnly},
                                                        {"NO_RHS", kNoRhs},
                                                        {"NO_TRANSFORMER", kNoTransformer},
                                                        {"DEPRECATED", kDeprecated},
                                                        {"FORMAT_SUGGESTED", kSuggestedOutput}};
  for (const auto& [name, bit] : kBits) {
    EXPECT_EQ((row.flags & bit) != 0, flags.contains(name)) << row.name << ": " << name;
  }
}

void CheckAvailability(const FieldDef& row, const std::string& availability) {
  // Names are not looked up: a rule must not wait for a name server.
  const bool by_name_server = availability.contains("DNS");
  const bool never = availability == "na" || by_name_server;
  EXPECT_EQ(row.availability == Availability::kNever, never) << row.name;
  EXPECT_EQ(row.availability == Availability::kMetadata, availability == "join") << row.name;
  if (availability.starts_with("constant")) {
    EXPECT_EQ(row.availability, Availability::kConstant) << row.name;
  }
}

TEST(FieldTable, IsFalcosRowByRow) {
  std::ifstream file(std::string(GYRFALCON_SHARED) + "/spec/fields.csv");
  std::string line;
  if (!std::getline(file, line)) GTEST_SKIP() << "no fields.csv beside the repository";
  std::map<std::string_view, const FieldDef*> rows;
  for (const FieldDef& row : AllFields().rows()) rows[row.name] = &row;
  size_t count = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = CutCsvLine(line);
    ASSERT_EQ(cells.size(), size_t{kColumns}) << line;
    ++count;
    const auto found = rows.find(cells[kName]);
    if (found == rows.end()) {
      ADD_FAILURE() << "no field " << cells[kName];
      continue;
    }
    const FieldDef& row = *found->second;
    EXPECT_EQ(row.falco_type.empty() ? FalcoTypeName(row.type) : row.falco_type,
              cells[kType].substr(3))
        << row.name;
    EXPECT_EQ((row.flags & kIsList) != 0, cells[kList] == "yes") << row.name;
    const auto form = FormOf(cells);
    ASSERT_TRUE(form) << row.name << ": " << cells[kArg] << " " << cells[kForm];
    EXPECT_EQ(row.arg, *form) << row.name;
    EXPECT_EQ(row.print == PrintFormat::kPaddedNanoseconds, cells[kPrint] == "PF_10_PADDED_DEC")
        << row.name;
    EXPECT_EQ(row.print == PrintFormat::kHex, cells[kPrint] == "PF_HEX") << row.name;
    CheckFlags(row, cells[kFlags]);
    CheckAvailability(row, cells[kAvailability]);
  }
  EXPECT_EQ(count, 294u);
}

TEST(FieldTable, EveryFieldLoadsInTheFormThatItTakes) {
  for (const FieldDef& row : AllFields().rows()) {
    const std::string name(row.name);
    const std::string dotted = name == "evt.type.is"   ? name + ".open"
                               : name == "evt.abspath" ? name + ".src"
                                                       : name + ".flags";
    const bool bare = AllFields().Bind(name, {}).has_value();
    const bool index = AllFields().Bind(name, "1").has_value();
    const bool key = AllFields().Bind(name, "some key").has_value();
    const bool dot = AllFields().Bind(dotted, {}).has_value();
    const ArgForm form = row.arg;
    EXPECT_EQ(bare, form == ArgForm::kNone || form == ArgForm::kIndexAllowed ||
                        form == ArgForm::kKeyAllowed || form == ArgForm::kDottedAllowed)
        << name;
    EXPECT_EQ(index, form != ArgForm::kNone && form != ArgForm::kDottedRequired &&
                         form != ArgForm::kDottedAllowed)
        << name;
    EXPECT_EQ(key, form == ArgForm::kKeyAllowed || form == ArgForm::kKeyRequired ||
                       form == ArgForm::kDottedOrKey)
        << name;
    EXPECT_EQ(dot, form == ArgForm::kDottedRequired || form == ArgForm::kDottedOrIndex ||
                       form == ArgForm::kDottedOrKey || form == ArgForm::kDottedAllowed)
        << name;
  }
}

}  // namespace
}  // namespace gyrfalcon
