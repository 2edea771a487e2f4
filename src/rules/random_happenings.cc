#include "rules/random_happenings.h"

#include <algorithm>
#include <span>

#include "rules/matcher.h"
#include "rules/plan_nodes.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

Value RandomValue(Choices& choices, FieldType type) {
  TestValues& values = TestValues::Current();
  static const std::vector<std::string> kTexts = {
      "a",        "",      "b",   "/usr/bin/sh", "sh", "x y",      "proc.name",
      "\xff\xfe", "it's",  "a,b", "YQ==",        "-a", "-b",       "/usr//bin/sh",
      "/usr",     "/usr/", "/",   "/usr/bin",    "SH", "bin/sh s", "tush"};
  static const std::vector<std::string> kAddresses = {"10.0.0.1", "::1", "8.8.8.8"};
  static const std::vector<std::string> kTypes = {"open", "execve", "close"};
  switch (type) {
    case FieldType::kBool:
      return Value::Bool(choices.Maybe());
    case FieldType::kInt:
      return Value::Int(static_cast<int64_t>(choices.Below(4)) - 1);
    case FieldType::kUint:
    case FieldType::kPort:
      return Value::Uint(choices.Below(4) * 11);
    case FieldType::kDouble:
      return Value::Double(static_cast<double>(choices.Below(4)) / 2);
    case FieldType::kIp:
    case FieldType::kNet:
      return values.Ip(*IpAddress::Parse(choices.From(kAddresses)));
    case FieldType::kEventType:
      return values.Text(choices.From(kTypes));
    default:
      return values.Text(choices.From(kTexts));
  }
}

void SetRandomValue(Choices& choices, const BoundField& field) {
  TestValues& values = TestValues::Current();
  if (choices.Below(3) == 2) {
    values.Set(field.Name(), Value());
    return;
  }
  if ((field.flags & (kIsList | kEitherSide | kAnyAncestor)) == 0) {
    values.Set(field.Name(), RandomValue(choices, field.type));
    return;
  }
  std::vector<Value> items;
  for (size_t i = 0, count = choices.Below(4); i < count; ++i) {
    items.push_back(RandomValue(choices, field.type));
  }
  values.SetList(field.Name(), std::move(items));
}

bool StaysWithProcess(const BoundField& field) {
  BoundOperand operand;
  operand.kind = BoundOperand::Kind::kField;
  operand.field = field;
  return ReachOf(operand) == Reach::kProcess;
}

}  // namespace

const FieldCatalog& RandomValueFields() {
  static const std::vector<FieldDef> rows = [] {
    TestCatalog mocked;
    for (const FieldDef& row : AllFields().rows()) mocked.Add(row, row.name);
    std::vector<FieldDef> out(AllFields().rows().begin(), AllFields().rows().end());
    for (FieldDef& row : out) {
      if (row.extract == nullptr || row.level <= Level::kEventType) continue;
      row.extract = mocked.catalog().Bind("evt.num", std::nullopt)->def->extract;
    }
    return out;
  }();
  static const FieldCatalog catalog(rows);
  return catalog;
}

EventType RandomType(Choices& choices) {
  static const std::vector<std::string> kTypes = {"open", "openat", "execve", "connect", "close"};
  return *FindEventType(choices.From(kTypes));
}

void SetRandomValues(Choices& choices, const BoundCondition& condition) {
  ForEachField(condition, [&](const BoundField& field) { SetRandomValue(choices, field); });
}

Happening RandomHappenings::Next(Choices& choices, Process& process) {
  const bool changes = process.version == 0 || choices.Maybe();
  if (changes) ++process.version;
  for (const Rule& rule : rules_.rules()) {
    ForEachField(rule.condition, [&](const BoundField& field) {
      if (changes || !StaysWithProcess(field)) SetRandomValue(choices, field);
    });
  }
  Happening happening;
  happening.type = RandomType(choices);
  happening.process = &process;
  return happening;
}

namespace {

std::string Names(std::span<const Rule* const> rules) {
  std::string out;
  for (const Rule* rule : rules) out += rule->name + "; ";
  return out;
}

}  // namespace

PlanComparison HoldToInterpreter(Choices& choices, const std::shared_ptr<const RuleSet>& rules,
                                 const Plan& plan) {
  TestValues::Current().Clear();
  Arena arena;
  Process process(arena);
  Matcher matcher(rules, plan);
  Scratch scratch;
  RandomHappenings happenings(*rules);
  PlanComparison out;
  for (int i = 0; i < 8; ++i) {
    const Happening happening = happenings.Next(choices, process);
    std::vector<const Rule*> expected;
    scratch.Reset();
    InterpretRules(*rules, happening, scratch, expected);
    const auto found = matcher.Match(happening);
    out.matches += found.size();
    if (std::ranges::equal(found, expected)) continue;
    out.disagreement += "happening " + std::to_string(i) + ", " +
                        std::string(Describe(happening.type).name) + ": " + Names(found) +
                        "instead of " + Names(expected) + '\n';
  }
  return out;
}

}  // namespace gyrfalcon
