#include "runsc/roots.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include <unistd.h>

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFoldersMax = 1'024;  // looked at for one pattern

// Below the run folder; a last part that ends in '*' stands for each folder of that beginning, and
// `inside` is what is looked for in it.
constexpr struct {
  std::string_view folder;
  std::string_view beginning;
  std::string_view inside;
} kPatterns[] = {
    {"", "runsc", ""},
    {"docker", "runtime-", "moby"},  // runtime-runc also where the runtime is runsc
    {"", "containerd/runsc", ""},    // GKE's
    {"containerd/runsc", "", ""},    // a folder for each namespace of containerd
};

bool IsReadableFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && ::access(path.c_str(), R_OK | X_OK) == 0;
}

template <class Take>
void ForEachName(const fs::path& folder, const Take& take) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (size_t i = 0; !error && entries != fs::directory_iterator() && i < kFoldersMax; ++i) {
    if (!take(entries->path().filename().string())) return;
    entries.increment(error);
  }
}

}  // namespace

std::vector<std::string> UsualRoots(const std::string& run_folder) {
  std::vector<std::string> roots;
  const auto add = [&roots](const fs::path& root) {
    if (IsReadableFolder(root)) roots.push_back(root.string());
  };
  const fs::path run = run_folder;
  for (const auto& pattern : kPatterns) {
    if (pattern.folder.empty()) {
      add(run / pattern.beginning);
      continue;
    }
    ForEachName(run / pattern.folder, [&](const std::string& name) {
      if (!name.starts_with(pattern.beginning)) return true;
      const fs::path found = run / pattern.folder / name;
      add(pattern.inside.empty() ? found : found / pattern.inside);
      return true;
    });
  }
  std::ranges::sort(roots);
  return roots;
}

std::vector<std::string> DockerRoots(const std::string& exec_root) {
  std::vector<std::string> roots;
  ForEachName(exec_root, [&](const std::string& name) {
    const fs::path root = fs::path(exec_root) / name / "moby";
    if (name.starts_with("runtime-") && IsReadableFolder(root)) roots.push_back(root.string());
    return true;
  });
  std::ranges::sort(roots);
  return roots;
}

bool KeepsState(const std::string& root) {
  bool found = false;
  std::error_code error;
  for (fs::directory_iterator entries(root, error), end; !error && entries != end && !found;
       entries.increment(error)) {
    found = entries->path().native().ends_with(".state");
  }
  return found;
}

}  // namespace gyrfalcon
