#include <charconv>

#include <fmt/format.h>

#include "fields/field.h"

namespace gyrfalcon {
namespace {

template <class Number>
void AppendNumber(Number number, PrintFormat format, std::string& out) {
  const auto end = std::back_inserter(out);
  switch (format) {
    case PrintFormat::kPlain:
      fmt::format_to(end, "{}", number);
      return;
    case PrintFormat::kPaddedNanoseconds:
      fmt::format_to(end, "{:09}", number);
      return;
    case PrintFormat::kHex:
      fmt::format_to(end, "{:X}", number);
      return;
    case PrintFormat::kOctal:
      fmt::format_to(end, "{:o}", number);
      return;
  }
}

}  // namespace

void AppendPrinted(const Value& value, PrintFormat format, std::string& out) {
  switch (value.kind()) {
    case ValueKind::kMissing:
      out += "<NA>";
      return;
    case ValueKind::kBool:
      out += value.boolean() ? "true" : "false";
      return;
    case ValueKind::kInt:
      AppendNumber(value.integer(), format, out);
      return;
    case ValueKind::kUint:
      AppendNumber(value.unsigned_integer(), format, out);
      return;
    case ValueKind::kDouble:
      fmt::format_to(std::back_inserter(out), "{:.6g}", value.real());
      return;
    case ValueKind::kText:
      out += value.text();
      return;
    case ValueKind::kIp:
      value.ip().AppendTo(out);
      return;
    case ValueKind::kList:
      out += '(';
      for (const Value& item : value.items()) {
        if (&item != &value.items().front()) out += ',';
        AppendPrinted(item, format, out);
      }
      out += ')';
      return;
  }
}

}  // namespace gyrfalcon
