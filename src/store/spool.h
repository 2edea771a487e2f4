// What has been found, kept until every channel has had it, and then as a history: an SQLite
// database in WAL mode. This is the side that writes; spool_reader.h reads. A batch is one
// transaction: once Append has returned, the end of the process loses nothing of it. One thread
// uses it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alerts/alert.h"
#include "base/unique_fd.h"
#include "store/spool_options.h"
#include "store/spool_syncer.h"
#include "store/sqlite.h"

namespace gyrfalcon {

struct AlertToSpool {
  uint64_t sequence = 0;  // greater than those before it of this boot
  const Alert* alert = nullptr;
};

// How far a channel is: it has had all up to this position.
struct Cursor {
  std::string channel;
  int64_t position = 0;
};

// Alerts that had to go for newer ones.
struct Trimmed {
  uint64_t by_age = 0;
  uint64_t by_bytes = 0;
  uint64_t by_share = 0;
};

class Spool {
 public:
  // Takes the files, and begins a boot of this id. A database that is damaged or of another version
  // is moved aside and begun anew: `tell` hears of it, one sentence each time. What never was a
  // spool is an error (CheckSpoolPlace), and nothing is changed.
  static StoreResult<std::unique_ptr<Spool>> Open(const SpoolOptions& options,
                                                  const std::string& boot_id,
                                                  const std::function<void(std::string)>& tell);
  ~Spool();

  // Of this run. Positions of earlier boots are below MakePosition(boot(), 0).
  int64_t boot() const { return boot_; }

  // All of them or none. Deletes what is too much by then.
  StoreResult<void> Append(std::span<const AlertToSpool> alerts, int64_t now_ns, Trimmed& trimmed);
  // What has become too old.
  StoreResult<void> TrimOld(int64_t now_ns, Trimmed& trimmed);

  // One for each channel, in that order. A channel that is new begins with this boot's first alert.
  // The cursors of others are `dropped`: a channel that comes back one day is a new one.
  StoreResult<std::vector<Cursor>> TakeCursors(std::span<const std::string> channels,
                                               std::vector<Cursor>& dropped);
  StoreResult<void> SaveCursors(std::span<const Cursor> cursors);

  // After a write that failed: moves the log into the database, as far as there is space, and gives
  // back what the log has taken. A full disk may be full of it.
  void MakeRoom();

  // Of the alerts in it.
  uint64_t bytes() const { return bytes_; }
  uint64_t alerts() const { return alerts_; }
  // False: somebody has deleted or replaced the file, and what is written here is lost.
  bool IsInPlace() const;

 private:
  struct Row {
    int64_t position;
    std::string sandbox;
    uint64_t bytes;
  };
  struct Statements {
    Statement begin, commit, rollback, insert, oldest, oldest_of, older_than, sandboxes, remove,
        save_cursor, note_last;
  };

  Spool(SpoolOptions options, UniqueFd lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}
  StoreResult<void> Connect();
  StoreResult<void> CheckVersion(bool& is_new);
  StoreResult<void> PrepareAll();
  StoreResult<void> BeginBoot(const std::string& boot_id);
  StoreResult<void> CountAll();
  void Count(const std::string& sandbox, int64_t alerts, int64_t bytes);
  template <class Work>
  StoreResult<void> Transact(const Work& work);
  StoreResult<void> Insert(std::span<const AlertToSpool> alerts, int64_t now_ns);
  StoreResult<void> TrimToSize(Trimmed& trimmed);
  // Makes `most_` the sandbox of that hash.
  StoreResult<void> NameMost(size_t hash);
  StoreResult<std::vector<Row>> Rows(Statement& statement);
  StoreResult<uint64_t> Remove(std::span<const Row> rows, uint64_t bytes_enough);
  void BoundLog();
  void SpareDisk();

  const SpoolOptions options_;
  const UniqueFd lock_;
  uint64_t inode_ = 0;
  int64_t boot_ = 0;
  Database database_;
  Statements statements_;
  uint64_t bytes_ = 0;
  uint64_t alerts_ = 0;
  uint64_t since_log_check_ = 0;
  // By the hash of its name: a store of many small sandboxes is not to cost their names. Two that
  // have one hash share a share.
  absl::flat_hash_map<size_t, uint64_t> bytes_by_sandbox_;
  std::string most_;  // the sandbox that had most when the last one over its share was trimmed
  struct Change {
    std::string sandbox;
    int64_t alerts, bytes;
  };
  std::vector<Change> changes_;  // of the transaction: undone with it
  std::string encoded_;
  std::unique_ptr<SpoolSyncer> syncer_;
};

// What an alert of this size counts in the spool.
uint64_t SpooledBytes(uint64_t encoded_bytes, std::string_view sandbox);

}  // namespace gyrfalcon
