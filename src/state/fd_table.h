// File descriptors of a process and what they refer to.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.h"
#include "base/ref.h"
#include "state/arena.h"

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

// An open file description: shared by dup and fork.
struct File : ArenaObject<File> {
  File(Arena& owner, FileType file_type)
      : ArenaObject(owner), type(file_type), name(owner.resource()), name_raw(owner.resource()) {}

  FileType type;
  Transport transport = Transport::kUnknown;
  SocketRole role = SocketRole::kUnknown;
  bool connected = false;
  bool listening = false;
  uint32_t open_flags = 0;        // O_*; 0 when not known
  uint64_t inode = 0;             // 0: not known
  std::pmr::string name;          // absolute path, or the path of a Unix socket; "" when none
  std::pmr::string name_raw;      // as the program passed it
  std::optional<Endpoint> local;  // absent: not known (gVisor does not tell it for connect)
  std::optional<Endpoint> remote;

  bool is_ip_socket() const { return type == FileType::kIpv4 || type == FileType::kIpv6; }
};

// Sorted by number. fork copies it; processes made with CLONE_FILES share one.
class FdTable : public ArenaObject<FdTable> {
 public:
  explicit FdTable(Arena& owner) : ArenaObject(owner), entries_(owner.resource()) {}
  FdTable(Arena& owner, const FdTable& other)
      : ArenaObject(owner), entries_(other.entries_, owner.resource()) {}

  File* Find(int64_t fd) const;
  // False when the table is full; the fd is then not remembered.
  bool Set(int64_t fd, Ref<File> file, bool close_on_exec, size_t fds_max);
  void Remove(int64_t fd);
  void SetCloseOnExec(int64_t fd, bool close_on_exec);
  void DropCloseOnExec();
  size_t size() const { return entries_.size(); }

  struct Entry {
    int32_t fd;
    bool close_on_exec;
    Ref<File> file;
  };
  const std::pmr::vector<Entry>& entries() const { return entries_; }

 private:
  std::pmr::vector<Entry> entries_;
};

}  // namespace gyrfalcon
