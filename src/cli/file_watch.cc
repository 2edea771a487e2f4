#include "cli/file_watch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace gyrfalcon {

namespace fs = std::filesystem;

namespace {

// What kubelet swaps when a mounted ConfigMap changes.
constexpr std::string_view kConfigMapLink = "..data";

}  // namespace

FileWatch::FileWatch(const std::vector<std::string>& files, const std::vector<std::string>& folders)
    : fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  for (const std::string& folder : folders) Add(folder, "");
  for (const std::string& file : files) {
    const fs::path path = file;
    Add(path.has_parent_path() ? path.parent_path().string() : ".", path.filename().string());
  }
}

void FileWatch::Add(const std::string& folder, std::string name) {
  constexpr uint32_t kChanges =
      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
  const int descriptor = inotify_add_watch(fd_.get(), folder.c_str(), kChanges | IN_ONLYDIR);
  if (descriptor >= 0) watched_.push_back({descriptor, std::move(name)});
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
      changed |= (event.mask & IN_Q_OVERFLOW) != 0 ||
                 std::ranges::any_of(watched_, [folder, name](const Watched& watched) {
                   return watched.descriptor == folder &&
                          (watched.name.empty() || watched.name == name || name == kConfigMapLink);
                 });
      at += sizeof event + event.len;
    }
  }
}

}  // namespace gyrfalcon
