// What the `install` commands share: flags, files planned before any is written, the session
// config, the record by which it is undone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/install_session.h"
#include "cli/session_flags.h"
#include "cli/setup_files.h"

namespace gyrfalcon {

struct InstallFlags {
  SessionFlags session;
  std::string session_file = kDefaultSessionFile;
  std::string socket;
  std::string on_failure = "open";
  std::string config_file;
  std::string runsc_config;
  std::string runsc;
  std::string root;
  std::vector<std::string> runtimes;
  std::vector<std::string> runtime_args;
  uint64_t queue_bytes = 0;
  bool dry_run = false;
  bool undo = false;
  bool prove = false;
  bool replace = false;
};

// A runsc of this node, as one of its runtimes calls it.
struct NodeRunsc {
  std::string program;            // that can be called
  std::vector<std::string> args;  // without --pod-init-config
};

class Installer {
 public:
  Installer(std::string target, InstallFlags flags);

  const InstallFlags& flags() const { return flags_; }
  const NodeFiles& files() const { return files_; }
  const std::string& session_file() const { return flags_.session_file; }
  // As the last install has left it; empty where there was none.
  const UndoRecord& record() const { return record_; }
  Result<void> ReadRecord();

  // A config file of the node: `wanted` becomes of `now`.
  void Plan(SetupFile kind, const std::string& path, std::optional<std::string> now,
            std::optional<std::string> wanted);
  // What becomes of it; nullopt: it goes, or nothing is planned for it.
  std::optional<std::string> Planned(const std::string& path) const;
  Result<void> PlanSession(const std::vector<NodeRunsc>& runscs);
  Result<void> PlanQueue();
  // What takes all recorded files back; where nothing is recorded, `unrecorded` (kind and path) are
  // looked through for what is ours.
  Result<void> PlanUndo(const std::vector<RecordedFile>& unrecorded);

  // On standard output: what differs.
  void ShowPlan() const;
  bool changes() const;
  // Of what was planned: shows it, and unless --dry-run does it. An exit code.
  int Finish(const Result<void>& planned, const std::function<Result<void>()>& act) const;
  // With --prove, before anything is written.
  Result<void> Prove(const std::vector<NodeRunsc>& runscs) const;
  // All, or nothing of it. `for_record`: what is to be known for --undo beside the files.
  Result<void> Write(UndoRecord for_record = {});
  // Puts back what Write has written, session config and record but for.
  void PutBack();
  // After the files are back: the record goes, and a session config of install's making becomes the
  // empty one; without a record also the one that --session-config names.
  Result<void> FinishUndo();

  // Of a runtime that names `program`; "" is runsc. Errors where there is none.
  Result<NodeRunsc> FindRunsc(const std::string& program, std::vector<std::string> args) const;

  // Whether somebody listens for sandboxes; says what follows where nobody does.
  void TellListener() const;

 private:
  // With the config and the rules that the daemon of this node has, where no flag names others.
  Result<Config> NodeConfig() const;
  void TellChanges(const SessionRecord& made, const std::string& there) const;
  Error Explained(Error error) const;  // that root was needed
  UndoRecord NextRecord(UndoRecord next) const;
  Result<void> KeepForUndo(const UndoRecord& next) const;

  const std::string target_;
  InstallFlags flags_;
  NodeFiles files_;
  UndoRecord record_;
  std::vector<PlannedFile> plan_;  // in the order in which they are written
  std::optional<PlannedFile> session_;
  std::optional<SessionRecord> session_record_;
  std::string session_text_;  // that the node will have
  std::string socket_;
};

// Flags that all three have, and the checks of them; nullopt: go on.
void AddInstallFlags(CLI::App& app, InstallFlags& flags);
void AddRuntimeFlags(CLI::App& app, InstallFlags& flags);
Result<void> CheckInstallFlags(const InstallFlags& flags);

}  // namespace gyrfalcon
