// File descriptors of a process and what they refer to.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>

#include "base/ip_address.h"
#include "base/ref.h"
#include "state/arena.h"
#include "state/process_facts.h"
#include "state/raised_rules.h"

namespace gyrfalcon {

enum class FileType : uint8_t {
  kUnknown,
  kFile,
  kDirectory,
  kIpv4,
  kIpv6,
  kUnix,
  kPipe,
  kEvent,
  kSignal,
  kEpoll,
  kInotify,
  kTimer,
  kMemfd,
  kNetlink,
  kPacket,
  kCount,
};

struct FileTypeDef {
  std::string_view name;  // fd.type
  char type_char;         // fd.typechar
};
const FileTypeDef& Describe(FileType type);

enum class Transport : uint8_t { kUnknown, kTcp, kUdp, kIcmp, kRaw };

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host byte order
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

enum class SocketRole : uint8_t { kUnknown, kClient, kServer };

// How a file was opened, kept until its true path is known.
struct OpenRecord : ArenaObject<OpenRecord> {
  explicit OpenRecord(Arena& owner) : ArenaObject(owner), payload(owner.resource()) {}

  std::pmr::string payload;  // of the open's exit message
  uint64_t number = 0;
  int64_t time_ns = 0;
  Ref<PastProcess> opener;  // as it was then; always set
  int32_t parent_tgid = 0;  // the opener's; 0: not known
  int64_t parent_start_time_ns = 0;
  bool raced = false;
  RaisedRules raised;
};

// An open file description: shared by dup and fork.
struct File : ArenaObject<File> {
  File(Arena& owner, FileType file_type)
      : ArenaObject(owner),
        type(file_type),
        name(owner.resource()),
        claimed(owner.resource()),
        name_raw(owner.resource()) {}

  FileType type;
  Transport transport = Transport::kUnknown;
  SocketRole role = SocketRole::kUnknown;
  bool connected = false;
  bool listening = false;
  uint32_t open_flags = 0;  // O_*; 0 when not known
  uint64_t inode = 0;       // 0: not known
  // Absolute path, or the path of a Unix socket; "" when none. Of a file that was opened by path it
  // is the path as passed, until a message tells the open file's own.
  std::pmr::string name;
  std::pmr::string claimed;       // the path as passed, made absolute, where `name` is another
  std::pmr::string name_raw;      // as the program passed it
  bool true_name = false;         // `name` is the open file's own path
  bool raced = false;             // it was opened by a path that changed during the call
  Ref<OpenRecord> opened;         // empty: not opened by path, or `name` is true
  std::optional<Endpoint> local;  // absent: not known (gVisor does not tell it for connect)
  std::optional<Endpoint> remote;

  // Says nothing of files that were not seen being opened.
  bool for_writing() const { return (open_flags & O_ACCMODE) != O_RDONLY; }
  bool is_ip_socket() const { return type == FileType::kIpv4 || type == FileType::kIpv6; }
};

// How a process came by a descriptor.
enum class FdOrigin : uint8_t {
  kUnknown,
  kOpen,
  kSocket,  // socket, socketpair
  kAccept,
  kPipe,
  kAnonymous,  // eventfd, signalfd, timerfd, inotify, epoll, memfd
  kDup,
  kInherited,  // from the process that made it
  kExec,       // standard input, output or error, first told when a program was started
  // No message gave it, though every one that could was told: it came through a Unix socket
  // (SCM_RIGHTS), or from a call that was hidden. Stays so through dup and fork.
  kPassed,
  kCount,
};
std::string_view Name(FdOrigin origin);

// Sorted by number. fork copies it; processes made with CLONE_FILES share one.
class FdTable : public ArenaObject<FdTable> {
 public:
  explicit FdTable(Arena& owner) : ArenaObject(owner), entries_(owner.resource()) {}
  FdTable(Arena& owner, const FdTable& other)
      : ArenaObject(owner),
        whole(other.whole),
        losses(other.losses),
        entries_(other.entries_, owner.resource()) {}

  // A child's: the same files, inherited.
  static Ref<FdTable> ForChild(Arena& arena, const FdTable& parent);

  File* Find(int64_t fd) const;
  FdOrigin OriginOf(int64_t fd) const;
  // False when the table is full; the fd is then not remembered.
  bool Set(int64_t fd, Ref<File> file, bool close_on_exec, FdOrigin origin, size_t fds_max);
  void Remove(int64_t fd);
  void SetCloseOnExec(int64_t fd, bool close_on_exec);
  void DropCloseOnExec();
  size_t size() const { return entries_.size(); }

  // It is known from the start of its container on, and nothing of it was refused.
  bool whole = false;
  uint32_t losses = 0;  // what the sandbox's count of losses was at that start

  struct Entry {
    int32_t fd;
    bool close_on_exec;
    FdOrigin origin;
    Ref<File> file;
  };
  const std::pmr::vector<Entry>& entries() const { return entries_; }
  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, FdTable& fds) {
    visit("whole", fds.whole);
    visit("losses", fds.losses);
    visit("entries", fds.entries_, visit.archive().limits().fds_per_process_max);
    int64_t before = -1;
    for (const Entry& entry : fds.entries_) {
      if (entry.fd <= before || !entry.file) return visit.archive().Fail();
      before = entry.fd;
    }
  }

 private:
  std::pmr::vector<Entry> entries_;
};

}  // namespace gyrfalcon
