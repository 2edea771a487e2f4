// Where alerts go (Falco calls it an output channel). One file each implements this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "alerts/alert.h"
#include "alerts/alert_format.h"
#include "base/result.h"

namespace gyrfalcon {

// An alert on its way out. Views: they live until Deliver returns.
struct OutgoingAlert {
  std::string_view boot_id;  // of the daemon that raised it
  uint64_t sequence = 0;     // of that boot, from 1, without gaps; 0: it has none (replay)
  const Alert* alert = nullptr;

  AlertStamp stamp() const { return {boot_id, sequence}; }
};

// What became of a batch.
struct Delivery {
  size_t done = 0;               // from the front: delivered, or refused for ever
  size_t refused = 0;            // of `done`: what the receiver will never take (a dead letter)
  std::optional<Error> problem;  // why not all: try again later, from `done` on
  std::string refusal = {};      // where some are refused: by what answer, and what to do
};

// One thread of its own calls Deliver. It may block, for at most the channel's own timeout: nobody
// waits for it but the alerts behind.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  virtual ~Channel() = default;

  // What people call it, and under which the store keeps how far it is: unique among the channels
  // of a config, and the same from start to start. Without secrets.
  virtual std::string_view name() const = 0;
  // In order. What it reports as done has left the process: it is never given again.
  virtual Delivery Deliver(std::span<const OutgoingAlert> batch) = 0;
  // It writes to a descriptor of this host (its lane may wait for the reader): it may be given
  // alerts while the store is still taking them.
  virtual bool is_local() const { return false; }
  // From any thread (SIGUSR1): files and connections are opened anew before the next Deliver.
  virtual void Reopen() {}
  // From any thread: a Deliver that waits, and each later one, fails soon.
  virtual void GiveUp() {}
};

// Lines on an open descriptor that stays the caller's: standard output. `buffered`: written
// together as far as they wait together, else by a write of its own each.
std::unique_ptr<Channel> MakeFdChannel(std::string name, int fd, AlertFormatOptions format,
                                       bool buffered);

// Appends lines to a file, made with mode 0600 if it is not there. Unless it is kept open, it is
// opened anew for each batch, so that a file that was moved away is begun again.
Result<std::unique_ptr<Channel>> MakeFileChannel(std::string path, AlertFormatOptions format,
                                                 bool buffered, bool keep_open);
// Whether MakeFileChannel would find a place to write to, as far as can be said without making the
// file.
Result<void> CheckAlertFile(const std::string& path);

}  // namespace gyrfalcon
