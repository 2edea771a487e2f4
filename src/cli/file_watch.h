// Tells when config or rules files change, for `watch_config_files`.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace gyrfalcon {

// Watches the folders that the files stand in, so that it sees a file that an editor replaces, one
// that is not there yet, and the swapped link of a mounted Kubernetes ConfigMap. Folders that are
// not there are passed over. For one thread.
class FileWatch {
 public:
  FileWatch() = default;  // watches nothing
  FileWatch(const std::vector<std::string>& files, const std::vector<std::string>& folders);

  int fd() const { return fd_.get(); }  // readable when something may have changed; -1: nothing

  // Takes what happened since the last call, waits until it is quiet (a tenth of a second, at most
  // one), and says whether it concerns a watched file.
  bool TakeChange();

 private:
  struct Watched {
    int descriptor;
    std::string name;  // in that folder; "": each name
  };

  void Add(const std::string& folder, std::string name);
  bool ReadEvents();

  UniqueFd fd_;
  std::vector<Watched> watched_;
};

}  // namespace gyrfalcon
