#include "cli/containerd_files.h"

#include <filesystem>

#include <glob.h>

namespace gyrfalcon {

std::vector<std::string> ImportedFiles(const NodeFiles& files, const std::string& main,
                                       const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  const std::string root = files.Place("");
  for (const std::string& pattern : patterns) {
    const std::string whole = pattern.starts_with('/')
                                  ? pattern
                                  : (std::filesystem::path(main).parent_path() / pattern).string();
    glob_t found{};
    if (glob((root + whole).c_str(), 0, nullptr, &found) == 0) {
      for (size_t i = 0; i < found.gl_pathc; ++i) {
        paths.push_back(std::string(found.gl_pathv[i]).substr(root.size()));
      }
    }
    globfree(&found);
  }
  return paths;
}

}  // namespace gyrfalcon
