#include "rules/output_format.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "rules/binder.h"
#include "rules/condition.h"
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
  Operand written;
};

// The longest text at the start that names a field or transformer: what parses as a name is cut
// from its end until the catalog knows it ("%proc.namefoo" is proc.name and "foo").
std::optional<Token> LongestToken(std::string_view text, const FieldCatalog& catalog) {
  constexpr size_t kNameMax = 256;  // no field is longer; bounds the shrinking
  if (auto parsed = ParseFieldOrTransformer(text)) {
    if (auto bound = BindOperand(parsed->operand, catalog)) {
      return Token{std::move(*bound), parsed->length, std::move(parsed->operand)};
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
    auto parsed = ParseFieldOrTransformer(text.substr(0, length));
    if (!parsed || parsed->length != length) continue;
    if (auto bound = BindOperand(parsed->operand, catalog)) {
      return Token{std::move(*bound), length, std::move(parsed->operand)};
    }
  }
  return std::nullopt;
}

// Falco's order: what a call reads stands before it; a call inside another is listed only when a
// further field follows.
void AppendNames(const Operand& operand, std::string& pending, std::vector<std::string>& names) {
  if (operand.kind == Operand::Kind::kField) {
    if (!pending.empty()) names.push_back(std::move(pending));
    pending.clear();
    names.push_back(PrintOperand(operand));
  }
  for (const Operand& item : operand.items) AppendNames(item, pending, names);
  if (operand.kind == Operand::Kind::kTransformer) pending = PrintOperand(operand);
}

void AppendNames(const Operand& operand, std::vector<std::string>& names) {
  std::string pending;
  AppendNames(operand, pending, names);
  if (!pending.empty()) names.push_back(std::move(pending));
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
  format.text_ = text;
  if (text.starts_with('*')) text.remove_prefix(1);
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
    format.AddFieldsOf(token->operand);
    AppendNames(token->written, format.field_names_);
    segment.operand = std::move(token->operand);
    text.remove_prefix(token->length);
    format.segments_.push_back(std::move(segment));
  }
  return format;
}

void OutputFormat::AddField(std::string name, const BoundOperand& operand) {
  if (std::ranges::find(fields_, name, &NamedField::name) != fields_.end()) return;
  fields_.push_back({std::move(name), operand, operand.field.print});
}

void OutputFormat::AddFieldsOf(const BoundOperand& operand) {
  if (operand.kind == BoundOperand::Kind::kField) AddField(operand.field.Name(), operand);
  for (const BoundOperand& item : operand.items) AddFieldsOf(item);
}

Value OutputFormat::ExtractOperand(const BoundOperand& operand, const Happening& happening,
                                   Scratch& scratch) {
  if (operand.kind != BoundOperand::Kind::kField) return Extract(operand, happening, scratch);
  const BoundField& field = operand.field;
  return (field.flags & kFilterOnly) != 0 ? Value() : field.ExtractPrinted(happening, scratch);
}

void OutputFormat::Render(const Happening& happening, Scratch& scratch, std::string& out) const {
  for (const Segment& segment : segments_) {
    if (!segment.is_field) {
      out += segment.literal;
      continue;
    }
    const size_t begin = out.size();
    AppendValue(segment, ExtractOperand(segment.operand, happening, scratch), out);
    if (segment.width > 0) out.resize(begin + segment.width, ' ');
  }
}

}  // namespace gyrfalcon
