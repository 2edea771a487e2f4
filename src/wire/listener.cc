#include "wire/listener.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/unix_socket.h"

namespace gyrfalcon {

namespace {

constexpr mode_t kSocketMode = 0600;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(Fault::kEnvironment, std::move(message));
}

// "cannot WHAT PATH: Permission denied; MEND"
std::unexpected<Error> RefuseErrno(std::string_view what, const std::string& path,
                                   int error_number) {
  std::string message = "cannot " + std::string(what) + " " + path + ": " + ErrnoText(error_number);
  if (error_number == EACCES || error_number == EPERM) {
    message += "; run as root, or choose a socket in a folder of your own";
  } else if (error_number == EROFS) {
    message += "; choose a socket on a file system that can be written, such as /run";
  }
  return Refuse(std::move(message));
}

sockaddr_un AddressOf(const std::string& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());  // lengths were checked by CheckPath
  return address;
}

Result<void> PrepareFolder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    const int error_number = errno;
    struct stat status{};
    if (::stat(folder.c_str(), &status) != 0) {  // else it exists, which is what is wanted
      if (error_number != ENOENT) return RefuseErrno("create folder", folder, error_number);
      return Refuse("cannot create folder " + folder + ": its parent " + FolderOf(folder) +
                    " does not exist; create that one first (mkdir -p " + FolderOf(folder) + ")");
    }
  }
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return RefuseErrno("look at folder", folder, errno);
  if (!S_ISDIR(status.st_mode)) {
    return Refuse(folder + " is not a folder; choose another socket path");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0) {
    return Refuse("others may write to folder " + folder +
                  " and could replace the socket; run chmod go-w " + folder);
  }
  return {};
}

std::string LockHolder(int fd) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size() - 1, 0);
  if (got <= 0) return "another process";
  std::string pid(text.data(), static_cast<size_t>(got));
  if (const size_t end = pid.find_first_not_of("0123456789"); end != std::string::npos) {
    pid.resize(end);
  }
  return pid.empty() ? "another process" : "process " + pid;
}

// Only for messages; a holder that can't write its number is named "another process".
void WriteLockHolder(int lock) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(lock, pid.data(), pid.size(), 0);
}

Result<UniqueFd> TakeLock(const std::string& path) {
  const std::string lock_path = path + ".lock";
  UniqueFd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return RefuseErrno("open lock file", lock_path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return RefuseErrno("lock", lock_path, errno);
    return Refuse("socket " + path + " is in use by " + LockHolder(lock.get()) +
                  "; stop that one, or choose another socket");
  }
  WriteLockHolder(lock.get());
  return lock;
}

std::string ListenerProcess(int connected) {
  const auto peer = PeerOf(connected);
  if (!peer || peer->pid == 0) return "another process";
  return "process " + std::to_string(peer->pid);
}

// Succeeds when nothing is at `path`, or a socket that nobody listens on. A live listener need not
// hold our lock: it may be another program. Asking means connecting, which it sees as an empty
// connection.
Result<void> CheckReplaceable(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return RefuseErrno("look at", path, errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Refuse(path + " exists and is not a socket; remove it, or choose another socket path");
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return RefuseErrno("make a socket for", path, errno);
  const sockaddr_un address = AddressOf(path);
  std::string holder = "another process";  // EAGAIN: its queue is full; EPROTOTYPE: of another type
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    holder = ListenerProcess(probe.get());
  } else if (errno == ECONNREFUSED || errno == ENOENT) {
    return {};
  } else if (errno != EAGAIN && errno != EPROTOTYPE) {
    return RefuseErrno("find out who listens on", path, errno);
  }
  return Refuse("socket " + path + " is in use by " + holder +
                "; stop that one, or choose another socket");
}

}  // namespace

std::optional<int> KernelBacklogMax() {
  std::ifstream file("/proc/sys/net/core/somaxconn");
  int most = 0;
  if (!(file >> most)) return std::nullopt;
  return most;
}

Result<void> CheckSocketPath(const std::string& path) {
  if (path.empty() || path.ends_with('/') || path.find('\0') != std::string::npos) {
    return Refuse("\"" + path + "\" is not a path that a socket can have");
  }
  if (path.size() > Listener::kPathBytesMax) {
    return Refuse("socket path " + path + " is " + std::to_string(path.size()) +
                  " bytes long, and at most " + std::to_string(Listener::kPathBytesMax) +
                  " fit; choose a shorter one");
  }
  return {};
}

Listener::Listener(Listener&& other) noexcept {
  *this = std::move(other);
}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this == &other) return *this;
  RemoveFile();
  path_ = std::move(other.path_);
  socket_ = std::move(other.socket_);
  lock_ = std::move(other.lock_);
  owns_file_ = std::exchange(other.owns_file_, false);
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

