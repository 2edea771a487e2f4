#include "base/spawn.h"

#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

void AddStream(posix_spawn_file_actions_t* actions, int from, int to, int open_flags) {
  if (from >= 0) {
    posix_spawn_file_actions_adddup2(actions, from, to);
  } else {
    posix_spawn_file_actions_addopen(actions, to, "/dev/null", open_flags, 0);
  }
}

}  // namespace

Result<pid_t> Spawn(const std::vector<std::string>& words, const ChildStreams& streams) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  AddStream(&actions, streams.input, STDIN_FILENO, O_RDONLY);
  AddStream(&actions, streams.output, STDOUT_FILENO, O_WRONLY);
  AddStream(&actions, streams.complaints, STDERR_FILENO, O_WRONLY);
  // Libraries open descriptors too, and not each one of theirs closes itself.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int failed =
      posix_spawnp(&pid, arguments.front(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return Fail(Fault::kEnvironment, words.front() + ": " + ErrnoText(failed));
  return pid;
}

}  // namespace gyrfalcon
