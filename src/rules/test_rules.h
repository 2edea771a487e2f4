// For tests: rules from text. Rules that do not load fail the test.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "rules/rule_loader.h"

namespace gyrfalcon {

inline std::string RuleText(const std::string& condition, const std::string& output = "o",
                            const std::string& name = "r") {
  return "- rule: " + name + "\n  desc: d\n  condition: " + condition + "\n  output: \"" + output +
         "\"\n  priority: INFO\n";
}

// `files`: name and text of each.
inline std::shared_ptr<const RuleSet> LoadTestRules(
    const std::vector<std::pair<std::string, std::string>>& files, LoadOptions options = {}) {
  RuleLoader loader(AllFields(), std::move(options));
  for (const auto& [name, text] : files) loader.AddFile(name, text);
  EXPECT_TRUE(loader.successful()) << Diagnostics(loader.results(), loader.files(), false);
  return loader.Compile();
}

inline std::shared_ptr<const RuleSet> LoadTestRules(const std::string& text,
                                                    LoadOptions options = {}) {
  return LoadTestRules(std::vector{std::pair{std::string("r.yaml"), text}}, std::move(options));
}

// One rule, "r".
inline std::shared_ptr<const RuleSet> RuleWith(const std::string& condition,
                                               const std::string& output = "o") {
  return LoadTestRules(RuleText(condition, output));
}

}  // namespace gyrfalcon
