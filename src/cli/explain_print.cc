#include "cli/explain_print.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "alerts/alert_format.h"
#include "base/text.h"
#include "fields/time_text.h"
#include "rules/explanation.h"

namespace gyrfalcon {
namespace {

constexpr size_t kTextMax = 90;    // of a check
constexpr size_t kSeenMax = 60;    // of a value
constexpr size_t kNameMax = 40;    // of a process
constexpr size_t kTypesMax = 12;   // that are listed
constexpr size_t kUnsentMax = 20;  // the same
constexpr size_t kCausesMax = 12;  // of one event
constexpr size_t kPointsMax = 3;   // behind a check

struct StateRow {
  std::string_view name;
  std::string_view colour;
};
constexpr std::array<StateRow, 4> kStates = {{
    {"false", "\x1b[31m"},
    {"true", "\x1b[32m"},
    {"missing", "\x1b[33m"},
    {"unseen", "\x1b[35m"},
}};

struct OutcomeRow {
  std::string_view name;  // in JSON
  std::string_view says;
};
constexpr std::array<OutcomeRow, 6> kOutcomes = {{
    {"did_not_hold", "did not hold"},
    {"fired", "fired"},
    {"other_rule_first", "held, but another rule had matched first"},
    {"disabled", "held, but the rule is disabled"},
    {"told_before", "held again by its true path, after it had fired"},
    {"not_of_type", "is of no type that the rule is asked about"},
}};

constexpr std::array<std::string_view, 4> kKinds = {"and", "or", "not", "check"};

const StateRow& RowOf(PartState state) {
  return kStates[static_cast<size_t>(state)];
}

const OutcomeRow& RowOf(Outcome outcome) {
  return kOutcomes[static_cast<size_t>(outcome)];
}

// At most so many bytes of printable text, whole characters, with a mark where there was more.
std::string Shortened(std::string_view text, size_t bytes_max) {
  std::string out = Printable(text.substr(0, 4 * bytes_max));
  if (out.size() <= bytes_max && text.size() <= 4 * bytes_max) return out;
  size_t end = std::min(bytes_max, out.size());
  while (end > 0 && end < out.size() && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) {
    --end;
  }
  out.resize(end);
  return out + fmt::format("… ({} characters)", text.size());
}

std::string ShownValue(const std::string& value) {
  const bool quotes = value.empty() || value.contains(' ');
  const std::string text = Shortened(value, kSeenMax);
  return quotes ? '"' + text + '"' : text;
}

std::string Plural(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string Said(const Unsent& unsent) {
  return unsent.field.empty() ? unsent.point : unsent.point + " with " + unsent.field;
}

class TextWriter {
 public:
  TextWriter(const ExplainRequest& request, const RuleReport& report, const ExplainStyle& style)
      : request_(request), report_(report), style_(style) {}

  std::string Write() {
    WriteVerdict();
    WriteCounts();
    if (request_.event) {
      WriteEvents();
    } else {
      WriteList("Fired:", report_.firings, report_.fired);
      WriteList("Held without firing:", report_.held, report_.held_only);
      if (report_.fired == 0) WriteMisses();
    }
    WriteUnsent();
    return std::move(out_);
  }

 private:
  template <class... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  std::string Coloured(std::string_view text, std::string_view colour) const {
    return style_.colour ? fmt::format("{}{}\x1b[0m", colour, text) : std::string(text);
  }
  std::string Bold(std::string_view text) const { return Coloured(text, "\x1b[1m"); }
  std::string Dim(std::string_view text) const { return Coloured(text, "\x1b[2m"); }

  // Padded before it is coloured.
  std::string State(PartState state) const {
    return Coloured(fmt::format("{:<7}", RowOf(state).name), RowOf(state).colour);
  }

  void WriteVerdict() {
    std::string verdict =
        report_.fired == 0 ? "did not fire" : "fired " + Plural(report_.fired, "time");
    if (!request_.rule->enabled) verdict += ": it is disabled";
    Line("{} {}", Bold('"' + Printable(request_.rule->name) + '"'), verdict);
  }

  void WriteCounts() {
    const std::string unreadable =
        report_.unreadable == 0
            ? ""
            : fmt::format(" ({} of them could not be read)", report_.unreadable);
    Line("  {}{}: {} that rules are asked about, {} of this rule's types",
         Plural(report_.messages, "message"), unreadable, Plural(report_.happenings, "event"),
         report_.of_types);
    std::vector<std::string> types;
    for (const ShownType& type : report_.types) {
      if (type.came != 0 || report_.types.size() <= kTypesMax) {
        types.push_back(fmt::format("{} {}", type.name, type.came));
      }
    }
    const size_t listed = std::min(types.size(), kTypesMax);
    const size_t more = report_.types.size() - listed;
    types.resize(listed);
    Line("  {}{}", Join(types, ", "), more == 0 ? "" : fmt::format(", and {} types more", more));
    if (report_.types.empty()) Line("  the condition can't hold for any event");
  }

  std::string Heading(const ShownEvent& event) const {
    std::string out = Bold(fmt::format("event {}", event.number));
    if (request_.captures.size() > 1) {
      out += " of " + Printable(request_.captures[event.capture]);
    }
    out += fmt::format("  {}  {} (pid {})  {}", event.type, Shortened(event.process, kNameMax),
                       event.pid, FormatTime(event.time_ns, TimeStyle::kTimeOfDay));
    if (event.second_chance) out += "  told again by its true path";
    if (event.concluded) out += "  no message told it: concluded from others";
    return out;
  }

  void WriteList(std::string_view title, const std::vector<ShownEvent>& events, uint64_t count) {
    if (events.empty()) return;
    out_ += '\n';
    Line("{}", title);
    for (const ShownEvent& event : events) {
      Line("{}", Heading(event));
      if (event.outcome != Outcome::kFired) Line("  {}", Says(event));
      WriteCauses(event);
    }
    if (count > events.size()) Line("and {} more (--limit)", count - events.size());
  }

  static std::string Says(const ShownEvent& event) {
    std::string out(RowOf(event.outcome).says);
    if (event.outcome == Outcome::kOtherFirst) {
      out += ": \"" + Printable(event.winner) + "\" (-o rule_matching=all raises both)";
    }
    return out;
  }

  void WriteMisses() {
    if (report_.misses.empty()) return;
    out_ += '\n';
    Line("Nearest misses, the fewest parts first ({} of {}):", report_.misses.size(),
         Plural(report_.miss_kinds, "kind"));
    for (const ShownEvent& event : report_.misses) {
      const std::string away = event.away >= kNever ? "can't hold in any session"
                                                    : Plural(event.away, "part") + " in the way";
      const std::string alike =
          event.alike == 1 ? "" : fmt::format(", {} more like it", event.alike - 1);
      Line("{}  {}{}", Heading(event), away, alike);
      WriteCauses(event);
    }
    Line("{}", Dim("--event N shows the whole condition at one of them"));
  }

  void WriteCauses(const ShownEvent& event) {
    size_t written = 0;
    for (const ShownCause& cause : event.causes) {
      // What an exclusion did not exclude carries nothing.
      if (event.away == 0 && !cause.wanted) continue;
      if (written++ < kCausesMax) WriteCheck(cause.check, "  ", !cause.wanted);
    }
    if (written > kCausesMax) Line("  and {} more", written - kCausesMax);
  }

  void WriteCheck(const ShownPart& check, std::string_view indent, bool must_not) {
    std::string behind;
    if (check.seen) behind += "  saw " + ShownValue(*check.seen);
    if (check.seen_right) behind += " on the left, " + ShownValue(*check.seen_right) + " right";
    std::vector<std::string> notes;
    if (must_not) notes.emplace_back("must not hold");
    if (!check.from.empty()) notes.push_back(Printable(check.from));
    if (!check.note.empty()) notes.push_back(check.note);
    if (!notes.empty()) behind += "  " + Dim("[" + Join(notes, "; ") + "]");
    Line("{}{} {}{}", indent, State(check.state), Shortened(check.text, kTextMax), behind);
    if (check.unsent.empty() || check.state == PartState::kTrue) return;
    std::vector<std::string> points;
    for (const Unsent& unsent : check.unsent) {
      if (points.size() < kPointsMax) points.push_back(Said(unsent));
    }
    const size_t more = check.unsent.size() - points.size();
    const bool unseen = check.state == PartState::kUnseen;
    Line("{}        {}: {}{}", indent, unseen ? "would be told by" : "could be wrong without",
         Join(points, ", or "), more == 0 ? "" : fmt::format(", or {} more", more));
  }

  void WriteEvents() {
    out_ += '\n';
    if (report_.events.empty()) {
      Line("Message {}, {}", *request_.event, WhyNothing());
      return;
    }
    for (const ShownEvent& event : report_.events) {
      Line("{}", Heading(event));
      Line("  {}", Says(event));
      WriteTree(*event.condition, 1);
    }
    Line("{}", Dim("(left out): asked for this explanation only, the answer was known before"));
  }

  std::string WhyNothing() const {
    const std::string& point = report_.event_point;
    if (point.empty()) return "could not be read: it told nothing.";
    if (point.ends_with("/enter")) {
      return point + ", told the rules nothing: what a call came to is known at its exit.";
    }
    return point +
           ", told the rules nothing new: it keeps the state true, or was told by another "
           "message already.";
  }

  void WriteTree(const ShownPart& part, size_t depth) {
    const std::string indent(2 * depth, ' ');
    const std::string left_out = part.decisive ? "" : "  (left out)";
    if (part.kind == BoundCondition::Kind::kCheck) {
      ShownPart shown = part;
      if (!part.decisive) shown.note += shown.note.empty() ? "left out" : "; left out";
      WriteCheck(shown, indent, false);
      return;
    }
    const std::string from = part.from.empty() ? "" : Dim("  [" + Printable(part.from) + "]");
    Line("{}{} {}{}{}", indent, State(part.state), kKinds[static_cast<size_t>(part.kind)], from,
         Dim(left_out));
    for (const ShownPart& child : part.children) WriteTree(child, depth + 1);
  }

  void WriteUnsent() {
    if (report_.unsent.empty()) return;
    out_ += '\n';
    Line("{}", request_.session
                   ? "The rule asks for what the session does not:"
                   : "The rule asks for what no message here has (not asked for, or it did not "
                     "happen; --session FILE tells the two apart):");
    for (size_t i = 0; i < std::min(report_.unsent.size(), kUnsentMax); ++i) {
      const ShownUnsent& unsent = report_.unsent[i];
      std::vector<std::string> types = unsent.types;
      if (types.size() > kPointsMax) {
        types.resize(kPointsMax);
        types.push_back(fmt::format("{} more", unsent.types.size() - kPointsMax));
      }
      Line("  {:<44} {}", Said(unsent.what), "for " + Join(types, ", "));
    }
    if (report_.unsent.size() > kUnsentMax) {
      Line("  and {} more", report_.unsent.size() - kUnsentMax);
    }
    if (!style_.blind_for_good.empty()) {
      Line("No session helps: the rule is blind. {}", Printable(style_.blind_for_good));
      return;
    }
    Line("`gyrfalcon session generate{}` makes a session with all that rules need",
         style_.rules_arguments);
  }

  const ExplainRequest& request_;
  const RuleReport& report_;
  const ExplainStyle& style_;
  std::string out_;
};

// ---- JSON

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<Unsent>& unsent) {
  Json out = Json::array();
  for (const Unsent& each : unsent) {
    Json& item = out.emplace_back(Json{{"point", each.point}});
    if (!each.field.empty()) item["field"] = each.field;
  }
  return out;
}

Json ToJson(const std::optional<std::string>& value) {
  return value ? Json(*value) : Json();
}

Json ToJson(const ShownPart& part) {
  Json out{{"kind", kKinds[static_cast<size_t>(part.kind)]},
           {"state", RowOf(part.state).name},
           {"decisive", part.decisive}};
  if (!part.from.empty()) out["from"] = part.from;
  if (part.kind != BoundCondition::Kind::kCheck) {
    Json& children = out["children"] = Json::array();
    for (const ShownPart& child : part.children) children.push_back(ToJson(child));
    return out;
  }
  out["text"] = part.text;
  out["left"] = ToJson(part.seen);
  out["right"] = part.seen_right ? *part.seen_right : part.right;
  if (!part.unsent.empty()) out["unsent"] = ToJson(part.unsent);
  if (!part.note.empty()) out["note"] = part.note;
  return out;
}

Json ToJson(const ExplainRequest& request, const ShownEvent& event) {
  Json out{{"capture", request.captures[event.capture]},
           {"event", event.number},
           {"type", event.type},
           {"time_ns", event.time_ns},
           {"process", event.process},
           {"pid", event.pid},
           {"second_chance", event.second_chance},
           {"concluded", event.concluded},
           {"outcome", RowOf(event.outcome).name},
           {"parts_in_the_way", event.away},
           {"alike", event.alike}};
  if (!event.winner.empty()) out["winner"] = event.winner;
  Json& causes = out["causes"] = Json::array();
  for (const ShownCause& cause : event.causes) {
    Json& item = causes.emplace_back(ToJson(cause.check));
    item["wanted"] = cause.wanted;
  }
  if (event.condition) out["condition"] = ToJson(*event.condition);
  return out;
}

Json ToJson(const ExplainRequest& request, const std::vector<ShownEvent>& events) {
  Json out = Json::array();
  for (const ShownEvent& event : events) out.push_back(ToJson(request, event));
  return out;
}

}  // namespace

std::string ExplainText(const ExplainRequest& request, const RuleReport& report,
                        const ExplainStyle& style) {
  return TextWriter(request, report, style).Write();
}

std::string ExplainJson(const ExplainRequest& request, const RuleReport& report) {
  Json out{{"rule", request.rule->name},
           {"enabled", request.rule->enabled},
           {"captures", request.captures},
           {"messages", report.messages},
           {"unreadable", report.unreadable},
           {"events_considered", report.happenings},
           {"events_of_its_types", report.of_types},
           {"fired", report.fired},
           {"held_without_firing", report.held_only},
           {"miss_kinds", report.miss_kinds}};
  Json& types = out["types"] = Json::array();
  for (const ShownType& type : report.types) {
    types.push_back(
        {{"type", type.name}, {"came", type.came}, {"points", type.points}, {"sent", type.sent}});
  }
  Json& unsent = out["unsent"] = Json::array();
  for (const ShownUnsent& each : report.unsent) {
    Json& item = unsent.emplace_back(Json{{"point", each.what.point}});
    if (!each.what.field.empty()) item["field"] = each.what.field;
    item["types"] = each.types;
  }
  out["firings"] = ToJson(request, report.firings);
  out["held"] = ToJson(request, report.held);
  out["misses"] = ToJson(request, report.misses);
  if (request.event) {
    out["message"] = {{"event", *request.event}, {"point", report.event_point}};
    out["events"] = ToJson(request, report.events);
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gyrfalcon
