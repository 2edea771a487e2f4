#include "rules/plan_keys.h"

#include <bit>

namespace gyrfalcon {
namespace {

// Texts may hold any byte, so each goes with its length.
void AppendText(std::string_view text, std::string& key) {
  key += std::to_string(text.size());
  key += ':';
  key += text;
}

void AppendNumber(uint64_t number, std::string& key) {
  key += std::to_string(number);
  key += ' ';
}

void AppendAddress(const IpAddress& address, std::string& key) {
  key += address.is_v6 ? '6' : '4';
  key.append(address.bytes.begin(), address.bytes.end());
}

void AppendValue(const Value& value, std::string& key) {
  AppendNumber(static_cast<uint64_t>(value.kind()), key);
  switch (value.kind()) {
    case ValueKind::kMissing:
      return;
    case ValueKind::kText:
      return AppendText(value.text(), key);
    case ValueKind::kIp:
      return AppendAddress(value.ip(), key);
    case ValueKind::kDouble:
      return AppendNumber(std::bit_cast<uint64_t>(value.real()), key);
    case ValueKind::kList:
      AppendNumber(value.items().size(), key);
      for (const Value& item : value.items()) AppendValue(item, key);
      return;
    default:
      return AppendNumber(value.unsigned_integer(), key);
  }
}

void AppendOperand(const BoundOperand& operand, std::string& key) {
  AppendNumber(static_cast<uint64_t>(operand.kind), key);
  switch (operand.kind) {
    case BoundOperand::Kind::kField:
      return AppendText(operand.field.Name(), key);
    case BoundOperand::Kind::kConstant:
      return AppendText(operand.text, key);
    case BoundOperand::Kind::kTransformer:
      AppendNumber(static_cast<uint64_t>(operand.transformer), key);
      AppendNumber(static_cast<unsigned char>(operand.option), key);
      break;
    case BoundOperand::Kind::kList:
      break;
  }
  AppendNumber(operand.items.size(), key);
  for (const BoundOperand& item : operand.items) AppendOperand(item, key);
}

}  // namespace

std::string KeyOf(const BoundOperand& operand) {
  std::string key;
  AppendOperand(operand, key);
  return key;
}

std::string KeyOf(const BoundCheck& check) {
  std::string key = KeyOf(check.left);
  AppendNumber(static_cast<uint64_t>(check.op), key);
  AppendNumber(static_cast<uint64_t>(check.modifier), key);
  AppendNumber(check.literals.size(), key);
  for (const Value& literal : check.literals) AppendValue(literal, key);
  AppendNumber(check.networks.size(), key);
  for (const IpNetwork& network : check.networks) {
    AppendAddress(network.address, key);
    AppendNumber(network.prefix_bits, key);
  }
  AppendNumber(check.regexes.size(), key);
  for (const auto& regex : check.regexes) AppendText(regex->pattern(), key);
  if (check.right) AppendOperand(*check.right, key);
  return key;
}

}  // namespace gyrfalcon
