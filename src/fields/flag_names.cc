#include "fields/flag_names.h"

#include <algorithm>
#include <iterator>
#include <span>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

namespace gyrfalcon {
namespace {

struct Bits {
  uint32_t mask;
  uint32_t value;  // flags & mask == value
  std::string_view name;
};

// __O_TMPFILE and O_LARGEFILE as the kernel numbers them on x86-64 and aarch64 alike
// (asm-generic/fcntl.h); libc's O_LARGEFILE is 0 on 64 bit.
constexpr uint32_t kTmpfileBit = 020000000;
constexpr uint32_t kLargefile = 0100000;

constexpr Bits kOpenFlags[] = {
    {kLargefile, kLargefile, "O_LARGEFILE"},
    {O_DIRECTORY, O_DIRECTORY, "O_DIRECTORY"},
    {O_DIRECT, O_DIRECT, "O_DIRECT"},
    {O_TRUNC, O_TRUNC, "O_TRUNC"},
    {O_SYNC & ~O_DSYNC, O_SYNC & ~O_DSYNC, "O_SYNC"},
    {O_NONBLOCK, O_NONBLOCK, "O_NONBLOCK"},
    {O_EXCL, O_EXCL, "O_EXCL"},
    {O_DSYNC, O_DSYNC, "O_DSYNC"},
    {O_APPEND, O_APPEND, "O_APPEND"},
    {O_CREAT, O_CREAT, "O_CREAT"},
    {O_ACCMODE, O_RDWR, "O_RDWR"},
    {O_ACCMODE, O_WRONLY, "O_WRONLY"},
    {O_ACCMODE, O_RDONLY, "O_RDONLY"},
    {O_CLOEXEC, O_CLOEXEC, "O_CLOEXEC"},
    {kTmpfileBit, kTmpfileBit, "O_TMPFILE"},
};

constexpr Bits kProtection[] = {
    {PROT_READ, PROT_READ, "PROT_READ"},
    {PROT_WRITE, PROT_WRITE, "PROT_WRITE"},
    {PROT_EXEC, PROT_EXEC, "PROT_EXEC"},
    {PROT_GROWSDOWN, PROT_GROWSDOWN, "PROT_GROWSDOWN"},
    {PROT_GROWSUP, PROT_GROWSUP, "PROT_GROWSUP"},
};

struct Named {
  int64_t number;
  std::string_view name;
};

constexpr Named kDomains[] = {
    {AF_UNSPEC, "AF_UNSPEC"},   {AF_UNIX, "AF_UNIX"},
    {AF_INET, "AF_INET"},       {AF_AX25, "AF_AX25"},
    {AF_IPX, "AF_IPX"},         {AF_APPLETALK, "AF_APPLETALK"},
    {AF_X25, "AF_X25"},         {AF_INET6, "AF_INET6"},
    {AF_NETLINK, "AF_NETLINK"}, {AF_PACKET, "AF_PACKET"},
    {AF_RDS, "AF_RDS"},         {AF_PPPOX, "AF_PPPOX"},
    {AF_LLC, "AF_LLC"},         {AF_CAN, "AF_CAN"},
    {AF_TIPC, "AF_TIPC"},       {AF_BLUETOOTH, "AF_BLUETOOTH"},
    {AF_ALG, "AF_ALG"},         {AF_VSOCK, "AF_VSOCK"},
};

constexpr Named kPtraceRequests[] = {
    {PTRACE_TRACEME, "PTRACE_TRACEME"},
    {PTRACE_PEEKTEXT, "PTRACE_PEEKTEXT"},
    {PTRACE_PEEKDATA, "PTRACE_PEEKDATA"},
    {PTRACE_PEEKUSER, "PTRACE_PEEKUSR"},
    {PTRACE_POKETEXT, "PTRACE_POKETEXT"},
    {PTRACE_POKEDATA, "PTRACE_POKEDATA"},
    {PTRACE_POKEUSER, "PTRACE_POKEUSR"},
    {PTRACE_CONT, "PTRACE_CONT"},
    {PTRACE_KILL, "PTRACE_KILL"},
    {PTRACE_SINGLESTEP, "PTRACE_SINGLESTEP"},
    {12, "PTRACE_GETREGS"},
    {13, "PTRACE_SETREGS"},
    {14, "PTRACE_GETFPREGS"},
    {15, "PTRACE_SETFPREGS"},
    {PTRACE_ATTACH, "PTRACE_ATTACH"},
    {PTRACE_DETACH, "PTRACE_DETACH"},
    {PTRACE_SYSCALL, "PTRACE_SYSCALL"},
    {PTRACE_SETOPTIONS, "PTRACE_SETOPTIONS"},
    {PTRACE_GETEVENTMSG, "PTRACE_GETEVENTMSG"},
    {PTRACE_GETSIGINFO, "PTRACE_GETSIGINFO"},
    {PTRACE_SETSIGINFO, "PTRACE_SETSIGINFO"},
    {PTRACE_GETREGSET, "PTRACE_GETREGSET"},
    {PTRACE_SETREGSET, "PTRACE_SETREGSET"},
    {PTRACE_SEIZE, "PTRACE_SEIZE"},
    {PTRACE_INTERRUPT, "PTRACE_INTERRUPT"},
    {PTRACE_LISTEN, "PTRACE_LISTEN"},
    {PTRACE_PEEKSIGINFO, "PTRACE_PEEKSIGINFO"},
    {PTRACE_GETSIGMASK, "PTRACE_GETSIGMASK"},
    {PTRACE_SETSIGMASK, "PTRACE_SETSIGMASK"},
};

// The kernel's own restart codes, which libc has no names for (include/linux/errno.h).
constexpr Named kRestartCodes[] = {
    {512, "ERESTARTSYS"}, {513, "ERESTARTNOINTR"},        {514, "ERESTARTNOHAND"},
    {515, "ENOIOCTLCMD"}, {516, "ERESTART_RESTARTBLOCK"},
};

void AppendBits(uint32_t flags, std::span<const Bits> table, std::string& out) {
  const size_t begin = out.size();
  for (const Bits& row : table) {
    if ((flags & row.mask) != row.value) continue;
    if (out.size() > begin) out += '|';
    out += row.name;
  }
  if (out.size() == begin) out += '0';
}

std::string_view NameOf(int64_t number, std::span<const Named> table) {
  const auto found = std::ranges::find(table, number, &Named::number);
  return found == table.end() ? std::string_view{} : found->name;
}

}  // namespace

void AppendOpenFlags(uint32_t kernel_flags, std::string& out) {
  AppendBits(kernel_flags, kOpenFlags, out);
}

void AppendProtection(uint32_t prot, std::string& out) {
  AppendBits(prot, kProtection, out);
}

std::string_view SocketDomainName(int64_t domain) {
  return NameOf(domain, kDomains);
}

std::string_view PtraceRequestName(int64_t request) {
  return NameOf(request, kPtraceRequests);
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

}  // namespace gyrfalcon
