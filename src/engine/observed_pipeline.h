// A pipeline with somebody who looks on: for `rules explain`. One without costs nothing for it.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "engine/pipeline.h"

namespace gyrfalcon {

// Told each happening after the rules were asked about it and their alerts were raised. `matched`:
// as Matcher::Match gave it; a rule that a happening told before had raised is in it, and raises no
// alert. Views live until this returns.
class HappeningObserver {
 public:
  virtual ~HappeningObserver() = default;
  virtual void OnAsked(const Happening& happening, std::span<const Rule* const> matched) = 0;
};

class ObservedPipeline final : public Pipeline {
 public:
  // `alerts` and `observer` outlive it.
  ObservedPipeline(std::shared_ptr<const RuleSet> rules, PipelineOptions options, AlertSink& alerts,
                   HappeningObserver& observer)
      : Pipeline(std::move(rules), options, alerts), observer_(observer) {}

 private:
  void OnHappening(const Happening& happening) override {
    Pipeline::OnHappening(happening);
    observer_.OnAsked(happening, matches());
  }

  HappeningObserver& observer_;
};

}  // namespace gyrfalcon
