// Watches what `install` has set up: whether the node's runtimes still name the session config,
// whether that is there, and whether runsc still knows what it asks for. A thread of its own, for
// it reads files and runs runsc; no event waits on it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "alerts/alert.h"
#include "alerts/builtin.h"
#include "base/unique_fd.h"
#include "cli/install_session.h"

namespace gyrfalcon {

struct SetupDriftOptions {
  std::string record_folder;  // NodeFiles::RecordFolder()
  BuiltinSettings builtins;
  // Files are seen at once; what can't be watched (a folder that is not there yet), after this.
  std::chrono::milliseconds interval{30'000};
  // What is wrong is told when it still is after this: an install or an undo changes several files,
  // and waits up to 10 s for Docker between them.
  std::chrono::milliseconds settle{15'000};
  // Called on the drift's thread, and not after its end.
  std::function<void(Alert)> on_alert;
  std::function<void(const std::string&)> on_warning;
  std::function<void(const std::string&)> on_note;
  // The session config for the rules now, as `install` would make it. Empty: it is kept otherwise
  // (a visibility policy), and neither made anew nor written again.
  std::function<Result<NodeSession>(const SessionRecord&)> remake;
  // Ours, and the session config that names it beside that of the record; "": not looked at.
  std::string socket_path{};
  std::string session_file{};
  std::function<void()> on_new_session;  // sandboxes that run are to have it
};

// What it looks at, and what it has said. For one thread.
class SetupDriftCheck {
 public:
  explicit SetupDriftCheck(SetupDriftOptions options) : options_(std::move(options)) {}

  // Looks once at everything, tells what is new, mends what is ours.
  void Look();
  // The files to watch, as of the last look.
  const std::vector<std::string>& files() const { return files_; }
  // When something that was wrong at the last look may be told; nullopt: nothing waits.
  std::optional<std::chrono::milliseconds> next() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Wrong {
    Time since;
    bool is_told = false;
  };
  struct Problem {
    std::string file;
    std::string text;  // "": it is as it should be
    std::string mend;
    std::string mended;
  };

  void LookAtRuntimes(std::vector<Problem>& problems);
  void LookAtEndpoints(std::vector<Problem>& problems);
  void TellNew(const std::vector<Problem>& problems);
  void LookAtSession();
  void LookAtRunsc(SessionRecord& record);
  void Remake(SessionRecord& record);
  void Tell(const Problem& problem);

  const SetupDriftOptions options_;
  std::vector<std::string> files_;
  std::map<std::string, Wrong> wrong_;       // files that are not as they should be
  std::set<std::string> led_here_;           // session configs that have led to our socket
  std::map<std::string, std::string> seen_;  // of each runsc: which file it was
  std::set<std::string> trouble_told_;       // files and programs of which a warning was given
};

class SetupDrift {
 public:
  explicit SetupDrift(SetupDriftOptions options);
  ~SetupDrift();  // ends the thread; waits for a runsc that is being asked, 5 s at most
  SetupDrift(const SetupDrift&) = delete;
  SetupDrift& operator=(const SetupDrift&) = delete;

 private:
  void Run();

  const std::chrono::milliseconds interval_;
  const std::string record_folder_;
  SetupDriftCheck check_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace gyrfalcon
