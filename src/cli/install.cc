#include "cli/install.h"

#include <algorithm>
#include <cerrno>
#include <ranges>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "base/unix_socket.h"
#include "cli/commands.h"
#include "cli/daemon_config.h"
#include "cli/file.h"
#include "cli/node_program.h"
#include "cli/prove_session.h"
#include "runsc/policy_check.h"
#include "setup/text_edit.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

constexpr const char* kQueueSetting = "/proc/sys/net/core/wmem_default";
constexpr const char* kQueueFile = "/etc/sysctl.d/60-gyrfalcon.conf";

bool IsPlainPath(const std::string& path) {
  return path.starts_with('/') && std::ranges::all_of(path, [](char byte) {
           return byte > ' ' && byte < '\x7f' && byte != '"' && byte != '\'' && byte != '\\';
         });
}

bool IsBelow(const std::string& path, std::string_view folder) {
  return path.starts_with(folder) && path.substr(folder.size()).starts_with('/');
}

Result<uint64_t> QueueBytes() {
  constexpr size_t kBytesMax = 64;
  const auto text = ReadWholeFile(kQueueSetting, kBytesMax);
  if (!text) return std::unexpected(text.error());
  const auto bytes = ParseUint(TrimBlanks(*text));
  if (!bytes) return Fail(Fault::kEnvironment, fmt::format("{} is no number", kQueueSetting));
  return *bytes;
}

Result<void> SetQueueBytes(uint64_t bytes) {
  std::FILE* file = std::fopen(kQueueSetting, "we");
  const bool opened = file != nullptr;
  bool is_set = opened && std::fprintf(file, "%llu\n", static_cast<unsigned long long>(bytes)) > 0;
  if (opened) is_set = std::fclose(file) == 0 && is_set;
  if (is_set) return {};
  return Fail(Fault::kEnvironment,
              fmt::format("{} can't be set: {}; set it with sysctl -w net.core.wmem_default={}",
                          kQueueSetting, ErrnoText(errno), bytes));
}

}  // namespace

void AddInstallFlags(CLI::App& app, InstallFlags& flags) {
  app.add_flag("--dry-run", flags.dry_run, "Show what would change, and change nothing");
  app.add_flag("--undo", flags.undo,
               "Take it back: each file as it was, or where somebody else has changed it since, "
               "without what is gyrfalcon's");
  app.add_option("--root", flags.root,
                 "Edit the files of a node below this folder; nothing is told to reload");
}

