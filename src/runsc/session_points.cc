#include "runsc/session_points.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "points/schema.h"
#include "rules/rule_needs.h"
#include "runsc/fact_supply.h"

namespace gyrfalcon {
namespace {

using enum SessionProfile;

constexpr std::string_view kStateReason = "state: ";
constexpr std::string_view kProfileNames[] = {"lean", "standard", "strict"};

// ---- tables: points by name with their side, several of them separated by blanks

// What the state needs to be true at all, whatever the rules ask.
struct StateRow {
  std::string_view points;
  std::string_view why;
};
constexpr StateRow kStatePoints[] = {
    {"container/start", "how a container's first program begins, and with which arguments"},
    {"sentry/clone", "how processes and threads come, and from whom"},
    {"sentry/execve", "which program a process is; the only proof that one was started"},
    {"sentry/task_exit", "how they go: ids are recycled, and floods are what lives at once"},
    {"syscall/execve/enter syscall/execveat/enter",
     "the path as passed, of which a program has its name; 2022's runsc tell it nowhere else. The "
     "first sign of an exec session whose program opens nothing before it becomes another"},
    {"syscall/open/exit syscall/openat/exit syscall/creat/exit",
     "no message tells the start of an exec session; what every program soon does is its first "
     "sign. Which files were written before they were run"},
};

// Of every message: whose it is. The first of an exec session may be any of them.
struct ContextRow {
  std::string_view fields;
  std::string_view why;
};
constexpr ContextRow kStateContext[] = {
    {"time", "when it happened"},
    {"thread_id group_id", "who acts; first seen, its process"},
    {"task_start_time thread_group_start_time", "recycled ids are told apart by their start"},
    {"container_id", "whose it is, and that nobody speaks for another"},
    {"parent_thread_group_id", "whose child a process is that no message introduced"},
    {"is_exec_session", "that it came by `docker exec` and its like"},
    {"process_name",
     "who a process is that no message introduced; another name without an exec shows a lost one"},
};

// What profiles promise beyond the rules.
struct ProfileRow {
  SessionProfile from;
  std::string_view points;
  std::string_view optional;
  std::string_view why;
};
constexpr ProfileRow kProfilePoints[] = {
    {kStandard, "syscall/open/enter syscall/openat/enter syscall/creat/enter", "fd_path",
     "a path that changes during the call; folder and name of a process that no message "
     "introduced"},
    {kStandard, "syscall/open/exit syscall/openat/exit syscall/creat/exit", "fd_path",
     "a path that changes during the call"},
    {kStandard, "syscall/connect/enter syscall/connect/exit", "",
     "an address that changes during the call"},
    {kStandard, "syscall/close/enter", "fd_path", "the open file's own path: links and races"},
    {kStandard,
     "syscall/execve/enter syscall/execve/exit syscall/execveat/enter syscall/execveat/exit", "",
     "the twins of the tripwires"},
    {kStrict, "syscall/execve/enter syscall/execveat/enter", "envv",
     "bytes in the environment that hide an exec"},
};

// Raw points beside the schematised ones of a call: where the twin is missing, it was hidden.
struct TripwireRow {
  SessionProfile from;
  std::string_view syscall;
};
constexpr TripwireRow kTripwires[] = {
    {kStandard, "execve"}, {kStandard, "execveat"}, {kStrict, "open"},
    {kStrict, "openat"},   {kStrict, "connect"},
};
constexpr std::string_view kTripwireContext[] = {"time", "thread_id", "container_id"};

// A message with one string that is not UTF-8 is not sent. So, but for lean, what the program can
// fill with such bytes is asked for only where its loss does no harm, or shows: `cwd` and
// `process_name` at container/start and at the enters of opens, `process_name` at those of execs.
// An exit without its enter, or a raw one, tells of those; with the enters come the folder and the
// name of a process that nothing introduced.
struct BlindingRow {
  std::string_view field;
  std::string_view points;  // that may carry it
};
constexpr BlindingRow kBlindingContext[] = {
    {"cwd", "container/start syscall/open/enter syscall/openat/enter syscall/creat/enter"},
    {"process_name",
     "container/start syscall/open/enter syscall/openat/enter syscall/creat/enter "
     "syscall/execve/enter syscall/execveat/enter"},
};

template <class List>
bool Has(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::end(list);
}

template <class Visit>
void ForEachWord(std::string_view words, const Visit& visit) {
  for (const std::string_view word : Split(words, ' ')) {
    if (!word.empty()) visit(word);
  }
}

bool MayCarry(std::string_view point, std::string_view field) {
  const auto row = std::ranges::find(kBlindingContext, field, &BlindingRow::field);
  return row == std::end(kBlindingContext) || Has(Split(row->points, ' '), point);
}

// ---- building

constexpr uint64_t kSysnoEnd = 512;

class Builder {
 public:
  Builder(const RuleSet& rules, SessionProfile profile, std::span<const NamedPoint> also)
      : profile_(profile) {
    AddState();
    AddProfile();
    for (const NamedPoint& point : also) Ask(point.name, point.reason);
    for (const Rule& rule : rules.rules()) {
      if (rule.enabled) AddRule(rule);
    }
    AddFacts();
  }

