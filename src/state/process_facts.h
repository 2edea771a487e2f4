// What makes a process somebody: its container, the program that an exec put into it, its name, its
// ids. Nothing here refers to a process, so whatever holds it can be held by one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>

#include "base/ref.h"
#include "points/event.h"
#include "state/arena.h"
#include "state/drift.h"
#include "state/text_vector.h"

namespace gyrfalcon {

class UserTable;       // metadata/user_table.h
struct ContainerInfo;  // metadata/container_info.h

// 12 characters of an id of 64 hex digits, else the whole.
std::string_view ShortContainerId(std::string_view id);

struct Container : ArenaObject<Container> {
  Container(Arena& owner, std::string_view full_id)
      : ArenaObject(owner), id(full_id, owner.resource()) {}

  // Falco's container.id.
  std::string_view short_id() const { return ShortContainerId(id); }

  std::pmr::string id;
  int64_t start_time_ns = 0;  // 0: container/start was not seen
  int32_t init_tgid = 0;      // 0: not known
  bool overlay_seen = false;  // some file of it was told to be in the overlay's lower layer
  // The names that its own files give to users and groups; nullptr: not known (yet).
  std::shared_ptr<const UserTable> users;
  // Its name, image, pod and the like; nullptr: not known (yet).
  std::shared_ptr<const ContainerInfo> info;
};

// What an exec put into a process; shared by fork until one of them execs again.
struct Image : ArenaObject<Image> {
  explicit Image(Arena& owner)
      : ArenaObject(owner),
        exe(owner.resource()),
        exe_path(owner.resource()),
        args(owner.resource()),
        env(owner.resource()),
        exec_name(owner.resource()) {}

  std::pmr::string exe;       // argv[0]
  std::pmr::string exe_path;  // resolved path of the binary; "" when not known
  TextVector args;            // argv[1..]
  TextVector env;
  std::pmr::string exec_name;  // the path as passed to execve; "" when not known
  uint32_t argc = 0;           // argv's length, argv[0] included
  uint32_t mode = 0;           // of the binary, with its owner: for proc.is_exe_writable
  uint32_t owner_uid = 0;
  uint32_t owner_gid = 0;
  uint64_t inode = 0;
  int64_t change_time_ns = 0;
  int64_t exec_time_ns = 0;
  uint64_t size = 0;   // of the binary, bytes; 0: not known
  uint64_t links = 0;  // its hard links; 0: not known
  // Of the binary's content, where the session asks for them.
  std::array<uint8_t, 32> sha256{};
  std::array<uint8_t, 20> sha1{};
  bool has_sha256 = false;
  bool has_sha1 = false;
  FromImage from_image = FromImage::kUnknown;
  bool has_binary_info = false;  // mode … change_time_ns and the overlay flags are known
  bool in_upper_layer = false;
  bool in_lower_layer = false;
  bool in_memfd = false;
  // The file was opened for writing in this sandbox before it was run: drift where runsc is too old
  // to tell layers. Blind to a file that was written elsewhere and renamed.
  bool written_before = false;
  // The exec was concluded, not told: from syscall/execve/exit, or a process first seen without
  // one.
  bool synthetic = false;
  bool synthetic_told = false;  // for whichever of the processes that share it

  FileLayers layers() const {
    return {.upper = in_upper_layer, .lower = in_lower_layer, .memfd = in_memfd};
  }
};

// A task's name: at most 15 bytes, as the kernel cuts it.
class TaskName {
 public:
  std::string_view view() const { return {bytes_.data(), size_}; }
  bool empty() const { return size_ == 0; }
  void Set(std::string_view name);
  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, TaskName& name) {
    visit("size", name.size_);
    if (name.size_ > name.bytes_.size()) return visit.archive().Fail();
    visit.archive().Raw(name.bytes_.data(), name.size_);
  }

 private:
  std::array<char, 15> bytes_{};
  uint8_t size_ = 0;
};

// Who is at the other end of a pipe that a program was started with, as it was at that moment.
struct PipePeer {
  int32_t tgid = 0;  // 0: no pipe, or not told
  TaskName name;
  TaskName started_as;  // with `image`; empty: not known
  Ref<Image> image;     // empty: the process was not known
};

// Holds no process: two ends of a pipe would hold each other.
struct PipePeers : ArenaObject<PipePeers> {
  explicit PipePeers(Arena& owner) : ArenaObject(owner) {}

  PipePeer input;   // writes to standard input
  PipePeer output;  // reads standard output
};

// Who a process is. A copy of it is who it was, for events that are told later: an exec, a prctl or
// a setuid changes it.
struct ProcessFacts {
  explicit ProcessFacts(std::pmr::memory_resource* memory) : cwd(memory) {}
  ProcessFacts(const ProcessFacts&) = delete;
  ProcessFacts& operator=(const ProcessFacts&) = default;  // texts stay in the target's memory

  int32_t tgid = 0;           // in the sandbox's root PID namespace
  int64_t start_time_ns = 0;  // 0: not known
  Ref<Container> container;
  Ref<Image> image;        // always set
  Ref<PipePeers> pipes;    // empty: started without pipes, or not told
  TaskName name;           // now: prctl(PR_SET_NAME) changes it
  TaskName started_as;     // at its exec; empty: no exec was seen
  TaskName previous_name;  // just before that exec: the program that was replaced
  std::pmr::string cwd;    // without trailing slash except "/"; "" when not known
  Credentials credentials;
  bool credentials_known = false;
  int32_t session_id = 0;  // 0: not known
  int32_t group_id = 0;    // process group; 0: not known
  uint32_t tty = 0;        // controlling terminal's device number; 0: none known
  int64_t fd_limit = -1;   // RLIMIT_NOFILE; -1: not known
  bool is_exec_session = false;
};

// Who a process was at some moment: shared by all that is kept of that moment.
struct PastProcess : ArenaObject<PastProcess>, ProcessFacts {
  explicit PastProcess(Arena& owner) : ArenaObject(owner), ProcessFacts(owner.resource()) {}

  uint32_t version = 0;       // the process's then
  uint32_t line_version = 0;  // and the sandbox's
};

}  // namespace gyrfalcon
