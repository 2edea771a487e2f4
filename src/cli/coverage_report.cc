#include "cli/coverage_report.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

constexpr CoverageStatus kWorstFirst[] = {CoverageStatus::kBlind, CoverageStatus::kDegraded,
                                          CoverageStatus::kFull};

struct EffectRow {
  uint8_t effect;
  std::string_view key;   // in JSON
  std::string_view text;  // for people
};
constexpr EffectRow kEffects[] = {
    {kMisses, "misses", "misses events"},
    {kOverAlerts, "over-alerts", "exception never applies"},
    {kNotShown, "not-shown", "output shows <NA>"},
    {kUnsure, "unsure", "may be wrong"},
};

std::string EffectsText(uint8_t effects) {
  std::vector<std::string> out;
  for (const EffectRow& row : kEffects) {
    if ((effects & row.effect) != 0) out.emplace_back(row.text);
  }
  return Join(out, ", ");
}

// ---- gaps of one rule that differ only in the field

struct GapGroup {
  const Gap* first;
  std::vector<std::string> fields;
  std::vector<std::string> parts;
  size_t parts_count = 0;
};

std::vector<GapGroup> Grouped(const std::vector<Gap>& gaps) {
  std::vector<GapGroup> out;
  for (const Gap& gap : gaps) {
    auto same = std::ranges::find_if(out, [&](const GapGroup& group) {
      return !gap.field.empty() && !group.first->field.empty() && group.first->why == gap.why &&
             group.first->effects == gap.effects;
    });
    if (same == out.end()) same = out.insert(out.end(), GapGroup{.first = &gap});
    if (!gap.field.empty()) same->fields.push_back(gap.field);
    same->parts_count += gap.parts_count;
    for (const std::string& part : gap.parts) {
      if (same->parts.size() < kGapPartsMax) same->parts.push_back(part);
    }
  }
  return out;
}

std::string NameOf(const GapGroup& group) {
  if (!group.fields.empty()) return Join(group.fields, ", ");
  const Gap& gap = *group.first;
  return gap.point.empty() ? Join(gap.event_types, ", ") : gap.point;
}

std::string Shortened(std::string_view text) {
  constexpr size_t kCharactersMax = 90;
  std::string out = OneLine(text);
  if (out.size() > kCharactersMax) {
    size_t end = kCharactersMax;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
    out.resize(end);
    out += "…";
  }
  return out;
}

std::string PartsOf(const GapGroup& group) {
  std::string out;
  for (const std::string& part : group.parts) {
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", Shortened(part));
  }
  if (group.parts_count > group.parts.size()) {
    out += fmt::format(" and {} more", group.parts_count - group.parts.size());
  }
  return out;
}

// ---- mends of all rules

struct MendSum {
  Mend mend;
  std::set<std::string> rules;
};

std::map<std::string, MendSum> MendsOf(const Coverage& coverage) {
  std::map<std::string, MendSum> out;
  for (const RuleCoverage& rule : coverage.rules) {
    for (const Gap& gap : rule.missing) {
      for (const Mend& mend : gap.mend) {
        const auto [found, is_new] = out.emplace(mend.point, MendSum{.mend = mend});
        Mend& sum = found->second.mend;
        sum.entry.context.insert(mend.entry.context.begin(), mend.entry.context.end());
        sum.entry.optional.insert(mend.entry.optional.begin(), mend.entry.optional.end());
        sum.known = sum.known && mend.known;
        found->second.rules.insert(rule.rule);
      }
    }
  }
  return out;
}

Json EntryOf(const Mend& mend) {
  Json out;
  out["name"] = mend.point;
  out["optional_fields"] = mend.entry.optional;
  out["context_fields"] = mend.entry.context;
  return out;
}

constexpr double kMicrosecondsAMessage = 12;  // of the sandbox, with systrap: 11 to 13 measured

std::string CostOf(const Mend& mend) {
  if (mend.sent) return "no more messages";
  return fmt::format("{:.1f} messages of 1,000, {:.2f} ms of the sandbox's time",
                     mend.messages_per_1000, mend.messages_per_1000 * kMicrosecondsAMessage / 1000);
}

// ---- text

constexpr std::string_view ColourOf(CoverageStatus status) {
  constexpr std::array<std::string_view, 3> kColours = {"\x1b[32m", "\x1b[33m", "\x1b[31m"};
  return kColours[static_cast<size_t>(status)];
}

