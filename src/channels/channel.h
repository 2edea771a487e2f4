// Where alerts go (Falco calls it an output channel). One file each implements this.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gyrfalcon {

// Used by one thread at a time. May block: only the dispatcher's thread calls it.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  virtual std::string_view name() const = 0;
  // One alert, one line, without its newline.
  virtual Result<void> Write(std::string_view line) = 0;
  // Everything written so far has left the process.
  virtual Result<void> Flush() = 0;
  // From any thread: a Write or Flush that waits, and each later one, fails soon.
  virtual void GiveUp() {}
};

// Lines on an open descriptor that stays the caller's: standard output. `buffered`: flushed when no
// more alerts wait, else after each line.
std::unique_ptr<Channel> MakeFdChannel(std::string name, int fd, bool buffered);

// Appends lines to a file, made with mode 0600 if it is not there. Unless it is kept open, it is
// opened anew for each write, so that a file that was moved away is begun again.
Result<std::unique_ptr<Channel>> MakeFileChannel(std::string path, bool buffered, bool keep_open);

}  // namespace gyrfalcon
