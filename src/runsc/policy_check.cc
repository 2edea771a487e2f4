#include "runsc/policy_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSource =
    "tried in sandboxes of Debian's runsc 0.0~20221219 and of the current one, and in gVisor's own "
    "table of system calls";

std::string_view NameOf(Arch arch) {
  return arch == Arch::kX86_64 ? "x86_64" : "aarch64";
}

bool IsElsewhereOnly(const CheckedName& name, Arch arch) {
  return name.call != nullptr && name.call->number(arch) < 0;
}
bool IsNotImplemented(const CheckedName& name) {
  return name.call != nullptr && name.call->support != SyscallSupport::kYes;
}
bool IsRaw(const CheckedName& name) {
  return std::ranges::any_of(name.points, IsRawPoint);
}

// "syscall/read/enter" and ".../exit" are one for people.
std::string ShownPoints(const std::vector<std::string>& points) {
  std::vector<std::string> out;
  for (const std::string& point : points) {
    std::string_view bare = point;
    if (bare.starts_with("syscall/")) bare = bare.substr(0, bare.rfind('/'));
    std::string shown = fmt::format("{}{}", IsRawPoint(point) ? "raw " : "", bare);
    if (out.empty() || out.back() != shown) out.push_back(std::move(shown));
  }
  return Join(out, ", ");
}

std::string Notes(const CheckedName& name, Arch arch) {
  std::vector<std::string> notes;
  if (IsElsewhereOnly(name, arch)) notes.push_back(fmt::format("not on {}", NameOf(arch)));
  if (name.call->support == SyscallSupport::kNever) notes.emplace_back("not implemented");
  if (IsRaw(name) && !name.call->raw_hides.empty()) {
    notes.push_back(fmt::format("without {}", name.call->raw_hides));
  }
  if (name.call->hot) notes.emplace_back("hot");
  return Join(notes, "; ");
}

std::string Lines(const std::vector<uint32_t>& lines) {
  std::vector<std::string> out;
  for (const uint32_t line : lines) out.push_back(std::to_string(line));
  return Join(out, ", ");
}

template <class Test, class Print>
std::string Section(const PolicyCheck& check, std::string_view title, const Test& test,
                    const Print& print) {
  std::string out;
  for (const CheckedName& name : check.names) {
    if (!test(name)) continue;
    if (out.empty()) out = fmt::format("\n{}\n", title);
    out += fmt::format("  {}:{}:{}: {}\n", check.path, name.first.line, name.first.column,
                       print(name));
  }
  return out;
}