  std::vector<AskedPoint> Finish();

 private:
  struct Fields {
    std::map<std::string_view, Reasons> context;
    std::map<std::string_view, Reasons> optional;
  };
  struct Point {
    Reasons reasons;
    Fields fields;
    bool tripwire = true;  // nothing but a tripwire
  };
  // Who needs a fact for the events of some points.
  struct Wanted {
    std::string_view event_type;
    Fact fact;
    std::string reason;
  };

  Point& Ask(std::string_view name, const std::string& reason) {
    Point& point = points_[std::string(name)];
    point.reasons.insert(reason);
    point.tripwire = false;
    return point;
  }

  void AddState();
  void AddProfile();
  void AddRule(const Rule& rule);
  void AddEvent(const TypeNeeds& needs, const std::string& reason);
  void AddRaw(std::string_view event_type, const std::string& reason);
  void AddFacts();
  void AddSupply(const SupplyRow& row, const Wanted& wanted);
  std::vector<std::string> OwnPoints(std::string_view event_type) const;
  static void AddFields(const SupplyRow& row, const std::string& reason, Point& point);
  AskedPoint Put(const std::string& name, const Point& point,
                 std::span<const std::string_view> context,
                 const std::vector<std::string_view>& optional) const;

  SessionProfile profile_;
  std::map<std::string, Point, std::less<>> points_;
  std::vector<Wanted> wanted_;
};

void Builder::AddState() {
  for (const StateRow& row : kStatePoints) {
    ForEachWord(row.points, [&](std::string_view name) {
      Ask(name, fmt::format("{}{}", kStateReason, row.why));
    });
  }
}

void Builder::AddProfile() {
  for (const ProfileRow& row : kProfilePoints) {
    if (row.from > profile_) continue;
    const std::string reason = fmt::format("profile {}: {}", Name(row.from), row.why);
    ForEachWord(row.points, [&](std::string_view name) {
      Point& point = Ask(name, reason);
      if (!row.optional.empty()) point.fields.optional[row.optional].insert(reason);
    });
  }
  for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
    for (const TripwireRow& row : kTripwires) {
      if (row.from > profile_ || SyscallName(kHostArch, sysno) != row.syscall) continue;
      for (const std::string_view side : {"enter", "exit"}) {
        points_[fmt::format("syscall/sysno/{}/{}", sysno, side)].reasons.insert(
            fmt::format("profile {}: tripwire, {} that is hidden", Name(row.from), row.syscall));
      }
    }
  }
}

constexpr std::string_view kClones[] = {"clone", "fork", "vfork"};

bool IsExec(std::string_view event_type) {
  return event_type == "execve" || event_type == "execveat";
}

// A raw exit takes its context fields from the enter's entry, so both are there and alike.
void Builder::AddRaw(std::string_view event_type, const std::string& reason) {
  for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
    if (SchematisedPoint(sysno, kHostArch) != nullptr) continue;
    const auto type = FindEventType(SyscallName(kHostArch, sysno));
    if (!type || Describe(*type).name != event_type) continue;
    Ask(fmt::format("syscall/sysno/{}/enter", sysno), reason);
    Ask(fmt::format("syscall/sysno/{}/exit", sysno), reason);
  }
}

