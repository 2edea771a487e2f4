// A sandbox's state as bytes, and back. Objects that several others refer to are written once, in
// tables, each before the first that refers to it; a reference is a number in its table.
#include <algorithm>
#include <concepts>
#include <tuple>
#include <utility>

#include "points/schema.h"
#include "state/sandbox.h"
#include "state/saved_fields.h"

namespace gyrfalcon {

// The names of what is private to a sandbox, for the lists below.
struct SandboxSaving {
  using Thread = Sandbox::Thread;
  using PendingRaw = Sandbox::PendingRaw;
  using PendingClose = Sandbox::PendingClose;
  using PendingExec = Sandbox::PendingExec;
  using UnjudgedRaw = Sandbox::UnjudgedRaw;
  using RawExit = Sandbox::RawExit;
  using Awaited = Sandbox::Awaited;

  template <class Visit>
  static void VisitSandbox(Visit& visit, Sandbox& sandbox);
  template <class Visit>
  static void VisitContainers(Visit& visit, Sandbox& sandbox);
  template <class Visit>
  static void VisitProcesses(Visit& visit, Sandbox& sandbox);
  template <class Visit>
  static void VisitThreads(Visit& visit, Sandbox& sandbox);
  template <class Visit>
  static void VisitWritten(Visit& visit, Sandbox& sandbox);

  static Arena& ArenaOf(Sandbox& sandbox) { return sandbox.arena_; }
  static const SandboxLimits& LimitsOf(const Sandbox& sandbox) { return sandbox.limits_; }
  // Into an empty one; false: the bytes make no sense, and what it has is to be thrown away.
  static bool Load(Sandbox& sandbox, std::string_view bytes);
};

namespace {

template <class Visit>
using ArchiveOf = std::remove_cvref_t<decltype(std::declval<Visit&>().archive())>;
template <class Visit>
constexpr bool Reads = ArchiveOf<Visit>::kReads;
template <class Visit>
constexpr bool IsShape = !ArchiveOf<Visit>::kVisitsValues;

// Each type refers only to those before it, and processes to their parents.
template <template <class> class Table>
using ObjectTables = std::tuple<Table<Container>, Table<Image>, Table<PipePeers>,
                                Table<PastProcess>, Table<OpenRecord>, Table<File>, Table<FdTable>,
                                Table<Process>, Table<SandboxSaving::RawExit>>;
template <class T>
using Pointers = std::vector<T*>;
template <class T>
using Refs = std::vector<Ref<T>>;

template <class T>
T* NewObject(Arena& arena) {
  if constexpr (std::same_as<T, Container>) {
    return arena.New<T>(std::string_view());
  } else if constexpr (std::same_as<T, File>) {
    return arena.New<T>(FileType::kUnknown);
  } else {
    return arena.New<T>();
  }
}

// What the archives below know of the sandbox whose state they visit.
class OfSandbox {
 public:
  explicit OfSandbox(Sandbox& sandbox) : sandbox_(sandbox) {}
  const SandboxLimits& limits() const { return SandboxSaving::LimitsOf(sandbox_); }
  Arena& arena() { return SandboxSaving::ArenaOf(sandbox_); }

 private:
  Sandbox& sandbox_;
};

// Numbers every object that can be reached: what it refers to first.
class Collector : public OfSandbox {
 public:
  static constexpr bool kReads = false;
  static constexpr bool kVisitsValues = true;

  using OfSandbox::OfSandbox;
  ~Collector() {
    std::apply([](auto&... table) { (Forget(table), ...); }, tables_);
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  template <class Number>
  void Integer(Number& /*value*/) {}
  template <class Enum>
  void Enumerator(Enum& /*value*/) {}
  template <class Text>
  void String(Text& /*text*/, size_t /*bytes_max*/) {}
  void Raw(void* /*bytes*/, size_t /*size*/) {}
  void Count(size_t& /*count*/, size_t /*count_max*/) {}
  bool failed() const { return false; }
  void Fail() {}
  template <class T>
  void Special(Ref<T>& ref, size_t /*limit*/) {
    T* object = ref.get();
    if (object == nullptr || object->saved_as != 0) return;
    FieldVisitor visit(*this);
    visit("object", *object);
    auto& table = std::get<Pointers<T>>(tables_);
    table.push_back(object);
    object->saved_as = static_cast<uint32_t>(table.size());
  }
  ObjectTables<Pointers>& tables() { return tables_; }

 private:
  template <class T>
  static void Forget(Pointers<T>& table) {
    for (T* object : table) object->saved_as = 0;
  }

  ObjectTables<Pointers> tables_;
};

class ObjectWriter : public SavedWriter, public OfSandbox {
 public:
  ObjectWriter(Sandbox& sandbox, std::string& out) : SavedWriter(out), OfSandbox(sandbox) {}

