#include "state/fd_table.h"

#include <algorithm>
#include <array>
#include <limits>

namespace gyrfalcon {
namespace {

constexpr std::array<FileTypeDef, static_cast<size_t>(FileType::kCount)> kFileTypes = {{
    {"<NA>", 'o'},
    {"file", 'f'},
    {"directory", 'd'},
    {"ipv4", '4'},
    {"ipv6", '6'},
    {"unix", 'u'},
    {"pipe", 'p'},
    {"event", 'e'},
    {"signalfd", 's'},
    {"eventpoll", 'l'},
    {"inotify", 'i'},
    {"timerfd", 't'},
    {"memfd", 'm'},
    {"netlink", 'n'},
    {"<NA>", 'o'},
}};

constexpr std::array<std::string_view, static_cast<size_t>(FdOrigin::kCount)> kOrigins = {
    "unknown",   "open", "socket",    "accept", "pipe",
    "anonymous", "dup",  "inherited", "exec",   "passed"};

bool FitsFd(int64_t fd) {
  return fd >= 0 && fd <= std::numeric_limits<int32_t>::max();
}

auto LowerBound(auto& entries, int64_t fd) {
  // Numbers are given from 0 on: mostly there is no gap below.
  const auto index = static_cast<size_t>(fd);
  if (index < entries.size() && entries[index].fd == fd) {
    return entries.begin() + static_cast<std::ptrdiff_t>(index);
  }
  return std::ranges::lower_bound(
      entries, fd, {}, [](const FdTable::Entry& entry) { return static_cast<int64_t>(entry.fd); });
}

}  // namespace

const FileTypeDef& Describe(FileType type) {
  return kFileTypes[static_cast<size_t>(type)];
}

std::string_view Name(FdOrigin origin) {
  return kOrigins[static_cast<size_t>(origin)];
}

Ref<FdTable> FdTable::ForChild(Arena& arena, const FdTable& parent) {
  Ref<FdTable> table(arena.New<FdTable>(parent));
  for (Entry& entry : table->entries_) {
    if (entry.origin != FdOrigin::kPassed) entry.origin = FdOrigin::kInherited;
  }
  return table;
}

FdOrigin FdTable::OriginOf(int64_t fd) const {
  const auto at = LowerBound(entries_, fd);
  return at != entries_.end() && at->fd == fd ? at->origin : FdOrigin::kUnknown;
}

File* FdTable::Find(int64_t fd) const {
  const auto at = LowerBound(entries_, fd);
  return at != entries_.end() && at->fd == fd ? at->file.get() : nullptr;
}

bool FdTable::Set(int64_t fd, Ref<File> file, bool close_on_exec, FdOrigin origin, size_t fds_max) {
  if (!FitsFd(fd)) return true;
  const auto at = LowerBound(entries_, fd);
  if (at != entries_.end() && at->fd == fd) {
    at->file = std::move(file);
    at->close_on_exec = close_on_exec;
    at->origin = origin;
    return true;
  }
  if (entries_.size() >= fds_max) return false;
  entries_.insert(at, Entry{static_cast<int32_t>(fd), close_on_exec, origin, std::move(file)});
  return true;
}

void FdTable::Remove(int64_t fd) {
  const auto at = LowerBound(entries_, fd);
  if (at != entries_.end() && at->fd == fd) entries_.erase(at);
}

void FdTable::SetCloseOnExec(int64_t fd, bool close_on_exec) {
  const auto at = LowerBound(entries_, fd);
  if (at != entries_.end() && at->fd == fd) at->close_on_exec = close_on_exec;
}

void FdTable::DropCloseOnExec() {
  std::erase_if(entries_, [](const Entry& entry) { return entry.close_on_exec; });
}

}  // namespace gyrfalcon
