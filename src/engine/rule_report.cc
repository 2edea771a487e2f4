#include "engine/rule_report.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "engine/observed_pipeline.h"
#include "rules/explanation.h"
#include "rules/rule_needs.h"
#include "runsc/seen_points.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

// Of misses that are told apart: beyond it the farthest go.
constexpr size_t kKindsMax = 1024;

std::string Bounded(std::string_view text) {
  if (text.size() <= kShownBytesMax) return std::string(text);
  return fmt::format("{}… ({} bytes)", text.substr(0, kShownBytesMax), text.size());
}

std::string Printed(const Value& value, const BoundOperand& operand) {
  const bool is_field = operand.kind == BoundOperand::Kind::kField;
  std::string out;
  AppendPrinted(value, is_field ? operand.field.print : PrintFormat::kPlain, out);
  return Bounded(out);
}

// Why a field has no value in any session.
std::string_view NoteOf(const BoundCheck& check) {
  std::string_view note;
  const auto look = [&note](const BoundField& field) {
    if (field.def->availability == Availability::kNever) note = "gVisor never tells this field";
    if (field.def->availability == Availability::kMetadata) {
      note = "no message tells this field: it is the container's metadata, and a capture has none";
    }
  };
  ForEachField(check.left, look);
  if (check.right) ForEachField(*check.right, look);
  return note;
}

// Makes what is shown of parts; `sent` outlives it.
class PartWriter {
 public:
  explicit PartWriter(const SentPoints& sent) : sent_(sent) {}

  ShownPart Whole(const ExplainedPart& part, EventType type) const {
    ShownPart out = part.check() != nullptr ? Check(part, type) : Group(part);
    if (part.condition->from != nullptr) out.from = *part.condition->from;
    out.children.reserve(part.children.size());
    for (const ExplainedPart& child : part.children) out.children.push_back(Whole(child, type));
    return out;
  }

  std::vector<ShownCause> Causes(const std::vector<DecidingPart>& parts, EventType type) const {
    std::vector<ShownCause> out;
    for (const DecidingPart& each : parts) {
      ShownCause& cause = out.emplace_back(Check(*each.part, type), each.wanted);
      cause.check.from = WhereFrom(*each.part);
    }
    return out;
  }

 private:
  static ShownPart Group(const ExplainedPart& part) {
    ShownPart out;
    out.kind = part.condition->kind;
    out.state = part.holds() ? PartState::kTrue : PartState::kFalse;
    out.decisive = part.decisive;
    return out;
  }

  ShownPart Check(const ExplainedPart& part, EventType type) const {
    const BoundCheck& check = *part.check();
    ShownPart out;
    out.decisive = part.decisive;
    out.text = Bounded(check.text);
    if (check.right_offset != 0) {
      out.right = Bounded(std::string_view(check.text).substr(check.right_offset));
    }
    if (!part.seen.missing()) out.seen = Printed(part.seen, check.left);
    if (check.right && !part.right.missing()) out.seen_right = Printed(part.right, *check.right);
    out.state = part.holds() ? PartState::kTrue : PartState::kFalse;
    out.unsent = UnsentFor(check, type, sent_);
    if (part.truth == Truth::kMissing) {
      out.note = NoteOf(check);
      const bool unseen = !out.unsent.empty() && out.note.empty();
      out.state = unseen ? PartState::kUnseen : PartState::kMissing;
    }
    return out;
  }

  const SentPoints& sent_;
};

class Inquest final : public HappeningObserver, public AlertSink {
 public:
  Inquest(const ExplainRequest& request, const SentPoints& sent)
      : request_(request),
        explainer_(request.rule->condition),
        writer_(sent),
        name_(*AllFields().Bind("proc.name", std::nullopt)),
        came_(kEventTypeCount) {}

  void BeginCapture(size_t capture) {
    capture_ = capture;
    frames_ = 0;
    skipped_.clear();
  }

  // Before the pipeline has the message.
  void NoteFrame(bool readable) {
    ++frames_;
    ++report_.messages;
    if (readable) return;
    ++report_.unreadable;
    skipped_.push_back(frames_);
  }

  bool OnAlert(Alert alert) override {
    raised_ |= alert.rule == request_.rule->name;
    return true;
  }

  void OnAsked(const Happening& happening, std::span<const Rule* const> matched) override;

  RuleReport Take();
  uint64_t came(EventType type) const { return came_[type.index]; }

 private:
  // A kind of miss: the same checks stand in the way.
  using Kind = std::vector<const ExplainedPart*>;

  // Happenings count the messages that could be read, `dump` all.
  uint64_t NumberOf(const Happening& happening) const {
    size_t before = 0;  // of the skipped, in order of their numbers
    for (size_t end = skipped_.size(); before < end;) {
      const size_t middle = before + (end - before) / 2;
      if (skipped_[middle] - middle <= happening.number) {
        before = middle + 1;
      } else {
        end = middle;
      }
    }
    return happening.number + before;
  }

