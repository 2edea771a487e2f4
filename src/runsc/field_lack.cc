#include "runsc/field_lack.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "fields/event_args.h"
#include "points/schema.h"
#include "rules/interpreter.h"
#include "runsc/fact_supply.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

bool HasWord(std::string_view words, std::string_view word) {
  return std::ranges::any_of(Split(words, ' '),
                             [word](std::string_view one) { return one == word; });
}

// Shown of the call's own message, and not to be had from registers.
constexpr std::string_view kOfMessage =
    "fs.path.name fs.path.nameraw evt.abspath fd.name_changed gyrfalcon.path.claimed "
    "gyrfalcon.path.true gyrfalcon.path.raced";
// The same, where the call is an open.
constexpr std::string_view kOfOpen =
    "evt.is_open_read evt.is_open_write evt.is_open_exec evt.is_open_create fd.name fd.nameraw "
    "fd.directory fd.filename fd.type fd.typechar fd.containername fd.containerdirectory";
constexpr std::string_view kOpenTypes = "open openat openat2 creat";

// Which end of a connection is told by which calls: connect does not know its own, accept has the
// peer only where the program asked for it.
struct OneSidedRow {
  std::string_view types;
  std::string_view fields;
  LackKind kind;
};
constexpr OneSidedRow kOneSided[] = {
    {"connect", "fd.lip fd.lport fd.lnet fd.lproto fd.cip fd.cport fd.cnet fd.cproto",
     LackKind::kOneSided},
    {"accept accept4", "fd.rip fd.rport fd.rnet fd.rproto fd.cip fd.cport fd.cnet fd.cproto",
     LackKind::kIfAsked},
};

// Facts without which a field has no value, whatever else is known of it.
constexpr FactSet kDecisive = Bit(Fact::kBinaryInfo) | Bit(Fact::kSha256) | Bit(Fact::kSha1) |
                              Bit(Fact::kPipePeers) | Bit(Fact::kCredentials) |
                              Bit(Fact::kTerminal) | Bit(Fact::kSession) | Bit(Fact::kFdLimit) |
                              Bit(Fact::kStandardFds) | Bit(Fact::kFdTable) | Bit(Fact::kWritten) |
                              Bit(Fact::kTruePath) | Bit(Fact::kProgram) | Bit(Fact::kParents) |
                              Bit(Fact::kContainer) | Bit(Fact::kExecSession) | Bit(Fact::kThread);
// Fields that another fact, or their own message, tells as well.
constexpr std::string_view kNeverAbsent =
    "evt.args evt.info gyrfalcon.map.from_image gyrfalcon.path.claimed fd.ino "
    "proc.is_exe_from_memfd";
// By process groups: setpgid has no schema.
constexpr std::string_view kOfGroups =
    "proc.pgid proc.vpgid proc.is_pgid_leader proc.is_vpgid_leader proc.pgid.exe "
    "proc.pgid.exepath proc.pgid.name proc.vpgid.exe proc.vpgid.exepath proc.vpgid.name";
// Calls that say themselves what their descriptor is.
constexpr std::string_view kTellTheirFd = "connect accept accept4 socket socketpair bind";

bool IsAbsentWithout(Fact fact, std::string_view field, std::string_view type) {
  if (HasWord(kNeverAbsent, field)) return false;
  if ((Bit(fact) & kDecisive) != 0) return true;
  if (fact == Fact::kFolder) return field == "proc.cwd";
  return fact == Fact::kFds && !HasWord(kTellTheirFd, type);
}

bool PointHas(std::string_view name, std::string_view optional) {
  const std::string_view bare =
      name.ends_with("/enter") || name.ends_with("/exit") ? name.substr(0, name.rfind('/')) : name;
  const auto def = std::ranges::find(Points(), bare, &PointDef::name);
  return def != Points().end() && std::ranges::any_of(Split(def->optional_fields, '|'),
                                                      [&](auto one) { return one == optional; });
}

