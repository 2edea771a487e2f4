#include "fields/field_facts.h"

#include <algorithm>
#include <iterator>

#include <absl/container/flat_hash_map.h>

#include "base/text.h"
#include "points/schema.h"

namespace gyrfalcon {
namespace {

constexpr FactSet kNothing = 0;
constexpr FactSet kName = Bit(Fact::kName);
constexpr FactSet kEnvironment = Bit(Fact::kEnvironment);
constexpr FactSet kBinaryInfo = Bit(Fact::kBinaryInfo);
constexpr FactSet kCredentials = Bit(Fact::kCredentials);
constexpr FactSet kFolder = Bit(Fact::kFolder);
constexpr FactSet kTerminal = Bit(Fact::kTerminal);
constexpr FactSet kSession = Bit(Fact::kSession);
constexpr FactSet kFdLimit = Bit(Fact::kFdLimit);
constexpr FactSet kFile = Bit(Fact::kFile);
constexpr FactSet kFds = Bit(Fact::kFds);
constexpr FactSet kStandardFds = Bit(Fact::kStandardFds);
constexpr FactSet kFdTable = Bit(Fact::kFdTable);
constexpr FactSet kTruePath = Bit(Fact::kTruePath);
constexpr FactSet kProgram = Bit(Fact::kProgram);
constexpr FactSet kParents = Bit(Fact::kParents);
constexpr FactSet kContainer = Bit(Fact::kContainer);
// Of all arguments of an event: those of execs and clones tell of the process as well.
constexpr FactSet kAnyArgument = kName | kFolder | kFile;
constexpr FactSet kAnyOfProcess =
    kEnvironment | kBinaryInfo | kCredentials | kTerminal | kSession | kFdLimit;

constexpr FieldFacts kRows[] = {
    // ---- of the event: its message, its type, its time
    {"evt.around evt.asynctype evt.category evt.count evt.count.error evt.count.error.file "
     "evt.count.error.memory evt.count.error.net evt.count.error.other evt.count.exit "
     "evt.count.procinfo evt.count.threadinfo evt.datetime evt.datetime.s evt.deltatime "
     "evt.deltatime.ns evt.deltatime.s evt.dir evt.failed evt.hostname evt.io_dir evt.is_async "
     "evt.is_io evt.is_io_read evt.is_io_write evt.is_open_create evt.is_open_exec "
     "evt.is_open_read evt.is_open_write evt.is_wait evt.latency evt.latency.human "
     "evt.latency.ns evt.latency.quantized evt.latency.s evt.num evt.outputtime evt.pluginname "
     "evt.plugininfo evt.rawres evt.rawtime evt.rawtime.ns evt.rawtime.s evt.reltime "
     "evt.reltime.ns evt.reltime.s evt.res evt.source evt.time evt.time.iso8601 evt.time.s "
     "evt.type evt.type.is evt.wait_latency syscall.type util.cnt",
     kNothing},
    {"evt.buflen evt.buflen.in evt.buflen.out", kNothing},
    {"evt.buflen.file evt.buflen.file.in evt.buflen.file.out evt.buflen.net evt.buflen.net.in "
     "evt.buflen.net.out evt.is_syslog",
     kFile},
    {"evt.abspath fs.path.name", kFolder},
    {"fs.path.nameraw", kNothing},
    {"evt.arg evt.rawarg evt.args evt.info", kAnyArgument | kAnyOfProcess},
    // ---- of the process: ids and times come with each message, the program with each exec
    {"proc.pid proc.vpid proc.nthreads proc.nchilds gyrfalcon.proc.synthetic thread.cgroup "
     "thread.cgroups",
     kNothing},
    {"proc.is_exec_session", Bit(Fact::kExecSession)},
    {"thread.tid thread.vtid thread.ismain", Bit(Fact::kThread)},
    {"proc.pid.ts proc.duration proc.pidns_init_start_ts", Bit(Fact::kStartTimes)},
    {"proc.ppid proc.pvpid proc.ppid.ts proc.ppid.duration proc.apid", kParents},
    {"proc.exe proc.exepath proc.args proc.exeline proc.cmdnargs proc.cmdlenargs "
     "gyrfalcon.exe.execfn",
     kProgram},
    {"proc.pexe proc.pexepath proc.aexe proc.aexepath proc.aargs", kProgram | kParents},
    {"proc.name gyrfalcon.proc.previous_name thread.nametid", kName},
    {"proc.cmdline", kName | kProgram},
    {"proc.pname proc.aname proc.loginshellid", kName | kParents},
    {"proc.pcmdline proc.acmdline", kName | kProgram | kParents},
    {"proc.env proc.aenv", kEnvironment},
    {"proc.cwd", kFolder},
    {"proc.tty", kTerminal},
    {"proc.sid proc.is_sid_leader proc.sid.exe proc.sid.exepath proc.pgid proc.vpgid "
     "proc.is_pgid_leader proc.is_vpgid_leader proc.pgid.exe proc.pgid.exepath proc.vpgid.exe "
     "proc.vpgid.exepath",
     kSession},
    {"proc.sname proc.pgid.name proc.vpgid.name", kSession | kName},
    {"proc.is_exe_writable", kBinaryInfo | kCredentials},
    {"proc.is_exe_upper_layer proc.is_exe_lower_layer proc.is_exe_from_memfd proc.exe_ino "
     "proc.exe_ino.ctime proc.exe_ino.ctime_duration_proc_start "
     "proc.exe_ino.ctime_duration_pidns_start gyrfalcon.exe.drift gyrfalcon.exe.gid "
     "gyrfalcon.exe.uid gyrfalcon.exe.mode gyrfalcon.exe.nlink gyrfalcon.exe.size",
     kBinaryInfo},
    {"gyrfalcon.exe.from_image", kBinaryInfo | Bit(Fact::kLayers)},
    {"gyrfalcon.exe.sha256", Bit(Fact::kSha256)},
    {"gyrfalcon.exe.sha1", Bit(Fact::kSha1)},
    {"gyrfalcon.exe.written", Bit(Fact::kWritten) | kFolder},
    {"gyrfalcon.pipe.in.pid gyrfalcon.pipe.in.exe gyrfalcon.pipe.in.exepath gyrfalcon.pipe.out.pid "
     "gyrfalcon.pipe.out.exe gyrfalcon.pipe.out.exepath",
     Bit(Fact::kPipePeers)},
    {"gyrfalcon.pipe.in.name gyrfalcon.pipe.in.cmdline gyrfalcon.pipe.out.name "
     "gyrfalcon.pipe.out.cmdline",
     Bit(Fact::kPipePeers) | kName},
    {"proc.stdin.type proc.stdout.type proc.stderr.type proc.stdin.name proc.stdout.name "
     "proc.stderr.name",
     kStandardFds},
    {"proc.fdopencount fd.types", kFdTable},
    {"proc.fdlimit", kFdLimit},
    {"proc.fdusage", kFdTable | kFdLimit},
    // ---- of who it runs as
    {"user.uid user.name user.homedir user.shell group.gid group.name", kCredentials},
    {"user.loginuid user.loginname", kNothing},
    // ---- of the descriptor
    {"fd.num fd.uid", kNothing},
    {"fd.type fd.typechar fd.name fd.directory fd.filename fd.ip fd.port fd.net fd.proto fd.cip "
     "fd.sip fd.lip fd.rip fd.cport fd.sport fd.lport fd.rport fd.cnet fd.snet fd.lnet fd.rnet "
     "fd.cproto fd.sproto fd.lproto fd.rproto fd.l4proto fd.sockfamily fd.is_server fd.connected "
     "fd.name_changed fd.containername fd.containerdirectory fd.nameraw",
     kFile},
    {"fd.ino", kFile | kStandardFds},
    {"gyrfalcon.fd.origin", kFile | Bit(Fact::kFdOrigin)},
    {"gyrfalcon.path.claimed", kFile | kTruePath},
    {"gyrfalcon.path.raced gyrfalcon.path.true", kFile | kTruePath},
    // ---- of a mapping: its own message, whole
    {"gyrfalcon.map.ctime gyrfalcon.map.drift gyrfalcon.map.exec gyrfalcon.map.gid "
     "gyrfalcon.map.initial gyrfalcon.map.ino gyrfalcon.map.mode gyrfalcon.map.prot "
     "gyrfalcon.map.uid",
     kNothing},
    {"gyrfalcon.map.path", kFile},
    {"gyrfalcon.map.from_image", Bit(Fact::kLayers) | kBinaryInfo},
    // ---- of the container: its id comes with each message, the rest is the host's
    {"container.id container.full_id", kContainer},
    {"container.start_ts container.duration container.healthcheck container.liveness_probe "
     "container.readiness_probe proc.is_container_healthcheck proc.is_container_liveness_probe "
     "proc.is_container_readiness_probe",
     kNothing},
    {"container.type "
     "container.cni.json container.host_ipc container.host_network "
     "container.host_pid container.image container.image.digest container.image.id "
     "container.image.repository container.image.tag container.ip container.label "
     "container.labels container.mount container.mount.dest "
     "container.mount.mode container.mount.propagation container.mount.rdwr "
     "container.mount.source container.mounts container.name container.privileged "
     "k8s.ns.name k8s.pod.cni.json k8s.pod.full_sandbox_id k8s.pod.id k8s.pod.ip k8s.pod.label "
     "k8s.pod.labels k8s.pod.name k8s.pod.sandbox_id k8s.pod.uid",
     kContainer},
    {"k8s.deployment.id k8s.deployment.label k8s.deployment.labels k8s.deployment.name k8s.ns.id "
     "k8s.ns.label k8s.ns.labels "
     "k8s.rc.id k8s.rc.label k8s.rc.labels k8s.rc.name k8s.rs.id k8s.rs.label k8s.rs.labels "
     "k8s.rs.name k8s.svc.id k8s.svc.label k8s.svc.labels k8s.svc.name",
     kNothing},
};

// The arguments of events by name, where their values are not all in the event's own message.
// A name that is not here needs nothing.
struct ArgumentFacts {
  std::string_view names;
  FactSet facts;
  bool of_exec = false;  // of execs alone
};
constexpr ArgumentFacts kArgumentRows[] = {
    {"comm", kName},
    {"cwd", kFolder},
    {"env", kEnvironment},
    {"tty", kTerminal},
    {"pgid vpgid", kSession},
    {"fdlimit", kFdLimit},
    {"uid gid", kCredentials},
    {"flags", kBinaryInfo | kCredentials, true},
    {"exe_ino exe_ino_ctime exe_ino_mtime", kBinaryInfo},
    {"name path filename", kFolder},
    {"pid tid ptid vpid vtid dpid", kName},  // shown with the process's name
    {"fd fd1 fd2 res tuple addr", kFile},
    {"dirfd oldfd newfd fd_in fd_out fdin fdout in_fd pid_fd", kFds | kFolder},
};

constexpr std::string_view kFactNames[] = {
    "the name of a process",
    "the environment of a container's first program and of failed execs",
    "the program's file",
    "the SHA-256 of the program's file",
    "the SHA-1 of the program's file",
    "the other ends of a program's pipes",
    "user and group ids",
    "the working directory",
    "the terminal",
    "session and process group",
    "the limit of descriptors",
    "the event's descriptor",
    "descriptors that earlier calls gave",
    "standard input, output and error",
    "all open descriptors",
    "how a descriptor was come by",
    "files that were opened for writing",
    "the overlay's layers",
    "the open file's own path",
    "the program that a process runs",
    "who started a process",
    "the container",
    "who came by an exec session",
    "the thread",
    "start times",
};
static_assert(std::size(kFactNames) == static_cast<size_t>(Fact::kCount));

template <class Visit>
void ForEachWord(std::string_view words, const Visit& visit) {
  for (const std::string_view word : Split(words, ' ')) {
    if (!word.empty()) visit(word);
  }
}

using FactsByName = absl::flat_hash_map<std::string_view, FactSet>;

const FactsByName& ByName() {
  static const FactsByName facts = [] {
    FactsByName out;
    for (const FieldFacts& row : kRows) {
      ForEachWord(row.names, [&](std::string_view name) { out.emplace(name, row.facts); });
    }
    return out;
  }();
  return facts;
}

bool IsExec(EventType type) {
  const std::string_view name = Describe(type).name;
  return name == "execve" || name == "execveat";
}

bool IsClone(EventType type) {
  const std::string_view name = Describe(type).name;
  return name == "clone" || name == "clone3" || name == "fork" || name == "vfork";
}

FactSet OfArgument(std::string_view argument, EventType type) {
  FactSet facts = 0;
  for (const ArgumentFacts& row : kArgumentRows) {
    if (row.of_exec && !IsExec(type)) continue;
    ForEachWord(row.names, [&](std::string_view name) {
      if (name == argument) facts |= row.facts;
    });
  }
  return facts;
}

bool NamesArgument(const BoundField& field) {
  const bool takes_one = field.def->name == "evt.arg" || field.def->name == "evt.rawarg";
  return takes_one && field.has_arg && !field.arg.index;
}

// Whether its descriptor is one that an earlier call gave, or takes after such a one (accept).
bool UsesEarlierFd(EventType type) {
  const EventTypeDef& def = Describe(type);
  if ((def.flags & kUsesFd) != 0) return true;
  return std::ranges::any_of(Points(), [&](const PointDef& point) {
    return point.event_type == def.name && point.message != MessageType::kOpen &&
           point.optional_fields.contains("fd_path");
  });
}

// An event that makes its descriptor tells what it is, but for what a path is relative to.
FactSet ResolveFile(FactSet facts, EventType type) {
  if ((facts & kFile) == 0) return facts;
  facts &= ~kFile;
  if (UsesEarlierFd(type)) return facts | kFds | kFolder;
  return (Describe(type).flags & kCreatesFd) != 0 ? facts | kFolder : facts;
}

}  // namespace

std::string_view Describe(Fact fact) {
  return kFactNames[static_cast<size_t>(fact)];
}

std::span<const FieldFacts> FieldFactsTable() {
  return kRows;
}

std::optional<FactSet> FindFacts(std::string_view field) {
  const auto found = ByName().find(field);
  if (found == ByName().end()) return std::nullopt;
  return found->second;
}

FactSet FactsOf(const BoundField& field, EventType type) {
  if (field.def->extract == nullptr) return 0;
  FactSet facts = NamesArgument(field) ? OfArgument(field.arg.text, type)
                                       : FindFacts(field.def->name).value_or(0);
  const bool any_argument = (facts & kAnyOfProcess) == kAnyOfProcess;
  if (any_argument && !IsExec(type) && !IsClone(type)) facts &= ~kAnyOfProcess;
  return ResolveFile(facts, type);
}

}  // namespace gyrfalcon