std::string PointsTable(const PolicyCheck& check) {
  std::string out =
      "\nWhat tells of each: a syscall/… point is asked for at enter and exit; a raw one has "
      "numbers only, not\nwhat they point to; a hot call is made thousands of times a second, and "
      "each message costs the\nsandboxed program " +
      std::string(kMessageCost) + ".\n";
  for (const CheckedName& name : check.names) {
    if (name.call == nullptr) continue;
    const std::string points = name.points.empty() ? "no point" : ShownPoints(name.points);
    std::string line =
        fmt::format("  {:<24} {:<44} {}", name.first.name, points, Notes(name, check.arch));
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

template <class Test>
size_t Count(const PolicyCheck& check, const Test& test) {
  return static_cast<size_t>(std::ranges::count_if(check.names, test));
}

}  // namespace

size_t PolicyCheck::unknown() const {
  return Count(*this, [](const CheckedName& name) { return name.call == nullptr; });
}

std::vector<std::string> Warnings(const VisibilityPolicy& policy) {
  std::vector<std::string> out = policy.warnings;
  size_t told = 0;
  const auto first_of = FirstOfEach(policy);
  for (const PolicyName& entry : policy.allowlist) {
    const std::string& name = entry.name;
    if (FindSyscall(name) != nullptr || first_of.at(name) != &entry) continue;
    if (++told > kPolicyProblemsMax) {
      out.push_back(fmt::format("{}: more names are no system calls; `policy check` has them all",
                                policy.path));
      break;
    }
    const std::string_view meant = SyscallMeantBy(name);
    out.push_back(fmt::format("{}:{}:{}: no system call `{}`, nothing is asked for by it{}",
                              policy.path, entry.line, entry.column, name,
                              meant.empty() ? "" : fmt::format("; did you mean `{}`?", meant)));
  }
  return out;
}

PolicyCheck CheckPolicy(const VisibilityPolicy& policy, Arch arch) {
  PolicyCheck out{.path = policy.path,
                  .intercept = policy.intercept,
                  .arch = arch,
                  .entries = policy.allowlist.size(),
                  .names = {},
                  .warnings = policy.warnings};
  std::map<std::string_view, size_t> known;
  for (const PolicyName& name : policy.allowlist) {
    const auto [place, is_first] = known.try_emplace(name.name, out.names.size());
    if (!is_first) {
      out.names[place->second].repeats.push_back(name.line);
      continue;
    }
    CheckedName checked{
        .first = name, .repeats = {}, .call = FindSyscall(name.name), .meant = {}, .points = {}};
    if (checked.call != nullptr) {
      checked.points = PointsOfSyscall(*checked.call, arch);
    } else {
      checked.meant = SyscallMeantBy(name.name);
    }
    out.names.push_back(std::move(checked));
  }
  return out;
}

std::string PolicyCheckText(const PolicyCheck& check) {
  const Arch arch = check.arch;
  std::string out = fmt::format(
      "{}: {} entries, {} names: {} repeated, {} unknown, {} that gVisor never implements\n",
      check.path, check.entries, check.names.size(),
      Count(check, [](const CheckedName& name) { return !name.repeats.empty(); }), check.unknown(),
      Count(check, [](const CheckedName& name) {
        return name.call != nullptr && name.call->support == SyscallSupport::kNever;
      }));
  out += Section(
      check, "No system calls: nothing is asked for by these names",
      [](const CheckedName& name) { return name.call == nullptr; },
      [](const CheckedName& name) {
        return fmt::format(
            "no system call `{}`{}", name.first.name,
            name.meant.empty() ? "; take it out" : fmt::format("; did you mean `{}`?", name.meant));
      });
  out += Section(
      check, "Repeats: once is enough",
      [](const CheckedName& name) { return !name.repeats.empty(); },
      [](const CheckedName& name) {
        return fmt::format("`{}` again in line{} {}", name.first.name,
                           name.repeats.size() > 1 ? "s" : "", Lines(name.repeats));
      });
  out += Section(check, fmt::format("Not in gVisor ({})", kSource), IsNotImplemented,
                 [](const CheckedName& name) {
                   return fmt::format("`{}`: {}", name.first.name, Describe(name.call->support));
                 });
  out += Section(
      check, "Of another architecture",
      [arch](const CheckedName& name) { return IsElsewhereOnly(name, arch); },
      [arch](const CheckedName& name) {
        const Arch other = arch == Arch::kX86_64 ? Arch::kAarch64 : Arch::kX86_64;
        return fmt::format("`{}` is a system call of {} only; on {} nothing is asked for by it",
                           name.first.name, NameOf(other), NameOf(arch));
      });
  return out + PointsTable(check);
}

std::string PolicyCheckJson(const PolicyCheck& check) {
  Json out;
  out["file"] = check.path;
  out["intercept_syscalls"] = check.intercept;
  out["entries"] = check.entries;
  out["names"] = check.names.size();
  out["architecture"] = NameOf(check.arch);
  out["warnings"] = check.warnings;
  for (const char* list :
       {"unknown", "duplicates", "not_implemented", "other_architecture", "points"}) {
    out[list] = Json::array();
  }
  for (const CheckedName& name : check.names) {
    Json row{{"name", name.first.name}, {"line", name.first.line}, {"column", name.first.column}};
    if (!name.repeats.empty()) {
      out["duplicates"].push_back(row);
      out["duplicates"].back()["repeated_in_lines"] = name.repeats;
    }
    if (name.call == nullptr) {
      out["unknown"].push_back(row);
      out["unknown"].back()["nearest"] = name.meant;
      continue;
    }
    if (IsNotImplemented(name)) {
      Json& entry = out["not_implemented"].emplace_back(row);
      entry["never"] = name.call->support == SyscallSupport::kNever;
      entry["why"] = Describe(name.call->support);
      entry["source"] = kSource;
    }
    if (IsElsewhereOnly(name, check.arch)) out["other_architecture"].push_back(row);
    row["points"] = name.points;
    row["raw"] = IsRaw(name);
    row["not_told"] = IsRaw(name) ? name.call->raw_hides : std::string_view();
    row["hot"] = name.call->hot;
    out["points"].push_back(std::move(row));
  }
  // Names are any text.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string LiteralCost(const VisibilityPolicy& policy, std::span<const AskedPoint> needed,
                        std::span<const AskedPoint> literal) {
  std::set<std::string_view> known;
  for (const AskedPoint& point : needed) known.insert(point.name);
  std::set<std::string_view> raw;
  std::set<std::string> hot;
  for (const AskedPoint& point : literal) {
    const auto calls = SyscallsOfPoint(point.name);
    if (calls.empty() || known.contains(point.name)) continue;
    if (IsRawPoint(point.name)) raw.insert(calls.front());
    if (FindSyscall(calls.front())->hot) hot.emplace(calls.front());
  }
  std::string out = fmt::format(
      "{}, taken at its word, asks for {} points; without --literal it is {}.\n"
      "Each is one message more for each call, and a message costs the sandboxed program {}.\n",
      policy.path, literal.size(), needed.size(), kMessageCost);
  if (!raw.empty()) {
    out += fmt::format("By a raw point only, which has numbers, no path, no address: {} call{}.\n",
                       raw.size(), raw.size() == 1 ? "" : "s");
  }
  if (!hot.empty()) {
    out += fmt::format("Made thousands of times a second by ordinary programs: {}.\n",
                       Join(std::vector<std::string>(hot.begin(), hot.end()), ", "));
  }
  return out;
}

}  // namespace gyrfalcon
