#include "points/syscall_catalog.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"

namespace gyrfalcon {
namespace {

constexpr uint64_t kNumbersEnd = 512;
constexpr std::string_view kSyscall = "syscall/";
constexpr std::string_view kRaw = "syscall/sysno/";

struct SupportRow {
  SyscallSupport support;
  std::string_view names;
};
constexpr SupportRow kSupport[] = {
    {SyscallSupport::kNewerOnly,
     "bpf clone3 copy_file_range fsconfig fsmount fsopen ioprio_get ioprio_set move_mount "
     "open_tree openat2 pidfd_getfd pidfd_open pidfd_send_signal process_vm_readv "
     "process_vm_writev sched_getattr sched_setattr"},
    {SyscallSupport::kSwitchedOff, "io_uring_enter io_uring_setup"},
    {SyscallSupport::kNever,
     "_sysctl acct add_key adjtimex afs_syscall clock_adjtime create_module delete_module "
     "epoll_ctl_old "
     "epoll_wait_old fanotify_init fanotify_mark finit_module fspick futex_waitv get_kernel_syms "
     "get_thread_area getpmsg init_module io_pgetevents io_uring_register ioperm iopl kcmp "
     "kexec_file_load kexec_load landlock_add_rule landlock_create_ruleset landlock_restrict_self "
     "lookup_dcookie memfd_secret migrate_pages modify_ldt mount_setattr move_pages mq_getsetattr "
     "mq_notify mq_timedreceive mq_timedsend name_to_handle_at nfsservctl open_by_handle_at "
     "perf_event_open pkey_alloc pkey_free pkey_mprotect process_madvise process_mrelease putpmsg "
     "query_module quotactl quotactl_fd reboot remap_file_pages request_key sched_rr_get_interval "
     "sched_setparam security set_mempolicy_home_node set_thread_area setfsgid setfsuid "
     "settimeofday swapoff swapon sysfs tuxcall uselib userfaultfd ustat vhangup vmsplice "
     "vserver"},
};

// The first line: counted more than a thousand times a second in one of four ordinary programs (a
// shell's loop, a web server, a build, threads with a queue; docs/policy.md has the figures). Then
// what programs do as often that move data, wait, or look at files in another way.
constexpr std::string_view kHot =
    "close fcntl futex getdents64 lseek mmap newfstatat openat read readlink "
    "access brk clock_gettime clock_nanosleep epoll_ctl epoll_pwait epoll_pwait2 epoll_wait fstat "
    "getdents getpid gettid gettimeofday ioctl lstat madvise mprotect munmap nanosleep open poll "
    "ppoll pread64 preadv pselect6 pwrite64 pwritev readv recvfrom recvmmsg recvmsg rt_sigaction "
    "rt_sigprocmask sched_yield select sendmmsg sendmsg sendto stat statx write writev";

// What the registers of a call only point to.
struct HidesRow {
  std::string_view what;
  std::string_view names;
};
constexpr HidesRow kRawHides[] = {
    {"the path",
     "access acct chmod chown faccessat faccessat2 fchmodat fchownat fsconfig fsopen fspick "
     "futimesat getxattr lchown lgetxattr link linkat listxattr llistxattr lremovexattr lsetxattr "
     "lstat mkdir mkdirat mknod mknodat mount mount_setattr move_mount name_to_handle_at "
     "newfstatat open_tree openat2 pivot_root quotactl readlink readlinkat removexattr rename "
     "renameat renameat2 rmdir setxattr stat statfs statx swapoff swapon symlink symlinkat "
     "truncate umount2 unlink unlinkat uselib utime utimensat utimes"},
    {"the address and the data", "recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto"},
    {"the address", "getpeername getsockname"},
    {"the data", "process_vm_readv process_vm_writev vmsplice"},
    {"the name",
     "add_key keyctl memfd_create mq_open mq_unlink request_key setdomainname "
     "sethostname"},
    {"the events",
     "epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait poll ppoll pselect6 "
     "select"},
    {"the flags and the child's id", "clone3"},
    {"the arguments",
     "bpf finit_module init_module io_uring_setup kexec_load perf_event_open "
     "seccomp"},
    {"the capabilities", "capget capset"},
};

// Names that people take for system calls.
struct MeantRow {
  std::string_view name;
  std::string_view meant;
};
constexpr MeantRow kMeant[] = {
    {"epoll_wait2", "epoll_pwait2"},
    {"eventfd_read", "read"},
    {"eventfd_write", "write"},
    {"execl", "execve"},
    {"execvp", "execve"},
    {"exit_thread", "exit"},
    {"fstatat", "newfstatat"},
    {"io_uring_unregister", "io_uring_register"},
    {"mkfifo", "mknod"},
    {"mkfifoat", "mknodat"},
    {"mq_receive", "mq_timedreceive"},
    {"mq_send", "mq_timedsend"},
    {"posix_spawn", "clone"},
    {"pread", "pread64"},
    {"prlimit", "prlimit64"},
    {"pthread_create", "clone"},
    {"pwrite", "pwrite64"},
    {"sched_exit", "exit"},
    {"sigaction", "rt_sigaction"},
    {"sigpending", "rt_sigpending"},
    {"sigprocmask", "rt_sigprocmask"},
    {"sigqueueinfo", "rt_sigqueueinfo"},
    {"sigreturn", "rt_sigreturn"},
    {"sigsuspend", "rt_sigsuspend"},
    {"sigtimedwait", "rt_sigtimedwait"},
    {"umount", "umount2"},
    {"wait", "wait4"},
    {"waitpid", "wait4"},
};

// Points of more than one call, or of one by another name.
struct SharedPoint {
  std::string_view point;  // without side
  std::string_view names;  // the first is the one to name it by
};
constexpr std::string_view kExecs = "execve execveat";
// The state learns of forks by any of them; asking for one alone would tell some forks by another
// message than the rest.
constexpr std::string_view kClones = "clone clone3 fork vfork";
constexpr std::string_view kExits = "exit_group exit";
constexpr SharedPoint kShared[] = {
    {"container/start", kExecs},  {"sentry/execve", kExecs}, {"sentry/clone", kClones},
    {"sentry/task_exit", kExits}, {"sentry/mmap", "mmap"},   {"sentry/exit_notify_parent", kExits},
    {"syscall/clone", kClones},   {"syscall/fork", kClones}, {"syscall/vfork", kClones},
};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> out = Split(text, ' ');
  std::erase(out, std::string_view());
  return out;
}

bool HasWord(std::string_view words, std::string_view word) {
  const std::vector<std::string_view> all = Words(words);
  return std::ranges::find(all, word) != all.end();
}

// asm-generic's numbers for 64-bit times on 32-bit machines; aarch64 has no such calls.
bool IsOf32Bits(Arch arch, uint64_t number) {
  constexpr uint64_t kFirst = 403;
  constexpr uint64_t kLast = 423;
  return arch == Arch::kAarch64 && number >= kFirst && number <= kLast;
}

std::vector<SyscallInfo> MakeCatalog() {
  std::map<std::string_view, SyscallInfo> calls;
  for (uint64_t number = 0; number < kNumbersEnd; ++number) {
    const auto add = [&](Arch arch, int16_t SyscallInfo::* slot) {
      const std::string_view name = SyscallName(arch, number);
      if (name.empty() || IsOf32Bits(arch, number)) return;
      calls[name].name = name;
      calls[name].*slot = static_cast<int16_t>(number);
    };
    add(Arch::kX86_64, &SyscallInfo::x86_64);
    add(Arch::kAarch64, &SyscallInfo::aarch64);
  }
  for (const PointDef& point : Points()) {
    if (!point.is_syscall()) continue;
    const auto call = calls.find(point.name.substr(kSyscall.size()));
    if (call != calls.end()) call->second.point = &point;
  }
  const auto for_each = [&calls](std::string_view names, const auto& visit) {
    for (const std::string_view name : Words(names)) {
      if (const auto call = calls.find(name); call != calls.end()) visit(call->second);
    }
  };
  for (const SupportRow& row : kSupport) {
    for_each(row.names, [&row](SyscallInfo& call) { call.support = row.support; });
  }
  for (const HidesRow& row : kRawHides) {
    for_each(row.names, [&row](SyscallInfo& call) { call.raw_hides = row.what; });
  }
  for_each(kHot, [](SyscallInfo& call) { call.hot = true; });
  std::vector<SyscallInfo> out;
  for (const auto& [name, call] : calls) out.push_back(call);
  return out;
}

}  // namespace

