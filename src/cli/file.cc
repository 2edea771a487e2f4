#include "cli/file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace gyrfalcon {

namespace fs = std::filesystem;

Result<std::string> ReadWholeFile(const std::string& path, size_t bytes_max) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return Fail(Fault::kEnvironment, fmt::format("{}: is a folder, not a file", path));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Fail(Fault::kEnvironment, fmt::format("{}: {}", path, ErrnoText(errno)));
  }
  std::string text;
  text.reserve(std::min<size_t>(bytes_max, 64 * 1024));
  std::string block(64 * 1024, '\0');
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    text.append(block, 0, static_cast<size_t>(file.gcount()));
    if (text.size() > bytes_max) {
      return Fail(Fault::kInput,
                  fmt::format("{}: larger than {} bytes; split it", path, bytes_max));
    }
  }
  return text;
}

Result<std::vector<std::string>> ExpandRulesPaths(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  const auto is_yaml = [](const fs::path& path) {
    return path.extension() == ".yaml" || path.extension() == ".yml";
  };
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) {
      return Fail(Fault::kEnvironment, fmt::format("{}: no such rules file or folder", path));
    }
    if (!fs::is_directory(path, error)) {
      if (is_yaml(path)) out.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code unreadable;  // a link that leads nowhere is no file
      if (entry->is_regular_file(unreadable) && is_yaml(entry->path())) {
        found.push_back(entry->path().string());
      }
    }
    std::ranges::sort(found);
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

}  // namespace gyrfalcon
