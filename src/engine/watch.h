// Which sandboxes run and are not watched: what runsc lists is held against the connections that
// there are. Decides only; who runs runsc is watch_thread.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "alerts/builtin.h"
#include "base/hash.h"
#include "runsc/sandbox_list.h"

namespace gyrfalcon {

// One connection, as far as its worker has told.
struct WatchedConnection {
  uint64_t connection = 0;
  // From the command line of its runsc. Without it the first container that it has named is its id,
  // below whatever root; "": neither is known.
  std::string sandbox_id;
  std::string root;
  // It began with its sandbox (`create`, `run`), so it must tell the start. An attached or restored
  // one may have nothing to tell for long; a failed `trace create` closes at once.
  bool from_start = false;
  bool spoke = false;
  int64_t opened_ns = 0;  // steady clock
  bool ended = false;
  int64_t ended_ns = 0;
  // Its runsc has taken the session config: silence means that there is nothing to tell.
  bool accepted = false;
};

struct WatchFinding {
  Builtin builtin;  // kSandboxSilent, kSandboxUntraced or kConnectionEnded
  std::string sandbox_id;
  std::string root;
  int64_t pid = 0;         // of the sandbox, as runsc tells it
  bool connected = false;  // silent, but there
};

// One that runs, and nothing of it comes.
struct UntracedSandbox {
  std::string root;
  std::string sandbox_id;
  int64_t pid = 0;
  std::optional<int64_t> ended_ns;  // when its connection ended, if it had one; steady clock
};

// What a closer look at one sandbox shows; nullopt: that can't be seen.
struct SessionLook {
  std::optional<bool> has_session;                // by `runsc trace list`
  std::optional<std::vector<std::string>> peers;  // by SinkPeers
  bool ours = false;                              // all of them are the socket that we listen at
};

// What is wrong after that look: the same, kSessionTaken where the events go to somebody else, or
// nothing.
std::optional<Builtin> Judged(const WatchFinding& finding, const SessionLook& look);

// For one thread. All times are of one steady clock.
class SandboxWatch {
 public:
  explicit SandboxWatch(int64_t grace_ns) : grace_ns_(grace_ns) {}

  // The same connection may be told of again, with what is known by now.
  void Note(const WatchedConnection& connection);
  // What is newly wrong with the sandboxes below `root`; each is told once, until it is well again
  // or gone.
  std::vector<WatchFinding> Judge(const std::string& root,
                                  const std::vector<ListedContainer>& listed, int64_t now_ns);
  // Those below `root` that are to have a session: one without a connection at once, one whose
  // connection has never spoken when it had the time to.
  std::vector<UntracedSandbox> Untraced(const std::string& root,
                                        const std::vector<ListedContainer>& listed,
                                        int64_t now_ns) const;
  // Whether it is still so by what is listed and noted now: a closer look takes its time.
  bool StillSo(const WatchFinding& finding, const std::vector<ListedContainer>& listed) const;
  // It was not told after all, and may be found again.
  void Retract(const WatchFinding& finding);
  // What it is can't be settled in this round. True: it was not told, and may be found again;
  // false: it has been put off for long enough.
  bool PutOff(const WatchFinding& finding);
  // A silent one has nothing to tell: its runsc has taken the session config.
  void Accept(const WatchFinding& finding);
  // Where nothing can be listed: connections that ended long ago are let go.
  void ForgetOld(int64_t now_ns);
  // Roots of connections that live, or that ended while their sandbox may run.
  std::vector<std::string> Roots() const;

 private:
  struct Sandbox {
    int64_t running_since_ns = 0;  // when it was first listed so
    std::optional<Builtin> told;
    int put_off = 0;  // rounds
  };
  struct View;  // the connections of one sandbox
  View ViewOf(const std::string& root, const std::string& sandbox_id,
              const std::vector<ListedContainer>& listed) const;
  std::optional<Builtin> Wrong(const View& view, const Sandbox& sandbox, int64_t now_ns) const;
  Sandbox* Find(const WatchFinding& finding);
  void ForgetEnded(const std::string& root, const absl::flat_hash_set<std::string>& alive);

  int64_t grace_ns_;
  absl::flat_hash_map<uint64_t, WatchedConnection> connections_;
  // Those that run, by root; then by id.
  absl::flat_hash_map<std::string, absl::flat_hash_map<std::string, Sandbox, TextHash, TextEqual>,
                      TextHash, TextEqual>
      running_;
};

// What to do about it, as a command for a shell. `session_file` "" stands for the operator's own.
std::string MendOf(const WatchFinding& finding, const std::string& runsc,
                   const std::string& session_file);

}  // namespace gyrfalcon