void AppendGroup(const GapGroup& group, std::string& out) {
  const Gap& gap = *group.first;
  const std::string name = NameOf(group);
  out += fmt::format("            {}{}{}", name, name.empty() ? "" : ": ", gap.why);
  if (gap.effects != 0) out += fmt::format(" ({})", EffectsText(gap.effects));
  out += '\n';
  if (!group.parts.empty()) out += fmt::format("              in {}\n", PartsOf(group));
  std::vector<std::string> points;
  for (const Mend& mend : gap.mend) {
    points.push_back(mend.point + (mend.known ? "" : " (needs a newer runsc)"));
  }
  if (!points.empty()) out += fmt::format("              mended by {}\n", Join(points, ", "));
  if (!gap.substitute.empty() && gap.mend.empty()) {
    out += fmt::format("              instead: {}\n", gap.substitute);
  }
}

void AppendRule(const RuleCoverage& rule, bool colour, std::string& out) {
  const std::string_view status = Name(rule.status);
  out += fmt::format("{}{:<10}{}{}\n", colour ? ColourOf(rule.status) : "", status,
                     colour ? "\x1b[0m" : "", OneLine(rule.rule));
  for (const GapGroup& group : Grouped(rule.missing)) AppendGroup(group, out);
}

// Of many rules alike: once for each field.
void AppendNotes(const Coverage& coverage, std::string& out) {
  std::map<std::string, size_t> rules;
  std::map<std::string, std::string_view> why;
  for (const RuleCoverage& rule : coverage.rules) {
    for (const Gap& gap : rule.notes) {
      ++rules[gap.field];
      why[gap.field] = gap.why;
    }
  }
  if (rules.empty()) return;
  out += "\nMissing in outputs and exceptions, whatever is sent:\n";
  for (const auto& [field, count] : rules) {
    out += fmt::format("  {}: {}; {} rule{}\n", field, why[field], count, count == 1 ? "" : "s");
  }
}

void AppendMends(const Coverage& coverage, std::string& out) {
  const auto mends = MendsOf(coverage);
  if (mends.empty()) return;
  out += "\nPoints that would mend it, as a session config has them:\n";
  for (const auto& [point, sum] : mends) {
    out += fmt::format("  {}\n    {}; {} rule{}{}\n", EntryOf(sum.mend).dump(), CostOf(sum.mend),
                       sum.rules.size(), sum.rules.size() == 1 ? "" : "s",
                       sum.mend.known ? "" : "; this runsc does not know it");
  }
}

// ---- JSON

Json GapJson(const Gap& gap) {
  Json out;
  if (!gap.field.empty()) {
    out["field"] = gap.field;
  } else {
    out["point"] = gap.point;
  }
  if (!gap.event_types.empty()) out["event_types"] = gap.event_types;
  out["why"] = gap.why;
  Json& effects = out["effects"] = Json::array();
  for (const EffectRow& row : kEffects) {
    if ((gap.effects & row.effect) != 0) effects.push_back(row.key);
  }
  out["parts"] = gap.parts;
  Json& mends = out["mend"] = Json::array();
  for (const Mend& mend : gap.mend) {
    Json entry = EntryOf(mend);
    mends.push_back({{"point", mend.point},
                     {"entry", std::move(entry)},
                     {"known", mend.known},
                     {"cost", {{"messages_per_1000", mend.messages_per_1000}}}});
  }
  if (!gap.substitute.empty()) out["substitute"] = gap.substitute;
  return out;
}

Json GapsJson(const std::vector<Gap>& gaps) {
  Json out = Json::array();
  for (const Gap& gap : gaps) out.push_back(GapJson(gap));
  return out;
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  // C1 controls are two bytes in UTF-8.
  for (size_t at = out.find('\xc2'); at != std::string::npos; at = out.find('\xc2', at + 1)) {
    if (at + 1 < out.size() && static_cast<unsigned char>(out[at + 1]) < 0xa0) {
      out.replace(at, 2, "?");
    }
  }
  return out;
}

std::string CoverageText(const CoverageReport& report, bool colour) {
  const Coverage& coverage = report.coverage;
  std::string out = fmt::format("Under {}:\n\n", OneLine(report.subject));
  for (const CoverageStatus status : kWorstFirst) {
    for (const RuleCoverage& rule : coverage.rules) {
      if (rule.status == status) AppendRule(rule, colour, out);
    }
  }
  AppendMends(coverage, out);
  AppendNotes(coverage, out);
  out += fmt::format("\n{} rule{}: {} full, {} degraded, {} blind\n", coverage.rules.size(),
                     coverage.rules.size() == 1 ? "" : "s", coverage.full, coverage.degraded,
                     coverage.blind);
  return out;
}