// The points whose messages are events of the type.
void Builder::AddEvent(const TypeNeeds& needs, const std::string& reason) {
  const std::string_view event_type = Describe(needs.type).name;
  const bool is_exec = IsExec(event_type);
  const bool is_clone = Has(kClones, event_type);
  for (const PointDef& point : Points()) {
    const bool of_type = point.event_type == event_type;
    if (!point.is_syscall()) {
      if (of_type) Ask(point.name, reason);
    } else if (is_clone) {
      // Told by the call where it is seen from its enter on, and by sentry/clone, as a clone, where
      // not: all kinds or none.
      if (!Has(kClones, point.event_type)) continue;
      Ask(std::string(point.name) + "/enter", reason);
      Ask(std::string(point.name) + "/exit", reason);
    } else if (of_type && (!is_exec || needs.can_fail)) {
      Ask(std::string(point.name) + "/exit", is_exec ? reason + ": an exec that failed" : reason);
    }
  }
}

void Builder::AddRule(const Rule& rule) {
  const std::string reason = fmt::format("rule \"{}\"", rule.name);
  const std::vector<TypeNeeds> all = NeedsOf(rule);
  for (const TypeNeeds& needs : all) {
    const std::string_view event_type = Describe(needs.type).name;
    AddEvent(needs, reason);
    // A rule without any evt.type fits every event, but raw system calls cost the sandbox dearly
    // and tell little: only those that a rule names are asked for.
    if (!rule.event_types.all()) AddRaw(event_type, reason);
    for (unsigned i = 0; i < static_cast<unsigned>(Fact::kCount); ++i) {
      const auto fact = static_cast<Fact>(i);
      if ((needs.facts & Bit(fact)) == 0) continue;
      wanted_.push_back({event_type, fact, fmt::format("{}: {}", reason, Describe(fact))});
    }
  }
}

std::vector<std::string> Builder::OwnPoints(std::string_view event_type) const {
  std::vector<std::string> out;
  for (const auto& [name, point] : points_) {
    if (point.tripwire) continue;
    if (event_type == "execve") {
      out.push_back(name);
      continue;
    }
    const bool is_enter = name.ends_with("/enter");
    const bool is_raw = name.starts_with("syscall/sysno/");
    const std::string_view bare = std::string_view(name).substr(
        0, name.rfind('/') == std::string::npos || (!is_enter && !name.ends_with("/exit"))
               ? name.size()
               : name.rfind('/'));
    std::string_view type;
    if (is_raw) {
      const auto sysno = ParseUint(bare.substr(bare.rfind('/') + 1));
      type = SyscallName(kHostArch, sysno.value_or(kSysnoEnd));
    } else {
      const auto def = std::ranges::find(Points(), bare, &PointDef::name);
      type = def == Points().end() ? std::string_view() : def->event_type;
    }
    const bool of_exec = IsExec(event_type) && name == "sentry/execve";
    if ((type == event_type && (!is_enter || is_raw)) || of_exec) out.push_back(name);
  }
  return out;
}

void Builder::AddFields(const SupplyRow& row, const std::string& reason, Point& point) {
  if (!row.context.empty()) point.fields.context[row.context].insert(reason);
  if (!row.optional.empty()) point.fields.optional[row.optional].insert(reason);
}