Listener::~Listener() {
  RemoveFile();
}

// While the lock is still held: members are destroyed after this.
void Listener::RemoveFile() noexcept {
  if (!std::exchange(owns_file_, false)) return;
  struct stat status{};
  if (::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

Result<Listener> Listener::Open(std::string path) {
  if (auto ok = CheckSocketPath(path); !ok) return std::unexpected(ok.error());
  if (auto ok = PrepareFolder(FolderOf(path)); !ok) return std::unexpected(ok.error());
  auto lock = TakeLock(path);
  if (!lock) return std::unexpected(lock.error());
  if (auto ok = CheckReplaceable(path); !ok) return std::unexpected(ok.error());
  Listener listener;
  listener.path_ = std::move(path);
  listener.lock_ = std::move(*lock);
  if (auto ok = listener.Bind(); !ok) return std::unexpected(ok.error());
  return listener;
}

Result<void> Listener::Bind() {
  socket_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return RefuseErrno("make a socket for", path_, errno);
  const std::string temporary = path_ + "~";  // ours alone: we hold the lock
  ::unlink(temporary.c_str());                // a starter died half-way
  const sockaddr_un address = AddressOf(temporary);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return RefuseErrno("create socket", path_, errno);
  }
  struct stat status{};
  const bool made =
      ::chmod(temporary.c_str(), kSocketMode) == 0 && ::lstat(temporary.c_str(), &status) == 0 &&
      ::listen(socket_.get(), kBacklog) == 0 && ::rename(temporary.c_str(), path_.c_str()) == 0;
  if (!made) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    return RefuseErrno("create socket", path_, error_number);
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  owns_file_ = true;
  return {};
}

namespace {

Result<UniqueFd> CopyOf(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return Refuse("cannot copy the listening socket: " + ErrnoText(errno));
  return copy;
}

}  // namespace

Result<HandedListener> Listener::Copy() const {
  HandedListener copy;
  copy.owns_file = owns_file_;
  copy.device = static_cast<uint64_t>(device_);
  copy.inode = static_cast<uint64_t>(inode_);
  auto socket = CopyOf(socket_);
  if (!socket) return std::unexpected(socket.error());
  copy.socket = std::move(*socket);
  if (!lock_) return copy;
  auto lock = CopyOf(lock_);
  if (!lock) return std::unexpected(lock.error());
  copy.lock = std::move(*lock);
  return copy;
}

Result<Listener> Listener::Inherit(HandedListener handed, std::string path) {
  auto listener = Adopt(std::move(handed.socket));
  if (!listener) return listener;
  listener->lock_ = std::move(handed.lock);
  if (!handed.owns_file) return listener;
  struct stat status{};
  const bool is_there = ::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
                        static_cast<uint64_t>(status.st_dev) == handed.device &&
                        static_cast<uint64_t>(status.st_ino) == handed.inode;
  if (!is_there) {
    // It was bound at the name that Bind gives it first.
    if (listener->path_.ends_with('~')) listener->path_.pop_back();
    return Refuse("the process that runs listens at " + listener->path_ + ", and " + path +
                  " is another file; give both the same socket");
  }
  listener->path_ = std::move(path);
  listener->device_ = status.st_dev;
  listener->inode_ = status.st_ino;
  return listener;
}

void Listener::Own() noexcept {
  if (inode_ == 0) return;
  owns_file_ = true;
  if (lock_) WriteLockHolder(lock_.get());
}

Result<Listener> Listener::Adopt(UniqueFd fd) {
  int type = 0;
  int listening = 0;
  socklen_t length = sizeof type;
  sockaddr_un address{};
  socklen_t address_length = sizeof address;
  const bool asked =
      ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
      ::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &address_length) == 0;
  if (!asked) {
    return Refuse("the inherited file descriptor is no socket: " + ErrnoText(errno) +
                  "; the socket unit needs ListenSequentialPacket=");
  }
  if (address.sun_family != AF_UNIX || type != SOCK_SEQPACKET || listening == 0) {
    return Refuse(
        "the inherited socket is not a listening Unix SOCK_SEQPACKET one; the socket unit needs "
        "ListenSequentialPacket=");
  }
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return Refuse("cannot set up the inherited socket: " + ErrnoText(errno));
  }
  Listener listener;
  listener.path_.assign(address.sun_path, ::strnlen(address.sun_path, sizeof address.sun_path));
  listener.socket_ = std::move(fd);
  return listener;
}

}  // namespace gyrfalcon
