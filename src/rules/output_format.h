// A rule's output: text with fields in it, parsed once. `%proc.name`, `%proc.aname[2]`,
// `%tolower(proc.name)`, `%10proc.name` (padded and cut to 10). There is no way to write a plain
// percent sign (Falco).
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

  // The error is a message in Falco's words. The catalog must outlive the format.
  static std::expected<OutputFormat, std::string> Parse(std::string_view text,
                                                        const FieldCatalog& catalog);

  // Appends the text to `out`; a field without a value prints <NA>.
  void Render(const Happening& happening, Scratch& scratch, std::string& out) const;

  // The value of a segment as it goes into output_fields; missing becomes null there.
  static Value ValueOf(const Segment& segment, const Happening& happening, Scratch& scratch) {
    return ExtractSegment(segment, happening, scratch);
  }

  const std::vector<Segment>& segments() const { return segments_; }
  std::vector<const Segment*> fields() const;  // in order, each name once

 private:
  static Value ExtractSegment(const Segment& segment, const Happening& happening, Scratch& scratch);

  std::vector<Segment> segments_;
};

}  // namespace gyrfalcon
