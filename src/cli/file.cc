#include "cli/file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"

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
  // What was read up to there must not pass for the whole.
  if (file.bad()) return Fail(Fault::kEnvironment, fmt::format("{}: {}", path, ErrnoText(errno)));
  return text;
}

namespace {

Result<void> WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(Fault::kEnvironment, ErrnoText(errno));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

Result<void> ReplaceFile(const std::string& path, const std::string& text,
                         const std::string& like) {
  const auto fail = [&path](const std::string& reason) {
    return Fail(Fault::kEnvironment, fmt::format("cannot write {}: {}", path, reason));
  };
  std::error_code unknown;
  const fs::path target = fs::weakly_canonical(path, unknown);
  const std::string file = unknown ? path : target.string();
  struct stat status{};
  constexpr mode_t kMode = 0644;
  constexpr mode_t kModeBits = 07777;
  const bool exists = ::stat(like.empty() ? file.c_str() : like.c_str(), &status) == 0;
  std::string fresh = file + ".XXXXXX";
  const UniqueFd fd(::mkostemp(fresh.data(), O_CLOEXEC));
  if (!fd) return fail(ErrnoText(errno) + "; its folder must be there and ours to write");
  const auto written = WriteAll(fd.get(), text);
  // Whose it is, as far as that is ours to say.
  if (exists && ::fchown(fd.get(), status.st_uid, status.st_gid) != 0) errno = 0;
  const bool kept = written &&
                    ::fchmod(fd.get(), exists ? status.st_mode & kModeBits : kMode) == 0 &&
                    ::fsync(fd.get()) == 0;
  if (kept && ::rename(fresh.c_str(), file.c_str()) == 0) {
    const std::string folder = fs::path(file).parent_path().string();
    const UniqueFd folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder_fd) ::fsync(folder_fd.get());  // the name, over a power cut
    return {};
  }
  const int reason = errno;
  ::unlink(fresh.c_str());
  if (!written) return fail(written.error().message);
  const bool is_mount = reason == EBUSY;
  return fail(ErrnoText(reason) +
              (is_mount ? "; it is a mount of its own: mount its folder instead" : ""));
}

bool IsProgram(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const auto absolute = fs::absolute(path, error);
  return path.empty() || error ? path : absolute.string();
}

std::string_view TmpFolderOf(std::string_view path) {
  for (const std::string_view folder : {"/tmp", "/var/tmp"}) {
    if (path.starts_with(folder) && path.substr(folder.size()).starts_with('/')) return folder;
  }
  return "";
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
