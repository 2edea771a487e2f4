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

// `events`: for which it is so, with commas.
std::string WhyLacking(const Lack& lack, std::string_view events) {
  switch (lack.kind) {
    case LackKind::kNever:
      return "gVisor never tells it";
    case LackKind::kMetadata:
      return "no message tells it: the host knows it, where gyrfalcon can see that "
             "(docs/metadata.md)";
    case LackKind::kConstant:
      return "it is the same in every gVisor sandbox";
    case LackKind::kRaw:
      return fmt::format("raw points ({}) have numbers, no paths and no addresses", events);
    case LackKind::kUntold:
      return fmt::format("gVisor does not send it with {}", events);
    case LackKind::kAbsent:
      return fmt::format("no message that is sent tells {}", Describe(lack.fact));
    case LackKind::kPartly:
      return fmt::format("{}: some of the messages that tell it are not sent", Describe(lack.fact));
    case LackKind::kOneSided:
      return fmt::format("gVisor does not tell the own end of a connection with {}", events);
    case LackKind::kIfAsked:
      return fmt::format("{} tell it only where the program asked for the address", events);
    case LackKind::kNone:
    case LackKind::kNoSuch:
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
    names_types_ = rule_.event_types.count() <= kNamedTypesMax;
    bool any = false;
    for (uint16_t index = 0; index < kEventTypeCount; ++index) {
      const EventType type{index};
      if (!rule_.event_types.test(index) || !CanHoldFor(type)) continue;
      any = true;
      AddType(type);
    }
    FinishReasons();
    if (!alive_) {
      out_.status = CoverageStatus::kBlind;
      AddReasonOfLast(any);
    } else if (!out_.missing.empty()) {
      out_.status = CoverageStatus::kDegraded;
    }
    return std::move(out_);
  }

 private:
  bool CanHoldFor(EventType type) const;
  bool CanFail(EventType type) const;
  void AddType(EventType type);
  void AddForm(const SentEvents& events, bool refused);
  void AddAbsentType(EventType type);
  void AddExecGaps(EventType type, const std::vector<const EventSource*>& sent);
  void AddReasonOfLast(bool any_type);
  void FinishReasons();
  void NotePoints(EventType type);

  bool CanFire(const SentEvents& events, bool only_failing) const;
  // Where a check stands in the condition.
  struct Place {
    bool negated = false;
    bool alternative = false;  // of an `or` that finds things, not one of exceptions
  };
  void Walk(const BoundCondition& condition, Place place, const SentEvents& events);
  void LookAtCheck(const BoundCheck& check, Place place, const SentEvents& events);
  void LookAtOutput(const OutputFormat& format, const SentEvents& events);
  void NoteNoSuch(const BoundField& field, const BoundCheck& check, const SentEvents& events);
  Gap& GapOf(const BoundField& field, const Lack& lack, const SentEvents& events, bool note);
  static void AddPart(Gap& gap, const BoundCheck& check);
  static void AddMends(Gap& gap, std::vector<Mend> more);
  void AddGap(Gap gap);
  void PointGap(std::string point, std::string why, std::vector<Mend> mend);

  const Rule& rule_;
  const MendContext& context_;
  RuleCoverage out_;
  Gap no_such_;  // the first field that its events have not, by their nature
  bool alive_ = false;
  bool names_types_ = false;
  std::vector<EventType> refused_;
  std::vector<Lack> lacks_;  // of out_.missing, one each
  std::vector<Lack> note_lacks_;
};

