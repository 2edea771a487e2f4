// Rules, and happenings with random values, made of the input: the compiled plan and the
// interpreter give the same rules. The first byte says how; the rest are choices of two bytes each,
// the first half for the rules.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "rules/random_happenings.h"
#include "rules/random_rules.h"
#include "rules/rule_loader.h"
#include "rules/test_catalog.h"

namespace {

using namespace gyrfalcon;

enum Flags : uint8_t {
  kAll = 1,        // every rule that matches, not the first
  kNoRoom = 2,     // nothing is remembered with a process
  kTextsOnly = 4,  // rules that compare texts, and no others
  kLearnt = 8,     // another order, of made-up figures
};

std::shared_ptr<const RuleSet> Load(uint8_t flags, Choices& choices) {
  static const RandomConditions random(RandomValueFields(), true);
  std::string yaml = (flags & kTextsOnly) != 0 ? std::string() : random.RulesFile(choices);
  yaml += RandomTextRules(choices);
  LoadOptions options;
  options.matching = (flags & kAll) != 0 ? RuleMatching::kAll : RuleMatching::kFirst;
  RuleLoader loader(RandomValueFields(), options);
  loader.AddFile("fuzz.yaml", yaml);
  return loader.Compile();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<uint16_t> row;
  for (size_t i = 1; i + 1 < size; i += 2) {
    row.push_back(static_cast<uint16_t>(data[i] | data[i + 1] << 8));
  }
  const std::span<const uint16_t> all(row);
  Choices of_rules(all.first(row.size() / 2));
  Choices of_values(all.subspan(row.size() / 2));
  const auto rules = Load(data[0], of_rules);
  if (rules == nullptr) std::abort();
  const size_t words = (data[0] & kNoRoom) != 0 ? 0 : PlanLimits{}.remembered_words_max;
  PlanFigures figures;
  if ((data[0] & kLearnt) != 0) {
    const PlanNodes& nodes = rules->plan().nodes();
    for (NodeId id = 0; id < nodes.size(); ++id) {
      figures[nodes[id].identity] = {.asked = id % 7, .held = id * data[0] % (id % 7 + 1)};
    }
  }
  const Plan plan(*rules, {.remembered_words_max = words}, figures);
  if (!HoldToInterpreter(of_values, rules, plan).disagreement.empty()) std::abort();
  return 0;
}
