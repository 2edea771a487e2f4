// The compiled plan against the interpreter, on every happening of every capture that there is.
#include <gtest/gtest.h>

#include "engine/test_replay.h"
#include "rules/matcher.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

using testing::LoadRulesForTest;
using testing::SharedPath;

// Asks both about each happening.
class Comparison final : public HappeningSink {
 public:
  explicit Comparison(const std::shared_ptr<const RuleSet>& rules) : matcher_(rules) {}

  void OnHappening(const Happening& happening) override {
    ++happenings;
    interpreted_.clear();
    scratch_.Reset();
    InterpretRules(matcher_.rules(), happening, scratch_, interpreted_);
    matches += interpreted_.size();
    const auto planned = matcher_.Match(happening);
    if (std::ranges::equal(planned, interpreted_)) return;
    ADD_FAILURE() << "message " << happening.number << ", " << Describe(happening.type).name
                  << ": the plan finds " << Names(planned) << ", the interpreter "
                  << Names(interpreted_);
  }

  size_t happenings = 0;
  size_t matches = 0;

 private:
  static std::string Names(std::span<const Rule* const> rules) {
    std::string out;
    for (const Rule* rule : rules) out += "'" + rule->name + "' ";
    return out.empty() ? "none" : out;
  }

  Matcher matcher_;
  Scratch scratch_;
  std::vector<const Rule*> interpreted_;
};

void CompareOn(const std::string& capture, Comparison& comparison) {
  SCOPED_TRACE(capture);
  CaptureSource source({capture});
  std::map<uint64_t, std::unique_ptr<Sandbox>> sandboxes;
  Event event;
  Record record;
  while (source.Next(record) != SourceStatus::kEnd) {
    std::unique_ptr<Sandbox>& sandbox = sandboxes[record.connection.value];
    if (!sandbox) sandbox = std::make_unique<Sandbox>(SandboxLimits{}, kHostArch);
    if (record.kind == RecordKind::kClosed) sandbox->Finish(comparison);
    if (record.kind != RecordKind::kFrame) continue;
    const auto message = ReadMessage(record.frame);
    if (message && Decode(message->type, message->payload, event)) {
      sandbox->Apply(event, 0, comparison);
    }
  }
}

std::shared_ptr<const RuleSet> Load(const std::vector<std::string>& paths, RuleMatching matching) {
  LoadOptions options;
  options.matching = matching;
  return LoadRulesForTest(paths, options);
}

// What a run must at least have met, lest it compares nothing with nothing.
struct Least {
  size_t happenings;
  size_t matches;
};

void CompareOnAll(const std::vector<std::string>& captures, const std::vector<std::string>& rules,
                  Least least) {
  for (const RuleMatching matching : {RuleMatching::kFirst, RuleMatching::kAll}) {
    Comparison comparison(Load(rules, matching));
    for (const std::string& capture : captures) CompareOn(capture, comparison);
    EXPECT_GE(comparison.happenings, least.happenings);
    EXPECT_GE(comparison.matches, least.matches);
  }
}

const std::string kOwnRules = GYRFALCON_TEST_DATA "/../../rules/gyrfalcon_rules.yaml";

TEST(PlanAgreement, WithTheInterpreterOnOurCaptures) {
  CompareOnAll(testing::OwnCaptures(), {kOwnRules}, {20'000, 100});
}

TEST(PlanAgreement, WithTheInterpreterUnderFalcosRules) {
  std::vector<std::string> rules;
  for (const char* file : {"falco_rules.yaml", "falco-incubating_rules.yaml",
                           "falco-sandbox_rules.yaml", "falco-deprecated_rules.yaml"}) {
    rules.push_back(SharedPath(std::string("falco-rules/") + file));
  }
  if (rules.front().empty()) GTEST_SKIP() << "../shared/falco-rules is not there";
  CompareOnAll(testing::AllCaptures(), rules, {30'000, 300});
}

TEST(PlanAgreement, WithTheInterpreterOnTheHeavyCapture) {
  const testing::HeavyCapture heavy;
  if (heavy.path().empty()) GTEST_SKIP() << heavy.missing();
  CompareOnAll({heavy.path()}, {SharedPath("falco-rules/falco_rules.yaml"), kOwnRules},
               {100'000, 30});
}

}  // namespace
}  // namespace gyrfalcon
