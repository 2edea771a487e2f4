#include "cli/load_coverage.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "cli/coverage_report.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "runsc/coverage.h"
#include "runsc/known_runsc.h"

namespace gyrfalcon {
namespace {

Result<SentPoints> AskedOf(const CoverageQuestion& question, const RuleSet& rules) {
  if (question.session_file.empty()) return Sent(PointsFor(rules, SessionProfile::kStandard));
  const auto text = ReadWholeFile(question.session_file, kSentPointsBytesMax);
  if (!text) return std::unexpected(text.error());
  return ReadSessionPoints(question.session_file, *text);
}

std::string FirstReason(const RuleCoverage& rule) {
  if (rule.missing.empty()) return {};
  const Gap& gap = rule.missing.front();
  const std::string& what = gap.field.empty() ? gap.point : gap.field;
  return what.empty() ? gap.why : what + ": " + gap.why;
}

}  // namespace

LoadCoverage::~LoadCoverage() {
  if (thread_.joinable()) thread_.join();
}

void LoadCoverage::Ask(CoverageQuestion question) {
  if (thread_.joinable()) thread_.join();
  thread_ = std::thread([this, asked = std::move(question)] { Answer(asked); });
}

Counters<RuleFigure> LoadCoverage::figures() const {
  Counters<RuleFigure> out;
  for (size_t i = 0; i < figures_.size(); ++i) {
    out.Add(static_cast<RuleFigure>(i), figures_[i].load(std::memory_order_relaxed));
  }
  return out;
}

void LoadCoverage::Answer(const CoverageQuestion& question) {
  LoadOptions options = question.options;
  options.keep_whole = true;
  const auto loaded = LoadRules(question.rules_files, options);
  if (!loaded) {
    spdlog::warn("what the rules see is not known: {}", loaded.error().message);
    return;
  }
  const auto asked = AskedOf(question, *loaded->rules);
  if (!asked) {
    spdlog::warn("what the rules see is not known: {}", asked.error().message);
    return;
  }
  const Coverage coverage =
      CoverageOf(*loaded->rules, Intersect(*asked, NewestPoints()), NewestPoints(), nullptr);
  const std::array<uint64_t, 3> counts = {coverage.full, coverage.degraded, coverage.blind};
  for (size_t i = 0; i < counts.size(); ++i) {
    figures_[i].store(counts[i], std::memory_order_relaxed);
  }
  spdlog::info("rules: {} full, {} degraded, {} blind for {}", coverage.full, coverage.degraded,
               coverage.blind,
               question.session_file.empty() ? std::string("the session that would be generated")
                                             : "the session " + question.session_file);
  for (const RuleCoverage& rule : coverage.rules) {
    if (rule.status != CoverageStatus::kBlind) continue;
    spdlog::warn("rule '{}' is blind: {}; `gyrfalcon rules coverage` says more", OneLine(rule.rule),
                 OneLine(FirstReason(rule)));
  }
}

}  // namespace gyrfalcon
