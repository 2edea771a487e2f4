#include <algorithm>
#include <array>

#include "base/text.h"
#include "fields/field.h"

namespace gyrfalcon {
namespace {

std::unexpected<std::string> Nonexistent(std::string_view name,
                                         std::optional<std::string_view> bracket) {
  std::string message = "filter_check called with nonexistent field ";
  message += name;
  if (bracket) {
    message += '[';
    message += *bracket;
    message += ']';
  }
  return std::unexpected(std::move(message));
}

bool TakesBracket(ArgForm form) {
  switch (form) {
    case ArgForm::kNone:
    case ArgForm::kDottedRequired:
    case ArgForm::kDottedAllowed:
      return false;
    default:
      return true;
  }
}

bool TakesOnlyIndex(ArgForm form) {
  return form == ArgForm::kIndexAllowed || form == ArgForm::kIndexRequired ||
         form == ArgForm::kDottedOrIndex;
}

bool TakesDotted(ArgForm form) {
  return form == ArgForm::kDottedRequired || form == ArgForm::kDottedOrIndex ||
         form == ArgForm::kDottedOrKey || form == ArgForm::kDottedAllowed;
}

bool NeedsArg(ArgForm form) {
  return form != ArgForm::kNone && form != ArgForm::kIndexAllowed && form != ArgForm::kKeyAllowed &&
         form != ArgForm::kDottedAllowed;
}

}  // namespace

std::string BoundField::Name() const {
  std::string name(def->name);
  if (!has_arg) return name;
  const bool dotted = TakesDotted(def->arg) && !(TakesBracket(def->arg) && arg.index);
  name += dotted ? '.' : '[';
  name += arg.text;
  if (!dotted) name += ']';
  return name;
}

std::string_view FalcoTypeName(FieldType type) {
  constexpr std::array<std::string_view, 12> kNames = {"BOOL",  "INT64",   "UINT64",  "DOUBLE",
                                                       "PORT",  "CHARBUF", "BYTEBUF", "IPADDR",
                                                       "IPNET", "CHARBUF", "UINT64",  "DYN"};
  return kNames[static_cast<size_t>(type)];
}

Value BoundField::ExtractPrinted(const Happening& happening, Scratch& scratch) const noexcept {
  const Value value = def->extract_printed == nullptr
                          ? Extract(happening, scratch)
                          : def->extract_printed(*this, happening, scratch);
  if (value.kind() != ValueKind::kList || (flags & kAnyAncestor) == 0) return value;
  if (value.items().empty()) return {};
  std::string text;
  for (const Value& item : value.items()) {
    if (&item != &value.items().front()) text += ' ';
    AppendPrinted(item, print, text);
  }
  return Value::Text(scratch.Copy(text));
}

const FieldDef* FieldCatalog::Find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(rows_, name, {}, &FieldDef::name);
  return found != rows_.end() && found->name == name ? &*found : nullptr;
}

std::expected<BoundField, std::string> FieldCatalog::Bind(
    std::string_view name, std::optional<std::string_view> bracket) const {
  BoundField bound;
  bound.def = Find(name);
  if (bound.def == nullptr) {
    // A dotted argument: the longest row name that is a prefix and takes one.
    for (size_t dot = name.rfind('.'); dot != std::string_view::npos && bound.def == nullptr;
         dot = dot == 0 ? std::string_view::npos : name.rfind('.', dot - 1)) {
      const FieldDef* def = Find(name.substr(0, dot));
      if (def == nullptr || !TakesDotted(def->arg)) continue;
      bound.def = def;
      bound.arg.text = name.substr(dot + 1);
      bound.has_arg = true;
    }
    if (bound.def == nullptr || bound.arg.text.empty()) return Nonexistent(name, bracket);
  }
  if (bracket) {
    if (bound.has_arg || !TakesBracket(bound.def->arg)) return Nonexistent(name, bracket);
    bound.arg.text = *bracket;
    bound.has_arg = true;
    bound.arg.index = ParseUint(*bracket);
    if (TakesOnlyIndex(bound.def->arg) && !bound.arg.index) {
      const bool negative = bracket->starts_with('-') && ParseUint(bracket->substr(1));
      if (!negative) return Nonexistent(name, bracket);
      bound.arg.index = UINT64_MAX;  // as in Falco it loads, and names nothing
    }
  }
  if (NeedsArg(bound.def->arg) && !bound.has_arg) return Nonexistent(name, bracket);
  bound.type = bound.def->type;
  bound.falco_type =
      bound.def->falco_type.empty() ? FalcoTypeName(bound.def->type) : bound.def->falco_type;
  bound.print = bound.def->print;
  bound.flags = bound.def->flags;
  // With an index an ancestor field names one ancestor, a list field one element.
  if (bound.has_arg) bound.flags &= static_cast<uint8_t>(~(kAnyAncestor | kIsList));
  if (bound.def->resolve != nullptr) {
    if (std::optional<std::string> message = bound.def->resolve(bound)) {
      return std::unexpected(std::move(*message));
    }
  }
  return bound;
}

std::optional<std::string_view> FieldCatalog::Nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  names.reserve(rows_.size());
  for (const FieldDef& row : rows_) names.push_back(row.name);
  return NearestWord(name, names);
}

}  // namespace gyrfalcon
