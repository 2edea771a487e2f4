// Keeps `pod-init-config` in the TOML files of gVisor's containerd shim (config key
// gvisor.runsc_toml): where a daemon in a pod, and no administrator on the node, sees to it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

class RunscTomlKeeper {
 public:
  struct Note {
    enum class Kind { kInfo, kWarning, kError } kind;
    std::string text;
  };

  // `session_file`: absolute, and the same file for runsc.
  RunscTomlKeeper(std::vector<std::string> files, std::string session_file);

  // Names the session config in each file where it is not named, whoever took it out; the rest of
  // the file stays as it is (setup/runsc_config.h), and it is replaced in one step. Left alone: a
  // file that names another one than this or, as FILE.gyrfalcon beside it says, than a daemon
  // before this one did, with the session config elsewhere; one that is not there, or is no TOML;
  // and all while the session config is not there, for runsc would start no sandbox. What is so is
  // told once, for as long as it is so. Reads and writes small files; for one thread, that no event
  // waits for.
  std::vector<Note> Look();

 private:
  struct File {
    std::string path;
    std::string trouble = "";  // as last told; "": none
    bool was_ours = false;
  };
  static std::vector<Note> Tell(File& file, std::string trouble);
  // What lies beside the file: the session config that was named there last, by whichever daemon.
  static std::string NamedBefore(const File& file);
  Result<void> KeepName(const File& file) const;
  std::vector<Note> LookAt(File& file) const;

  std::vector<File> files_;
  const std::string session_file_;
};

}  // namespace gyrfalcon
