#include "fields/event_categories.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace gyrfalcon {
namespace {

enum class Category : uint8_t {
  kOther,
  kFile,
  kNet,
  kIpc,
  kMemory,
  kProcess,
  kSleep,
  kSystem,
  kSignal,
  kUser,
  kTime,
  kWait,
  kScheduler,
  kInternal,
  kIo,  // that of the fd
};

constexpr std::array<std::string_view, 14> kNames = {
    "other",  "file",   "net",  "ipc",  "memory", "process",   "sleep",
    "system", "signal", "user", "time", "wait",   "scheduler", "internal"};

struct Row {
  std::string_view event_type;
  Category category;
};

using enum Category;

// Falco's event table; types that are not here are "other".
// clang-format off
constexpr Row kRows[] = {
    {"accept", kNet},
    {"accept4", kNet},
    {"access", kFile},
    {"bind", kNet},
    {"brk", kMemory},
    {"capset", kProcess},
    {"chdir", kFile},
    {"chmod", kFile},
    {"chown", kFile},
    {"chroot", kProcess},
    {"clone", kProcess},
    {"clone3", kProcess},
    {"close", kIo},
    {"close_range", kIo},
    {"connect", kNet},
    {"container", kInternal},
    {"copy_file_range", kFile},
    {"cpu_hotplug", kSystem},
    {"creat", kFile},
    {"drop", kInternal},
    {"dup", kIo},
    {"dup2", kIo},
    {"dup3", kIo},
    {"epoll_create", kWait},
    {"epoll_create1", kWait},
    {"epoll_wait", kWait},
    {"eventfd", kIpc},
    {"eventfd2", kIpc},
    {"execve", kProcess},
    {"execveat", kProcess},
    {"fchdir", kFile},
    {"fchmod", kFile},
    {"fchmodat", kFile},
    {"fchown", kFile},
    {"fchownat", kFile},
    {"fcntl", kIo},
    {"flock", kFile},
    {"fork", kProcess},
    {"fsconfig", kSystem},
    {"fstat", kFile},
    {"fstat64", kFile},
    {"futex", kIpc},
    {"getcwd", kFile},
    {"getdents", kFile},
    {"getdents64", kFile},
    {"getegid", kUser},
    {"geteuid", kUser},
    {"getgid", kUser},
    {"getpeername", kNet},
    {"getresgid", kUser},
    {"getresuid", kUser},
    {"getrlimit", kProcess},
    {"getsockname", kNet},
    {"getsockopt", kNet},
    {"getuid", kUser},
    {"groupadded", kProcess},
    {"groupdeleted", kProcess},
    {"infra", kInternal},
    {"inotify_init", kIpc},
    {"inotify_init1", kIpc},
    {"io_uring_enter", kIo},
    {"io_uring_register", kIo},
    {"io_uring_setup", kIo},
    {"ioctl", kIo},
    {"k8s", kInternal},
    {"kill", kSignal},
    {"lchown", kFile},
    {"link", kFile},
    {"linkat", kFile},
    {"listen", kNet},
    {"llseek", kFile},
    {"lseek", kFile},
    {"lstat", kFile},
    {"lstat64", kFile},
    {"memfd_create", kMemory},
    {"mesos", kInternal},
    {"mkdir", kFile},
    {"mkdirat", kFile},
    {"mlock", kMemory},
    {"mlock2", kMemory},
    {"mlockall", kMemory},
    {"mmap", kMemory},
    {"mmap2", kMemory},
    {"mount", kFile},
    {"mprotect", kMemory},
    {"munlock", kMemory},
    {"munlockall", kMemory},
    {"munmap", kMemory},
    {"nanosleep", kSleep},
    {"newfstatat", kFile},
    {"open", kFile},
    {"open_by_handle_at", kFile},
    {"openat", kFile},
    {"openat2", kFile},
    {"pidfd_getfd", kProcess},
    {"pidfd_open", kProcess},
    {"pipe", kIpc},
    {"pipe2", kIpc},
    {"poll", kWait},
    {"ppoll", kWait},
    {"prctl", kProcess},
    {"pread", kIo},
    {"preadv", kIo},
    {"prlimit", kProcess},
    {"process_vm_readv", kIpc},
    {"process_vm_writev", kIpc},
    {"procexit", kProcess},
    {"procinfo", kInternal},
    {"ptrace", kProcess},
    {"pwrite", kIo},
    {"pwritev", kIo},
    {"quotactl", kUser},
    {"read", kIo},
    {"readv", kIo},
    {"recv", kIo},
    {"recvfrom", kIo},
    {"recvmmsg", kIo},
    {"recvmsg", kIo},
    {"rename", kFile},
    {"renameat", kFile},
    {"renameat2", kFile},
    {"rmdir", kFile},
    {"scapevent", kInternal},
    {"select", kWait},
    {"semctl", kProcess},
    {"semget", kProcess},
    {"semop", kProcess},
    {"send", kIo},
    {"sendfile", kIo},
    {"sendmmsg", kIo},
    {"sendmsg", kIo},
    {"sendto", kIo},
    {"setgid", kUser},
    {"setns", kProcess},
    {"setpgid", kProcess},
    {"setregid", kUser},
    {"setresgid", kUser},
    {"setresuid", kUser},
    {"setreuid", kUser},
    {"setrlimit", kProcess},
    {"setsid", kProcess},
    {"setsockopt", kNet},
    {"setuid", kUser},
    {"shutdown", kNet},
    {"signaldeliver", kSignal},
    {"signalfd", kSignal},
    {"signalfd4", kSignal},
    {"socket", kNet},
    {"socketpair", kIpc},
    {"splice", kIo},
    {"stat", kFile},
    {"stat64", kFile},
    {"switch", kScheduler},
    {"symlink", kFile},
    {"symlinkat", kFile},
    {"task", kProcess},
    {"task_file_anon_inode", kFile},
    {"task_file_directory", kFile},
    {"task_file_memfd", kFile},
    {"task_file_pipe", kFile},
    {"task_file_regular", kFile},
    {"task_file_socket_inet", kFile},
    {"task_file_socket_inet6", kFile},
    {"task_file_socket_netlink", kFile},
    {"task_file_socket_unix", kFile},
    {"tgkill", kSignal},
    {"timerfd_create", kTime},
    {"tkill", kSignal},
    {"umount", kFile},
    {"umount2", kFile},
    {"unlink", kFile},
    {"unlinkat", kFile},
    {"unshare", kProcess},
    {"useradded", kProcess},
    {"userdeleted", kProcess},
    {"userfaultfd", kFile},
    {"vfork", kProcess},
    {"write", kIo},
    {"writev", kIo},
};
// clang-format on
static_assert(std::ranges::adjacent_find(kRows, std::ranges::greater_equal{}, &Row::event_type) ==
                  std::end(kRows),
              "kRows must be strictly sorted: lookup is a binary search");

Category CategoryOf(EventType type) {
  const std::string_view name = Describe(type).name;
  const auto found = std::ranges::lower_bound(kRows, name, {}, &Row::event_type);
  return found != std::end(kRows) && found->event_type == name ? found->category : kOther;
}

}  // namespace

std::string_view FdCategory(const Happening& happening) {
  if (happening.file == nullptr) return "unknown";
  switch (happening.file->type) {
    case FileType::kFile:
    case FileType::kDirectory:
      return "file";
    case FileType::kIpv4:
    case FileType::kIpv6:
      return "net";
    case FileType::kUnix:
    case FileType::kPipe:
    case FileType::kEvent:
    case FileType::kSignal:
    case FileType::kInotify:
      return "ipc";
    default:
      return "unknown";
  }
}

std::string_view EventCategory(const Happening& happening) {
  const Category category = CategoryOf(happening.type);
  return category == kIo ? FdCategory(happening) : kNames[static_cast<size_t>(category)];
}

}  // namespace gyrfalcon
