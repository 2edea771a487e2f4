#include "cli/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace gyrfalcon {

Result<ScratchFolder> ScratchFolder::Make(const std::string& parent) {
  std::string path = parent + "/gyrfalcon.XXXXXX";
  if (mkdtemp(path.data()) != nullptr) return ScratchFolder(std::move(path));
  return Fail(Fault::kEnvironment,
              "cannot make a folder below " + parent + ": " + ErrnoText(errno));
}

Result<ScratchFolder> ScratchFolder::MakeInTmp() {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) return Fail(Fault::kEnvironment, "TMPDIR is no folder: " + error.message());
  return Make(parent);
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty()) std::filesystem::remove_all(path_, error);
}

}  // namespace gyrfalcon