  bool WasAsked(std::span<const Rule* const> matched) const {
    const bool first_only = request_.rules->matching() == RuleMatching::kFirst;
    return !first_only || matched.empty() || request_.rule <= matched.front();
  }

  Outcome OutcomeOf(bool held, bool raised, bool of_type, bool asked) const {
    if (raised) return Outcome::kFired;
    if (!of_type) return Outcome::kNotOfType;
    if (!held) return Outcome::kDidNotHold;
    if (!request_.rule->enabled) return Outcome::kDisabled;
    return asked ? Outcome::kToldBefore : Outcome::kOtherFirst;
  }

  ShownEvent Show(const ExplainedPart& root, const Happening& happening, uint64_t number,
                  Outcome outcome, std::span<const Rule* const> matched);
  void AddMiss(const ExplainedPart& root, const Happening& happening, uint64_t number,
               std::span<const Rule* const> matched);

  const ExplainRequest& request_;
  Explainer explainer_;
  PartWriter writer_;
  BoundField name_;
  Scratch scratch_;
  std::vector<uint64_t> came_;  // by event type
  size_t capture_ = 0;
  uint64_t frames_ = 0;
  std::vector<uint64_t> skipped_;  // frames that told nothing
  bool raised_ = false;            // since the last happening
  std::map<Kind, ShownEvent> misses_;
  uint64_t kinds_dropped_ = 0;
  RuleReport report_;
};

void Inquest::OnAsked(const Happening& happening, std::span<const Rule* const> matched) {
  const bool raised = std::exchange(raised_, false);
  ++report_.happenings;
  ++came_[happening.type.index];
  const uint64_t number = NumberOf(happening);
  const bool is_wanted = request_.event == number;
  const bool of_type = request_.rule->event_types.test(happening.type.index);
  if (of_type) ++report_.of_types;
  if (!of_type && !is_wanted) return;
  const bool asked = of_type && WasAsked(matched);
  const ExplainedPart& root = asked ? explainer_.Explain(happening) : explainer_.Suppose(happening);
  const Outcome outcome = OutcomeOf(root.holds(), raised, of_type, asked);
  const auto keep = [&](std::vector<ShownEvent>& events) {
    if (events.size() < request_.limit) {
      events.push_back(Show(root, happening, number, outcome, matched));
    }
  };
  if (is_wanted) {
    ShownEvent event = Show(root, happening, number, outcome, matched);
    event.condition = writer_.Whole(root, happening.type);
    report_.events.push_back(std::move(event));
  }
  switch (outcome) {
    case Outcome::kFired:
      ++report_.fired;
      report_.fired_at.emplace_back(capture_, number);
      keep(report_.firings);
      return;
    case Outcome::kOtherFirst:
    case Outcome::kDisabled:
    case Outcome::kToldBefore:
      ++report_.held_only;
      keep(report_.held);
      return;
    case Outcome::kDidNotHold:
      AddMiss(root, happening, number, matched);
      return;
    case Outcome::kNotOfType:
      return;
  }
}

ShownEvent Inquest::Show(const ExplainedPart& root, const Happening& happening, uint64_t number,
                         Outcome outcome, std::span<const Rule* const> matched) {
  ShownEvent out;
  out.capture = capture_;
  out.number = number;
  out.type = Describe(happening.type).name;
  out.time_ns = happening.time_ns;
  scratch_.Reset();
  const Value name = name_.Extract(happening, scratch_);
  if (!name.missing()) out.process = std::string(name.text().substr(0, kShownBytesMax));
  out.pid = happening.process->tgid;
  out.second_chance = happening.second_chance;
  out.concluded = happening.synthetic;
  out.outcome = outcome;
  if (outcome == Outcome::kOtherFirst) out.winner = matched.front()->name;
  out.away = root.to_hold;
  const std::vector<DecidingPart> way = NearestWay(root);
  const std::vector<DecidingPart> missed = StandsInTheWay(root);
  out.held = way.size() - missed.size();
  out.causes = writer_.Causes(root.holds() ? way : missed, happening.type);
  return out;
}

void Inquest::AddMiss(const ExplainedPart& root, const Happening& happening, uint64_t number,
                      std::span<const Rule* const> matched) {
  Kind kind;
  for (const DecidingPart& each : StandsInTheWay(root)) kind.push_back(each.part);
  if (const auto found = misses_.find(kind); found != misses_.end()) {
    ++found->second.alike;
    return;
  }
  if (misses_.size() >= kKindsMax) {
    const auto farthest =
        std::ranges::max_element(misses_, {}, [](const auto& entry) { return entry.second.away; });
    ++kinds_dropped_;
    if (farthest->second.away <= root.to_hold) return;
    misses_.erase(farthest);
  }
  misses_.emplace(std::move(kind), Show(root, happening, number, Outcome::kDidNotHold, matched));
}

