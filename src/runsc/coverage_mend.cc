#include "runsc/coverage_mend.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "points/schema.h"
#include "runsc/fact_supply.h"

namespace gyrfalcon {
namespace {

struct RateRow {
  std::string_view point;
  double per_1000;
};
// clang-format off
constexpr RateRow kRates[] = {
#include "runsc/point_rates.inc"
};
// clang-format on
constexpr double kRare = 0.05;  // what is not in the recordings: less than this

constexpr std::string_view kRawPrefix = "syscall/sysno/";

bool Contains(const SentPoint& all, const SentPoint& part) {
  return std::ranges::includes(all.context, part.context) &&
         std::ranges::includes(all.optional, part.optional);
}

struct SubstituteRow {
  std::string_view words;  // event types, or fields; "x.*": all that begin so
  std::string_view text;
};

constexpr SubstituteRow kOfTypes[] = {
    {"unlink unlinkat rmdir rename renameat renameat2 mkdir mkdirat mknod mknodat truncate "
     "setxattr",
     "the raw point shows that the call was made, by whom and with which result: a rule on "
     "evt.type and proc.*; what is put in place by open is seen by \"File below a binary directory "
     "opened for writing\" and its neighbours"},
    {"symlink symlinkat link linkat",
     "what is then opened through a symbolic link is told by its true path (close/enter with "
     "fd_path): rules on fd.name such as \"Sensitive file read\"; a hard link has no truer name"},
    {"chmod fchmod fchmodat fchmodat2 chown fchown fchownat lchown",
     "the raw point shows mode or owner, who and the result; when such a file is run: \"New "
     "executable run\""},
    {"sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg",
     "addresses are told by connect, accept and bind; a datagram without connect shows as its raw "
     "point only"},
    {"openat2",
     "the raw point shows that the call was made and whether it succeeded; programs that do not "
     "mean to hide use openat. The file's path is told at its close"},
    {"mount umount umount2 setns unshare pivot_root",
     "the raw point shows the call, its flags and its result: a rule on evt.type, evt.arg.flags "
     "and proc.*"},
    {"init_module finit_module delete_module bpf userfaultfd kexec_load kexec_file_load "
     "perf_event_open",
     "gVisor has no kernel to load code into: the raw point shows the attempt, a signal by itself"},
    {"map_file", "\"New executable run\" sees programs; mapped libraries need a newer runsc"},
    {"ptrace", "syscall/sysno/101 shows the request's number and the process id"},
};

constexpr SubstituteRow kOfFields[] = {
    {"thread.cap_*",
     "user.uid and user.name; a capability inside a sandbox is one of gVisor's kernel, not of the "
     "host's. Attempts to get out: \"Escape attempt by a host interface\""},
    {"fd.sip.name fd.cip.name fd.rip.name fd.lip.name",
     "fd.sip, fd.cip, fd.rip with addresses or networks (fd.snet): a rule does not wait for a name "
     "server"},
    {"evt.buffer", "evt.buflen, and who reads or writes what (fd.name)"},
    {"container.* k8s.*",
     "container.id, where gyrfalcon can't see the host's files and daemons: docs/metadata.md"},
    {"user.loginuid user.loginname", "user.uid; proc.is_exec_session says who came from outside"},
    {"fs.path.* evt.arg.* evt.rawarg.* fd.*",
     "evt.type, evt.res and proc.* of the same call; registers have no texts"},
};

std::string_view Find(std::span<const SubstituteRow> rows, std::string_view name) {
  for (const SubstituteRow& row : rows) {
    for (const std::string_view word : Split(row.words, ' ')) {
      const bool fits =
          word.ends_with('*') ? name.starts_with(word.substr(0, word.size() - 1)) : name == word;
      if (fits) return row.text;
    }
  }
  return {};
}

// No session asks for it yet: so all that says whose the call is, but for the texts that a program
// can fill with what gVisor does not send.
void AddRawContext(const SentPoint& known, SentPoint& out) {
  for (const std::string& field : known.context) {
    if (field != "cwd" && field != "process_name") out.context.insert(field);
  }
}

Mend MakeMend(const MendContext& context, std::string_view point, SentPoint needed) {
  Mend out{.point = std::string(point), .entry = std::move(needed)};
  const auto sent = context.sent.find(point);
  out.sent = sent != context.sent.end();
  const auto known = context.known.find(point);
  out.known = known != context.known.end() && Contains(known->second, out.entry);
  for (const SentPoints* more : {&context.sent, context.wanted}) {
    const auto found = more->find(point);
    if (found == more->end()) continue;
    out.entry.context.insert(found->second.context.begin(), found->second.context.end());
    out.entry.optional.insert(found->second.optional.begin(), found->second.optional.end());
  }
  if (point.starts_with(kRawPrefix) && out.entry.context.empty() && known != context.known.end()) {
    AddRawContext(known->second, out.entry);
  }
  if (!out.sent) out.messages_per_1000 = PointRate(point);
  return out;
}

bool HasField(const PointDef& point, std::string_view optional) {
  return std::ranges::any_of(Split(point.optional_fields, '|'),
                             [&](auto one) { return one == optional; });
}

// What of the row's fields the point can have.
SentPoint FieldsOf(const SupplyRow& row, std::string_view name) {
  SentPoint out;
  if (!row.context.empty()) out.context.emplace(row.context);
  if (row.optional.empty()) return out;
  const bool sided = name.ends_with("/enter") || name.ends_with("/exit");
  const std::string_view bare = sided ? name.substr(0, name.rfind('/')) : name;
  const auto def = std::ranges::find(Points(), bare, &PointDef::name);
  if (def != Points().end() && HasField(*def, row.optional)) out.optional.emplace(row.optional);
  return out;
}

}  // namespace

double PointRate(std::string_view point) {
  std::string twin;
  if (point.starts_with(kRawPrefix)) {
    const std::string_view rest = point.substr(kRawPrefix.size());
    const size_t slash = rest.find('/');
    const auto sysno = ParseUint(rest.substr(0, slash));
    const PointDef* def = sysno ? SchematisedPoint(*sysno, kHostArch) : nullptr;
    if (def != nullptr && slash != std::string_view::npos) {
      twin = std::string(def->name) + std::string(rest.substr(slash));
      point = twin;
    }
  }
  const auto found = std::ranges::find(kRates, point, &RateRow::point);
  return found == std::end(kRates) ? kRare : found->per_1000;
}

Mend MendForPoint(const MendContext& context, std::string_view point) {
  return MakeMend(context, point, {});
}

std::vector<Mend> MendForType(const MendContext& context, EventType type) {
  std::vector<Mend> best;
  if (context.wanted == nullptr) return best;
  for (const EventSource& source : SourcesOf(type)) {
    std::vector<Mend> mends;
    for (const std::string& point : source.points) mends.push_back(MendForPoint(context, point));
    const bool known = std::ranges::all_of(mends, &Mend::known);
    if (best.empty() || known) best = std::move(mends);
    if (known) break;
  }
  return best;
}

std::vector<Mend> MendForRaw(const MendContext& context, EventType type) {
  std::vector<Mend> out;
  if (context.wanted == nullptr) return out;
  for (const EventSource& source : SourcesOf(type)) {
    if (source.form == EventForm::kRaw) continue;
    for (const std::string& point : source.points) out.push_back(MendForPoint(context, point));
    break;
  }
  return out;
}

std::vector<Mend> MendForFact(const MendContext& context, const SentEvents& events, Fact fact) {
  std::vector<Mend> out;
  if (context.wanted == nullptr) return out;
  for (const SupplyRow& row : FactSupply()) {
    if (row.fact != fact || row.need == Need::kExtra || row.need == Need::kInstead) continue;
    if (!row.event_type.empty() && row.event_type != Describe(events.type()).name) continue;
    if (events.MetOf(row) == Supply::kWhole) continue;
    const bool own = row.where == Where::kOwn || row.where == Where::kStateOwn;
    const std::vector<std::string_view> names = own ? events.OwnPoints() : Split(row.points, ' ');
    for (const std::string_view name : names) {
      SentPoint fields = FieldsOf(row, name);
      const auto sent = context.sent.find(name);
      if (sent != context.sent.end() && Contains(sent->second, fields)) continue;
      Mend mend = MakeMend(context, name, std::move(fields));
      const auto same = std::ranges::find(out, mend.point, &Mend::point);
      if (same == out.end()) {
        out.push_back(std::move(mend));
      } else {
        same->entry.optional.insert(mend.entry.optional.begin(), mend.entry.optional.end());
        same->entry.context.insert(mend.entry.context.begin(), mend.entry.context.end());
        same->known = same->known && mend.known;
      }
      if (row.need == Need::kAny) break;
    }
  }
  return out;
}

std::string_view SubstituteForType(EventType type) {
  return Find(kOfTypes, Describe(type).name);
}

std::string_view SubstituteForField(std::string_view field) {
  return Find(kOfFields, field);
}

}  // namespace gyrfalcon
