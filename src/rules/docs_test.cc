// The rules in docs/rules.md load, with the fields of this program.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "rules/rule_loader.h"

namespace gyrfalcon {
namespace {

struct Example {
  size_t line = 0;
  std::string text;
};

// The blocks between ```yaml and ```. One that starts with "# after the one above" is loaded behind
// its predecessor.
std::vector<Example> Examples(const std::filesystem::path& path) {
  std::vector<Example> examples;
  std::ifstream file(path);
  std::string line;
  bool inside = false;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (inside && line == "```") {
      inside = false;
    } else if (inside) {
      examples.back().text += line + "\n";
    } else if (line == "```yaml") {
      inside = true;
      examples.push_back({number + 1, {}});
    }
  }
  return examples;
}

TEST(Docs, EveryRuleInTheGuideLoads) {
  const auto root = std::filesystem::path(GYRFALCON_TEST_DATA).parent_path().parent_path();
  const std::vector<Example> examples = Examples(root / "docs" / "rules.md");
  ASSERT_GE(examples.size(), 10u);
  std::vector<Example> chain;
  for (const Example& example : examples) {
    if (!example.text.starts_with("# after the one above")) chain.clear();
    chain.push_back(example);
    RuleLoader loader(AllFields());
    for (const Example& file : chain) {
      loader.AddFile("rules.md, line " + std::to_string(file.line), file.text);
    }
    EXPECT_TRUE(loader.successful()) << Diagnostics(loader.results(), loader.files(), false);
    for (const LoadProblem& warning : loader.results().back().warnings) {
      // Short examples have lists and macros that nothing uses.
      const bool unused =
          warning.code == LoadCode::kUnusedList || warning.code == LoadCode::kUnusedMacro;
      EXPECT_TRUE(unused) << "line " << example.line << ": " << warning.message;
    }
  }
}

}  // namespace
}  // namespace gyrfalcon