// A raw exit tells by itself; its enter's entry is where its context is asked for.
bool IsSent(const SentPoints& sent, const EventSource& source) {
  if (source.form == EventForm::kRaw) return sent.contains(source.points.back());
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

bool RuleAnalysis::CanHoldFor(EventType type) const {
  const auto by_type = [type](const BoundCheck& check) { return KnowByType(check, type); };
  return AnswerPartly(rule_.condition, by_type).answer != Known(false);
}

bool RuleAnalysis::CanFail(EventType type) const {
  return CanHoldForFailure(rule_.condition, type,
                           [type](const BoundCheck& check) { return KnowByType(check, type); });
}

void RuleAnalysis::NotePoints(EventType type) {
  const auto note = [&](std::string_view name) {
    out_.points.emplace(name, context_.sent.contains(name));
  };
  const auto sources = SourcesOf(type);
  for (const EventSource& source : sources) {
    if (source.form == EventForm::kRaw && &source != &sources.front()) continue;
    if (source.form == EventForm::kExecCalled && !CanFail(type)) continue;
    for (const std::string& name : source.points) note(name);
  }
  const auto by_type = [type](const BoundCheck& check) { return KnowByType(check, type); };
  FactSet facts = 0;
  for (const BoundCheck* check : AnswerPartly(rule_.condition, by_type).checks) {
    const auto add = [&](const BoundField& field) { facts |= FactsOf(field, type); };
    ForEachField(check->left, add);
    if (check->right) ForEachField(*check->right, add);
  }
  for (const SupplyRow& row : FactSupply()) {
    if ((facts & Bit(row.fact)) == 0 || row.points.empty()) continue;
    if (row.need == Need::kExtra || row.need == Need::kInstead) continue;
    if (!row.event_type.empty() && row.event_type != Describe(type).name) continue;
    for (const std::string_view name : Split(row.points, ' ')) note(name);
  }
}

void RuleAnalysis::AddType(EventType type) {
  if (names_types_) NotePoints(type);
  const auto sent = SentSources(context_.sent, type);
  if (sent.empty()) return AddAbsentType(type);
  const bool refused = AlwaysFails(type);
  // The call concludes a start where nothing else tells it.
  const EventForm form = sent.front()->form;
  const SentEvents events(context_.sent, type, form, OfForm(sent, form));
  if (refused && !CanFire(events, true) && CanFire(events, false)) {
    refused_.push_back(type);
    return;
  }
  AddForm(events, refused);
  const bool is_exec = form == EventForm::kExecTold || form == EventForm::kExecCalled;
  if (!is_exec) return;
  const auto called = OfForm(sent, EventForm::kExecCalled);
  if (form == EventForm::kExecTold && !called.empty()) {
    alive_ |= CanFire(SentEvents(context_.sent, type, EventForm::kExecCalled, called), true);
  }
  if (names_types_) AddExecGaps(type, sent);
}

void RuleAnalysis::AddForm(const SentEvents& events, bool refused) {
  const bool fires = CanFire(events, refused);
  alive_ |= fires;
  Walk(rule_.condition, {}, events);
  if (!fires) return;
  LookAtOutput(rule_.format, events);
  for (const Rule::ExtraField& extra : rule_.extra_fields) LookAtOutput(extra.format, events);
}

bool RuleAnalysis::CanFire(const SentEvents& events, bool only_failing) const {
  const auto know = [&](const BoundCheck& check) { return events.Know(check); };
  if (only_failing) return CanHoldForFailure(rule_.condition, events.type(), know);
  return AnswerPartly(rule_.condition, know).answer != Known(false);
}

void RuleAnalysis::Walk(const BoundCondition& condition, Place place, const SentEvents& events) {
  const auto by_type = [&](const BoundCheck& check) { return KnowByType(check, events.type()); };
  if (AnswerPartly(condition, by_type).answer) return;
  if (condition.kind == Kind::kCheck) return LookAtCheck(*condition.check, place, events);
  if (condition.kind == Kind::kNot) {
    place.negated = !place.negated;
  } else {
    place.alternative = condition.kind == Kind::kOr && !place.negated;
  }
  for (const BoundCondition& child : condition.children) Walk(child, place, events);
}

void RuleAnalysis::LookAtCheck(const BoundCheck& check, Place place, const SentEvents& events) {
  const Known answer = events.Know(check);
  const auto look = [&](const BoundField& field) {
    const Lack lack = events.LackOf(field);
    if (lack.kind == LackKind::kNoSuch && answer == Known(place.negated)) {
      NoteNoSuch(field, check, events);
    }
    if (lack.kind == LackKind::kNone || lack.kind == LackKind::kNoSuch) return;
    // A part of it is there, or another field of the check decides.
    if (!answer) {
      if (!lack.decided()) {
        // An exception that does not apply is an alert more, not one less.
        const bool note = lack.kind == LackKind::kMetadata && place.negated && !place.alternative;
        Gap& gap = GapOf(field, lack, events, note);
        gap.effects |= kUnsure;
        AddPart(gap, check);
      }
      return;
    }
    if (!lack.decided()) return;
    const bool misses = *answer == place.negated;
    if (lack.kind == LackKind::kConstant && !misses) return;
    Gap& gap = GapOf(field, lack, events, false);
    gap.effects |= misses ? kMisses : kOverAlerts;
    AddPart(gap, check);
  };
  ForEachField(check.left, look);
  if (check.right) ForEachField(*check.right, look);
}

void RuleAnalysis::NoteNoSuch(const BoundField& field, const BoundCheck& check,
                              const SentEvents& events) {
  const std::string event(Describe(events.type()).name);
  if (no_such_.field.empty()) {
    no_such_.field = field.Name();
    no_such_.substitute = SubstituteForType(events.type());
  }
  if (no_such_.field != field.Name()) return;
  if (std::ranges::find(no_such_.event_types, event) == no_such_.event_types.end()) {
    no_such_.event_types.push_back(event);
  }
  AddPart(no_such_, check);
}

void RuleAnalysis::LookAtOutput(const OutputFormat& format, const SentEvents& events) {
  for (const OutputFormat::Segment& segment : format.segments()) {
    if (!segment.is_field) continue;
    ForEachField(segment.operand, [&](const BoundField& field) {
      const Lack lack = events.LackOf(field);
      if (lack.kind == LackKind::kNone || lack.kind == LackKind::kNoSuch ||
          lack.kind == LackKind::kConstant) {
        return;
      }
      Gap& gap = GapOf(field, lack, events, lack.kind == LackKind::kMetadata);
      const bool in_part = lack.kind == LackKind::kPartly || lack.kind == LackKind::kIfAsked ||
                           lack.kind == LackKind::kMetadata;
      gap.effects |= in_part ? kUnsure : kNotShown;
    });
  }
}

Gap& RuleAnalysis::GapOf(const BoundField& field, const Lack& lack, const SentEvents& events,
                         bool note) {
  std::vector<Gap>& gaps = note ? out_.notes : out_.missing;
  std::vector<Lack>& lacks = note ? note_lacks_ : lacks_;
  const std::string name = field.Name();
  const std::string event(Describe(events.type()).name);
  for (size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i].field != name || lacks[i].kind != lack.kind || lacks[i].fact != lack.fact) continue;
    if (std::ranges::find(gaps[i].event_types, event) == gaps[i].event_types.end()) {
      gaps[i].event_types.push_back(event);
      if (lack.kind == LackKind::kRaw) AddMends(gaps[i], MendForRaw(context_, events.type()));
    }
    return gaps[i];
  }
  Gap gap{.field = name, .event_types = {event}};
  if (lack.kind == LackKind::kAbsent || lack.kind == LackKind::kPartly) {
    gap.mend = MendForFact(context_, events, lack.fact);
  } else if (lack.kind == LackKind::kRaw) {
    gap.mend = MendForRaw(context_, events.type());
    if (gap.mend.empty()) gap.substitute = SubstituteForType(events.type());
  }
  if (gap.mend.empty() && gap.substitute.empty()) gap.substitute = SubstituteForField(name);
  gaps.push_back(std::move(gap));
  lacks.push_back(lack);
  return gaps.back();
}