std::string_view Describe(SyscallSupport support) {
  switch (support) {
    case SyscallSupport::kYes:
      return "";
    case SyscallSupport::kNewerOnly:
      return "fails on a runsc of 2022, works on newer ones";
    case SyscallSupport::kSwitchedOff:
      return "works on a runsc of 2022, fails on newer ones that are not told to allow it";
    case SyscallSupport::kNever:
      return "always fails: that it was tried is all that can be seen";
  }
  return "";
}

std::span<const SyscallInfo> SyscallCatalog() {
  static const std::vector<SyscallInfo> catalog = MakeCatalog();
  return catalog;
}

const SyscallInfo* FindSyscall(std::string_view name) {
  const auto catalog = SyscallCatalog();
  const auto found = std::ranges::lower_bound(catalog, name, {}, &SyscallInfo::name);
  return found != catalog.end() && found->name == name ? &*found : nullptr;
}

std::string_view SyscallMeantBy(std::string_view name) {
  const auto known = std::ranges::find(kMeant, name, &MeantRow::name);
  if (known != std::end(kMeant)) return known->meant;
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (const SyscallInfo& call : SyscallCatalog()) out.push_back(call.name);
    return out;
  }();
  return NearestWord(name, names).value_or(std::string_view());
}

bool IsRawPoint(std::string_view point) {
  return point.starts_with(kRaw);
}

std::vector<std::string> PointsOfSyscall(const SyscallInfo& call, Arch arch) {
  std::vector<std::string> out;
  const int16_t number = call.number(arch);
  if (call.point != nullptr && number >= 0) {
    out = {std::string(call.point->name) + "/enter", std::string(call.point->name) + "/exit"};
  } else if (number >= 0 && static_cast<uint64_t>(number) < kRawPointsEnd) {
    const std::string point = std::string(kRaw) + std::to_string(number);
    out = {point + "/enter", point + "/exit"};
  }
  for (const SharedPoint& row : kShared) {
    if (!row.point.starts_with(kSyscall) && HasWord(row.names, call.name)) {
      out.emplace_back(row.point);
    }
  }
  return out;
}

std::vector<std::string_view> SyscallsOfPoint(std::string_view point) {
  std::string_view bare = point;
  if (bare.starts_with(kSyscall)) bare = bare.substr(0, bare.rfind('/'));
  const auto shared = std::ranges::find(kShared, bare, &SharedPoint::point);
  if (shared != std::end(kShared)) return Words(shared->names);
  std::string_view name;
  if (bare.starts_with(kRaw)) {
    const auto number = ParseUint(bare.substr(kRaw.size()));
    if (number) name = SyscallName(kHostArch, *number);
  } else if (bare.starts_with(kSyscall)) {
    name = bare.substr(kSyscall.size());
  }
  if (FindSyscall(name) == nullptr) return {};
  return {name};
}

}  // namespace gyrfalcon
