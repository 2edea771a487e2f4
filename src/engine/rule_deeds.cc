#include "engine/rule_deeds.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/text.h"

namespace gyrfalcon::testing {
namespace {

constexpr const char* kData = GYRFALCON_TEST_DATA;

std::vector<RuleDeeds> ReadAll() {
  std::vector<RuleDeeds> out;
  std::ifstream in(std::string(kData) + "/../coverage/expected.txt");
  std::string file;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with('[')) {
      file = line.substr(1, line.size() - 2);
      continue;
    }
    const auto parts = Split(line, '|');
    if (out.empty() || out.back().rule != parts[0] || out.back().file != file) {
      out.push_back({.file = file, .rule = std::string(parts[0]), .deeds = {}});
    }
    for (const std::string_view runsc : {"old", "new"}) {
      Deed deed{.name = std::string(parts[1]),
                .runsc = std::string(runsc),
                .fires = parts[2].find(runsc) != std::string_view::npos};
      out.back().deeds.push_back(std::move(deed));
    }
  }
  return out;
}

bool IsSecondChance(const Alert& alert) {
  return std::ranges::any_of(
      alert.fields, [](const AlertField& field) { return field.name == "gyrfalcon.path.true"; });
}

// Names of users, as live from the container's root.
std::shared_ptr<const UserTable> Users() {
  static const auto users = std::make_shared<const UserTable>(UserTable::Parse(
      "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/sh\n",
      "root:x:0:\nwww-data:x:33:\n"));
  return users;
}

}  // namespace

// "captures/attacks/NAME" lies in captures/attacks/RUNSC/NAME.
std::string Deed::path() const {
  const size_t slash = name.rfind('/');
  const bool elsewhere = slash != std::string::npos;
  return std::string(kData) + "/" + (elsewhere ? name.substr(0, slash) : "coverage") + "/" + runsc +
         "/" + (elsewhere ? name.substr(slash + 1) : name) + ".trace";
}

std::string RuleDeeds::rules_path() const {
  if (file == "gyrfalcon_rules.yaml") return std::string(kData) + "/../../rules/" + file;
  return SharedPath("falco-rules/" + file);
}

const std::vector<RuleDeeds>& AllRuleDeeds() {
  static const auto all = ReadAll();
  return all;
}

std::string TestName(const ::testing::TestParamInfo<RuleDeeds>& info) {
  std::string out;
  for (const char c :
       info.param.file.substr(0, info.param.file.find("_rules")) + "_" + info.param.rule) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out += plain ? c : '_';
  }
  return out;
}

Experiment::Experiment(const Deed& deed, std::shared_ptr<const RuleSet> rules, std::string rule)
    : capture_(deed.path()), rules_(std::move(rules)), rule_(std::move(rule)) {}

const std::vector<Alert>& Experiment::Replay(const ReducedMessages& messages) {
  const auto found = replayed_.find(messages);
  if (found != replayed_.end()) return found->second;
  std::vector<Alert> alerts = capture_.Replay(rules_, messages, Users());
  std::erase_if(alerts, [this](const Alert& alert) { return alert.rule != rule_; });
  return replayed_.emplace(messages, std::move(alerts)).first->second;
}

ToldTexts Experiment::Told(const ReducedMessages& messages, bool claims) {
  ToldTexts out;
  for (const Alert& alert : Replay(messages)) {
    if (!claims || !IsSecondChance(alert)) ++out[alert.message];
  }
  return out;
}

void RuleExperiments::SetUp() {
  const std::string path = GetParam().rules_path();
  if (path.empty()) GTEST_SKIP() << "no ../shared/falco-rules/" << GetParam().file;
  using enum RuleSelection::By;
  LoadOptions options;
  options.selection = {{.by = kPattern, .text = "*", .enable = false},
                       {.by = kPattern, .text = GetParam().rule, .enable = true}};
  rules_ = LoadRulesForTest({path}, options);
  for (const Deed& deed : GetParam().deeds) {
    experiments_.push_back(std::make_unique<Experiment>(deed, rules_, GetParam().rule));
  }
}

void RuleExperiments::ForEach(const std::function<void(const Deed&, Experiment&)>& visit) {
  for (size_t i = 0; i < experiments_.size(); ++i) {
    const Deed& deed = GetParam().deeds[i];
    SCOPED_TRACE(deed.runsc + " " + deed.name);
    visit(deed, *experiments_[i]);
  }
}

}  // namespace gyrfalcon::testing
