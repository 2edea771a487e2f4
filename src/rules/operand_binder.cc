#include "rules/binder.h"

namespace gyrfalcon {
namespace {

using BoundResult = std::expected<BoundOperand, std::string>;

std::unexpected<std::string> Refuse(std::string message) {
  return std::unexpected(std::move(message));
}

bool IsTextual(FieldType type) {
  return type == FieldType::kText || type == FieldType::kEventType || type == FieldType::kBytes;
}

bool IsListArgument(const BoundOperand& operand) {
  return operand.kind == BoundOperand::Kind::kList || operand.is_list();
}

std::unexpected<std::string> WrongCall(std::string_view name) {
  // The misspelling is Falco's.
  return Refuse("unknown field transfomer '" + std::string(name) + "'");
}

// tolower, toupper, b64, basename: text in, text out, element by element.
BoundResult BindTextTransformer(BoundOperand call) {
  const std::string_view name = Describe(call.transformer).text;
  if (call.items.size() != 1 || call.items[0].kind == BoundOperand::Kind::kList) {
    return WrongCall(name);
  }
  const BoundOperand& argument = call.items[0];
  if (!IsTextual(argument.type)) {
    return Refuse("transformer '" + std::string(name) + "' not supported for type '" +
                  std::string(TypeName(argument)) + "'");
  }
  call.type = argument.type == FieldType::kBytes && call.transformer != Transformer::kB64
                  ? FieldType::kBytes
                  : FieldType::kText;
  call.flags = argument.flags & (kIsList | kEitherSide | kAnyAncestor);
  return call;
}

BoundResult BindLen(BoundOperand call) {
  if (call.items.size() != 1) return WrongCall("len");
  const BoundOperand& argument = call.items[0];
  if (!IsListArgument(argument) && !IsTextual(argument.type)) {
    return Refuse("transformer 'len' not supported for type '" + std::string(TypeName(argument)) +
                  "'");
  }
  call.type = FieldType::kUint;
  return call;
}

BoundResult BindJoin(BoundOperand call) {
  if (call.items.size() != 2) return WrongCall("join");
  if (IsListArgument(call.items[0])) {
    return Refuse("join() first argument (separator) must be a single value, not a list");
  }
  if (!IsTextual(call.items[0].type)) return Refuse("join() first argument must be a string");
  if (!IsListArgument(call.items[1])) return Refuse("join() second argument must be a list");
  return call;
}

BoundResult BindConcat(BoundOperand call) {
  if (call.items.size() < 2) return WrongCall("concat");
  for (const BoundOperand& item : call.items) {
    if (IsListArgument(item) || !IsTextual(item.type)) {
      return Refuse("concat() arguments must be strings");
    }
  }
  return call;
}

BoundResult BindGetopt(BoundOperand call, const std::optional<std::string>& bracket) {
  if (call.items.size() != 2) return WrongCall("getopt");
  if (!IsListArgument(call.items[0])) return Refuse("getopt() first argument must be a list");
  if (IsListArgument(call.items[1])) {
    return Refuse("getopt() second argument (optstring) must be a single value");
  }
  if (!bracket) {
    call.flags = kIsList;
    return call;
  }
  if (bracket->size() != 1) {
    return Refuse("getopt() field argument must be a single option character");
  }
  call.option = bracket->front();
  return call;
}

BoundResult BindCall(const Operand& operand, const FieldCatalog& catalog) {
  BoundOperand call;
  call.kind = BoundOperand::Kind::kTransformer;
  call.transformer = operand.transformer;
  for (const Operand& item : operand.items) {
    BoundResult bound = BindOperand(item, catalog);
    if (!bound) return bound;
    if (bound->kind == BoundOperand::Kind::kField && (bound->field.flags & kNoTransformer) != 0) {
      return Refuse("field '" + bound->field.Name() + "' does not support transformers");
    }
    call.items.push_back(std::move(*bound));
  }
  if (operand.bracket && operand.transformer != Transformer::kGetopt) {
    return Refuse("transformer '" + std::string(Describe(operand.transformer).text) +
                  "' does not support a field argument");
  }
  switch (operand.transformer) {
    case Transformer::kLen:
      return BindLen(std::move(call));
    case Transformer::kJoin:
      return BindJoin(std::move(call));
    case Transformer::kConcat:
      return BindConcat(std::move(call));
    case Transformer::kGetopt:
      return BindGetopt(std::move(call), operand.bracket);
    default:
      return BindTextTransformer(std::move(call));
  }
}

}  // namespace

std::string_view TypeName(const BoundOperand& operand) {
  return operand.kind == BoundOperand::Kind::kField ? operand.field.falco_type
                                                    : FalcoTypeName(operand.type);
}

BoundResult BindOperand(const Operand& operand, const FieldCatalog& catalog) {
  BoundOperand bound;
  switch (operand.kind) {
    case Operand::Kind::kField:
    case Operand::Kind::kFieldValue: {
      auto field = catalog.Bind(operand.text, operand.bracket);
      if (!field) return Refuse(std::move(field.error()));
      bound.kind = BoundOperand::Kind::kField;
      bound.type = field->type;
      bound.flags = field->flags & (kIsList | kEitherSide | kAnyAncestor);
      bound.field = std::move(*field);
      return bound;
    }
    case Operand::Kind::kTransformer:
      return BindCall(operand, catalog);
    case Operand::Kind::kText:
    case Operand::Kind::kNumber:
      bound.text = operand.text;
      return bound;
    case Operand::Kind::kList:
      bound.kind = BoundOperand::Kind::kList;
      bound.flags = kIsList;
      for (const Operand& item : operand.items) {
        BoundResult inner = BindOperand(item, catalog);
        if (!inner) return inner;
        bound.items.push_back(std::move(*inner));
      }
      return bound;
  }
  return bound;
}

}  // namespace gyrfalcon
