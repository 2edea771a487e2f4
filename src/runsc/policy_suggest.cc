#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runsc/policy_check.h"

namespace gyrfalcon {
namespace {

// Who wants a name: "profile standard", or a rule's name in quotes. A rule may have any name, a
// line break included: JSON's escapes keep it in its comment.
std::string WantedBy(std::string_view reason) {
  constexpr std::string_view kRule = "rule \"";
  if (!reason.starts_with(kRule)) return std::string(reason.substr(0, reason.find(':')));
  const std::string_view name = reason.substr(kRule.size(), reason.rfind('"') - kRule.size());
  return nlohmann::json(name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

// Everybody who asks for more of a point than the state does; empty: it needs no name.
std::set<std::string> WantedBy(const AskedPoint& point) {
  std::set<std::string> out;
  const auto add = [&out](const Reasons& reasons) {
    for (const std::string& reason : reasons) {
      if (!IsStateReason(reason)) out.insert(WantedBy(reason));
    }
  };
  add(point.reasons);
  for (const AskedField& field : point.fields) add(field.reasons);
  return out;
}

// As comment lines that break between names.
std::string Comment(const std::set<std::string>& wanted_by) {
  constexpr size_t kLineMax = 110;
  std::string out;
  std::string line = "  #";
  bool has_rules = false;
  const auto add = [&](const std::string& word) {
    if (line.size() + word.size() > kLineMax && line != "  #") {
      out += line + "\n";
      line = "  #  ";
    }
    line += " " + word;
  };
  size_t left = wanted_by.size();
  for (const bool of_rules : {false, true}) {
    for (const std::string& who : wanted_by) {
      if (who.starts_with('"') != of_rules) continue;
      const std::string end = --left == 0 ? "" : of_rules ? "," : ";";
      add((of_rules && !std::exchange(has_rules, true) ? "rules: " : "") + who + end);
    }
  }
  return out + line + "\n";
}

}  // namespace

std::string SuggestPolicy(const RuleSet& rules, SessionProfile profile) {
  std::map<std::string_view, std::set<std::string>> names;
  const std::vector<AskedPoint> points = PointsFor(rules, profile);
  // Points that one name alone lets through first: with it, a point of several names may be in.
  for (const bool shared : {false, true}) {
    for (const AskedPoint& point : points) {
      std::set<std::string> wanted_by = WantedBy(point);
      const auto calls = SyscallsOfPoint(point.name);
      if (wanted_by.empty() || calls.empty() || (calls.size() > 1) != shared) continue;
      const auto named =
          std::ranges::find_if(calls, [&](std::string_view call) { return names.contains(call); });
      names[named != calls.end() ? *named : calls.front()].merge(wanted_by);
    }
  }
  std::string out = fmt::format(
      "# The smallest visibility policy for {} rules and the profile {}: with it `gyrfalcon "
      "session\n"
      "# generate --policy` makes the session that it makes without one. What keeps the state "
      "true\n"
      "# is asked for besides. Nothing is forwarded or forbidden by this list.\n"
      "intercept_syscalls = true\n"
      "syscall_allowlist = [\n",
      std::ranges::count_if(rules.rules(), &Rule::enabled), Name(profile));
  for (const auto& [name, wanted_by] : names) {
    out += Comment(wanted_by) + fmt::format("  \"{}\",\n", name);
  }
  return out + "]\n";
}

}  // namespace gyrfalcon
