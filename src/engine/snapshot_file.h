// Where the snapshots of all sessions lie, so that they outlive this process: a memfd of a fixed
// size, given to systemd's file descriptor store or to the process that takes over.
//
//   page 0         magic, format, a random number of this file
//   marks          how many frames of each connection have been read: one store for each message
//   records        each on pages of its own: header with kind, key, sequence, length, checksum
//
// A record is written to free pages, whole, and only then are the pages of the one before it given
// back: wherever the process dies, the last complete record of each key is there. The file is
// sparse: what is given back takes no memory, so nothing is ever moved to make room.
//
// What is read is distrusted: no length is believed, records carry the file's number, so that a
// sandbox's text can't pass for one.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

enum class SnapshotKind : uint8_t {
  kSession = 1,  // by connection: Pipeline::SaveSession
  kExtra,        // what the file is to carry besides; by a number of the owner's choice
};

struct SnapshotFileOptions {
  size_t bytes_max = 256u << 20;  // of all records together
  size_t record_bytes_max = 64u << 20;
};

// Any thread; a mutex is held while a record is written.
class SnapshotFile {
 public:
  static constexpr size_t kMarks = 65'536;

  // Fails (Fault::kEnvironment) where the kernel gives no memfd.
  static Result<std::unique_ptr<SnapshotFile>> Create(SnapshotFileOptions options);
  // What another process has left, to go on with: keys stay who they are. An error where it is no
  // such file, or another format's; a record that is cut or corrupt is left out and counted.
  static Result<std::unique_ptr<SnapshotFile>> Open(UniqueFd fd, SnapshotFileOptions options);
  ~SnapshotFile();
  SnapshotFile(const SnapshotFile&) = delete;
  SnapshotFile& operator=(const SnapshotFile&) = delete;

  // Stays this object's.
  int fd() const { return fd_.get(); }

  // In place of the record of the same key; on error that one stays.
  Result<void> Put(SnapshotKind kind, uint64_t key, std::string_view bytes);
  void Remove(SnapshotKind kind, uint64_t key);
  // An error when there is none, or it has changed since it was written.
  Result<std::string> Get(SnapshotKind kind, uint64_t key) const;
  std::vector<uint64_t> Keys(SnapshotKind kind) const;  // ascending

  // Sessions and marks of other connections are removed: nobody goes on with them.
  void KeepOnly(const absl::flat_hash_set<uint64_t>& connections);
  // The highest that anything is there of; 0: of none.
  uint64_t last_connection() const;

  // Where the reader of a connection notes how many of its frames it has read: found again after a
  // crash. Valid until Remove(kSession, connection). nullptr: there are too many.
  std::atomic<uint64_t>* MarkOf(uint64_t connection);
  uint64_t frames_read(uint64_t connection) const;  // 0: not known

  size_t bytes() const;                                // that records take now, in whole pages
  size_t records_refused() const { return refused_; }  // that Open left out

 private:
  struct Extent {
    uint64_t offset = 0;
    uint64_t bytes = 0;  // whole pages
    uint64_t sequence = 0;
  };
  struct Mark {
    std::atomic<uint64_t> key;  // connection + 1; 0: free
    std::atomic<uint64_t> frames;
  };
  static_assert(sizeof(Mark) == 16 && std::atomic<uint64_t>::is_always_lock_free);
  using Key = std::pair<SnapshotKind, uint64_t>;

  SnapshotFile(UniqueFd fd, SnapshotFileOptions options);
  Result<void> MapMarks();
  void Scan();
  // What it takes there; whole pages.
  uint64_t ScanRecord(uint64_t offset);
  std::optional<std::string> ReadRecord(const Extent& extent, const Key& key) const;
  uint64_t FindRoom(uint64_t size) const;
  void Remember(const Key& key, const Extent& extent);
  void Forget(std::map<Key, Extent>::iterator record);
  void ForgetMark(uint64_t connection);
  void GiveBack(const Extent& extent);

  const UniqueFd fd_;
  const SnapshotFileOptions options_;
  uint64_t number_ = 0;
  uint64_t end_ = 0;  // the file's size
  Mark* marks_ = nullptr;
  size_t refused_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  uint64_t sequence_ = 0;
  std::map<Key, Extent> records_;
  std::map<uint64_t, uint64_t> used_;  // offset, bytes
  uint64_t bytes_ = 0;
  uint64_t cursor_ = 0;                            // behind the last record that was written
  absl::flat_hash_map<uint64_t, size_t> mark_of_;  // by connection
  std::vector<size_t> free_marks_;
};

}  // namespace gyrfalcon
