#include "base/folder.h"

#include <sys/stat.h>

namespace gyrfalcon {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string FolderThere(const std::string& path) {
  struct stat status{};
  std::string folder = FolderOf(path);
  while (::stat(folder.c_str(), &status) != 0 && folder.size() > 1) folder = FolderOf(folder);
  return folder;
}

std::string Beside(const std::string& path, std::string_view name) {
  return path.substr(0, path.rfind('/') + 1).append(name);
}

}  // namespace gyrfalcon
