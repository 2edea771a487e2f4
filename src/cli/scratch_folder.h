// A folder for a moment: it goes with the object, and everything in it. Only its owner may enter
// it.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace gyrfalcon {

class ScratchFolder {
 public:
  // Below `parent`, whose error (kEnvironment) says that none can be made there.
  static Result<ScratchFolder> Make(const std::string& parent);
  // Below TMPDIR, else /tmp.
  static Result<ScratchFolder> MakeInTmp();

  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace gyrfalcon