std::string CoverageJson(const CoverageReport& report) {
  Json out;
  out["subject"] = report.subject;
  Json& rules = out["rules"] = Json::array();
  for (const RuleCoverage& rule : report.coverage.rules) {
    rules.push_back({{"rule", rule.rule},
                     {"status", Name(rule.status)},
                     {"missing", GapsJson(rule.missing)},
                     {"notes", GapsJson(rule.notes)}});
  }
  out["summary"] = {{"full", report.coverage.full},
                    {"degraded", report.coverage.degraded},
                    {"blind", report.coverage.blind}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// ---- HTML

extern const std::string_view kCoveragePage;  // cli/coverage.html

namespace {

std::string Html(std::string_view text) {
  std::string out;
  for (const char c : OneLine(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string GroupHtml(const GapGroup& group, bool note) {
  const Gap& gap = *group.first;
  std::string out = fmt::format("<li{}><b>{}</b> {}", note ? " class=\"note\"" : "",
                                Html(NameOf(group)), Html(gap.why));
  for (const EffectRow& row : kEffects) {
    if ((gap.effects & row.effect) != 0) {
      out += fmt::format(" <span class=\"effect\">{}</span>", Html(row.text));
    }
  }
  if (!group.parts.empty()) out += fmt::format("<br>in <code>{}</code>", Html(PartsOf(group)));
  for (const Mend& mend : gap.mend) {
    out += fmt::format("<br>mended by <code>{}</code>: {}{}", Html(EntryOf(mend).dump()),
                       Html(CostOf(mend)), mend.known ? "" : "; needs a newer runsc");
  }
  if (!gap.substitute.empty() && gap.mend.empty()) {
    out += fmt::format("<br>instead: {}", Html(gap.substitute));
  }
  return out + "</li>";
}

std::string RuleHtml(const RuleCoverage& rule, size_t number) {
  std::string gaps;
  for (const GapGroup& group : Grouped(rule.missing)) gaps += GroupHtml(group, false);
  for (const GapGroup& group : Grouped(rule.notes)) gaps += GroupHtml(group, true);
  const std::string_view status = Name(rule.status);
  std::string body =
      gaps.empty() ? std::string("<p>Nothing is missing.</p>") : fmt::format("<ul>{}</ul>", gaps);
  return fmt::format(
      "<tr data-status=\"{0}\" data-order=\"{1}\"><td><span class=\"badge {0}\">{0}</span></td>"
      "<td><details id=\"r{1}\"><summary>{2}</summary>{3}</details></td><td class=\"n\">{4}</td>"
      "</tr>\n",
      status, number, Html(rule.rule), body, rule.missing.size());
}

std::string PictureHtml(const Coverage& coverage) {
  std::set<std::string> points;
  for (const RuleCoverage& rule : coverage.rules) {
    for (const auto& [name, sent] : rule.points) points.insert(name);
  }
  std::string out = "<thead><tr><th scope=\"col\">rule</th>";
  for (const std::string& point : points) {
    out += fmt::format("<th scope=\"col\"><span>{}</span></th>", Html(point));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < coverage.rules.size(); ++i) {
    const RuleCoverage& rule = coverage.rules[i];
    out += fmt::format(
        "<tr data-status=\"{0}\"><th scope=\"row\"><a href=\"#r{1}\" class=\"{0}\">{2}</a></th>",
        Name(rule.status), i, Html(rule.rule));
    for (const std::string& point : points) {
      const auto found = rule.points.find(point);
      if (found == rule.points.end()) {
        out += "<td></td>";
      } else {
        out += fmt::format("<td class=\"{}\" title=\"{}: {}\">{}</td>", found->second ? "s" : "m",
                           Html(point), found->second ? "sent" : "not sent",
                           found->second ? "●" : "○");
      }
    }
    out += "</tr>\n";
  }
  return out + "</tbody>";
}

}  // namespace

std::string CoverageHtml(const CoverageReport& report) {
  const Coverage& coverage = report.coverage;
  std::string rules;
  for (const CoverageStatus status : kWorstFirst) {
    for (size_t i = 0; i < coverage.rules.size(); ++i) {
      if (coverage.rules[i].status == status) rules += RuleHtml(coverage.rules[i], i);
    }
  }
  const std::pair<std::string_view, std::string> places[] = {
      {"@SUBJECT@", Html(report.subject)},
      {"@FULL@", std::to_string(coverage.full)},
      {"@DEGRADED@", std::to_string(coverage.degraded)},
      {"@BLIND@", std::to_string(coverage.blind)},
      {"@RULES@", std::move(rules)},
      {"@PICTURE@", PictureHtml(coverage)},
  };
  // Once from the left: what is filled in is never looked at again.
  std::string out;
  std::string_view rest = kCoveragePage;
  while (!rest.empty()) {
    size_t at = std::string_view::npos;
    const std::pair<std::string_view, std::string>* next = nullptr;
    for (const auto& place : places) {
      const size_t found = rest.find(place.first);
      if (found < at) {
        at = found;
        next = &place;
      }
    }
    out += rest.substr(0, at);
    if (next == nullptr) break;
    out += next->second;
    rest.remove_prefix(at + next->first.size());
  }
  return out;
}

}  // namespace gyrfalcon
