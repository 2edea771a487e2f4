// How two policies, and the sessions that they give, differ.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "runsc/policy_check.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

std::set<std::string> NamesOf(const VisibilityPolicy& policy) {
  std::set<std::string> out;
  for (const PolicyName& name : policy.allowlist) out.insert(name.name);
  return out;
}

std::set<std::string> FieldsOf(const AskedPoint& point) {
  std::set<std::string> out;
  for (const AskedField& field : point.fields) out.emplace(field.name);
  return out;
}

Words Without(const std::set<std::string>& from, const std::set<std::string>& what) {
  Words out;
  std::ranges::set_difference(from, what, std::back_inserter(out));
  return out;
}

using PointMap = std::map<std::string_view, const AskedPoint*>;

PointMap ByName(std::span<const AskedPoint> points) {
  PointMap out;
  for (const AskedPoint& point : points) out[point.name] = &point;
  return out;
}

// In the session's order.
Words PointsOnlyIn(std::span<const AskedPoint> points, const PointMap& others) {
  Words out;
  for (const AskedPoint& point : points) {
    if (!others.contains(point.name)) out.push_back(point.name);
  }
  return out;
}

struct FieldChange {
  std::string point;
  Words only_in_a, only_in_b;
};

std::vector<FieldChange> FieldChanges(std::span<const AskedPoint> a, const PointMap& b) {
  std::vector<FieldChange> out;
  for (const AskedPoint& point : a) {
    const auto other = b.find(point.name);
    if (other == b.end()) continue;
    const auto fields_a = FieldsOf(point);
    const auto fields_b = FieldsOf(*other->second);
    FieldChange change{point.name, Without(fields_a, fields_b), Without(fields_b, fields_a)};
    if (!change.only_in_a.empty() || !change.only_in_b.empty()) out.push_back(std::move(change));
  }
  return out;
}

struct Messages {
  size_t a = 0, b = 0;  // of one call
  bool hot = false;
};

std::map<std::string, Messages> MessageChanges(const PolicySession& a, const PolicySession& b) {
  std::map<std::string, Messages> out;
  const auto count = [&out](std::span<const AskedPoint> points, size_t Messages::* side) {
    for (const AskedPoint& point : points) {
      const auto calls = SyscallsOfPoint(point.name);
      if (calls.empty()) continue;
      // What several calls share by its own name, where it has one.
      const Words parts = [&] {
        Words words;
        for (const std::string_view part : Split(point.name, '/')) words.emplace_back(part);
        return words;
      }();
      const bool own = parts.size() == 3 && FindSyscall(parts[1]) != nullptr;
      const std::string call = own ? parts[1] : std::string(calls.front());
      Messages& messages = out[call];
      ++(messages.*side);
      messages.hot = FindSyscall(call)->hot;
    }
  };
  count(a.points, &Messages::a);
  count(b.points, &Messages::b);
  std::erase_if(out, [](const auto& row) { return row.second.a == row.second.b; });
  return out;
}

std::string Shown(const Words& words) {
  return words.empty() ? "none" : Join(words, ", ");
}

}  // namespace

std::string PolicyDiffText(const PolicySession& a, const PolicySession& b) {
  const auto names_a = NamesOf(a.policy);
  const auto names_b = NamesOf(b.policy);
  const std::string& path_a = a.policy.path;
  const std::string& path_b = b.policy.path;
  std::string out = fmt::format(
      "names only in {}: {}\nnames only in {}: {}\n\nsession: {} points with {}, {} with {}\n",
      path_a, Shown(Without(names_a, names_b)), path_b, Shown(Without(names_b, names_a)),
      a.points.size(), path_a, b.points.size(), path_b);
  const auto by_name_a = ByName(a.points);
  const auto by_name_b = ByName(b.points);
  for (const std::string& point : PointsOnlyIn(a.points, by_name_b)) {
    out += fmt::format("  - {}\n", point);
  }
  for (const std::string& point : PointsOnlyIn(b.points, by_name_a)) {
    out += fmt::format("  + {}\n", point);
  }
  for (const FieldChange& change : FieldChanges(a.points, by_name_b)) {
    out += fmt::format("    {}:", change.point);
    for (const std::string& field : change.only_in_a) out += " -" + field;
    for (const std::string& field : change.only_in_b) out += " +" + field;
    out += "\n";
  }
  const auto messages = MessageChanges(a, b);
  if (messages.empty()) return out + "\nno call costs more or less\n";
  out += fmt::format("\nmessages of one call, each {}:\n", kMessageCost);
  for (const auto& [call, change] : messages) {
    out += fmt::format("  {:<24} {} -> {}{}\n", call, change.a, change.b,
                       change.hot ? "  hot: thousands a second" : "");
  }
  return out;
}

std::string PolicyDiffJson(const PolicySession& a, const PolicySession& b) {
  const auto names_a = NamesOf(a.policy);
  const auto names_b = NamesOf(b.policy);
  const auto by_name_b = ByName(b.points);
  Json out;
  const auto side = [](const PolicySession& session, size_t names) {
    return Json{{"file", session.policy.path}, {"names", names}, {"points", session.points.size()}};
  };
  out["a"] = side(a, names_a.size());
  out["b"] = side(b, names_b.size());
  out["names_only_in_a"] = Without(names_a, names_b);
  out["names_only_in_b"] = Without(names_b, names_a);
  out["points_only_in_a"] = PointsOnlyIn(a.points, by_name_b);
  out["points_only_in_b"] = PointsOnlyIn(b.points, ByName(a.points));
  out["other_fields"] = Json::array();
  for (const FieldChange& change : FieldChanges(a.points, by_name_b)) {
    out["other_fields"].push_back({{"point", change.point},
                                   {"only_in_a", change.only_in_a},
                                   {"only_in_b", change.only_in_b}});
  }
  out["messages"] = Json::array();
  for (const auto& [call, change] : MessageChanges(a, b)) {
    out["messages"].push_back(
        {{"syscall", call}, {"a", change.a}, {"b", change.b}, {"hot", change.hot}});
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gyrfalcon