void RuleAnalysis::AddMends(Gap& gap, std::vector<Mend> more) {
  for (Mend& mend : more) {
    if (std::ranges::find(gap.mend, mend.point, &Mend::point) == gap.mend.end()) {
      gap.mend.push_back(std::move(mend));
    }
  }
}

// Once it is known for which types each field is missing.
void RuleAnalysis::FinishReasons() {
  const auto finish = [](std::vector<Gap>& gaps, const std::vector<Lack>& lacks) {
    for (size_t i = 0; i < gaps.size(); ++i) {
      if (!gaps[i].field.empty()) {
        gaps[i].why = WhyLacking(lacks[i], Join(gaps[i].event_types, ", "));
      }
    }
  };
  finish(out_.missing, lacks_);
  finish(out_.notes, note_lacks_);
}

void RuleAnalysis::AddPart(Gap& gap, const BoundCheck& check) {
  if (std::ranges::find(gap.parts, check.text) != gap.parts.end()) return;
  ++gap.parts_count;
  if (gap.parts.size() < kGapPartsMax) gap.parts.push_back(check.text);
}

void RuleAnalysis::AddGap(Gap gap) {
  gap.effects = kMisses;
  out_.missing.push_back(std::move(gap));
  lacks_.emplace_back();
}

void RuleAnalysis::PointGap(std::string point, std::string why, std::vector<Mend> mend) {
  const auto same = [&](const Gap& gap) { return gap.point == point && gap.field.empty(); };
  if (std::ranges::any_of(out_.missing, same)) return;
  AddGap({.point = std::move(point), .why = std::move(why), .mend = std::move(mend)});
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
  const std::string name(Describe(type).name);
  const auto sources = SourcesOf(type);
  if (sources.empty()) {
    if (name == "asyncevent" || IsOfOtherMachine(name)) return;
    return AddGap({.event_types = {name},
                   .why = "gVisor has no such event",
                   .substitute = std::string(SubstituteForType(type))});
  }
  // Would it help if all were sent that the runsc knows?
  if (const auto all = SentSources(context_.known, type); !all.empty()) {
    const EventForm form = all.front()->form;
    const SentEvents events(context_.known, type, form, OfForm(all, form));
    if (AlwaysFails(type) && !CanFire(events, true) && CanFire(events, false)) {
      refused_.push_back(type);
      return;
    }
    if (!CanFire(events, false)) return Walk(rule_.condition, {}, events);
  }
  Gap gap{.point = sources.front().points.back(),
          .event_types = {name},
          .why = fmt::format("{} never comes: no point that tells it is sent", name),
          .mend = MendForType(context_, type),
          .substitute = std::string(SubstituteForType(type))};
  if (!gap.mend.empty()) gap.point = gap.mend.back().point;
  AddGap(std::move(gap));
}