RuleReport Inquest::Take() {
  report_.miss_kinds = misses_.size() + kinds_dropped_;
  for (auto& [kind, event] : misses_) report_.misses.push_back(std::move(event));
  std::ranges::sort(report_.misses, {}, [](const ShownEvent& event) {
    return std::tuple(event.away, -static_cast<int64_t>(event.held), event.capture, event.number);
  });
  if (report_.misses.size() > request_.limit) report_.misses.resize(request_.limit);
  return std::move(report_);
}

// ---- what was sent

void AddTypes(const ExplainRequest& request, const SentPoints& sent, const Inquest& inquest,
              RuleReport& report) {
  std::map<Unsent, std::vector<std::string>> unsent;
  for (const TypeNeeds& needs : NeedsOf(*request.rule)) {
    ShownType type{.name = std::string(Describe(needs.type).name),
                   .came = inquest.came(needs.type),
                   .points = PointsOf(needs.type),
                   .sent = IsSent(needs.type, sent)};
    // Raw points are asked for only where a rule names the event.
    const bool names_types = !request.rule->event_types.all();
    const bool is_raw = !type.points.empty() && type.points.front().starts_with("syscall/sysno/");
    if (type.came == 0 && !type.sent) {
      if (is_raw && !names_types) type.points.clear();
      for (const std::string& point : type.points) unsent[{point, ""}].push_back(type.name);
    } else {
      for (Unsent& each : UnsentFor(request.rule->condition, needs.facts, needs.type, sent)) {
        unsent[std::move(each)].push_back(type.name);
      }
    }
    report.types.push_back(std::move(type));
  }
  for (auto& [what, types] : unsent) report.unsent.push_back({what, std::move(types)});
}

// Calls `begin(capture)` before each capture, `frame(datagram)` for each message, and after them
// `every(record)`. Gives the captures' warnings.
template <class Begin, class Frame, class Every>
Result<std::vector<std::string>> ForEachRecord(const std::vector<std::string>& captures,
                                               const Begin& begin, const Frame& frame,
                                               const Every& every) {
  CaptureSource source(captures);
  std::vector<std::string> warnings;
  Record record;
  size_t opened = 0;
  for (;;) {
    const SourceStatus status = source.Next(record);
    for (std::string& warning : source.TakeWarnings()) warnings.push_back(std::move(warning));
    if (status == SourceStatus::kEnd) break;
    if (status != SourceStatus::kRecord) continue;
    if (record.kind == RecordKind::kOpened) begin(opened++);
    if (record.kind == RecordKind::kFrame) frame(record.frame);
    every(record);
  }
  if (source.error()) return std::unexpected(*source.error());
  return warnings;
}

// False for a message that the pipeline can't take up.
bool Read(std::span<const std::byte> datagram, Event& event) {
  const auto message = ReadMessage(datagram);
  return message && Decode(message->type, message->payload, event).has_value();
}

Result<SentPoints> PointsIn(const ExplainRequest& request) {
  SentPoints seen;
  Event event;
  const auto read = ForEachRecord(
      request.captures, [](size_t) {},
      [&](std::span<const std::byte> datagram) {
        if (Read(datagram, event)) NoteSeen(event, request.arch, seen);
      },
      [](const Record&) {});
  if (!read) return std::unexpected(read.error());
  return seen;
}

}  // namespace

Result<RuleReport> ExplainRule(const ExplainRequest& request) {
  SentPoints sent;
  if (request.session) {
    sent = *request.session;
  } else {
    auto seen = PointsIn(request);
    if (!seen) return std::unexpected(seen.error());
    sent = std::move(*seen);
  }
  Inquest inquest(request, sent);
  PipelineOptions options;
  options.arch = request.arch;
  std::string event_point;
  uint64_t messages = 0;
  Event event;
  std::vector<std::string> warnings;
  {
    ObservedPipeline pipeline(request.rules, options, inquest, inquest);
    auto read = ForEachRecord(
        request.captures, [&](size_t capture) { inquest.BeginCapture(capture); },
        [&](std::span<const std::byte> datagram) {
          const bool readable = Read(datagram, event);
          inquest.NoteFrame(readable);
          if (++messages != request.event || !readable) return;
          event_point = SentPointName(event.type(), event.sysno(), event.is_exit(), request.arch);
        },
        [&](const Record& record) { pipeline.Process(record); });
    if (!read) return std::unexpected(read.error());
    warnings = std::move(*read);
  }
  if (request.event && (*request.event == 0 || *request.event > messages)) {
    return Fail(Fault::kUsage, fmt::format("{}: no event {}: it has {} messages, from 1",
                                           request.captures.front(), *request.event, messages));
  }
  RuleReport report = inquest.Take();
  report.event_point = std::move(event_point);
  report.warnings = std::move(warnings);
  AddTypes(request, sent, inquest, report);
  return report;
}

}  // namespace gyrfalcon