bool IsSent(const SentPoints& sent, const SupplyRow& row, std::string_view name) {
  const auto found = sent.find(name);
  if (found == sent.end()) return false;
  if (!row.context.empty() && !found->second.context.contains(row.context)) return false;
  return row.optional.empty() || !PointHas(name, row.optional) ||
         found->second.optional.contains(row.optional);
}

// A container has an id, and it is never Falco's word for what runs outside of all.
Known KnowOfContainer(const BoundCheck& check, Supply told) {
  const bool is_id =
      check.left.kind == BoundOperand::Kind::kField && check.left.field.def->name == "container.id";
  if (!is_id || check.right) return std::nullopt;
  const bool whole = told == Supply::kWhole;
  if (check.op == Operator::kExists) return whole ? Known(true) : std::nullopt;
  if (check.texts.empty() ||
      std::ranges::any_of(check.texts, [](const auto& text) { return text != "host"; })) {
    return std::nullopt;
  }
  if (check.op == Operator::kEqual || check.op == Operator::kIn) return false;
  return check.op == Operator::kNotEqual && whole ? Known(true) : std::nullopt;
}

}  // namespace

struct SentEvents::Nobody {
  Arena arena;
  Ref<Process> process{arena.New<Process>()};
  Ref<File> file{arena.New<File>(FileType::kUnknown)};

  Nobody() {
    process->image = Ref(arena.New<Image>());
    process->fds = Ref(arena.New<FdTable>());
  }
};

SentEvents::SentEvents(const SentPoints& sent, EventType type, EventForm form,
                       std::vector<const EventSource*> sources)
    : sent_(sent),
      type_(type),
      form_(form),
      sources_(std::move(sources)),
      supply_(static_cast<size_t>(Fact::kCount)),
      nobody_(std::make_unique<Nobody>()) {
  for (size_t i = 0; i < supply_.size(); ++i) {
    bool whole = true;
    bool any = false;
    bool rows = false;
    for (const SupplyRow& row : FactSupply()) {
      if (row.fact != static_cast<Fact>(i)) continue;
      if (!row.event_type.empty() && row.event_type != Describe(type_).name) continue;
      rows = true;
      const Supply met = MetOf(row);
      const bool needed = row.need == Need::kEach || row.need == Need::kDetail;
      if (needed && met != Supply::kWhole) whole = false;
      if (row.need == Need::kAny && met == Supply::kAbsent) whole = false;
      any |= row.need != Need::kDetail && row.need != Need::kExtra && met != Supply::kAbsent;
    }
    supply_[i] = whole || !rows ? Supply::kWhole : (any ? Supply::kPartly : Supply::kAbsent);
  }
}

SentEvents::~SentEvents() = default;
SentEvents::SentEvents(SentEvents&&) noexcept = default;

std::vector<std::string_view> SentEvents::OwnPoints() const {
  std::vector<std::string_view> out;
  for (const EventSource* source : sources_) {
    // A raw exit has the context of its enter's entry.
    out.push_back(form_ == EventForm::kRaw ? source->points.front() : source->points.back());
  }
  return out;
}

Supply SentEvents::SupplyOf(Fact fact) const {
  return supply_[static_cast<size_t>(fact)];
}

Supply SentEvents::MetOf(const SupplyRow& row) const {
  size_t count = 0;
  size_t met = 0;
  const auto ask = [&](std::string_view name) {
    ++count;
    met += IsSent(sent_, row, name) ? 1u : 0u;
  };
  const bool own = row.where == Where::kOwn || row.where == Where::kStateOwn;
  if (own) {
    for (const std::string_view name : OwnPoints()) {
      // An own point without the field at all tells nothing by it.
      if (row.optional.empty() || PointHas(name, row.optional)) ask(name);
    }
    if (row.context.empty() && count == 0) return Supply::kAbsent;
  } else {
    for (const std::string_view name : Split(row.points, ' ')) ask(name);
  }
  if (met == count) return Supply::kWhole;
  if (met > 0) return Supply::kPartly;
  // What other messages have said of the process is remembered.
  const bool elsewhere =
      own && !row.context.empty() && std::ranges::any_of(sent_, [&](const auto& point) {
        return point.second.context.contains(row.context);
      });
  return elsewhere ? Supply::kPartly : Supply::kAbsent;
}

