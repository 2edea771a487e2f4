// Rules, the recordings of the deeds that they are about (tests/coverage/README.md), and what of
// them other sessions would show.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/reduced_capture.h"

namespace gyrfalcon::testing {

// A deed on one runsc.
struct Deed {
  std::string name;
  std::string runsc;  // "old", "new"
  bool fires = false;

  std::string path() const;
};

// A row of tests/coverage/expected.txt and its recordings.
struct RuleDeeds {
  std::string file;
  std::string rule;
  std::vector<Deed> deeds;

  // "": it lies beside the repository, and is not there.
  std::string rules_path() const;
  friend std::ostream& operator<<(std::ostream& out, const RuleDeeds& self) {
    return out << self.file << ": " << self.rule;
  }
};
const std::vector<RuleDeeds>& AllRuleDeeds();
// For INSTANTIATE_TEST_SUITE_P.
std::string TestName(const ::testing::TestParamInfo<RuleDeeds>& info);

// What a rule told, and how often.
using ToldTexts = std::map<std::string, int>;

// One recording with one rule: replays what is left of it.
class Experiment {
 public:
  Experiment(const Deed& deed, std::shared_ptr<const RuleSet> rules, std::string rule);

  const RecordedCapture& capture() const { return capture_; }

  // Equal messages are replayed once. `claims`: without what only an open file's own path has
  // raised.
  ToldTexts Told(const ReducedMessages& messages, bool claims);
  // The same as alerts.
  const std::vector<Alert>& Replay(const ReducedMessages& messages);

 private:
  RecordedCapture capture_;
  std::shared_ptr<const RuleSet> rules_;
  std::string rule_;
  std::map<ReducedMessages, std::vector<Alert>> replayed_;
};

// The rule alone, also where its file switches it off, and its experiments.
class RuleExperiments : public ::testing::TestWithParam<RuleDeeds> {
 protected:
  void SetUp() override;

  void ForEach(const std::function<void(const Deed&, Experiment&)>& visit);

  std::shared_ptr<const RuleSet> rules_;
  std::vector<std::unique_ptr<Experiment>> experiments_;
};

}  // namespace gyrfalcon::testing
