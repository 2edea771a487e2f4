#include "cli/load_coverage.h"

#include <utility>

#include <fmt/format.h>
#include <malloc.h>
#include <spdlog/spdlog.h>

#include "cli/coverage_report.h"
#include "cli/coverage_sources.h"
#include "cli/load_rules.h"
#include "runsc/coverage.h"

namespace gyrfalcon {
namespace {

Result<NamedPoints> AskedOf(const CoverageQuestion& question, const RuleSet& rules) {
  if (!question.session_file.empty()) return PointsOfSessionFile(question.session_file);
  return NamedPoints{Sent(PointsFor(rules, SessionProfile::kStandard)),
                     "the session that would be generated"};
}

}  // namespace

LoadCoverage::~LoadCoverage() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    stale_ = true;
  }
  asked_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LoadCoverage::Ask(CoverageQuestion question) {
  {
    const std::scoped_lock lock(mutex_);
    question_ = std::move(question);
    stale_ = true;
  }
  asked_.notify_one();
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

void LoadCoverage::Run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    asked_.wait(lock, [this] { return question_ || stopping_; });
    if (stopping_) return;
    const CoverageQuestion question = *std::exchange(question_, std::nullopt);
    stale_ = false;
    lock.unlock();
    Answer(question);
    // What a second reading of the rules took, a tenth of the process, would stay with it.
    malloc_trim(0);
  }
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
  const bool has_runsc = !question.runsc.empty();
  const auto told = has_runsc ? PointsOfRunsc(question.runsc) : PointsOfNewestRunsc();
  const NamedPoints runsc = told ? *told : PointsOfNewestRunsc();
  const Coverage coverage = CoverageOf(*loaded->rules, Intersect(asked->points, runsc.points),
                                       runsc.points, nullptr, &stale_);
  if (stale_) return;
  const std::array<uint64_t, 3> counts = {coverage.full, coverage.degraded, coverage.blind};
  for (size_t i = 0; i < counts.size(); ++i) {
    figures_[i].store(counts[i], std::memory_order_relaxed);
  }
  const std::string& session = question.session_file;
  spdlog::info("rules: {} full, {} degraded, {} blind for {} on {}", coverage.full,
               coverage.degraded, coverage.blind, asked->name, runsc.name);
  const std::string more =
      fmt::format("gyrfalcon rules coverage{}{}{}{}", session.empty() ? "" : " --session ", session,
                  has_runsc && told ? " --runsc " : "", told ? question.runsc : "");
  for (const RuleCoverage& rule : coverage.rules) {
    if (rule.status != CoverageStatus::kBlind) continue;
    spdlog::warn("rule '{}' is blind: {}; `{}` says more", OneLine(rule.rule),
                 OneLine(FirstReason(rule)), more);
  }
}

}  // namespace gyrfalcon
