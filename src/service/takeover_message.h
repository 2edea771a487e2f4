// What the process that runs and the one that takes over say to each other, over a Unix
// SOCK_SEQPACKET socket: one message a datagram.
//
//   new                 old
//   ask            →         stops reading between two messages
//                  ←    begin        listener, its lock; state
//                  ←    connections  as often as it takes, 253 descriptors at most in each
//                  ←    silent       the same, of clients that have not said anything
//                  ←    end
//   taken          →         will not read any more, whatever comes
//                  ←    committed
//                           closes what two can't have
//                  ←    done         ends
//
// Until it has read `taken` the old one goes on if anything fails. Where instances are numbered
// (service/instance.h) one that asks may be older than the one that runs:
//
//   older               newer
//   ask            →
//                  ←    newer       and nothing more, until the newer one ends or hands over
//
// `your_turn` answers who only wanted to wait, and need not. Each message is
//
//   u32 magic, u16 version, u16 type, u32 length of what follows, u32 checksum of that
//
// little-endian. The other process runs as root or as our own user, but may be another version or
// ill: no length and no count is believed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "wire/connection.h"

namespace gyrfalcon {

inline constexpr uint16_t kTakeoverVersion = 1;
inline constexpr size_t kTakeoverMessageBytesMax = 160 * 1024;
inline constexpr size_t kTakeoverFdsMax = 253;  // the kernel's SCM_MAX_FD
inline constexpr uint32_t kTakeoverConnectionsMax = 1u << 20;

struct TakeoverAsk {
  uint64_t state_version = 0;  // of the snapshots that it can read
  uint64_t instance = 0;       // its number; 0: it has none, and takes over from any
  bool only_waits = false;     // it wants nothing but to wait behind a newer one
};

struct TakeoverBegin {
  uint32_t connections = 0;
  uint32_t silent = 0;
  uint64_t next_connection = 0;
  uint64_t device = 0;  // of the socket file
  uint64_t inode = 0;
  uint64_t stopped_ns = 0;  // CLOCK_MONOTONIC, which all processes of a machine share; since when
                            // nothing has been read
  bool owns_file = false;
  bool has_lock = false;
  bool has_state = false;
};

// As many descriptors come with it, in the same order.
struct TakeoverConnections {
  struct Item {
    uint64_t id = 0;
    Peer peer;
  };
  std::vector<Item> items;
};

struct TakeoverSilent {
  uint32_t count = 0;
};

struct TakeoverEnd {};
struct TakeoverTaken {};
struct TakeoverCommitted {};
struct TakeoverDone {};

struct TakeoverRefusal {
  std::string why;  // for a person
};

struct TakeoverNewer {
  uint64_t instance = 0;
};
struct TakeoverYourTurn {};

// A type's number is its place here, from 1.
using TakeoverMessage =
    std::variant<TakeoverAsk, TakeoverBegin, TakeoverConnections, TakeoverSilent, TakeoverEnd,
                 TakeoverTaken, TakeoverCommitted, TakeoverDone, TakeoverRefusal, TakeoverNewer,
                 TakeoverYourTurn>;

std::string EncodeTakeover(const TakeoverMessage& message);
// Fails where a byte is not as above; `descriptors` came with it.
Result<TakeoverMessage> DecodeTakeover(std::string_view bytes, size_t descriptors);

// What Peer is beside its descriptor, also in the store of systemd.
std::string EncodePeer(const Peer& peer);
Result<Peer> DecodePeer(std::string_view bytes);

}  // namespace gyrfalcon