void AddRuntimeFlags(CLI::App& app, InstallFlags& flags) {
  AddSessionFlags(app, flags.session);
  app.add_flag("--prove", flags.prove,
               "First run a sandbox with the session config and hear it; needs root on a host");
  app.add_flag("--replace", flags.replace,
               "Also where a runtime has another session config; --undo puts that back");
  app.add_option("--session-config", flags.session_file,
                 fmt::format("Where the session config lies (default: {}). One that somebody else "
                             "wrote is kept as it is",
                             kDefaultSessionFile));
  app.add_option("--socket", flags.socket, "Where gyrfalcon listens (default: as it does)");
  app.add_option("--on-failure", flags.on_failure,
                 "What a sandbox does when nobody answers: `open` starts unwatched, `closed` does "
                 "not start")
      ->check(CLI::IsMember({"open", "closed"}));
  app.add_option("--runsc", flags.runsc,
                 "The runsc to ask (default: the runtimes' own, or that in PATH)");
  app.add_option("--runtime", flags.runtimes,
                 "A runtime that is gVisor's though nothing of it says so; may be given again")
      ->allow_extra_args(false);
  app.add_option("--queue-bytes", flags.queue_bytes,
                 "Raise net.core.wmem_default to this: what a sandbox can have sent and nobody "
                 "read yet; what comes beyond it is lost")
      ->check(CLI::Range(uint64_t{65'536}, uint64_t{64} << 20));
}

Result<void> CheckInstallFlags(const InstallFlags& flags) {
  if (!IsPlainPath(flags.session_file)) {
    return Fail(Fault::kUsage, "--session-config: an absolute path, without blanks and quotes");
  }
  for (const auto& [name, path] : {std::pair{"--config-file", &flags.config_file},
                                   std::pair{"--runsc-config", &flags.runsc_config}}) {
    // It is recorded for --undo, which may be run elsewhere.
    if (path->empty() || path->starts_with('/')) continue;
    return Fail(Fault::kUsage, fmt::format("{}: an absolute path, please, not {}", name, *path));
  }
  for (const std::string_view folder : {"/run", "/var/run", "/dev/shm"}) {
    if (!IsBelow(flags.session_file, folder)) continue;
    return Fail(Fault::kUsage,
                fmt::format("--session-config: {} is empty after a restart of the node, and a "
                            "runtime that names an absent file starts no sandbox: a place below "
                            "/etc, please",
                            folder));
  }
  if (const auto folder = TmpFolderOf(flags.socket); !folder.empty()) {
    return Fail(Fault::kUsage,
                fmt::format("--socket: a service with PrivateTmp=yes has a {} of its own, and "
                            "sandboxes that it starts would not find the socket there: a place "
                            "below /run, please",
                            folder));
  }
  if (!flags.socket.empty() && !IsPlainPath(flags.socket)) {
    return Fail(Fault::kUsage, "--socket: an absolute path, without blanks and quotes");
  }
  return {};
}

Installer::Installer(std::string target, InstallFlags flags)
    : target_(std::move(target)), flags_(std::move(flags)), files_(flags_.root) {}

Error Installer::Explained(Error error) const {
  if (geteuid() != 0 && !files_.is_copy() && error.fault == Fault::kEnvironment) {
    error.message += fmt::format("; `gyrfalcon install {}` needs root", target_);
  }
  return error;
}

Result<void> Installer::ReadRecord() {
  auto record = files_.ReadRecord(target_);
  if (!record) return std::unexpected(Explained(record.error()));
  if (*record) {
    record_ = std::move(**record);
    if (flags_.undo) flags_.session_file = record_.session_file;
  }
  return {};
}

void Installer::Plan(SetupFile kind, const std::string& path, std::optional<std::string> now,
                     std::optional<std::string> wanted) {
  plan_.push_back({kind, path, std::move(now), std::move(wanted)});
}

std::optional<std::string> Installer::Planned(const std::string& path) const {
  const auto file = std::ranges::find(plan_, path, &PlannedFile::path);
  return file == plan_.end() ? std::nullopt : file->wanted;
}

Result<Config> Installer::NodeConfig() const {
  SessionFlags flags = flags_.session;
  if (files_.is_copy()) return ApplySessionFlags(flags);
  if (flags.rules.config_file.empty()) {
    flags.rules.config_file = DefaultIfThere(kDefaultConfigFile);
  }
  auto config = ApplySessionFlags(flags);
  if (!config || !config->rules_files.empty()) return config;
  const std::string folder = DefaultIfThere(kDefaultRulesFolder);
  const auto rules = ExpandRulesPaths(folder.empty() ? std::vector<std::string>{}
                                                     : std::vector<std::string>{folder});
  if (rules && !rules->empty()) config->rules_files = {folder};
  return config;
}

Result<void> Installer::PlanSession(const std::vector<NodeRunsc>& runscs) {
  const auto config = NodeConfig();
  if (!config) return std::unexpected(config.error());
  socket_ = !flags_.socket.empty()         ? flags_.socket
            : !config->socket_path.empty() ? AbsolutePath(config->socket_path)
                                           : DefaultSocketPath();
  std::vector<std::string> programs;
  programs.reserve(runscs.size());
  for (const NodeRunsc& runsc : runscs) programs.push_back(runsc.program);
  auto there = files_.Read(session_file());
  if (!there) return std::unexpected(there.error());
  const auto made = ReadSessionRecord(files_.RecordFolder());
  const bool is_ours = *there && ((made && made->text == **there) || IsEmptySession(**there));
  if (*there && !is_ours) {
    const auto parsed = ParseSessionConfig(session_file(), **there);
    if (!parsed) return std::unexpected(parsed.error());
    for (const std::string& program : programs) {
      if (auto taken = CheckSessionTaken(program, **there); !taken) return taken;
    }
    session_text_ = **there;
    fmt::print("{} is not of install's making, and stays as it is; sandboxes report to {}\n",
               session_file(), parsed->endpoint);
    if (made && made->path == session_file()) TellChanges(*made, **there);
    if (flags_.socket.empty()) socket_ = parsed->endpoint;
    return {};
  }
  if (const auto valid = CheckSocketPath(socket_); !valid) return valid;
  const auto rules = LoadSessionRules(*config);
  if (!rules) return std::unexpected(rules.error());
  SessionOptions options;
  options.socket_path = socket_;
  options.profile = flags_.session.Profile();
  options.on_failure = flags_.on_failure == "closed" ? OnFailure::kClosed : OnFailure::kOpen;
  std::vector<AskedPoint> points = PointsFor(**rules, options.profile);
  if (!config->visibility_policy.empty()) {
    const auto policy = LoadPolicy(config->visibility_policy);
    if (!policy) return std::unexpected(policy.error());
    points = PointsFor(*policy, **rules, options.profile, false);
  }
  auto session = MakeNodeSession(options, points, programs);
  if (!session) return std::unexpected(session.error());
  fmt::print("session config {}: {} points, for {}, sent to {}\n", session_file(), session->points,
             Join(programs, ", "), socket_);
  session_text_ = session->text;
  session_ = PlannedFile{SetupFile::kOwn, session_file(), std::move(*there), session->text};
  session_record_ = SessionRecord{.path = session_file(),
                                  .text = session->text,
                                  .profile = flags_.session.profile,
                                  .runscs = std::move(programs),
                                  .metadata = std::move(session->metadata)};
  return {};
}

void Installer::TellChanges(const SessionRecord& made, const std::string& there) const {
  fmt::print("an install made it, and it was changed since:\n{}",
             LineDiff(session_file(), made.text, there));
  fmt::print("to have it made anew, for {1}: mv {0} {0}.other, and install again\n",
             files_.Place(session_file()), socket_);
}

Result<void> Installer::PlanQueue() {
  if (flags_.queue_bytes == 0) return {};
  const auto now = QueueBytes();
  if (!now) return std::unexpected(now.error());
  if (*now >= flags_.queue_bytes) {
    fmt::print("net.core.wmem_default is {} already\n", *now);
    return {};
  }
  auto there = files_.Read(kQueueFile);
  if (!there) return std::unexpected(there.error());
  constexpr uint64_t kMessageBytes = 769;  // 277 small messages in 212,992 bytes, measured
  fmt::print(
      "net.core.wmem_default becomes {} instead of {}: the queue between a sandbox and gyrfalcon, "
      "some {} small messages instead of {}; a burst beyond it is lost. It is the default of every "
      "socket on this node, and of sandboxes that start from now on\n",
      flags_.queue_bytes, *now, flags_.queue_bytes / kMessageBytes, *now / kMessageBytes);
  Plan(SetupFile::kOwn, kQueueFile, std::move(*there),
       fmt::format("# By `gyrfalcon install {} --queue-bytes {}`: a sandbox's messages that nobody "
                   "has read yet lie in its\n# socket's send buffer, which has this size; what "
                   "comes beyond it is lost. `--undo` takes it back.\n"
                   "net.core.wmem_default = {}\n",
                   target_, flags_.queue_bytes, flags_.queue_bytes));
  return {};
}

Result<void> Installer::PlanUndo(const std::vector<RecordedFile>& unrecorded) {
  UndoRecord record = record_;
  const bool is_recorded = !record.files.empty() || !record.session_file.empty();
  if (!is_recorded) {
    record.session_file = session_file();
    record.files = unrecorded;
  }
  // What names another file is written behind it, and goes before it.
  for (RecordedFile& file : record.files | std::views::reverse) {
    auto now = files_.Read(file.path);
    if (!now) return std::unexpected(now.error());
    if (!is_recorded && *now) file.before = file.after = **now;
    auto wanted = is_recorded ? UndoneText(record, file, *now)
                              : TakenOut(record.session_file, file.kind, file.path, *now);
    if (!wanted) return std::unexpected(wanted.error());
    if (file.kind == SetupFile::kOwn && *now && *wanted == *now && *now != file.before) {
      fmt::print("{} was changed by somebody else, and stays\n", file.path);
    }
    Plan(file.kind, file.path, std::move(*now), std::move(*wanted));
  }
  return {};
}

void Installer::ShowPlan() const {
  for (const PlannedFile& file : plan_) {
    fmt::print("{}", LineDiff(file.path, file.now.value_or(""), file.wanted.value_or("")));
    if (file.now && !file.wanted) fmt::print("{} is removed\n", file.path);
  }
}

bool Installer::changes() const {
  return std::ranges::any_of(plan_, &PlannedFile::changes) || (session_ && session_->changes());
}

int Installer::Finish(const Result<void>& planned, const std::function<Result<void>()>& act) const {
  if (!planned) return Report(Explained(planned.error()));
  ShowPlan();
  if (flags_.dry_run) {
    fmt::print("nothing was changed (--dry-run)\n");
    return kExitOk;
  }
  const auto done = act();
  return done ? kExitOk : Report(Explained(done.error()));
}

Result<void> Installer::Prove(const std::vector<NodeRunsc>& runscs) const {
  if (!flags_.prove) return {};
  for (const NodeRunsc& runsc : runscs) {
    const auto heard = ProveSession(runsc.program, runsc.args, session_text_);
    if (!heard) return std::unexpected(heard.error());
    fmt::print("proven: a sandbox of {} sent {} messages\n", runsc.program, *heard);
  }
  return {};
}

// What is recorded already goes on with what it was before the first install, less what others have
// changed since.
UndoRecord Installer::NextRecord(UndoRecord next) const {
  next.session_file = session_file();
  if (next.config_path.empty()) next.config_path = record_.config_path;
  if (next.new_runtime.empty()) next.new_runtime = record_.new_runtime;
  next.runtimes = record_.runtimes;
  for (const std::string& name : flags_.runtimes) {
    if (std::ranges::find(next.runtimes, name) == next.runtimes.end()) {
      next.runtimes.push_back(name);
    }
  }
  if (next.queue_bytes == 0) {
    next.queue_bytes = record_.queue_bytes;
    next.queue_bytes_before = record_.queue_bytes_before;
  }
  next.files = record_.files;
  for (const PlannedFile& file : plan_) {
    if (!file.changes()) continue;
    RecordedFile recorded{file.kind, file.path, file.now, file.wanted.value_or("")};
    const auto known = std::ranges::find(next.files, file.path, &RecordedFile::path);
    if (known == next.files.end()) {
      next.files.push_back(std::move(recorded));
      continue;
    }
    if (const auto without = UndoneText(record_, *known, file.now)) recorded.before = *without;
    *known = std::move(recorded);
  }
  return next;
}

// What has to be there before a runtime names it, or is changed.
Result<void> Installer::KeepForUndo(const UndoRecord& next) const {
  if (!next.files.empty()) {
    if (auto kept = files_.KeepRecord(target_, next); !kept) return kept;
  }
  if (session_ && session_->changes()) {
    if (auto written = files_.Write(*session_); !written) return written;
  }
  if (!session_record_) return {};
  return KeepSessionRecord(files_.RecordFolder(), *session_record_);
}

Result<void> Installer::Write(UndoRecord for_record) {
  const bool sets_queue = !flags_.undo && std::ranges::any_of(plan_, [](const PlannedFile& file) {
    return file.path == kQueueFile;
  });
  if (!flags_.undo) {
    if (sets_queue) {
      for_record.queue_bytes = flags_.queue_bytes;
      for_record.queue_bytes_before =
          record_.queue_bytes_before != 0 ? record_.queue_bytes_before : QueueBytes().value_or(0);
    }
    auto prepared = KeepForUndo(NextRecord(std::move(for_record)));
    if (!prepared) {
      plan_.clear();
      PutBack();
      return prepared;
    }
  }
  for (size_t i = 0; i < plan_.size(); ++i) {
    if (!plan_[i].changes()) continue;
    auto written = files_.Write(plan_[i]);
    if (written) continue;
    plan_.resize(i);
    PutBack();
    return written;
  }
  return sets_queue && !files_.is_copy() ? SetQueueBytes(flags_.queue_bytes) : Result<void>();
}

void Installer::PutBack() {
  for (PlannedFile& file : plan_ | std::views::reverse) {
    if (!file.changes()) continue;
    std::swap(file.now, file.wanted);
    if (const auto back = files_.Write(file); !back) Report(back.error());
  }
  if (flags_.undo) return;
  const bool was_recorded = !record_.session_file.empty();
  const auto record =
      was_recorded ? files_.KeepRecord(target_, record_) : files_.DropRecord(target_);
  if (!record) Report(record.error());
}

Result<void> Installer::FinishUndo() {
  if (record_.queue_bytes != 0 && !files_.is_copy() &&
      QueueBytes().value_or(0) == record_.queue_bytes) {
    if (const auto set = SetQueueBytes(record_.queue_bytes_before); !set) Report(set.error());
  }
  if (auto dropped = files_.DropRecord(target_); !dropped) return dropped;
  for (const char* other : {"docker", "containerd"}) {
    const auto record = files_.ReadRecord(other);
    if (!record || !*record || (*record)->session_file != session_file()) continue;
    fmt::print("{} stays: `install {}` names it\n", session_file(), other);
    return {};
  }
  const auto made = ReadSessionRecord(files_.RecordFolder());
  auto there = files_.Read(session_file());
  if (!there) return std::unexpected(there.error());
  // First: the daemon would make it anew.
  if (made && made->path == session_file()) {
    if (auto dropped = files_.DropRecord("session"); !dropped) return dropped;
  }
  if (!*there || IsEmptySession(**there)) return {};
  // One that the daemon keeps is nowhere recorded: the command line names it.
  const bool is_named =
      record_.session_file.empty() && session_file() != InstallFlags().session_file;
  if (!is_named && (!made || made->text != **there)) {
    fmt::print("{} is not as install made it, and stays as it is\n", session_file());
    return {};
  }
  auto emptied = files_.Write({SetupFile::kOwn, session_file(), std::move(*there), EmptySession()});
  if (!emptied) return emptied;
  fmt::print(
      "{} asks for nothing any more, and stays: a runtime that still names it would start no "
      "sandbox without it\n",
      session_file());
  return {};
}

Result<NodeRunsc> Installer::FindRunsc(const std::string& program,
                                       std::vector<std::string> args) const {
  const std::string name = flags_.runsc.empty() ? ProgramOf(program) : flags_.runsc;
  auto found = FindNodeProgram(files_, name);
  if (found) return NodeRunsc{std::move(*found), std::move(args)};
  return Fail(Fault::kEnvironment,
              fmt::format("there is no program {}: the session config has to fit this node's "
                          "runsc; install it, or name it: --runsc BINARY",
                          name));
}

void Installer::TellListener() const {
  if (files_.is_copy() || IsListenedAt(socket_, SOCK_SEQPACKET)) return;
  fmt::print(
      "nobody listens at {} yet: until `gyrfalcon run` or `gyrfalcon install systemd`, "
      "sandboxes that start {}\n",
      socket_,
      flags_.on_failure == "closed" ? "fail" : "are not watched (and attached when it runs)");
}

}  // namespace gyrfalcon