void Builder::AddSupply(const SupplyRow& row, const Wanted& wanted) {
  if (row.where == Where::kOwn) {
    for (const std::string& name : OwnPoints(wanted.event_type)) {
      AddFields(row, wanted.reason, points_[name]);
    }
    return;
  }
  ForEachWord(row.points, [&](std::string_view name) {
    const auto asked = points_.find(name);
    if (row.where != Where::kIfAsked) {
      AddFields(row, wanted.reason, Ask(name, wanted.reason));
    } else if (asked != points_.end()) {
      AddFields(row, wanted.reason, asked->second);
    }
  });
}

// Points first: which fields a point has to have may depend on which points there are, whichever
// rule wants them.
void Builder::AddFacts() {
  for (const Where where : {Where::kPoints, Where::kIfAsked, Where::kOwn}) {
    for (const Wanted& wanted : wanted_) {
      for (const SupplyRow& row : FactSupply()) {
        if (row.fact != wanted.fact || row.where != where) continue;
        if (row.event_type.empty() || row.event_type == wanted.event_type) AddSupply(row, wanted);
      }
    }
  }
}

AskedPoint Builder::Put(const std::string& name, const Point& point,
                        std::span<const std::string_view> context,
                        const std::vector<std::string_view>& optional) const {
  AskedPoint out{.name = name, .reasons = point.reasons, .fields = {}};
  for (const std::string_view field : context) {
    if (point.tripwire) {
      if (Has(kTripwireContext, field)) {
        out.fields.push_back({field, false, point.reasons});
      }
      continue;
    }
    if (profile_ != kLean && !MayCarry(name, field)) continue;
    Reasons reasons;
    for (const ContextRow& row : kStateContext) {
      ForEachWord(row.fields, [&](std::string_view word) {
        if (word == field) reasons.insert(fmt::format("{}{}", kStateReason, row.why));
      });
    }
    if (const auto found = point.fields.context.find(field); found != point.fields.context.end()) {
      reasons.insert(found->second.begin(), found->second.end());
    }
    if (!reasons.empty()) out.fields.push_back({field, false, std::move(reasons)});
  }
  for (const std::string_view field : optional) {
    const auto found = point.fields.optional.find(field);
    if (found != point.fields.optional.end()) out.fields.push_back({field, true, found->second});
  }
  return out;
}

std::vector<AskedPoint> Builder::Finish() {
  std::vector<AskedPoint> out;
  const auto put = [&](const std::string& name, std::span<const std::string_view> context,
                       std::string_view optional) {
    const auto found = points_.find(name);
    if (found == points_.end()) return;
    out.push_back(Put(name, found->second, context, Split(optional, '|')));
  };
  for (const PointDef& point : Points()) {
    if (!point.is_syscall()) {
      put(std::string(point.name), ContextFields(point), point.optional_fields);
      continue;
    }
    for (const std::string_view side : {"/enter", "/exit"}) {
      put(std::string(point.name) + std::string(side), ContextFields(point), point.optional_fields);
    }
  }
  for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
    for (const std::string_view side : {"enter", "exit"}) {
      put(fmt::format("syscall/sysno/{}/{}", sysno, side), AllContextFields(), {});
    }
  }
  return out;
}

}  // namespace

std::optional<SessionProfile> ParseSessionProfile(std::string_view name) {
  const auto found = std::ranges::find(kProfileNames, name);
  if (found == std::end(kProfileNames)) return std::nullopt;
  return static_cast<SessionProfile>(found - std::begin(kProfileNames));
}

std::string_view Name(SessionProfile profile) {
  return kProfileNames[static_cast<size_t>(profile)];
}

std::vector<AskedPoint> PointsFor(const RuleSet& rules, SessionProfile profile,
                                  std::span<const NamedPoint> also) {
  return Builder(rules, profile, also).Finish();
}

bool IsStateReason(std::string_view reason) {
  return reason.starts_with(kStateReason);
}

}  // namespace gyrfalcon