void RuleAnalysis::AddExecGaps(EventType type, const std::vector<const EventSource*>& sent) {
  const auto mend = [&](std::string_view point) {
    std::vector<Mend> out;
    if (context_.wanted != nullptr) out.push_back(MendForPoint(context_, point));
    return out;
  };
  if (!context_.sent.contains("sentry/execve")) {
    PointGap("sentry/execve",
             !OfForm(sent, EventForm::kExecCalled).empty()
                 ? "starts of programs are concluded from the call and the thread's next message"
                 : "of starts of programs only those of containers' first programs are told",
             mend("sentry/execve"));
  }
  if (Describe(type).name != "execve") return;
  if (!context_.sent.contains("container/start")) {
    PointGap("container/start", "the first program of each container is not told",
             mend("container/start"));
  }
  if (OfForm(sent, EventForm::kExecCalled).empty() && CanFail(type)) {
    PointGap("syscall/execve/exit", "calls of exec that fail are not told",
             mend("syscall/execve/exit"));
  }
}

void RuleAnalysis::AddReasonOfLast(bool any_type) {
  for (const EventType type : refused_) {
    const std::string name(Describe(type).name);
    AddGap({.event_types = {name},
            .why = fmt::format("gVisor refuses {}, and the rule asks that it succeeded", name),
            .substitute = std::string(SubstituteForType(type))});
  }
  if (!out_.missing.empty()) return;
  if (any_type && !no_such_.field.empty()) {
    no_such_.why =
        fmt::format("{} never have it, with gVisor or without", Join(no_such_.event_types, ", "));
    return AddGap(std::move(no_such_));
  }
  AddGap({.why = any_type ? "no event that is sent can make its condition true"
                          : "its condition can hold nowhere: a list in it is empty, or its parts "
                            "exclude each other"});
}

}  // namespace

std::string_view Name(CoverageStatus status) {
  return kStatusNames[static_cast<size_t>(status)];
}

std::string FirstReason(const RuleCoverage& rule) {
  if (rule.missing.empty()) return "";
  const Gap& gap = rule.missing.front();
  const std::string& what = gap.field.empty() ? gap.point : gap.field;
  return what.empty() ? gap.why : what + ": " + gap.why;
}

Coverage CoverageOf(const RuleSet& rules, const SentPoints& sent, const SentPoints& known,
                    const SentPoints* wanted, const std::atomic<bool>* stop) {
  Coverage out;
  const MendContext context{sent, known, wanted};
  for (const Rule& rule : rules.rules()) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) return out;
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
