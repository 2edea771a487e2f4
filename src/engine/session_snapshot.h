// One connection's session as bytes, for the process that comes after this one: what its sandbox's
// state is, how alerts call it, what it has lost and told.
//
//   magic, format, lengths and checksums (fixed size)
//   who it is: few fields, which seldom change between versions
//   the state: every field of every struct, by the tables that the reader uses too
//
// The bytes come from ourselves, but what is in them a sandbox has said: a reader trusts no count,
// no index and no length, and holds every limit of state/limits.h. Another version's, cut or
// corrupt bytes are an error, never half a session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/rootfs.h"
#include "wire/connection.h"

namespace gyrfalcon {

// Longer ones are neither made nor read.
inline constexpr size_t kSessionSnapshotBytesMax = 64u << 20;

// A connection that another process of ours has read until now.
struct RestoredConnection {
  uint64_t connection = 0;  // its id here: records of it carry this one
  // As when it was accepted: a command line can't be read again once runsc has gone. nullptr: what
  // the bytes say.
  std::shared_ptr<const Peer> peer;
  int64_t receive_time_ns = 0;  // now, CLOCK_REALTIME; 0 in replay
  // How many frames the other process has read in all, where it died (SnapshotFile::frames_read):
  // those that are not in the snapshot are told as lost. 0: it handed over between two messages.
  uint64_t frames_read = 0;
};

// Who a connection's sandbox is, which can be read of many versions' snapshots.
struct SnapshotIdentity {
  std::string sandbox_key;  // as SandboxKeyFromCommandLine
  SandboxPlace place;
  std::string name;   // how alerts call it
  std::string owner;  // for the container registry; "": goes by the connection's number
  bool named = false;
  bool from_start = false;  // the sandbox began with this connection
  bool restored = false;    // from a checkpoint
  bool may_follow = false;  // made by `trace create`
};

// What this program writes: changes with any field of any struct of the state, and with the tables
// of points and event types that it refers to.
uint64_t SessionSnapshotVersion();

// Of bytes whose state may be another version's.
Result<SnapshotIdentity> ReadSnapshotIdentity(std::string_view bytes);

}  // namespace gyrfalcon
