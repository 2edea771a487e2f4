#include "fields/flag_names.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

namespace gyrfalcon {
namespace {

// A name, Falco's number for it, and the kernel's: a number of the kernel's has the name where
// `number & mask == value`. A mask of 0 is a name that no number of the kernel's gives.
struct Row {
  std::string_view name;
  uint32_t falco;
  uint32_t mask;
  uint32_t value;
};

constexpr uint32_t kAllBits = 0xffffffff;
// __O_TMPFILE and O_LARGEFILE as the kernel numbers them on x86-64 and aarch64 alike
// (asm-generic/fcntl.h); libc's O_LARGEFILE is 0 on 64 bit.
constexpr uint32_t kTmpfileBit = 020000000;
constexpr uint32_t kLargefile = 0100000;

// Falco's tables in Falco's order, which is the order of the names in a text.
// clang-format off
constexpr Row kOpenFlags[] = {
    {"O_LARGEFILE", 2048, kLargefile, kLargefile},
    {"O_DIRECTORY", 1024, O_DIRECTORY, O_DIRECTORY},
    {"O_DIRECT", 512, O_DIRECT, O_DIRECT},
    {"O_TRUNC", 256, O_TRUNC, O_TRUNC},
    {"O_SYNC", 128, O_SYNC, O_SYNC},
    {"O_NONBLOCK", 64, O_NONBLOCK, O_NONBLOCK},
    {"O_EXCL", 32, O_EXCL, O_EXCL},
    {"O_DSYNC", 16, O_DSYNC, O_DSYNC},
    {"O_APPEND", 8, O_APPEND, O_APPEND},
    {"O_CREAT", 4, O_CREAT, O_CREAT},
    {"O_RDWR", 3, O_ACCMODE, O_RDWR},
    {"O_WRONLY", 2, O_ACCMODE, O_WRONLY},
    {"O_RDONLY", 1, O_ACCMODE, O_RDONLY},
    {"O_CLOEXEC", 4096, O_CLOEXEC, O_CLOEXEC},
    {"O_NONE", 0, 0, 0},
    {"O_TMPFILE", 8192, kTmpfileBit, kTmpfileBit},
    {"O_F_CREATED", 16384, 0, 0},
    {"FD_UPPER_LAYER", 32768, 0, 0},
    {"FD_LOWER_LAYER", 65536, 0, 0},
};
constexpr Row kFdFlags[] = {
    {"O_LARGEFILE", 2048, 0, 0},
    {"O_DIRECTORY", 1024, 0, 0},
    {"O_DIRECT", 512, O_DIRECT, O_DIRECT},
    {"O_TRUNC", 256, 0, 0},
    {"O_SYNC", 128, 0, 0},
    {"O_NONBLOCK", 64, O_NONBLOCK, O_NONBLOCK},
    {"O_EXCL", 32, 0, 0},
    {"O_DSYNC", 16, 0, 0},
    {"O_APPEND", 8, 0, 0},
    {"O_CREAT", 4, 0, 0},
    {"O_RDWR", 3, 0, 0},
    {"O_WRONLY", 2, 0, 0},
    {"O_RDONLY", 1, 0, 0},
    {"O_CLOEXEC", 4096, O_CLOEXEC, O_CLOEXEC},
    {"O_NONE", 0, 0, 0},
    {"O_TMPFILE", 8192, 0, 0},
    {"O_F_CREATED", 16384, 0, 0},
    {"FD_UPPER_LAYER", 32768, 0, 0},
    {"FD_LOWER_LAYER", 65536, 0, 0},
};
constexpr Row kCloneFlags[] = {
    {"CLONE_FILES", 1, CLONE_FILES, CLONE_FILES},
    {"CLONE_FS", 2, CLONE_FS, CLONE_FS},
    {"CLONE_IO", 4, CLONE_IO, CLONE_IO},
    {"CLONE_NEWIPC", 8, CLONE_NEWIPC, CLONE_NEWIPC},
    {"CLONE_NEWNET", 16, CLONE_NEWNET, CLONE_NEWNET},
    {"CLONE_NEWNS", 32, CLONE_NEWNS, CLONE_NEWNS},
    {"CLONE_NEWPID", 64, CLONE_NEWPID, CLONE_NEWPID},
    {"CLONE_NEWUTS", 128, CLONE_NEWUTS, CLONE_NEWUTS},
    {"CLONE_PARENT", 256, CLONE_PARENT, CLONE_PARENT},
    {"CLONE_PARENT_SETTID", 512, CLONE_PARENT_SETTID, CLONE_PARENT_SETTID},
    {"CLONE_PTRACE", 1024, CLONE_PTRACE, CLONE_PTRACE},
    {"CLONE_SIGHAND", 2048, CLONE_SIGHAND, CLONE_SIGHAND},
    {"CLONE_SYSVSEM", 4096, CLONE_SYSVSEM, CLONE_SYSVSEM},
    {"CLONE_THREAD", 8192, CLONE_THREAD, CLONE_THREAD},
    {"CLONE_UNTRACED", 16384, CLONE_UNTRACED, CLONE_UNTRACED},
    {"CLONE_VM", 32768, CLONE_VM, CLONE_VM},
    {"CLONE_INVERTED", 65536, 0, 0},
    {"NAME_CHANGED", 131072, 0, 0},
    {"CLOSED", 262144, 0, 0},
    {"CLONE_NEWUSER", 1048576, CLONE_NEWUSER, CLONE_NEWUSER},
    {"CLONE_CHILD_CLEARTID", 8388608, CLONE_CHILD_CLEARTID, CLONE_CHILD_CLEARTID},
    {"CLONE_CHILD_SETTID", 16777216, CLONE_CHILD_SETTID, CLONE_CHILD_SETTID},
    {"CLONE_SETTLS", 33554432, CLONE_SETTLS, CLONE_SETTLS},
    {"CLONE_STOPPED", 67108864, 0, 0},
    {"CLONE_VFORK", 134217728, CLONE_VFORK, CLONE_VFORK},
    {"CLONE_NEWCGROUP", 268435456, 0x02000000, 0x02000000},
    {"CLONE_CHILD_IN_PIDNS", 536870912, 0, 0},
};
constexpr Row kProtection[] = {
    {"PROT_READ", 1, PROT_READ, PROT_READ},
    {"PROT_WRITE", 2, PROT_WRITE, PROT_WRITE},
    {"PROT_EXEC", 4, PROT_EXEC, PROT_EXEC},
    {"PROT_SEM", 8, 8, 8},
    {"PROT_GROWSDOWN", 16, PROT_GROWSDOWN, PROT_GROWSDOWN},
    {"PROT_GROWSUP", 32, PROT_GROWSUP, PROT_GROWSUP},
    {"PROT_SAO", 64, 0, 0},
    {"PROT_NONE", 0, 0, 0},
};
constexpr Row kMapFlags[] = {
    {"MAP_SHARED", 1, MAP_SHARED, MAP_SHARED},
    {"MAP_PRIVATE", 2, MAP_PRIVATE, MAP_PRIVATE},
    {"MAP_FIXED", 4, MAP_FIXED, MAP_FIXED},
    {"MAP_ANONYMOUS", 8, MAP_ANONYMOUS, MAP_ANONYMOUS},
    {"MAP_32BIT", 16, 0x40, 0x40},
    {"MAP_RENAME", 32, 0, 0},
    {"MAP_NORESERVE", 64, MAP_NORESERVE, MAP_NORESERVE},
    {"MAP_POPULATE", 128, MAP_POPULATE, MAP_POPULATE},
    {"MAP_NONBLOCK", 256, MAP_NONBLOCK, MAP_NONBLOCK},
    {"MAP_GROWSDOWN", 512, MAP_GROWSDOWN, MAP_GROWSDOWN},
    {"MAP_DENYWRITE", 1024, MAP_DENYWRITE, MAP_DENYWRITE},
    {"MAP_EXECUTABLE", 2048, MAP_EXECUTABLE, MAP_EXECUTABLE},
    {"MAP_INHERIT", 4096, 0, 0},
    {"MAP_FILE", 8192, 0, 0},
    {"MAP_LOCKED", 16384, MAP_LOCKED, MAP_LOCKED},
};
constexpr Row kFcntlCommands[] = {
    {"F_GETPIPE_SZ", 29, kAllBits, 0x408},
    {"F_SETPIPE_SZ", 28, kAllBits, 0x407},
    {"F_NOTIFY", 27, kAllBits, 0x402},
    {"F_DUPFD_CLOEXEC", 26, kAllBits, 0x406},
    {"F_CANCELLK", 25, kAllBits, 0x405},
    {"F_GETLEASE", 24, kAllBits, 0x401},
    {"F_SETLEASE", 23, kAllBits, 0x400},
    {"F_GETOWN_EX", 22, kAllBits, 16},
    {"F_SETOWN_EX", 21, kAllBits, 15},
    {"F_SETLKW64", 19, 0, 0},
    {"F_SETLK64", 18, 0, 0},
    {"F_GETLK64", 17, 0, 0},
    {"F_GETSIG", 15, kAllBits, 11},
    {"F_SETSIG", 13, kAllBits, 10},
    {"F_GETOWN", 12, kAllBits, 9},
    {"F_SETOWN", 10, kAllBits, 8},
    {"F_SETLKW", 9, kAllBits, 7},
    {"F_SETLK", 8, kAllBits, 6},
    {"F_GETLK", 6, kAllBits, 5},
    {"F_SETFL", 5, kAllBits, 4},
    {"F_GETFL", 4, kAllBits, 3},
    {"F_SETFD", 3, kAllBits, 2},
    {"F_GETFD", 2, kAllBits, 1},
    {"F_DUPFD", 1, kAllBits, 0},
    {"F_OFD_GETLK", 30, kAllBits, 36},
    {"F_OFD_SETLK", 31, kAllBits, 37},
    {"F_OFD_SETLKW", 32, kAllBits, 38},
    {"UNKNOWN", 0, 0, 0},
};
constexpr Row kPtraceRequests[] = {
    {"PTRACE_SINGLEBLOCK", 38, kAllBits, 33},
    {"PTRACE_SYSEMU_SINGLESTEP", 37, kAllBits, 32},
    {"PTRACE_SYSEMU", 36, kAllBits, 31},
    {"PTRACE_ARCH_PRCTL", 35, kAllBits, 30},
    {"PTRACE_SET_THREAD_AREA", 34, kAllBits, 26},
    {"PTRACE_GET_THREAD_AREA", 33, kAllBits, 25},
    {"PTRACE_OLDSETOPTIONS", 32, kAllBits, 21},
    {"PTRACE_SETFPXREGS", 31, kAllBits, 19},
    {"PTRACE_GETFPXREGS", 30, kAllBits, 18},
    {"PTRACE_SETFPREGS", 29, kAllBits, 15},
    {"PTRACE_GETFPREGS", 28, kAllBits, 14},
    {"PTRACE_SETREGS", 27, kAllBits, 13},
    {"PTRACE_GETREGS", 26, kAllBits, 12},
    {"PTRACE_SETSIGMASK", 25, kAllBits, 0x420b},
    {"PTRACE_GETSIGMASK", 24, kAllBits, 0x420a},
    {"PTRACE_PEEKSIGINFO", 23, kAllBits, 0x4209},
    {"PTRACE_LISTEN", 22, kAllBits, 0x4208},
    {"PTRACE_INTERRUPT", 21, kAllBits, 0x4207},
    {"PTRACE_SEIZE", 20, kAllBits, 0x4206},
    {"PTRACE_SETREGSET", 19, kAllBits, 0x4205},
    {"PTRACE_GETREGSET", 18, kAllBits, 0x4204},
    {"PTRACE_SETSIGINFO", 17, kAllBits, 0x4203},
    {"PTRACE_GETSIGINFO", 16, kAllBits, 0x4202},
    {"PTRACE_GETEVENTMSG", 15, kAllBits, 0x4201},
    {"PTRACE_SETOPTIONS", 14, kAllBits, 0x4200},
    {"PTRACE_SYSCALL", 13, kAllBits, 24},
    {"PTRACE_DETACH", 12, kAllBits, 17},
    {"PTRACE_ATTACH", 11, kAllBits, 16},
    {"PTRACE_SINGLESTEP", 10, kAllBits, 9},
    {"PTRACE_KILL", 9, kAllBits, 8},
    {"PTRACE_CONT", 8, kAllBits, 7},
    {"PTRACE_POKEUSR", 7, kAllBits, 6},
    {"PTRACE_POKEDATA", 6, kAllBits, 5},
    {"PTRACE_POKETEXT", 5, kAllBits, 4},
    {"PTRACE_PEEKUSR", 4, kAllBits, 3},
    {"PTRACE_PEEKDATA", 3, kAllBits, 2},
    {"PTRACE_PEEKTEXT", 2, kAllBits, 1},
    {"PTRACE_TRACEME", 1, kAllBits, 0},
    {"PTRACE_UNKNOWN", 0, 0, 0},
};
constexpr Row kChownAtFlags[] = {
    {"AT_SYMLINK_NOFOLLOW", 1024, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_NOFOLLOW},
    {"AT_EMPTY_PATH", 4096, AT_EMPTY_PATH, AT_EMPTY_PATH},
};
constexpr Row kSocketDomains[] = {
    {"AF_NFC", 39, 39, 39},
    {"AF_ALG", 38, 38, 38},
    {"AF_CAIF", 37, 37, 37},
    {"AF_IEEE802154", 36, 36, 36},
    {"AF_PHONET", 35, 35, 35},
    {"AF_ISDN", 34, 34, 34},
    {"AF_RXRPC", 33, 33, 33},
    {"AF_IUCV", 32, 32, 32},
    {"AF_BLUETOOTH", 31, 31, 31},
    {"AF_TIPC", 30, 30, 30},
    {"AF_CAN", 29, 29, 29},
    {"AF_LLC", 26, 26, 26},
    {"AF_WANPIPE", 25, 25, 25},
    {"AF_PPPOX", 24, 24, 24},
    {"AF_IRDA", 23, 23, 23},
    {"AF_SNA", 22, 22, 22},
    {"AF_RDS", 21, 21, 21},
    {"AF_ATMSVC", 20, 20, 20},
    {"AF_ECONET", 19, 19, 19},
    {"AF_ASH", 18, 18, 18},
    {"AF_PACKET", 17, 17, 17},
    {"AF_ROUTE", 16, 16, 16},
    {"AF_NETLINK", 16, 16, 16},
    {"AF_KEY", 15, 15, 15},
    {"AF_SECURITY", 14, 14, 14},
    {"AF_NETBEUI", 13, 13, 13},
    {"AF_DECnet", 12, 12, 12},
    {"AF_ROSE", 11, 11, 11},
    {"AF_INET6", 10, 10, 10},
    {"AF_X25", 9, 9, 9},
    {"AF_ATMPVC", 8, 8, 8},
    {"AF_BRIDGE", 7, 7, 7},
    {"AF_NETROM", 6, 6, 6},
    {"AF_APPLETALK", 5, 5, 5},
    {"AF_IPX", 4, 4, 4},
    {"AF_AX25", 3, 3, 3},
    {"AF_INET", 2, 2, 2},
    {"AF_LOCAL", 1, 1, 1},
    {"AF_UNIX", 1, 1, 1},
    {"AF_UNSPEC", 0, 0, 0},
};
constexpr Row kResources[] = {
    {"RLIMIT_UNKNOWN", 255, 255, 255},
    {"RLIMIT_RTTIME", 15, 15, 15},
    {"RLIMIT_RTPRIO", 14, 14, 14},
    {"RLIMIT_NICE", 13, 13, 13},
    {"RLIMIT_MSGQUEUE", 12, 12, 12},
    {"RLIMIT_SIGPENDING", 11, 11, 11},
    {"RLIMIT_LOCKS", 10, 10, 10},
    {"RLIMIT_AS", 9, 9, 9},
    {"RLIMIT_MEMLOCK", 8, 8, 8},
    {"RLIMIT_NOFILE", 7, 7, 7},
    {"RLIMIT_NPROC", 6, 6, 6},
    {"RLIMIT_RSS", 5, 5, 5},
    {"RLIMIT_CORE", 4, 4, 4},
    {"RLIMIT_STACK", 3, 3, 3},
    {"RLIMIT_DATA", 2, 2, 2},
    {"RLIMIT_FSIZE", 1, 1, 1},
    {"RLIMIT_CPU", 0, 0, 0},
};
constexpr Row kModeBits[] = {
    {"S_IXOTH", 1, 1, 1},
    {"S_IWOTH", 2, 2, 2},
    {"S_IROTH", 4, 4, 4},
    {"S_IXGRP", 8, 8, 8},
    {"S_IWGRP", 16, 16, 16},
    {"S_IRGRP", 32, 32, 32},
    {"S_IXUSR", 64, 64, 64},
    {"S_IWUSR", 128, 128, 128},
    {"S_IRUSR", 256, 256, 256},
    {"S_ISVTX", 512, 512, 512},
    {"S_ISGID", 1024, 1024, 1024},
    {"S_ISUID", 2048, 2048, 2048},
};
constexpr Row kExeFlags[] = {
    {"EXE_WRITABLE", 1, 1, 1},
    {"EXE_UPPER_LAYER", 2, 2, 2},
    {"EXE_FROM_MEMFD", 4, 4, 4},
    {"EXE_LOWER_LAYER", 8, 8, 8},
};
constexpr Row kWhences[] = {
    {"SEEK_END", 2, 2, 2},
    {"SEEK_CUR", 1, 1, 1},
    {"SEEK_SET", 0, 0, 0},
};
constexpr Row kBpfCommands[] = {
    {"BPF_MAP_CREATE", 0, 0, 0},
    {"BPF_MAP_LOOKUP_ELEM", 1, 1, 1},
    {"BPF_MAP_UPDATE_ELEM", 2, 2, 2},
    {"BPF_MAP_DELETE_ELEM", 3, 3, 3},
    {"BPF_MAP_GET_NEXT_KEY", 4, 4, 4},
    {"BPF_PROG_LOAD", 5, 5, 5},
    {"BPF_OBJ_PIN", 6, 6, 6},
    {"BPF_OBJ_GET", 7, 7, 7},
    {"BPF_PROG_ATTACH", 8, 8, 8},
    {"BPF_PROG_DETACH", 9, 9, 9},
    {"BPF_PROG_TEST_RUN", 10, 10, 10},
    {"BPF_PROG_RUN", 10, 10, 10},
    {"BPF_PROG_GET_NEXT_ID", 11, 11, 11},
    {"BPF_MAP_GET_NEXT_ID", 12, 12, 12},
    {"BPF_PROG_GET_FD_BY_ID", 13, 13, 13},
    {"BPF_MAP_GET_FD_BY_ID", 14, 14, 14},
    {"BPF_OBJ_GET_INFO_BY_FD", 15, 15, 15},
    {"BPF_PROG_QUERY", 16, 16, 16},
    {"BPF_RAW_TRACEPOINT_OPEN", 17, 17, 17},
    {"BPF_BTF_LOAD", 18, 18, 18},
    {"BPF_BTF_GET_FD_BY_ID", 19, 19, 19},
    {"BPF_TASK_FD_QUERY", 20, 20, 20},
    {"BPF_MAP_LOOKUP_AND_DELETE_ELEM", 21, 21, 21},
    {"BPF_MAP_FREEZE", 22, 22, 22},
    {"BPF_BTF_GET_NEXT_ID", 23, 23, 23},
    {"BPF_MAP_LOOKUP_BATCH", 24, 24, 24},
    {"BPF_MAP_LOOKUP_AND_DELETE_BATCH", 25, 25, 25},
    {"BPF_MAP_UPDATE_BATCH", 26, 26, 26},
    {"BPF_MAP_DELETE_BATCH", 27, 27, 27},
    {"BPF_LINK_CREATE", 28, 28, 28},
    {"BPF_LINK_UPDATE", 29, 29, 29},
    {"BPF_LINK_GET_FD_BY_ID", 30, 30, 30},
    {"BPF_LINK_GET_NEXT_ID", 31, 31, 31},
    {"BPF_ENABLE_STATS", 32, 32, 32},
    {"BPF_ITER_CREATE", 33, 33, 33},
    {"BPF_LINK_DETACH", 34, 34, 34},
    {"BPF_PROG_BIND_MAP", 35, 35, 35},
};
constexpr Row kPrctlOptions[] = {
    {"PR_GET_DUMPABLE", 3, 3, 3},
    {"PR_SET_DUMPABLE", 4, 4, 4},
    {"PR_GET_KEEPCAPS", 7, 7, 7},
    {"PR_SET_KEEPCAPS", 8, 8, 8},
    {"PR_SET_NAME", 15, 15, 15},
    {"PR_GET_NAME", 16, 16, 16},
    {"PR_GET_SECCOMP", 21, 21, 21},
    {"PR_SET_SECCOMP", 22, 22, 22},
    {"PR_CAPBSET_READ", 23, 23, 23},
    {"PR_CAPBSET_DROP", 24, 24, 24},
    {"PR_GET_SECUREBITS", 27, 27, 27},
    {"PR_SET_SECUREBITS", 28, 28, 28},
    {"PR_MCE_KILL", 33, 33, 33},
    {"PR_SET_MM", 35, 35, 35},
    {"PR_SET_CHILD_SUBREAPER", 36, 36, 36},
    {"PR_GET_CHILD_SUBREAPER", 37, 37, 37},
    {"PR_SET_NO_NEW_PRIVS", 38, 38, 38},
    {"PR_GET_NO_NEW_PRIVS", 39, 39, 39},
    {"PR_GET_TID_ADDRESS", 40, 40, 40},
    {"PR_SET_THP_DISABLE", 41, 41, 41},
    {"PR_GET_THP_DISABLE", 42, 42, 42},
    {"PR_CAP_AMBIENT", 47, 47, 47},
};
constexpr Row kMemfdFlags[] = {
    {"MFD_CLOEXEC", 1, 1, 1},
    {"MFD_ALLOW_SEALING", 2, 2, 2},
    {"MFD_HUGETLB", 4, 4, 4},
};
constexpr Row kUmountFlags[] = {
    {"FORCE", 1, 1, 1},
    {"DETACH", 2, 2, 2},
    {"EXPIRE", 4, 4, 4},
    {"NOFOLLOW", 8, 8, 8},
};
constexpr Row kUnlinkFlags[] = {
    {"AT_REMOVEDIR", 512, 512, 512},
};
constexpr Row kShutdownWays[] = {
    {"SHUT_UNKNOWN", 65535, 65535, 65535},
    {"SHUT_RDWR", 2, 2, 2},
    {"SHUT_WR", 1, 1, 1},
    {"SHUT_RD", 0, 0, 0},
};
constexpr Row kLockOperations[] = {
    {"LOCK_SH", 1, 1, 1},
    {"LOCK_EX", 2, 2, 2},
    {"LOCK_NB", 4, 4, 4},
    {"LOCK_UN", 8, 8, 8},
    {"LOCK_NONE", 0, 0, 0},
};
constexpr Row kLinkFlags[] = {
    {"AT_SYMLINK_FOLLOW", 1024, 1024, 1024},
    {"AT_EMPTY_PATH", 4096, 4096, 4096},
};
constexpr Row kRenameFlags[] = {
    {"RENAME_NOREPLACE", 1, 1, 1},
    {"RENAME_EXCHANGE", 2, 2, 2},
    {"RENAME_WHITEOUT", 4, 4, 4},
};
constexpr Row kMlockallFlags[] = {
    {"MCL_CURRENT", 1, 1, 1},
    {"MCL_FUTURE", 2, 2, 2},
    {"MCL_ONFAULT", 4, 4, 4},
};
constexpr Row kMlock2Flags[] = {
    {"MLOCK_ONFAULT", 1, 1, 1},
};
constexpr Row kSpliceFlags[] = {
    {"SPLICE_F_MOVE", 1, 1, 1},
    {"SPLICE_F_NONBLOCK", 2, 2, 2},
    {"SPLICE_F_MORE", 4, 4, 4},
    {"SPLICE_F_GIFT", 8, 8, 8},
};
constexpr Row kAccessModes[] = {
    {"F_OK", 0, 0, 0},
    {"R_OK", 4, 4, 4},
    {"W_OK", 2, 2, 2},
    {"X_OK", 1, 1, 1},
};
constexpr Row kFinitFlags[] = {
    {"MODULE_INIT_IGNORE_MODVERSIONS", 1, 1, 1},
    {"MODULE_INIT_IGNORE_VERMAGIC", 2, 2, 2},
    {"MODULE_INIT_COMPRESSED_FILE", 4, 4, 4},
};
constexpr Row kMknodModes[] = {
    {"S_IXOTH", 1, 1, 1},
    {"S_IWOTH", 2, 2, 2},
    {"S_IROTH", 4, 4, 4},
    {"S_IXGRP", 8, 8, 8},
    {"S_IWGRP", 16, 16, 16},
    {"S_IRGRP", 32, 32, 32},
    {"S_IXUSR", 64, 64, 64},
    {"S_IWUSR", 128, 128, 128},
    {"S_IRUSR", 256, 256, 256},
    {"S_ISVTX", 512, 512, 512},
    {"S_ISGID", 1024, 1024, 1024},
    {"S_ISUID", 2048, 2048, 2048},
    {"S_IFREG", 32768, 32768, 32768},
    {"S_IFCHR", 8192, 8192, 8192},
    {"S_IFBLK", 24576, 24576, 24576},
    {"S_IFIFO", 4096, 4096, 4096},
    {"S_IFSOCK", 49152, 49152, 49152},
};
constexpr Row kCloseRangeFlags[] = {
    {"CLOSE_RANGE_UNSHARE", 2, 2, 2},
    {"CLOSE_RANGE_CLOEXEC", 4, 4, 4},
};
constexpr Row kMountFlags[] = {
    {"RDONLY", 1, 1, 1},
    {"NOSUID", 2, 2, 2},
    {"NODEV", 4, 4, 4},
    {"NOEXEC", 8, 8, 8},
    {"SYNCHRONOUS", 16, 16, 16},
    {"REMOUNT", 32, 32, 32},
    {"MANDLOCK", 64, 64, 64},
    {"DIRSYNC", 128, 128, 128},
    {"NOATIME", 1024, 1024, 1024},
    {"NODIRATIME", 2048, 2048, 2048},
    {"BIND", 4096, 4096, 4096},
    {"MOVE", 8192, 8192, 8192},
    {"REC", 16384, 16384, 16384},
    {"SILENT", 32768, 32768, 32768},
    {"POSIXACL", 65536, 65536, 65536},
    {"UNBINDABLE", 131072, 131072, 131072},
    {"PRIVATE", 262144, 262144, 262144},
    {"SLAVE", 524288, 524288, 524288},
    {"SHARED", 1048576, 1048576, 1048576},
    {"RELATIME", 2097152, 2097152, 2097152},
    {"KERNMOUNT", 4194304, 4194304, 4194304},
    {"I_VERSION", 8388608, 8388608, 8388608},
    {"STRICTATIME", 16777216, 16777216, 16777216},
    {"LAZYTIME", 33554432, 33554432, 33554432},
    {"NOSEC", 268435456, 268435456, 268435456},
    {"BORN", 536870912, 536870912, 536870912},
    {"ACTIVE", 1073741824, 1073741824, 1073741824},
    {"NOUSER", 2147483648, 2147483648, 2147483648},
};
// clang-format on

struct VocabularyDef {
  std::span<const Row> rows;
  bool is_enumeration;  // one name for a number, else one for each bit
  bool is_identity;     // Falco's numbers are the kernel's
};

constexpr VocabularyDef Bits(std::span<const Row> rows) {
  return {rows, false, false};
}
constexpr VocabularyDef SameBits(std::span<const Row> rows) {
  return {rows, false, true};
}
constexpr VocabularyDef Enumeration(std::span<const Row> rows) {
  return {rows, true, false};
}
constexpr VocabularyDef SameEnumeration(std::span<const Row> rows) {
  return {rows, true, true};
}

// Indexed by Vocabulary.
constexpr auto kVocabularies = std::to_array<VocabularyDef>({
    Bits(kOpenFlags),
    Bits(kFdFlags),
    Bits(kCloneFlags),
    Bits(kProtection),
    Bits(kMapFlags),
    SameBits(kModeBits),
    SameBits(kMknodModes),
    SameBits(kExeFlags),
    SameBits(kMemfdFlags),
    SameBits(kUmountFlags),
    SameBits(kUnlinkFlags),
    SameBits(kLinkFlags),
    SameBits(kRenameFlags),
    Bits(kChownAtFlags),
    SameBits(kMountFlags),
    SameBits(kLockOperations),
    SameBits(kMlockallFlags),
    SameBits(kMlock2Flags),
    SameBits(kSpliceFlags),
    SameBits(kFinitFlags),
    SameBits(kCloseRangeFlags),
    SameBits(kAccessModes),
    Enumeration(kFcntlCommands),
    Enumeration(kPtraceRequests),
    SameEnumeration(kSocketDomains),
    SameEnumeration(kResources),
    SameEnumeration(kWhences),
    SameEnumeration(kBpfCommands),
    SameEnumeration(kPrctlOptions),
    SameEnumeration(kShutdownWays),
});
static_assert(kVocabularies.size() == static_cast<size_t>(Vocabulary::kCount));

struct Named {
  int64_t number;
  std::string_view name;
};

// The kernel's own restart codes, which libc has no names for (include/linux/errno.h).
constexpr Named kRestartCodes[] = {
    {512, "ERESTARTSYS"}, {513, "ERESTARTNOINTR"},        {514, "ERESTARTNOHAND"},
    {515, "ENOIOCTLCMD"}, {516, "ERESTART_RESTARTBLOCK"},
};

std::string_view NameOf(int64_t number, std::span<const Named> table) {
  const auto found = std::ranges::find(table, number, &Named::number);
  return found == table.end() ? std::string_view{} : found->name;
}

const VocabularyDef& Describe(Vocabulary vocabulary) {
  return kVocabularies[static_cast<size_t>(vocabulary)];
}

}  // namespace

uint32_t FalcoNumber(Vocabulary vocabulary, uint64_t kernel_number) {
  const VocabularyDef& def = Describe(vocabulary);
  const auto kernel = static_cast<uint32_t>(kernel_number);
  if (def.is_identity) return kernel;
  uint32_t falco = 0;  // also an enumeration's number for what it does not know
  for (const Row& row : def.rows) {
    if (row.mask == 0 || (kernel & row.mask) != row.value) continue;
    if (def.is_enumeration) return row.falco;
    falco |= row.falco;
  }
  return falco;
}

void AppendNames(Vocabulary vocabulary, uint32_t falco_number, std::string& out) {
  const VocabularyDef& def = Describe(vocabulary);
  const size_t begin = out.size();
  const auto append = [&](std::string_view name) {
    if (out.size() > begin) out += '|';
    out += name;
  };
  uint32_t left = falco_number;
  for (const Row& row : def.rows) {
    // A name for the whole number ends the list.
    if (row.falco == falco_number) {
      append(row.name);
      return;
    }
    if (def.is_enumeration || row.falco == 0 || (left & row.falco) != row.falco) continue;
    append(row.name);
    left &= ~row.falco;
  }
}

std::string_view ErrnoName(int64_t error_number) {
  if (const std::string_view name = NameOf(error_number, kRestartCodes); !name.empty()) {
    return name;
  }
  if (error_number <= 0 || error_number > 4095) return {};
  const char* name = strerrorname_np(static_cast<int>(error_number));
  return name == nullptr ? std::string_view{} : std::string_view(name);
}

std::string_view ErrnoOfReturn(int64_t return_value) {
  constexpr int64_t kMostNegative = -4095;  // the kernel's MAX_ERRNO
  return return_value < 0 && return_value >= kMostNegative ? ErrnoName(-return_value)
                                                           : std::string_view{};
}

std::string SignalName(int64_t signal) {
  constexpr int64_t kSignalsMax = 64;
  const char* name =
      signal > 0 && signal <= kSignalsMax ? sigabbrev_np(static_cast<int>(signal)) : nullptr;
  return name == nullptr ? std::string() : std::string("SIG") + name;
}

}  // namespace gyrfalcon
