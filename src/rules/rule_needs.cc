#include "rules/rule_needs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rules/fold.h"
#include "rules/interpreter.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

template <class Visit>
void ForEachField(const BoundCheck& check, const Visit& visit) {
  ForEachField(check.left, visit);
  if (check.right) ForEachField(*check.right, visit);
}

bool IsOfType(const BoundField& field) {
  return field.def->extract != nullptr &&
         (field.def->level == Level::kEventType || field.def->level == Level::kRuleset);
}

bool IsNever(const BoundField& field) {
  return field.def->extract == nullptr;
}

template <class Test>
bool AllFieldsAre(const BoundCheck& check, const Test& test) {
  bool all = true;
  ForEachField(check, [&](const BoundField& field) { all &= test(field); });
  return all;
}

bool AnswerFor(const BoundCheck& check, const Happening& happening) {
  Scratch scratch;
  return Evaluate(check, happening, scratch) == Truth::kTrue;
}

void AddFields(const BoundOperand& operand, TypeNeeds& needs) {
  ForEachField(operand, [&](const BoundField& field) {
    needs.fields.insert(field.Name());
    needs.facts |= FactsOf(field, needs.type);
  });
}

void AddFields(const OutputFormat& format, TypeNeeds& needs) {
  for (const OutputFormat::Segment& segment : format.segments()) {
    if (segment.is_field) AddFields(segment.operand, needs);
  }
}

PartialAnswer AnswerGroup(const BoundCondition& group,
                          const std::function<Known(const BoundCheck&)>& know) {
  const bool decisive = group.kind == Kind::kOr;
  PartialAnswer out;
  bool open = false;
  for (const BoundCondition& child : group.children) {
    PartialAnswer part = AnswerPartly(child, know);
    if (part.answer == decisive) return {.answer = decisive, .checks = {}};
    if (part.answer) continue;
    open = true;
    std::ranges::move(part.checks, std::back_inserter(out.checks));
  }
  if (!open) out.answer = !decisive;
  return out;
}

}  // namespace

bool IsReturn(const BoundField& field) {
  constexpr std::string_view kOfReturn[] = {"evt.rawres", "evt.res", "evt.failed"};
  return std::ranges::find(kOfReturn, field.def->name) != std::end(kOfReturn);
}

Known KnowByType(const BoundCheck& check, EventType type) {
  if (ComparesWithNothing(check)) return false;
  if (!AllFieldsAre(check, IsOfType)) return std::nullopt;
  return AnswerFor(check, Happening{.type = type});
}

namespace {

Known KnowForNeeds(const BoundCheck& check, EventType type) {
  if (const Known answer = ConstantAnswer(check)) return answer;
  const auto known = [](const BoundField& field) { return IsOfType(field) || IsNever(field); };
  if (!AllFieldsAre(check, known)) return std::nullopt;
  return AnswerFor(check, Happening{.type = type});
}

}  // namespace

bool CanHoldForFailure(const BoundCondition& condition, EventType type,
                       const std::function<Known(const BoundCheck&)>& know) {
  constexpr int kLastError = 133;  // EHWPOISON; gVisor's restart codes are not told
  for (int error = 1; error <= kLastError; ++error) {
    const auto know_all = [&](const BoundCheck& check) -> Known {
      const auto decided = [](const BoundField& field) {
        return IsOfType(field) || IsReturn(field);
      };
      if (!AllFieldsAre(check, decided)) return know(check);
      return AnswerFor(check, Happening{.type = type, .has_return = true, .return_value = -error});
    };
    if (AnswerPartly(condition, know_all).answer != Known(false)) return true;
  }
  return false;
}

PartialAnswer AnswerPartly(const BoundCondition& condition,
                           const std::function<Known(const BoundCheck&)>& know) {
  switch (condition.kind) {
    case Kind::kCheck: {
      const Known answer = know(*condition.check);
      if (answer) return {.answer = answer, .checks = {}};
      return {.answer = std::nullopt, .checks = {condition.check.get()}};
    }
    case Kind::kNot: {
      PartialAnswer inner = AnswerPartly(condition.children.front(), know);
      if (inner.answer) inner.answer = !*inner.answer;
      return inner;
    }
    default:
      return AnswerGroup(condition, know);
  }
}

std::vector<TypeNeeds> NeedsOf(const Rule& rule) {
  std::vector<TypeNeeds> out;
  for (uint16_t index = 0; index < kEventTypeCount; ++index) {
    if (!rule.event_types.test(index)) continue;
    const EventType type{index};
    const PartialAnswer left = AnswerPartly(
        rule.condition, [type](const BoundCheck& check) { return KnowForNeeds(check, type); });
    if (left.answer == Known(false)) continue;
    TypeNeeds needs{
        .type = type,
        .fields = {},
        .can_fail = CanHoldForFailure(rule.condition, type, [type](const BoundCheck& check) {
          return KnowForNeeds(check, type);
        })};
    for (const BoundCheck* check : left.checks) {
      AddFields(check->left, needs);
      if (check->right) AddFields(*check->right, needs);
    }
    AddFields(rule.format, needs);
    for (const Rule::ExtraField& extra : rule.extra_fields) AddFields(extra.format, needs);
    out.push_back(std::move(needs));
  }
  return out;
}

}  // namespace gyrfalcon
