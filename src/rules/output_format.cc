#include "rules/output_format.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "rules/binder.h"
#include "rules/condition_parser.h"
#include "rules/interpreter.h"

namespace gyrfalcon {
namespace {

// An artefact of Falco's, but tests compare it.
constexpr std::string_view kUnknownField = "unknown filter: unexpected token after '";
constexpr uint32_t kWidthMax = 4096;  // of one field; an output is no place for pages of blanks

struct Token {
  BoundOperand operand;
  size_t length;
};

// The longest text at the start that names a field or transformer: what parses as a name is cut
// from its end until the catalog knows it ("%proc.namefoo" is proc.name and "foo").
std::optional<Token> LongestToken(std::string_view text, const FieldCatalog& catalog) {
  constexpr size_t kNameMax = 256;  // no field is longer; bounds the shrinking
  if (const auto parsed = ParseFieldOrTransformer(text)) {
    if (auto bound = BindOperand(parsed->operand, catalog)) {
      return Token{std::move(*bound), parsed->length};
    }
  }
  size_t length = 0;
  while (length < std::min(text.size(), kNameMax) &&
         (text[length] == '.' || text[length] == '_' ||
          (text[length] >= '0' && text[length] <= '9') ||
          (text[length] >= 'a' && text[length] <= 'z') ||
          (text[length] >= 'A' && text[length] <= 'Z'))) {
    ++length;
  }
  for (; length > 0; --length) {
    const auto parsed = ParseFieldOrTransformer(text.substr(0, length));
    if (!parsed || parsed->length != length) continue;
    if (auto bound = BindOperand(parsed->operand, catalog)) return Token{std::move(*bound), length};
  }
  return std::nullopt;
}

uint32_t TakeWidth(std::string_view& text) {
  uint32_t width = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    width = std::min(width * 10 + static_cast<uint32_t>(text[0] - '0'), kWidthMax);
    text.remove_prefix(1);
  }
  return width;
}

// Ancestors print one after the other; other lists in parentheses.
void AppendValue(const OutputFormat::Segment& segment, const Value& value, std::string& out) {
  if (value.kind() == ValueKind::kList && QuantifiesOverItems(segment.operand.flags)) {
    if (value.items().empty()) out += "<NA>";
    for (const Value& item : value.items()) {
      if (&item != &value.items().front()) out += ' ';
      AppendPrinted(item, segment.print, out);
    }
    return;
  }
  AppendPrinted(value, segment.print, out);
}

}  // namespace

std::expected<OutputFormat, std::string> OutputFormat::Parse(std::string_view text,
                                                             const FieldCatalog& catalog) {
  OutputFormat format;
  while (!text.empty()) {
    const size_t percent = std::min(text.find('%'), text.size());
    if (percent > 0) {
      Segment& literal = format.segments_.emplace_back();
      literal.literal = text.substr(0, percent);
      text.remove_prefix(percent);
    }
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) {
      return std::unexpected("invalid formatting syntax: formatting cannot end with a %");
    }
    Segment segment;
    segment.is_field = true;
    segment.width = TakeWidth(text);
    std::optional<Token> token = LongestToken(text, catalog);
    if (!token) return std::unexpected(std::string(kUnknownField));
    segment.literal = text.substr(0, token->length);
    if (token->operand.kind == BoundOperand::Kind::kField) {
      segment.print = token->operand.field.print;
    }
    segment.operand = std::move(token->operand);
    text.remove_prefix(token->length);
    format.segments_.push_back(std::move(segment));
  }
  return format;
}

Value OutputFormat::ExtractSegment(const Segment& segment, const Happening& happening,
                                   Scratch& scratch) {
  if (segment.operand.kind != BoundOperand::Kind::kField) {
    return Extract(segment.operand, happening, scratch);
  }
  const BoundField& field = segment.operand.field;
  return (field.flags & kFilterOnly) != 0 ? Value() : field.ExtractPrinted(happening, scratch);
}

void OutputFormat::Render(const Happening& happening, Scratch& scratch, std::string& out) const {
  for (const Segment& segment : segments_) {
    if (!segment.is_field) {
      out += segment.literal;
      continue;
    }
    const size_t begin = out.size();
    AppendValue(segment, ExtractSegment(segment, happening, scratch), out);
    if (segment.width > 0) out.resize(begin + segment.width, ' ');
  }
}

std::vector<const OutputFormat::Segment*> OutputFormat::fields() const {
  std::vector<const Segment*> fields;
  std::set<std::string_view> seen;
  for (const Segment& segment : segments_) {
    if (segment.is_field && seen.insert(segment.literal).second) fields.push_back(&segment);
  }
  return fields;
}

}  // namespace gyrfalcon
