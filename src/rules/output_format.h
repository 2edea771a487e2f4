// A rule's output: text with fields in it, parsed once. `%proc.name`, `%proc.aname[2]`,
// `%tolower(proc.name)`, `%10proc.name` (padded and cut to 10). There is no way to write a plain
// percent sign (Falco). A star at the very start, which asks Falco to print outputs with missing
// values, is taken away: that is always so here.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "fields/field.h"
#include "rules/bound_condition.h"

namespace gyrfalcon {

class OutputFormat {
 public:
  struct Segment {
    std::string literal;  // text, or, when `is_field`, the field as written
    bool is_field = false;
    uint32_t width = 0;    // 0: as long as it is
    BoundOperand operand;  // kField or kTransformer
    PrintFormat print = PrintFormat::kPlain;
  };

  struct NamedField {
    std::string name;
    BoundOperand operand;  // kField
    PrintFormat print = PrintFormat::kPlain;
  };

  // The error is a message in Falco's words. The catalog must outlive the format.
  static std::expected<OutputFormat, std::string> Parse(std::string_view text,
                                                        const FieldCatalog& catalog);

  // Appends the text to `out`; a field without a value prints <NA>.
  void Render(const Happening& happening, Scratch& scratch, std::string& out) const;

  // The value of a field as it goes into output_fields; missing becomes null there.
  static Value ValueOf(const NamedField& field, const Happening& happening, Scratch& scratch) {
    return ExtractOperand(field.operand, happening, scratch);
  }

  const std::string& text() const { return text_; }  // as written
  const std::vector<Segment>& segments() const { return segments_; }

  // What output_fields shows, in order, each name once: the fields as written, and of a transformer
  // the fields that it reads instead of its own value (Falco).
  const std::vector<NamedField>& fields() const { return fields_; }

  // The names of all fields and transformer calls ("proc.name", "toupper(proc.name)"), the fields
  // that a call reads before it.
  const std::vector<std::string>& FieldNames() const { return field_names_; }

 private:
  static Value ExtractOperand(const BoundOperand& operand, const Happening& happening,
                              Scratch& scratch);
  void AddField(std::string name, const BoundOperand& operand);
  void AddFieldsOf(const BoundOperand& operand);

  std::string text_;
  std::vector<Segment> segments_;
  std::vector<NamedField> fields_;
  std::vector<std::string> field_names_;
};

}  // namespace gyrfalcon
