#include "runsc/sentry_process.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

constexpr size_t kArgumentBytesMax = 64 * 1024;

int64_t PidOf(const std::string& name) {
  int64_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc() && end == name.data() + name.size() ? pid : 0;
}

std::string ReadArguments(const fs::path& process) {
  std::ifstream file(process / "cmdline", std::ios::binary);
  std::string words(kArgumentBytesMax, '\0');
  file.read(words.data(), static_cast<std::streamsize>(words.size()));
  words.resize(static_cast<size_t>(file.gcount()));
  return words;
}

}  // namespace

absl::flat_hash_map<std::string, int64_t> FindSentries(
    const absl::flat_hash_set<std::string>& sandbox_ids, const std::string& proc) {
  absl::flat_hash_map<std::string, int64_t> found;
  if (sandbox_ids.empty()) return found;
  std::error_code error;
  for (fs::directory_iterator entries(proc, error), end; !error && entries != end;
       entries.increment(error)) {
    const int64_t pid = PidOf(entries->path().filename().string());
    if (pid == 0) continue;
    const std::string words = ReadArguments(entries->path());
    const auto arguments = Split(words, '\0');
    if (std::ranges::find(arguments, "boot") == arguments.end()) continue;
    for (const std::string_view argument : arguments) {
      if (sandbox_ids.contains(std::string(argument))) found.emplace(std::string(argument), pid);
    }
  }
  return found;
}

}  // namespace gyrfalcon