  template <class T>
  void Special(Ref<T>& ref, size_t /*limit*/) {
    uint32_t number = ref ? ref->saved_as : 0;
    Integer(number);
  }
  template <class T>
  void Table(Pointers<T>& table) {
    size_t count = table.size();
    Count(count, 0);
    FieldVisitor visit(*this);
    for (T* object : table) visit("object", *object);
  }
};

// Texts that we make ourselves, as a socket's two ends, fit in.
constexpr size_t kTextBytesMin = 256;

class ObjectReader : public SavedReader, public OfSandbox {
 public:
  ObjectReader(Sandbox& sandbox, std::string_view bytes)
      : SavedReader(bytes,
                    std::max(SandboxSaving::LimitsOf(sandbox).text_bytes_max, kTextBytesMin)),
        OfSandbox(sandbox) {}

  template <class T>
  void Special(Ref<T>& ref, size_t /*limit*/) {
    size_t number = 0;
    Integer(number);
    const auto& table = std::get<Refs<T>>(tables_);
    if (number > table.size()) return Fail();
    ref = number == 0 ? Ref<T>() : table[number - 1];
  }
  template <class T>
  void Table(Refs<T>& table) {
    size_t count = 0;
    Count(count, std::numeric_limits<size_t>::max());
    FieldVisitor visit(*this);
    for (size_t i = 0; i < count && !failed(); ++i) {
      Ref<T> object(NewObject<T>(arena()));
      visit("object", *object);
      if (arena().used_bytes() >= limits().sandbox_bytes_max) return Fail();
      if constexpr (std::same_as<T, Process>) NoteLine(*object);
      table.push_back(std::move(object));
    }
  }
  ObjectTables<Refs>& tables() { return tables_; }

 private:
  // No line of ancestors is longer than it may be, whatever the bytes say of lengths.
  void NoteLine(Process& process) {
    const size_t max = limits().ancestors_max;
    process.line_below = std::min(process.line_below, static_cast<uint32_t>(max));
    size_t above = 0;
    uint32_t below = process.line_below;
    for (Process* p = process.parent.get(); p != nullptr; p = p->parent.get()) {
      if (++above > max) return Fail();
      p->line_below = std::max(p->line_below, std::min(++below, static_cast<uint32_t>(max)));
    }
  }

  ObjectTables<Refs> tables_;
};

class ObjectShape : public SavedShape, public OfSandbox {
 public:
  using OfSandbox::OfSandbox;

  template <class T>
  void Special(Ref<T>& /*ref*/, size_t /*limit*/) {
    Note('o', 0);
  }
  template <class T>
  void Table(Refs<T>& /*table*/) {
    Ref<T> object(NewObject<T>(arena()));
    FieldVisitor visit(*this);
    visit("object", *object);
  }
};

}  // namespace

// ---- what a thread has left open

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::RawExit& exit) {
  Event::VisitRaw(visit, exit.event);
}

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::PendingRaw& raw) {
  visit("sysno", raw.sysno);
  visit("is_exit", raw.is_exit);
  visit("twin_expected", raw.twin_expected);
  visit("twin_hidden", raw.twin_hidden);
  visit("time_ns", raw.time_ns);
  visit("losses", raw.losses);
  visit("exit", raw.exit);
}

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::UnjudgedRaw& unjudged) {
  visit("raw", unjudged.raw);
  visit("tid", unjudged.tid);
  VisitSet(visit, "process", unjudged.process);
  visit("message", unjudged.message);
  visit("received_ns", unjudged.received_ns);
}

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::PendingClose& closing) {
  visit("fd", closing.fd);
  visit("file", closing.file);
  visit("origin", closing.origin);
  visit("type", closing.type);
  visit("number", closing.number);
  visit("time_ns", closing.time_ns);
}

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::PendingExec& pending) {
  visit("pathname", pending.pathname);
  VisitSet(visit, "image", pending.image);
  visit("type", pending.type);
  visit("number", pending.number);
  visit("time_ns", pending.time_ns);
}

