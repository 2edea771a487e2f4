#include "runsc/coverage.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "points/schema.h"
#include "rules/rule_needs.h"
#include "runsc/coverage_mend.h"
#include "runsc/event_sources.h"
#include "runsc/fact_supply.h"
#include "runsc/field_lack.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

constexpr std::string_view kStatusNames[] = {"full", "degraded", "blind"};

// A rule that leaves this many types open names none of them.
constexpr size_t kNamedTypesMax = 64;

std::string WhyLacking(const Lack& lack, EventType type) {
  const std::string_view event = Describe(type).name;
  switch (lack.kind) {
    case LackKind::kNever:
      return "gVisor never tells it";
    case LackKind::kMetadata:
      return "the container runtime has it, and is not asked in this release";
    case LackKind::kConstant:
      return "it is the same in every gVisor sandbox";
    case LackKind::kRaw:
      return fmt::format("{} comes as its raw point: numbers, no paths and no addresses", event);
    case LackKind::kUntold:
      return fmt::format("gVisor does not send it with {}", event);
    case LackKind::kAbsent:
      return fmt::format("no message that is sent tells {}", Describe(lack.fact));
    case LackKind::kPartly:
      return fmt::format("{}: some of the messages that tell it are not sent", Describe(lack.fact));
    case LackKind::kOneSided:
      return fmt::format("gVisor tells one end of a connection with {}", event);
    case LackKind::kNone:
      break;
  }
  return {};
}

// The coverage of one rule, put together type by type.
class RuleAnalysis {
 public:
  RuleAnalysis(const Rule& rule, const MendContext& context) : rule_(rule), context_(context) {}

  RuleCoverage Run() {
    out_.rule = rule_.name;
    const std::vector<TypeNeeds> all = NeedsOf(rule_);
    names_types_ = rule_.event_types.count() <= kNamedTypesMax;
    for (const TypeNeeds& needs : all) AddType(needs);
    if (!alive_) {
      out_.status = CoverageStatus::kBlind;
      AddReasonOfLast(all);
    } else if (!out_.missing.empty()) {
      out_.status = CoverageStatus::kDegraded;
    }
    return std::move(out_);
  }

 private:
  void AddType(const TypeNeeds& needs);
  void AddForm(const TypeNeeds& needs, const SentEvents& events, bool refused);
  void AddAbsentType(EventType type);
  void AddExecGaps(const TypeNeeds& needs, const std::vector<const EventSource*>& sent);
  void AddReasonOfLast(const std::vector<TypeNeeds>& all);
  void NotePoints(const TypeNeeds& needs);

  bool CanFire(const SentEvents& events, bool only_failing) const;
  void Walk(const BoundCondition& condition, bool negated, const SentEvents& events);
  void LookAtCheck(const BoundCheck& check, bool negated, const SentEvents& events);
  void LookAtOutput(const OutputFormat& format, const SentEvents& events);
  Gap& GapOf(const BoundField& field, const Lack& lack, const SentEvents& events, bool note);
  static void AddPart(Gap& gap, const BoundCheck& check);
  Gap& PointGap(std::string point, std::string why, std::vector<Mend> mend);

  const Rule& rule_;
  const MendContext& context_;
  RuleCoverage out_;
  bool alive_ = false;
  bool names_types_ = false;
  std::vector<EventType> refused_;
};

bool IsSent(const SentPoints& sent, const EventSource& source) {
  return std::ranges::all_of(source.points, [&](const auto& name) { return sent.contains(name); });
}

// Those of the best form; both of an exec's, for the call tells what failed.
std::vector<const EventSource*> SentSources(const SentPoints& sent, EventType type) {
  std::vector<const EventSource*> out;
  for (const EventSource& source : SourcesOf(type)) {
    if (!IsSent(sent, source)) continue;
    if (source.form == EventForm::kRaw && !out.empty()) continue;  // a tripwire
    out.push_back(&source);
  }
  return out;
}

std::vector<const EventSource*> OfForm(const std::vector<const EventSource*>& sources,
                                       EventForm form) {
  std::vector<const EventSource*> out;
  std::ranges::copy_if(sources, std::back_inserter(out),
                       [form](const EventSource* source) { return source->form == form; });
  return out;
}

void RuleAnalysis::NotePoints(const TypeNeeds& needs) {
  const auto note = [&](std::string_view name) {
    out_.points.emplace(name, context_.sent.contains(name));
  };
  for (const EventSource& source : SourcesOf(needs.type)) {
    const bool raw = source.form == EventForm::kRaw;
    const bool called = source.form == EventForm::kExecCalled;
    if ((raw && &source != &SourcesOf(needs.type).front()) || (called && !needs.can_fail)) continue;
    for (const std::string& name : source.points) note(name);
  }
  for (const SupplyRow& row : FactSupply()) {
    if ((needs.facts & Bit(row.fact)) == 0 || row.points.empty()) continue;
    if (row.need == Need::kExtra || row.need == Need::kInstead) continue;
    if (!row.event_type.empty() && row.event_type != Describe(needs.type).name) continue;
    for (const std::string_view name : Split(row.points, ' ')) note(name);
  }
}