Lack SentEvents::LackOf(const BoundField& field) const {
  const std::string_view name = field.def->name;
  const std::string_view type = Describe(type_).name;
  if (field.def->availability == Availability::kMetadata &&
      SupplyOf(Fact::kContainer) != Supply::kAbsent) {
    return {LackKind::kMetadata};
  }
  if (field.def->extract == nullptr && field.def->extract_printed == nullptr) {
    return {LackKind::kNever};
  }
  if (field.def->availability == Availability::kConstant && field.def->level != Level::kRuleset) {
    return {LackKind::kConstant};
  }
  const bool raw = form_ == EventForm::kRaw;
  if ((name == "evt.arg" || name == "evt.rawarg") && !field.arg.index) {
    switch (TellingOf(field.arg.resolved, type_, raw)) {
      case ArgTelling::kNone:
        return {LackKind::kNoSuch};
      case ArgTelling::kUntold:
        return {raw ? LackKind::kRaw : LackKind::kUntold};
      case ArgTelling::kTold:
        break;
    }
  }
  const bool has_fd = (Describe(type_).flags & (kUsesFd | kCreatesFd)) != 0;
  if (raw && !has_fd && name.starts_with("fd.")) return {LackKind::kNoSuch};
  if (raw && (HasWord(kOfMessage, name) || name.starts_with("gyrfalcon.map."))) {
    return {LackKind::kRaw};
  }
  if (raw && HasWord(kOpenTypes, type) && HasWord(kOfOpen, name)) return {LackKind::kRaw};
  for (const OneSidedRow& row : kOneSided) {
    if (HasWord(row.types, type) && HasWord(row.fields, name)) return {row.kind};
  }
  const FactSet facts = FactsOf(field, type_);
  Lack out;
  if (HasWord(kOfGroups, name)) out = {LackKind::kPartly, Fact::kSession};
  for (size_t i = 0; i < supply_.size(); ++i) {
    const auto fact = static_cast<Fact>(i);
    if ((facts & Bit(fact)) == 0 || supply_[i] == Supply::kWhole) continue;
    if (supply_[i] == Supply::kAbsent && IsAbsentWithout(fact, name, type)) {
      return {LackKind::kAbsent, fact};
    }
    out = {LackKind::kPartly, fact};
  }
  return out;
}

Known SentEvents::Know(const BoundCheck& check) const {
  if (const Known by_type = KnowByType(check, type_)) return by_type;
  if (const Known known = KnowOfContainer(check, SupplyOf(Fact::kContainer))) return known;
  Happening happening{.type = type_};
  happening.process = nobody_->process.get();
  if (form_ == EventForm::kRaw && HasWord(kOpenTypes, Describe(type_).name)) {
    happening.has_fd = true;
    happening.fd = 3;
    happening.file = nobody_->file.get();
  }
  if (form_ == EventForm::kExecTold) happening.has_return = true;
  Scratch scratch;
  bool all_decided = true;
  bool missing = false;
  const auto look = [&](const BoundField& field) {
    const bool of_return = form_ == EventForm::kExecTold && IsReturn(field);
    const bool of_type = field.def->level == Level::kEventType;
    if (!of_return && !of_type && !LackOf(field).decided()) {
      all_decided = false;
      return;
    }
    missing |= field.Extract(happening, scratch).missing();
  };
  ForEachField(check.left, look);
  if (check.right) ForEachField(*check.right, look);
  if (missing) return false;
  if (!all_decided) return std::nullopt;
  return Evaluate(check, happening, scratch) == Truth::kTrue;
}

}  // namespace gyrfalcon