template <class Visit>
void VisitFields(Visit& visit, std::unique_ptr<SandboxSaving::PendingExec>& pending) {
  bool there = pending != nullptr;
  visit("there", there);
  there |= IsShape<Visit>;
  if (there && pending == nullptr) {
    pending = std::make_unique<SandboxSaving::PendingExec>(visit.archive().arena());
  }
  if (there) visit("pending", *pending);
}

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::Awaited& awaited) {
  VisitSet(visit, "process", awaited.process);
  VisitSet(visit, "image", awaited.image);
  visit("number", awaited.number);
  visit("time_ns", awaited.time_ns);
  visit("tid", awaited.tid);
  visit("since", awaited.since);
  visit("told", awaited.told);
  visit("held", awaited.held);
  visit("held_until_ns", awaited.held_until_ns);
  visit("raised", awaited.raised);
}

template <class Visit>
void VisitFields(Visit& visit, SandboxSaving::Thread& thread) {
  VisitSet(visit, "process", thread.process);
  visit("start_time_ns", thread.start_time_ns);
  visit("last_enter", thread.last_enter);
  visit("entered_with", thread.entered_with);
  visit("entered_losses", thread.entered_losses);
  visit("from_snapshot", thread.from_snapshot);
  visit("heard", thread.heard);
  visit("heard_losses", thread.heard_losses);
  visit("told_hidden", thread.told_hidden);
  visit("pending_raw", thread.pending_raw);
  visit("hidden_enter", thread.hidden_enter);
  visit("clone_told", thread.clone_told);
  visit("last_exec_path", thread.last_exec_path);
  visit("pending_exec", thread.pending_exec);
  visit("closing", thread.closing);
}

// ---- the sandbox

template <class Visit>
void SandboxSaving::VisitContainers(Visit& visit, Sandbox& sandbox) {
  auto& archive = visit.archive();
  size_t count = sandbox.containers_.size();
  archive.Count(count, sandbox.limits_.containers_max);
  std::vector<Ref<Container>> containers;
  for (const auto& [id, container] : sandbox.containers_) containers.push_back(container);
  containers.resize(count);
  for (Ref<Container>& container : containers) {
    VisitSet(visit, "container", container);
    if (archive.failed()) return;
    if constexpr (Reads<Visit>) {
      sandbox.containers_.insert_or_assign(std::string(container->id), container);
    }
  }
}

template <class Visit>
void SandboxSaving::VisitProcesses(Visit& visit, Sandbox& sandbox) {
  auto& archive = visit.archive();
  size_t count = sandbox.processes_.size();
  archive.Count(count, sandbox.limits_.processes_max);
  std::vector<std::pair<int32_t, Ref<Process>>> processes(sandbox.processes_.begin(),
                                                          sandbox.processes_.end());
  processes.resize(count);
  for (auto& [tgid, process] : processes) {
    visit("tgid", tgid);
    VisitSet(visit, "process", process);
    if (archive.failed()) return;
    if constexpr (Reads<Visit>) sandbox.processes_.insert_or_assign(tgid, process);
  }
}

template <class Visit>
void SandboxSaving::VisitThreads(Visit& visit, Sandbox& sandbox) {
  auto& archive = visit.archive();
  size_t count = sandbox.threads_.size();
  archive.Count(count, sandbox.limits_.threads_max);
  if constexpr (Reads<Visit> || IsShape<Visit>) {
    for (size_t i = 0; i < count && !archive.failed(); ++i) {
      int32_t tid = 0;
      visit("tid", tid);
      const auto [entry, is_new] = sandbox.threads_.try_emplace(tid, sandbox.arena_);
      if (!is_new) archive.Fail();
      visit("thread", entry->second);
      // Nobody is to meet one without a process.
      if (archive.failed()) sandbox.threads_.erase(entry);
    }
  } else {
    for (auto& [tid, thread] : sandbox.threads_) {
      int32_t number = tid;
      visit("tid", number);
      visit("thread", thread);
    }
  }
}

template <class Visit>
void SandboxSaving::VisitWritten(Visit& visit, Sandbox& sandbox) {
  std::vector<uint64_t> written(sandbox.written_order_.begin(), sandbox.written_order_.end());
  size_t count = written.size();
  visit.archive().Count(count, sandbox.limits_.written_files_max);
  written.resize(count);
  for (uint64_t& file : written) visit.archive().Raw(&file, sizeof file);
  if constexpr (Reads<Visit>) {
    sandbox.written_order_.assign(written.begin(), written.end());
    sandbox.written_files_ = {written.begin(), written.end()};
  }
}