void RuleAnalysis::AddType(const TypeNeeds& needs) {
  if (names_types_) NotePoints(needs);
  const auto sent = SentSources(context_.sent, needs.type);
  if (sent.empty()) return AddAbsentType(needs.type);
  const bool refused = AlwaysFails(needs.type);
  const bool is_exec =
      sent.front()->form == EventForm::kExecTold || sent.front()->form == EventForm::kExecCalled;
  // The call concludes a start where nothing else tells it.
  const EventForm form = sent.front()->form;
  const SentEvents events(context_.sent, needs.type, form, OfForm(sent, form));
  if (refused && !CanFire(events, true)) {
    refused_.push_back(needs.type);
    return;
  }
  AddForm(needs, events, refused);
  if (!is_exec) return;
  if (form == EventForm::kExecTold && needs.can_fail) {
    const auto called = OfForm(sent, EventForm::kExecCalled);
    if (!called.empty()) {
      const SentEvents failed(context_.sent, needs.type, EventForm::kExecCalled, called);
      alive_ |= CanFire(failed, true);
    }
  }
  if (names_types_) AddExecGaps(needs, sent);
}

void RuleAnalysis::AddForm(const TypeNeeds&, const SentEvents& events, bool refused) {
  const bool fires = CanFire(events, refused);
  alive_ |= fires;
  Walk(rule_.condition, false, events);
  if (!fires) return;
  LookAtOutput(rule_.format, events);
  for (const Rule::ExtraField& extra : rule_.extra_fields) LookAtOutput(extra.format, events);
}

bool RuleAnalysis::CanFire(const SentEvents& events, bool only_failing) const {
  const auto know = [&](const BoundCheck& check) { return events.Know(check); };
  if (only_failing) return CanHoldForFailure(rule_.condition, events.type(), know);
  return AnswerPartly(rule_.condition, know).answer != Known(false);
}

void RuleAnalysis::Walk(const BoundCondition& condition, bool negated, const SentEvents& events) {
  const auto by_type = [&](const BoundCheck& check) { return KnowByType(check, events.type()); };
  if (AnswerPartly(condition, by_type).answer) return;
  if (condition.kind == Kind::kCheck) return LookAtCheck(*condition.check, negated, events);
  for (const BoundCondition& child : condition.children) {
    Walk(child, condition.kind == Kind::kNot ? !negated : negated, events);
  }
}

void RuleAnalysis::LookAtCheck(const BoundCheck& check, bool negated, const SentEvents& events) {
  const Known answer = events.Know(check);
  const auto look = [&](const BoundField& field) {
    const Lack lack = events.LackOf(field);
    if (lack.kind == LackKind::kNone) return;
    // A part of it is there, or another field of the check decides.
    if (!answer) {
      if (lack.kind == LackKind::kPartly) {
        Gap& gap = GapOf(field, lack, events, false);
        gap.effects |= kUnsure;
        AddPart(gap, check);
      }
      return;
    }
    if (!lack.decided()) return;
    const bool misses = *answer == negated;
    if (lack.kind == LackKind::kConstant && !misses) return;
    const bool note = lack.kind == LackKind::kMetadata && !misses;
    Gap& gap = GapOf(field, lack, events, note);
    gap.effects |= misses ? kMisses : kOverAlerts;
    AddPart(gap, check);
  };
  ForEachField(check.left, look);
  if (check.right) ForEachField(*check.right, look);
}

void RuleAnalysis::LookAtOutput(const OutputFormat& format, const SentEvents& events) {
  for (const OutputFormat::Segment& segment : format.segments()) {
    if (!segment.is_field) continue;
    ForEachField(segment.operand, [&](const BoundField& field) {
      const Lack lack = events.LackOf(field);
      if (lack.kind == LackKind::kNone || lack.kind == LackKind::kConstant) return;
      Gap& gap = GapOf(field, lack, events, lack.kind == LackKind::kMetadata);
      gap.effects |= lack.kind == LackKind::kPartly ? kUnsure : kNotShown;
    });
  }
}

Gap& RuleAnalysis::GapOf(const BoundField& field, const Lack& lack, const SentEvents& events,
                         bool note) {
  std::vector<Gap>& gaps = note ? out_.notes : out_.missing;
  const std::string name = field.Name();
  const std::string why = WhyLacking(lack, events.type());
  const auto same = std::ranges::find_if(
      gaps, [&](const Gap& gap) { return gap.field == name && gap.why == why; });
  if (same != gaps.end()) return *same;
  Gap gap{.field = name, .why = why};
  if (lack.kind == LackKind::kAbsent || lack.kind == LackKind::kPartly) {
    gap.mend = MendForFact(context_, events, lack.fact);
  } else if (lack.kind == LackKind::kRaw) {
    gap.mend = MendForRaw(context_, events.type());
    if (gap.mend.empty()) gap.substitute = SubstituteForType(events.type());
  }
  if (gap.mend.empty() && gap.substitute.empty()) gap.substitute = SubstituteForField(name);
  gaps.push_back(std::move(gap));
  return gaps.back();
}

