#include "runsc/unseen.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/text.h"
#include "points/schema.h"
#include "runsc/event_sources.h"
#include "runsc/fact_supply.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kExec = "sentry/execve";

// Of what fact_supply.h names, what tells a fact without the rest: in one of a row's fields or,
// where it names none, in what its points' messages always have. A fact without a row is never said
// to be unseen.
constexpr SupplyRow kTellsAlone[] = {
    {Fact::kEnvironment, Where::kPoints, "container/start", {}, "env"},
    {Fact::kEnvironment, Where::kPoints, kExec},
    {Fact::kBinaryInfo, Where::kPoints, kExec, {}, "binary_info"},
    {Fact::kSha256, Where::kPoints, kExec, {}, "binary_sha256"},
    {Fact::kSha1, Where::kPoints, kExec, {}, "binary_sha1"},
    {Fact::kPipePeers, Where::kPoints, kExec, {}, "pipe_proc_info"},
    {Fact::kCredentials, Where::kOwn, {}, "credentials"},
    {Fact::kFolder, Where::kOwn, {}, "cwd", "fd_path"},
    {Fact::kFolder, Where::kPoints,
     "container/start sentry/clone sentry/execve syscall/open/enter syscall/openat/enter", "cwd"},
    {Fact::kTerminal, Where::kPoints, kExec, {}, "fd_info"},
    {Fact::kSession, Where::kPoints, "syscall/setsid/exit"},
    {Fact::kFdLimit, Where::kPoints, "syscall/prlimit64/exit"},
    {Fact::kFds, Where::kOwn, {}, {}, "fd_path"},
    {Fact::kFds, Where::kPoints, "syscall/close/enter", {}, "fd_path", "close"},
    {Fact::kStandardFds, Where::kPoints, kExec, {}, "fd_info"},
    {Fact::kFdTable, Where::kPoints, kExec, {}, "fd_info"},
    {Fact::kWritten, Where::kPoints, "syscall/open/exit syscall/openat/exit syscall/creat/exit"},
    {Fact::kLayers, Where::kPoints, "sentry/mmap"},
    {Fact::kTruePath, Where::kPoints, "syscall/close/enter", {}, "fd_path"},
    {Fact::kProgram, Where::kPoints, "sentry/execve container/start"},
    {Fact::kParents, Where::kPoints, "sentry/clone"},
};

struct Supplier {
  std::string point;
  std::vector<std::string_view> fields;  // in one of these; empty: in what always comes
};

template <class List>
bool Has(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != std::end(list);
}

// Of the fields that a row names, those that the point has.
std::vector<std::string_view> FieldsAt(const SupplyRow& row, std::string_view point_name) {
  std::string_view bare = point_name;
  if (bare.ends_with("/enter") || bare.ends_with("/exit")) bare = bare.substr(0, bare.rfind('/'));
  const auto point = std::ranges::find(Points(), bare, &PointDef::name);
  const bool is_raw = point == Points().end();
  std::vector<std::string_view> out;
  const auto context = is_raw ? AllContextFields() : ContextFields(*point);
  if (!row.context.empty() && Has(context, row.context)) out.push_back(row.context);
  if (row.optional.empty() || is_raw) return out;
  if (Has(Split(point->optional_fields, '|'), row.optional)) out.push_back(row.optional);
  return out;
}

std::vector<Supplier> SuppliersOf(Fact fact, EventType type) {
  const std::string_view event_type = Describe(type).name;
  std::vector<Supplier> out;
  for (const SupplyRow& row : kTellsAlone) {
    if (row.fact != fact) continue;
    if (!row.event_type.empty() && row.event_type != event_type) continue;
    std::vector<std::string> points;
    if (row.where == Where::kOwn) points = PointsOf(type);
    for (const std::string_view name : Split(row.points, ' ')) {
      if (!name.empty()) points.emplace_back(name);
    }
    const bool by_field = !row.context.empty() || !row.optional.empty();
    for (std::string& point : points) {
      std::vector<std::string_view> fields = FieldsAt(row, point);
      if (!by_field || !fields.empty()) out.push_back({std::move(point), std::move(fields)});
    }
  }
  return out;
}

bool IsSent(const Supplier& supplier, const SentPoints& sent) {
  const auto point = sent.find(supplier.point);
  if (point == sent.end()) return false;
  return supplier.fields.empty() ||
         std::ranges::any_of(supplier.fields, [&](std::string_view field) {
           return point->second.context.contains(field) || point->second.optional.contains(field);
         });
}

void AddUnsent(FactSet facts, EventType type, const SentPoints& sent, std::set<Unsent>& out) {
  for (unsigned i = 0; i < static_cast<unsigned>(Fact::kCount); ++i) {
    const auto fact = static_cast<Fact>(i);
    if ((facts & Bit(fact)) == 0) continue;
    const std::vector<Supplier> suppliers = SuppliersOf(fact, type);
    const auto is_sent = [&](const Supplier& supplier) { return IsSent(supplier, sent); };
    if (std::ranges::any_of(suppliers, is_sent)) continue;
    for (const Supplier& supplier : suppliers) {
      if (supplier.fields.empty()) out.insert({supplier.point, ""});
      for (const std::string_view field : supplier.fields) {
        out.insert({supplier.point, std::string(field)});
      }
    }
  }
}

FactSet FactsOf(const BoundCheck& check, EventType type) {
  FactSet facts = 0;
  const auto add = [&](const BoundField& field) { facts |= gyrfalcon::FactsOf(field, type); };
  ForEachField(check.left, add);
  if (check.right) ForEachField(*check.right, add);
  return facts;
}

FactSet FactsOf(const BoundCondition& condition, EventType type) {
  FactSet facts = 0;
  ForEachField(condition,
               [&](const BoundField& field) { facts |= gyrfalcon::FactsOf(field, type); });
  return facts;
}

}  // namespace

std::vector<std::string> PointsOf(EventType type) {
  const auto sources = SourcesOf(type);
  const auto is_raw = [](const EventSource& source) { return source.form == EventForm::kRaw; };
  const bool all_raw = std::ranges::all_of(sources, is_raw);
  std::vector<std::string> out;
  for (const EventSource& source : sources) {
    if (is_raw(source) && !all_raw) continue;
    out.insert(out.end(), source.points.begin(), source.points.end());
  }
  return out;
}

bool IsSent(EventType type, const SentPoints& sent) {
  const auto has = [&sent](const std::string& point) { return sent.contains(point); };
  return std::ranges::any_of(SourcesOf(type), [&has](const EventSource& source) {
    return std::ranges::all_of(source.points, has);
  });
}

std::vector<Unsent> UnsentFor(const BoundCheck& check, EventType type, const SentPoints& sent) {
  std::set<Unsent> out;
  AddUnsent(FactsOf(check, type), type, sent, out);
  return {out.begin(), out.end()};
}

std::vector<Unsent> UnsentFor(const BoundCondition& condition, FactSet needed, EventType type,
                              const SentPoints& sent) {
  std::set<Unsent> out;
  AddUnsent(FactsOf(condition, type) & needed, type, sent, out);
  return {out.begin(), out.end()};
}

}  // namespace gyrfalcon
