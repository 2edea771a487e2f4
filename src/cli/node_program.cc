#include "cli/node_program.h"

#include <algorithm>
#include <string_view>

#include "base/environment.h"
#include "base/text.h"
#include "cli/file.h"

namespace gyrfalcon {
namespace {

// GKE's is the last one.
constexpr std::string_view kProgramFolders[] = {"/usr/local/bin", "/usr/bin", "/usr/local/sbin",
                                                "/usr/sbin", "/home/containerd/usr/local/sbin"};

}  // namespace

std::string ProgramOf(const std::string& named) {
  return named.empty() ? "runsc" : named;
}

std::optional<std::string> FlagOf(std::span<const std::string_view> words, std::string_view flag) {
  std::optional<std::string> value;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    const size_t dashes = std::min(word.find_first_not_of('-'), word.size());
    word.remove_prefix(dashes);
    if (dashes == 0 || !word.starts_with(flag)) continue;
    word.remove_prefix(flag.size());
    if (word.empty() && i + 1 < words.size()) value = words[i + 1];
    if (word.starts_with('=')) value = word.substr(1);
  }
  return value;
}

std::optional<std::string> FindNodeProgram(const NodeFiles& files, const std::string& name) {
  if (name.contains('/')) {
    for (const std::string& path : {files.Place(name), name}) {
      if (IsProgram(path)) return path;
    }
    return std::nullopt;
  }
  if (!files.is_copy()) {
    for (const std::string_view folder : Split(Environment("PATH"), ':')) {
      const std::string program = std::string(folder) + "/" + name;
      if (folder.starts_with('/') && IsProgram(program)) return program;
    }
  }
  for (const std::string_view folder : kProgramFolders) {
    const std::string program = files.Place(std::string(folder) + "/" + name);
    if (IsProgram(program)) return program;
  }
  return std::nullopt;
}

}  // namespace gyrfalcon
