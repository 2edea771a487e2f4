// Tells when config or rules files change, for `watch_config_files`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace gyrfalcon {

// Watches the folders that the files stand in, and those of every symbolic link on the way to them,
// so that it sees a file that an editor replaces, one that is not there yet, a link that leads
// elsewhere now, and the swapped `..data` of a mounted Kubernetes ConfigMap. Of what is not there,
// the nearest folder above is watched. For one thread.
class FileWatch {
 public:
  FileWatch() = default;  // watches nothing
  FileWatch(const std::vector<std::string>& files, const std::vector<std::string>& folders);

  int fd() const { return fd_.get(); }  // readable when something may have changed; -1: nothing

  // Why something is not watched: limits of the kernel, permissions. "": all is.
  const std::string& problem() const { return problem_; }

  // Takes what happened since the last call, waits until it is quiet (a tenth of a second, at most
  // one), and says whether it concerns a watched file.
  bool TakeChange();

 private:
  struct Watched {
    int descriptor;
    std::string name;  // in that folder; "": each name
  };

  void AddWay(const std::string& path);
  void Add(const std::string& folder, std::string_view name);
  bool ReadEvents();

  UniqueFd fd_;
  std::vector<Watched> watched_;
  std::string problem_;
};

// What the files, and all in the folders, hold now: two that are equal are of the same content, up
// to a chance of 1 in 2^64. Folders are not gone down; what can't be read counts as its reason.
uint64_t ContentOf(const std::vector<std::string>& files, const std::vector<std::string>& folders);

}  // namespace gyrfalcon
