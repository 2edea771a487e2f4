#include "rules/explanation.h"

#include <algorithm>

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

ExplainedPart MakePart(const BoundCondition& condition) {
  ExplainedPart part;
  part.condition = &condition;
  part.children.reserve(condition.children.size());
  for (const BoundCondition& child : condition.children) part.children.push_back(MakePart(child));
  return part;
}

uint32_t SumOf(const std::vector<ExplainedPart>& parts, uint32_t ExplainedPart::* distance) {
  uint32_t sum = 0;
  for (const ExplainedPart& part : parts) sum = std::min(kNever, sum + part.*distance);
  return sum;
}

uint32_t LeastOf(const std::vector<ExplainedPart>& parts, uint32_t ExplainedPart::* distance) {
  if (parts.empty()) return kNever;  // a folded constant
  return (*std::ranges::min_element(parts, {}, distance)).*distance;
}

// A field that gVisor never tells has no value, whatever happens.
bool CanHold(const BoundCheck& check) {
  const auto is_never_there = [](const BoundOperand& operand) {
    return operand.kind == BoundOperand::Kind::kField && operand.field.def->extract == nullptr;
  };
  return !is_never_there(check.left) && !(check.right && is_never_there(*check.right));
}

void Measure(ExplainedPart& part) {
  switch (part.condition->kind) {
    case Kind::kCheck:
      part.to_hold = part.holds() ? 0 : (CanHold(*part.check()) ? 1 : kNever);
      part.to_fail = part.holds() ? 1 : 0;
      return;
    case Kind::kNot:
      part.to_hold = part.children.front().to_fail;
      part.to_fail = part.children.front().to_hold;
      return;
    case Kind::kAnd:
      part.to_hold = SumOf(part.children, &ExplainedPart::to_hold);
      part.to_fail = LeastOf(part.children, &ExplainedPart::to_fail);
      return;
    case Kind::kOr:
      part.to_hold = LeastOf(part.children, &ExplainedPart::to_hold);
      part.to_fail = SumOf(part.children, &ExplainedPart::to_fail);
      return;
  }
}

bool HoldsByChildren(const ExplainedPart& part) {
  const auto holds = [](const ExplainedPart& child) { return child.holds(); };
  switch (part.condition->kind) {
    case Kind::kAnd:
      return std::ranges::all_of(part.children, holds);
    case Kind::kOr:
      return std::ranges::any_of(part.children, holds);
    default:
      return !part.children.front().holds();
  }
}

// Walks the checks on which the answer `wanted` of a part hangs: all children where each has to be
// so, and the one that is nearest to it (0: the first that is so) where one is enough.
void Walk(const ExplainedPart& part, bool wanted, std::vector<DecidingPart>& out) {
  const BoundCondition& condition = *part.condition;
  if (condition.kind == Kind::kCheck) {
    out.push_back({&part, wanted});
    return;
  }
  if (condition.kind == Kind::kNot) {
    Walk(part.children.front(), !wanted, out);
    return;
  }
  if (part.children.empty()) return;
  const bool needs_all = (condition.kind == Kind::kAnd) == wanted;
  const auto distance = wanted ? &ExplainedPart::to_hold : &ExplainedPart::to_fail;
  if (!needs_all) {
    Walk(*std::ranges::min_element(part.children, {}, distance), wanted, out);
    return;
  }
  for (const ExplainedPart& child : part.children) Walk(child, wanted, out);
}

}  // namespace

class Explainer::Tracer final : public EvaluationTracer {
 public:
  explicit Tracer(Explainer& explainer) : explainer_(explainer) {}

  void OnCheck(const BoundCheck& check, Truth truth, const Value& seen) noexcept override {
    ExplainedPart& part = Find(&check);
    part.decisive = true;
    part.truth = truth;
    part.seen = seen;
  }
  void OnGroup(const BoundCondition& group, bool truth) noexcept override {
    ExplainedPart& part = Find(&group);
    part.decisive = true;
    part.truth = truth ? Truth::kTrue : Truth::kFalse;
  }

 private:
  ExplainedPart& Find(const void* condition) {
    return *explainer_.by_condition_.find(condition)->second;
  }

  Explainer& explainer_;
};

Explainer::Explainer(const BoundCondition& condition) : root_(MakePart(condition)) {
  Index(root_);
}

void Explainer::Index(ExplainedPart& part) {
  const bool is_check = part.condition->kind == Kind::kCheck;
  by_condition_.emplace(is_check ? static_cast<const void*>(part.check()) : part.condition, &part);
  for (ExplainedPart& child : part.children) {
    child.parent = &part;
    Index(child);
  }
}

const ExplainedPart& Explainer::Explain(const Happening& happening) noexcept {
  return Ask(happening, memory_);
}

const ExplainedPart& Explainer::Suppose(const Happening& happening) noexcept {
  return Ask(happening, supposed_);
}

const ExplainedPart& Explainer::Ask(const Happening& happening, Scratch& memory) {
  memory.Reset();
  aside_.Reset();
  for (auto& [condition, part] : by_condition_) part->decisive = false;
  Tracer tracer(*this);
  Evaluate(*root_.condition, happening, memory, &tracer);
  Complete(root_, happening);
  return root_;
}

void Explainer::Complete(ExplainedPart& part, const Happening& happening) {
  for (ExplainedPart& child : part.children) Complete(child, happening);
  if (const BoundCheck* check = part.check()) {
    if (!part.decisive) part.truth = Evaluate(*check, happening, aside_, &part.seen);
    part.right = check->right ? gyrfalcon::Extract(*check->right, happening, aside_) : Value();
  } else if (!part.decisive) {
    part.truth = HoldsByChildren(part) ? Truth::kTrue : Truth::kFalse;
  }
  Measure(part);
}

std::string WhereFrom(const ExplainedPart& part) {
  std::string out;
  for (const ExplainedPart* at = &part; at != nullptr; at = at->parent) {
    if (at->condition->from == nullptr) continue;
    out = out.empty() ? *at->condition->from : *at->condition->from + " > " + out;
  }
  return out;
}

std::vector<DecidingPart> NearestWay(const ExplainedPart& root) {
  std::vector<DecidingPart> out;
  Walk(root, true, out);
  return out;
}

std::vector<DecidingPart> StandsInTheWay(const ExplainedPart& root) {
  std::vector<DecidingPart> out = NearestWay(root);
  std::erase_if(out, [](const DecidingPart& each) { return each.part->holds() == each.wanted; });
  return out;
}

}  // namespace gyrfalcon