void RuleAnalysis::AddPart(Gap& gap, const BoundCheck& check) {
  if (std::ranges::find(gap.parts, check.text) != gap.parts.end()) return;
  ++gap.parts_count;
  if (gap.parts.size() < kGapPartsMax) gap.parts.push_back(check.text);
}

Gap& RuleAnalysis::PointGap(std::string point, std::string why, std::vector<Mend> mend) {
  const auto same = std::ranges::find_if(
      out_.missing, [&](const Gap& gap) { return gap.point == point && gap.field.empty(); });
  if (same != out_.missing.end()) return *same;
  Gap gap{.point = std::move(point), .why = std::move(why)};
  gap.effects = kMisses;
  gap.mend = std::move(mend);
  out_.missing.push_back(std::move(gap));
  return out_.missing.back();
}

// Whether only the other architecture has the call.
bool IsOfOtherMachine(std::string_view event_type) {
  constexpr Arch kOther = kHostArch == Arch::kX86_64 ? Arch::kAarch64 : Arch::kX86_64;
  constexpr uint64_t kSysnoEnd = 512;
  for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
    if (SyscallName(kOther, sysno) == event_type) return true;
  }
  return false;
}

void RuleAnalysis::AddAbsentType(EventType type) {
  if (!names_types_) return;
  const std::string_view name = Describe(type).name;
  const auto sources = SourcesOf(type);
  if (sources.empty()) {
    if (name == "asyncevent" || IsOfOtherMachine(name)) return;
    Gap gap{.event_type = std::string(name), .why = "gVisor has no such event"};
    gap.effects = kMisses;
    gap.substitute = SubstituteForType(type);
    out_.missing.push_back(std::move(gap));
    return;
  }
  if (AlwaysFails(type)) {
    // What would come is an attempt.
    std::vector<const EventSource*> all;
    for (const EventSource& source : sources) all.push_back(&source);
    const SentEvents attempts(context_.sent, type, sources.front().form, std::move(all));
    if (!CanFire(attempts, true)) {
      refused_.push_back(type);
      return;
    }
  }
  Gap gap{.point = sources.front().points.back(),
          .event_type = std::string(name),
          .why = fmt::format("{} never comes: no point that tells it is sent", name)};
  gap.effects = kMisses;
  gap.mend = MendForType(context_, type);
  if (!gap.mend.empty()) gap.point = gap.mend.back().point;
  gap.substitute = SubstituteForType(type);
  out_.missing.push_back(std::move(gap));
}

void RuleAnalysis::AddExecGaps(const TypeNeeds& needs,
                               const std::vector<const EventSource*>& sent) {
  const auto mend = [&](std::string_view point) {
    std::vector<Mend> out;
    if (context_.wanted != nullptr) out.push_back(MendForPoint(context_, point));
    return out;
  };
  if (!context_.sent.contains("sentry/execve")) {
    PointGap("sentry/execve",
             sent.front()->form == EventForm::kExecCalled
                 ? "starts of programs are concluded from the call and the thread's next message"
                 : "of starts of programs only those of containers' first programs are told",
             mend("sentry/execve"));
  }
  if (Describe(needs.type).name != "execve") return;
  if (!context_.sent.contains("container/start")) {
    PointGap("container/start", "the first program of each container is not told",
             mend("container/start"));
  }
  if (needs.can_fail && OfForm(sent, EventForm::kExecCalled).empty()) {
    PointGap("syscall/execve/exit", "calls of exec that fail are not told",
             mend("syscall/execve/exit"));
  }
}

void RuleAnalysis::AddReasonOfLast(const std::vector<TypeNeeds>& all) {
  for (const EventType type : refused_) {
    Gap gap{.event_type = std::string(Describe(type).name),
            .why = fmt::format("gVisor refuses {}, and the rule asks that it succeeded",
                               Describe(type).name)};
    gap.effects = kMisses;
    gap.substitute = SubstituteForType(type);
    out_.missing.push_back(std::move(gap));
  }
  if (!out_.missing.empty()) return;
  Gap gap{.why = all.empty() ? "its condition holds for no event type at all"
                             : "no event that is sent can make its condition true"};
  gap.effects = kMisses;
  out_.missing.push_back(std::move(gap));
}

}  // namespace

std::string_view Name(CoverageStatus status) {
  return kStatusNames[static_cast<size_t>(status)];
}

Coverage CoverageOf(const RuleSet& rules, const SentPoints& sent, const SentPoints& known,
                    const SentPoints* wanted) {
  Coverage out;
  const MendContext context{sent, known, wanted};
  for (const Rule& rule : rules.rules()) {
    if (!rule.enabled) continue;
    out.rules.push_back(RuleAnalysis(rule, context).Run());
    switch (out.rules.back().status) {
      case CoverageStatus::kFull:
        ++out.full;
        break;
      case CoverageStatus::kDegraded:
        ++out.degraded;
        break;
      case CoverageStatus::kBlind:
        ++out.blind;
        break;
    }
  }
  return out;
}

}  // namespace gyrfalcon
