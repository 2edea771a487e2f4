// Finds out which container it is, on threads of its own: one reads files (bundles, runsc's state,
// Docker's folders), one more asks Docker's daemon and one the container runtime, each made when it
// is first needed, so that a daemon that hangs holds up nobody else's answer.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/lookup_thread.h"
#include "engine/pipeline.h"
#include "metadata/container_info.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {

struct MetadataOptions {
  std::string docker_socket = "/run/docker.sock";  // "": Docker's daemon is not asked
  std::string cri_socket;                          // "": no CRI runtime is asked
  // Where runsc's state may lie of a sandbox that connects from another PID namespace.
  std::vector<std::string> roots;
  bool usual_roots = true;
  int call_timeout_ms = 1'000;  // of one call to a daemon
  // runsc writes its state file while the container starts, and says nothing when it has: what is
  // not there yet is looked for again.
  LookupThread::Options files = {.tries = 20, .wait_ms = 25, .waiting_max = 4096};
  // A daemon does not know a pod before it has started.
  LookupThread::Options daemons = {.tries = 10, .wait_ms = 300, .waiting_max = 4096};
  // The first call of several in a row that a daemon could not answer. On the lookups' threads.
  std::function<void(const Error&)> on_problem = [](const Error&) {};
};

class MetadataLookup {
 public:
  using Answer = std::function<void(const ContainerAnswer&)>;

  explicit MetadataLookup(MetadataOptions options);
  // No answer runs after it returns. Waits for the call that is under way.
  void Stop();

  // Does not wait. `answer` runs on other threads, once or more often, the last time or before with
  // `is_final`. Whoever asks is alive until the lookup has been stopped. False when too many wait,
  // or the id is none: a sandbox may have invented it.
  bool Ask(SandboxPlace place, std::string container_id, Answer answer);

 private:
  struct Question {
    SandboxPlace place;
    std::string container_id;
    Answer answer;
    int tries_left = 0;
  };
  struct Daemon {
    std::unique_ptr<LookupThread> thread;  // made by the thread that reads files
    std::atomic<bool> is_failing = false;
  };

  bool LookAtFiles(Question& question);
  bool AskDockerOf(const Question& question, const ContainerInfo& known);
  bool AskCriOf(const Question& question, const ContainerInfo& known);
  bool AskDaemonsUnseen(const Question& question);
  bool HandTo(Daemon& daemon, LookupThread::Question question);
  void NoteCall(Daemon& daemon, const Error* error);

  const MetadataOptions options_;
  Daemon docker_;
  Daemon cri_;
  LookupThread files_;
};

}  // namespace gyrfalcon