template <class Visit>
void SandboxSaving::VisitSandbox(Visit& visit, Sandbox& sandbox) {
  VisitContainers(visit, sandbox);
  VisitProcesses(visit, sandbox);
  VisitThreads(visit, sandbox);
  VisitWritten(visit, sandbox);
  visit("fork_flood", sandbox.fork_flood_);
  visit("acting_tid", sandbox.acting_tid_);
  visit("now_ns", sandbox.now_ns_);
  visit("received_ns", sandbox.received_ns_);
  visit("messages", sandbox.messages_);
  visit("first_time_ns", sandbox.first_time_ns_);
  visit("has_sentry_exec", sandbox.has_sentry_exec_);
  visit("has_sentry_clone", sandbox.has_sentry_clone_);
  visit("has_task_exit", sandbox.has_task_exit_);
  visit("line_version", sandbox.line_version_);
  visit("losses", sandbox.losses_);
  visit("tells_true_paths", sandbox.tells_true_paths_);
  visit("has_close", sandbox.has_close_);
  visit("has_open", sandbox.has_open_);
  visit("schematised", sandbox.schematised_);
  visit("unjudged_raws", sandbox.unjudged_raws_, sandbox.limits_.unjudged_raws_max);
  visit("unpaired_told", sandbox.unpaired_told_);
  visit("has_tripwires", sandbox.has_tripwires_);
  visit("awaited", sandbox.awaited_, sandbox.limits_.awaiting_snapshot_max);
  visit("snapshots_allowed", sandbox.snapshots_allowed_);
  visit("seed_wanted", sandbox.seed_wanted_);
  visit("seed_tries_left", sandbox.seed_tries_left_);
  visit("awaited_version", sandbox.awaited_version_);
  visit("held_due_ns", sandbox.held_due_ns_);
}

bool SandboxSaving::Load(Sandbox& sandbox, std::string_view bytes) {
  ObjectReader reader(sandbox, bytes);
  std::apply([&](auto&... table) { (reader.Table(table), ...); }, reader.tables());
  FieldVisitor read(reader);
  if (!reader.failed()) VisitSandbox(read, sandbox);
  if (!reader.finished()) return false;
  sandbox.held_ =
      static_cast<size_t>(std::ranges::count(sandbox.awaited_, true, &Sandbox::Awaited::held));
  sandbox.id_bytes_ = 0;
  for (const auto& [id, container] : sandbox.containers_) sandbox.id_bytes_ += id.size();
  return true;
}

void Sandbox::Save(std::string& out) {
  Collector collector(*this);
  FieldVisitor collect(collector);
  SandboxSaving::VisitSandbox(collect, *this);
  ObjectWriter writer(*this, out);
  std::apply([&](auto&... table) { (writer.Table(table), ...); }, collector.tables());
  FieldVisitor write(writer);
  SandboxSaving::VisitSandbox(write, *this);
}

Result<std::shared_ptr<Sandbox>> Sandbox::Restore(const SandboxLimits& limits, Arch arch,
                                                  std::string_view bytes) {
  auto sandbox = std::make_shared<Sandbox>(limits, arch);
  if (!SandboxSaving::Load(*sandbox, bytes)) {
    return Fail(Fault::kInput,
                "a saved sandbox makes no sense: it is corrupt, or beyond the limits in force");
  }
  for (const auto& [id, container] : sandbox->containers_) sandbox->new_containers_.push_back(id);
  return sandbox;
}

void Sandbox::Rebuild() {
  std::string saved;
  Save(saved);
  Clear();
  if (!SandboxSaving::Load(*this, saved)) return ForgetEverything();
  for (auto& [id, container] : containers_) {
    if (const auto users = users_.find(id); users != users_.end()) container->users = users->second;
    if (const auto info = infos_.find(id); info != infos_.end()) container->info = info->second;
  }
}

uint64_t Sandbox::SavedVersion() {
  static const uint64_t version = [] {
    Sandbox sandbox{SandboxLimits(), kHostArch};
    ObjectShape shape(sandbox);
    ObjectTables<Refs> tables;
    std::apply([&](auto&... table) { (shape.Table(table), ...); }, tables);
    FieldVisitor visit(shape);
    SandboxSaving::VisitSandbox(visit, sandbox);
    // Points and event types are saved as their numbers in these tables.
    for (const PointDef& point : Points()) shape.Name(point.name);
    for (const EventTypeDef& type : EventTypes()) shape.Name(type.name);
    return shape.version();
  }();
  return version;
}

bool Sandbox::HasEnded(std::string_view root_container) const {
  if (messages_ == 0) return false;
  if (processes_.empty()) return true;
  const auto root = containers_.find(root_container);
  if (root == containers_.end() || root->second->init_tgid == 0) return false;
  const auto init = processes_.find(root->second->init_tgid);
  return init == processes_.end() || init->second->exited;
}

}  // namespace gyrfalcon
