#include "store/spool_files.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/result.h"

namespace gyrfalcon {
namespace {

std::unexpected<StoreError> Failure(const std::string& what, int error_number) {
  return std::unexpected(StoreError{StoreFault::kUnusable, what + ": " + ErrnoText(error_number)});
}

// Folders that are not there, each for us alone.
StoreResult<void> MakeFolders(const std::filesystem::path& folder) {
  if (folder.empty()) return {};
  struct stat status{};
  if (stat(folder.c_str(), &status) == 0) return {};
  if (const auto above = MakeFolders(folder.parent_path()); !above) return above;
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failure("cannot make the folder " + folder.string(), errno);
  }
  return {};
}

StoreResult<UniqueFd> OpenOwn(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return Failure("cannot open " + path, errno);
  return file;
}

}  // namespace

std::unexpected<StoreError> ForeignFile(const std::string& path, const std::string& what) {
  return std::unexpected(StoreError{
      StoreFault::kForeign, path + " is " + what +
                                " and is left as it is: let store.path name a file that is not "
                                "there yet, and gyrfalcon makes it"});
}

// Closing the file gives up whatever lock this process has on it: of the database's own locks,
// which lie there, only a second writer takes notice, and kept away by the lock file there is none.
StoreResult<void> CheckSpoolPlace(const SpoolOptions& options) {
  struct stat status{};
  if (stat(options.path.c_str(), &status) != 0) return {};
  if (S_ISDIR(status.st_mode)) return ForeignFile(options.path, "a folder,");
  if (!S_ISREG(status.st_mode)) return ForeignFile(options.path, "no regular file,");
  if (options.is_default_place || status.st_size == 0) return {};
  const UniqueFd file(open(options.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Failure("cannot read " + options.path, errno);
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  char head[kMagic.size()] = {};
  const ssize_t got = pread(file.get(), head, sizeof head, 0);
  if (got < 0) return Failure("cannot read " + options.path, errno);
  if (std::string_view(head, static_cast<size_t>(got)) == kMagic) return {};
  return ForeignFile(options.path, "no store of gyrfalcon's");
}

StoreResult<UniqueFd> TakeSpoolFiles(const std::string& path) {
  if (const auto made = MakeFolders(std::filesystem::path(path).parent_path()); !made) {
    return std::unexpected(made.error());
  }
  auto lock = OpenOwn(path + ".lock");
  if (!lock) return lock;
  if (flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failure("cannot lock " + path + ".lock", errno);
    return std::unexpected(
        StoreError{StoreFault::kTaken, path + " is in use by another gyrfalcon"});
  }
  if (const auto made = MakeSpoolFile(path); !made) return std::unexpected(made.error());
  return lock;
}

// One that is there is left closed: closing it would take away the locks that readers of ours have
// on it.
StoreResult<void> MakeSpoolFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0 && errno != EEXIST) return Failure("cannot make " + path, errno);
  return {};
}

StoreResult<void> MoveAside(const std::string& path, const std::string& suffix) {
  const std::string target = path + "." + suffix;
  for (const char* part : {"-wal", "-shm"}) std::remove((target + part).c_str());
  if (std::rename(path.c_str(), target.c_str()) != 0) {
    return Failure("cannot rename " + path + " to " + target, errno);
  }
  std::rename((path + "-wal").c_str(), (target + "-wal").c_str());
  std::remove((path + "-shm").c_str());
  return {};
}

uint64_t InodeOf(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace gyrfalcon
