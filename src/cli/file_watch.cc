#include "cli/file_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/result.h"
#include "cli/file.h"

namespace gyrfalcon {

namespace fs = std::filesystem;

FileWatch::FileWatch(const std::vector<std::string>& files, const std::vector<std::string>& folders)
    : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!fd_) {
    problem_ = ErrnoText(errno) + " (fs.inotify.max_user_instances)";
    return;
  }
  for (const std::string& folder : folders) {
    AddWay(folder);
    Add(folder, "");
  }
  for (const std::string& file : files) AddWay(file);
}

// Component by component, as the kernel goes: the folder of each link, and at last that of the
// file.
void FileWatch::AddWay(const std::string& path) {
  constexpr int kLinksMax = 40;  // the kernel's own
  std::error_code error;
  fs::path left = fs::absolute(path, error);
  fs::path folder = left.root_path();
  left = left.relative_path();
  for (int links = 0; !left.empty();) {
    const fs::path name = *left.begin();
    fs::path rest;
    for (auto part = std::next(left.begin()); part != left.end(); ++part) rest /= *part;
    const fs::path here = folder / name;
    const fs::file_status status = fs::symlink_status(here, error);
    if (fs::is_symlink(status)) {
      Add(folder.string(), name.string());
      const fs::path target = fs::read_symlink(here, error);
      if (error || ++links > kLinksMax) return;
      left = target.relative_path() / rest;
      if (target.is_absolute()) folder = target.root_path();
      continue;
    }
    if (rest.empty() || !fs::exists(status)) return Add(folder.string(), name.string());
    folder = here;
    left = rest;
  }
}

void FileWatch::Add(const std::string& folder, std::string_view name) {
  constexpr uint32_t kChanges =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
  const int descriptor = inotify_add_watch(fd_.get(), folder.c_str(), kChanges | IN_ONLYDIR);
  if (descriptor >= 0) {
    watched_.push_back({descriptor, std::string(name)});
  } else if (errno != ENOENT && errno != ENOTDIR) {
    problem_ = folder + ": " + ErrnoText(errno);
    if (errno == ENOSPC) problem_ += " (fs.inotify.max_user_watches)";
  }
}

bool FileWatch::TakeChange() {
  constexpr int kQuietMs = 100;
  constexpr int kRoundsMax = 10;
  bool changed = ReadEvents();
  pollfd more{fd_.get(), POLLIN, 0};
  for (int round = 0; round < kRoundsMax && poll(&more, 1, kQuietMs) > 0; ++round) {
    changed |= ReadEvents();
  }
  return changed;
}

bool FileWatch::ReadEvents() {
  bool changed = false;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t size = read(fd_.get(), buffer.data(), buffer.size());
    if (size <= 0) return changed;
    for (size_t at = 0; at + sizeof(inotify_event) <= static_cast<size_t>(size);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* text = buffer.data() + at + sizeof event;
      const std::string_view name(text, strnlen(text, event.len));
      const int folder = event.wd;
      changed |=
          (event.mask & IN_Q_OVERFLOW) != 0 ||
          std::ranges::any_of(watched_, [folder, name](const Watched& watched) {
            return watched.descriptor == folder && (watched.name.empty() || watched.name == name);
          });
      at += sizeof event + event.len;
    }
  }
}

uint64_t ContentOf(const std::vector<std::string>& files, const std::vector<std::string>& folders) {
  constexpr size_t kBytesMax = size_t{16} << 20;
  uint64_t sum = 0;
  const auto add = [&sum](std::string_view text) {
    constexpr uint64_t kFactor = 0x9E37'79B9'7F4A'7C15;
    sum = (sum ^ std::hash<std::string_view>{}(text)) * kFactor + text.size();
  };
  const auto add_file = [&add](const std::string& path) {
    add(path);
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return add("no file");  // a pipe is not waited for
    const auto text = ReadWholeFile(path, kBytesMax);
    add(text ? *text : text.error().message);
  };
  for (const std::string& folder : folders) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator file(folder, error), end; !error && file != end;
         file.increment(error)) {
      std::error_code unreadable;
      if (file->is_regular_file(unreadable)) names.push_back(file->path().string());
    }
    std::ranges::sort(names);
    add(folder);
    for (const std::string& name : names) add_file(name);
  }
  for (const std::string& file : files) add_file(file);
  return sum;
}

}  // namespace gyrfalcon
