// The listening Unix socket (SOCK_SEQPACKET) that sandboxes connect to.
//
// The name appears by a rename of a socket that already listens with mode 0600, so there is no
// moment in which a client finds it refusing or too open. Two starters can't both have it:
// `<path>.lock` is locked for as long as the Listener lives (and left lying afterwards: removing it
// would be a race).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

// How many clients the kernel lets wait for their turn at any listener of this network namespace
// (net.core.somaxconn); nullopt where it does not tell.
std::optional<int> KernelBacklogMax();

// Whether a socket can have that path: not empty, no folder, at most Listener::kPathBytesMax bytes.
Result<void> CheckSocketPath(const std::string& path);

// A listener as it goes from one process to the next.
struct HandedListener {
  UniqueFd socket;
  UniqueFd lock;           // none where the socket is systemd's
  bool owns_file = false;  // the socket file is ours to remove
  uint64_t device = 0;     // of that file
  uint64_t inode = 0;
};

class Listener {
 public:
  // Clients that wait to be accepted; the kernel caps it at net.core.somaxconn. One that finds no
  // place waits in connect(), unless it asked not to; one that has a place waits for all before it,
  // and these are some 20 ms on a busy machine.
  static constexpr int kBacklog = 512;

  // Binds `path`, at most kPathBytesMax long. A missing last folder is created with mode 0700; an
  // existing one keeps its mode, but is refused when others may write there. A socket file that
  // nobody listens on is replaced; a live one, or a file that is no socket, never. Every error is
  // Fault::kEnvironment and says how to mend it.
  static Result<Listener> Open(std::string path);

  // A socket that already listens, inherited from systemd. Neither its file nor its mode is
  // touched, now or at the end. Takes `fd` over, also on error.
  static Result<Listener> Adopt(UniqueFd fd);

  // What another process has handed over. `path` is where this one would listen: with a file to
  // own, it has to be that very socket, below whatever mount. The file is the other's until Own.
  // Takes over what is handed, also on error.
  static Result<Listener> Inherit(HandedListener handed, std::string path);
  // For another process: copies of the descriptors. This object stays what it is.
  Result<HandedListener> Copy() const;
  // Whose the socket file is, when it goes from one process to the other. A no-op for one of
  // systemd.
  void Own() noexcept;
  void Disown() noexcept { owns_file_ = false; }

  // sockaddr_un holds 107 bytes and a NUL; the temporary name is one byte longer than the final.
  static constexpr size_t kPathBytesMax = 106;

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  // Removes the socket file if it is still the one made here.
  ~Listener();

  int fd() const noexcept { return socket_.get(); }  // non-blocking; this object keeps it
  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;

 private:
  Listener() = default;
  Result<void> Bind();
  void RemoveFile() noexcept;

  std::string path_;
  UniqueFd lock_;
  UniqueFd socket_;
  bool owns_file_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace gyrfalcon
