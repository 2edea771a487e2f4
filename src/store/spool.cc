#include "store/spool.h"

#include <algorithm>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/hash.h"
#include "store/alert_codec.h"
#include "store/position.h"
#include "store/spool_files.h"

namespace gyrfalcon {
namespace {

// position: store/position.h. last_sequence: of a boot whose last alerts are gone. A cursor: all up
// to that position was delivered.
constexpr const char* kSchema =
    "CREATE TABLE boots(number INTEGER PRIMARY KEY, id TEXT NOT NULL, started_ns INTEGER NOT NULL,"
    " last_sequence INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE alerts(position INTEGER PRIMARY KEY, stored_ns INTEGER NOT NULL,"
    " sandbox TEXT NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX alerts_of_sandbox ON alerts(sandbox);"
    "CREATE TABLE cursors(channel TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;";

// What a row costs beside its texts: its own header, that of its index entry, and the row numbers.
constexpr uint64_t kRowBytes = 48;
// Rows that are deleted at once, at least: each look for who has most goes over all sandboxes.
constexpr int64_t kTrimRows = 64;

}  // namespace

uint64_t SpooledBytes(uint64_t encoded_bytes, std::string_view sandbox) {
  return encoded_bytes + 2 * sandbox.size() + kRowBytes;
}

StoreResult<std::unique_ptr<Spool>> Spool::Open(const SpoolOptions& options,
                                                const std::string& boot_id,
                                                const std::function<void(std::string)>& tell) {
  if (const auto place = CheckSpoolPlace(options); !place) return std::unexpected(place.error());
  auto lock = TakeSpoolFiles(options.path);
  if (!lock) return std::unexpected(lock.error());
  std::unique_ptr<Spool> spool(new Spool(options, std::move(*lock)));
  // Damage may show anywhere.
  const auto open = [&spool, &boot_id] {
    StoreResult<void> done = spool->Connect();
    if (done) done = spool->BeginBoot(boot_id);
    if (done) done = spool->CountAll();
    return done;
  };
  StoreResult<void> opened = open();
  if (!opened && opened.error().fault == StoreFault::kCorrupt) {
    spool->statements_ = {};
    spool->database_ = {};
    constexpr std::string_view kSuffix = "unreadable";
    if (const auto moved = MoveAside(options.path, std::string(kSuffix)); !moved) {
      return std::unexpected(moved.error());
    }
    tell("the store " + options.path + " can't be read (" + opened.error().message +
         "): it is kept as " + options.path + "." + std::string(kSuffix) +
         ", and a new one is begun; alerts in it that outputs had not taken yet are not delivered");
    if (opened = MakeSpoolFile(options.path); opened) opened = open();
  }
  if (!opened) return std::unexpected(opened.error());
  spool->inode_ = InodeOf(options.path);
  if (!options.sync_each_commit) {
    spool->syncer_ = std::make_unique<SpoolSyncer>(options.path, options.sync_interval_ms);
  }
  return spool;
}

Spool::~Spool() = default;

StoreResult<void> Spool::Connect() {
  constexpr int kBusyMs = 1'000;  // nobody else writes, but a checkpoint may be at work
  auto database = Database::Open(options_.path, Database::Mode::kWrite, kBusyMs);
  if (!database) return std::unexpected(database.error());
  database_ = std::move(*database);
  bool is_new = false;
  if (const auto checked = CheckVersion(is_new); !checked) return checked;
  // The limit is what is left of the log's file once the log begins anew.
  if (const auto set = database_.Run("PRAGMA journal_mode=WAL; PRAGMA cell_size_check=ON;"
                                     "PRAGMA journal_size_limit=1048576; PRAGMA cache_size=-4096;");
      !set) {
    return set;
  }
  const char* sync =
      options_.sync_each_commit ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  if (const auto set = database_.Run(sync); !set) return set;
  if (is_new) {
    const std::string make = std::string("BEGIN IMMEDIATE;") + kSchema +
                             "PRAGMA application_id=" + std::to_string(kSpoolApplicationId) +
                             ";PRAGMA user_version=" + std::to_string(kSpoolVersion) + ";COMMIT;";
    if (const auto made = database_.Run(make.c_str()); !made) return made;
  }
  return PrepareAll();
}

// A file of no bytes is new. At our own place somebody else's database is as good as damaged.
StoreResult<void> Spool::CheckVersion(bool& is_new) {
  const auto tables = database_.Number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  const auto application = database_.Number("PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  const auto version = database_.Number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  is_new = *tables == 0 && *application == 0;
  if (is_new || (*application == kSpoolApplicationId && *version == kSpoolVersion)) return {};
  const bool is_ours = *application == kSpoolApplicationId;
  if (!is_ours && !options_.is_default_place) {
    return ForeignFile(options_.path, "a database of something else");
  }
  const std::string what = is_ours ? "it is of version " + std::to_string(*version) +
                                         ", this release writes " + std::to_string(kSpoolVersion)
                                   : "it is a database of something else";
  return std::unexpected(StoreError{StoreFault::kCorrupt, what});
}

StoreResult<void> Spool::PrepareAll() {
  const struct {
    Statement& statement;
    std::string_view text;
  } kRows[] = {
      {statements_.begin, "BEGIN IMMEDIATE"},
      {statements_.commit, "COMMIT"},
      {statements_.rollback, "ROLLBACK"},
      {statements_.insert, "INSERT OR REPLACE INTO alerts VALUES(?1, ?2, ?3, ?4)"},
      {statements_.oldest,
       "SELECT position, sandbox, length(body) FROM alerts ORDER BY position LIMIT ?1"},
      {statements_.oldest_of,
       "SELECT position, sandbox, length(body) FROM alerts WHERE sandbox = ?2"
       " ORDER BY position LIMIT ?1"},
      {statements_.older_than,
       "SELECT position, sandbox, length(body), stored_ns FROM alerts ORDER BY position LIMIT ?1"},
      {statements_.sandboxes, "SELECT DISTINCT sandbox FROM alerts"},
      {statements_.remove, "DELETE FROM alerts WHERE position = ?1"},
      {statements_.save_cursor, "INSERT OR REPLACE INTO cursors VALUES(?1, ?2)"},
      {statements_.note_last,
       "UPDATE boots SET last_sequence = max(last_sequence, ?2) WHERE number = ?1"},
  };
  for (const auto& row : kRows) {
    auto prepared = database_.Prepare(row.text);
    if (!prepared) return std::unexpected(prepared.error());
    row.statement = std::move(*prepared);
  }
  return {};
}

// Boots of which nothing is left and which no cursor waits for are forgotten.
StoreResult<void> Spool::BeginBoot(const std::string& boot_id) {
  return Transact([&]() -> StoreResult<void> {
    const auto last = database_.Number("SELECT max(number) FROM boots");
    if (!last) return std::unexpected(last.error());
    boot_ = *last + 1;
    if (const auto forgotten = database_.Run(
            "DELETE FROM boots WHERE number < (SELECT max(number) FROM boots)"
            " AND (number < coalesce((SELECT min(position) >> 40 FROM cursors), number + 1)"
            "      OR number < (SELECT max(number) FROM boots) - 1000)"
            " AND NOT EXISTS (SELECT 1 FROM alerts WHERE position >= number << 40"
            "                 AND position < (number + 1) << 40)");
        !forgotten) {
      return forgotten;
    }
    auto begin = database_.Prepare(
        "INSERT INTO boots(number, id, started_ns)"
        " VALUES(?1, ?2, CAST(strftime('%s','now') AS INTEGER) * 1000000000)");
    if (!begin) return std::unexpected(begin.error());
    return begin->Bind(1, boot_).Bind(2, boot_id).Run();
  });
}

StoreResult<void> Spool::CountAll() {
  bytes_ = alerts_ = 0;
  bytes_by_sandbox_.clear();
  auto sums =
      database_.Prepare("SELECT sandbox, sum(length(body)), count(*) FROM alerts GROUP BY 1");
  if (!sums) return std::unexpected(sums.error());
  for (;;) {
    const auto row = sums->Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    const std::string sandbox(sums->Text(0));
    const auto count = static_cast<uint64_t>(sums->Int(2));
    const uint64_t bytes = static_cast<uint64_t>(sums->Int(1)) + count * SpooledBytes(0, sandbox);
    alerts_ += count;
    bytes_ += bytes;
    bytes_by_sandbox_[TextHash()(sandbox)] += bytes;
  }
}

void Spool::Count(const std::string& sandbox, int64_t alerts, int64_t bytes) {
  alerts_ += static_cast<uint64_t>(alerts);
  bytes_ += static_cast<uint64_t>(bytes);
  const auto entry = bytes_by_sandbox_.try_emplace(TextHash()(sandbox), 0).first;
  entry->second += static_cast<uint64_t>(bytes);
  if (entry->second == 0) bytes_by_sandbox_.erase(entry);
}

// `work` within a transaction: what it counts is undone when it fails.
template <class Work>
StoreResult<void> Spool::Transact(const Work& work) {
  if (const auto begun = statements_.begin.Run(); !begun) return begun;
  changes_.clear();
  StoreResult<void> result = work();
  if (result) result = statements_.commit.Run();
  if (!result) {
    // SQLite may have rolled back by itself, and then this fails.
    static_cast<void>(statements_.rollback.Run());
    for (const Change& change : changes_) Count(change.sandbox, -change.alerts, -change.bytes);
    return result;
  }
  if (syncer_) syncer_->Note();
  return result;
}

StoreResult<void> Spool::Append(std::span<const AlertToSpool> alerts, int64_t now_ns,
                                Trimmed& trimmed) {
  Trimmed now_trimmed;
  auto result = Transact([&]() -> StoreResult<void> {
    if (const auto inserted = Insert(alerts, now_ns); !inserted) return inserted;
    return TrimToSize(now_trimmed);
  });
  if (!result) return result;
  trimmed.by_bytes += now_trimmed.by_bytes;
  trimmed.by_share += now_trimmed.by_share;
  since_log_check_ += alerts.size();
  BoundLog();
  SpareDisk();
  return {};
}

StoreResult<void> Spool::Insert(std::span<const AlertToSpool> alerts, int64_t now_ns) {
  for (const AlertToSpool& item : alerts) {
    EncodeAlert(*item.alert, encoded_);
    statements_.insert.Bind(1, MakePosition(boot_, item.sequence)).Bind(2, now_ns);
    statements_.insert.Bind(3, std::string_view(item.alert->sandbox)).BindBytes(4, encoded_);
    if (const auto inserted = statements_.insert.Run(); !inserted) return inserted;
    const uint64_t bytes = SpooledBytes(encoded_.size(), item.alert->sandbox);
    changes_.push_back({item.alert->sandbox, 1, static_cast<int64_t>(bytes)});
    Count(item.alert->sandbox, 1, static_cast<int64_t>(bytes));
  }
  return {};
}

// While it is too much: the oldest of the sandbox that has most, where that is more than its share,
// else the oldest of all.
StoreResult<void> Spool::TrimToSize(Trimmed& trimmed) {
  const uint64_t share = options_.bytes_max / 100 * options_.sandbox_share_percent;
  while (bytes_ > options_.bytes_max && alerts_ > 1) {
    const auto most = std::ranges::max_element(bytes_by_sandbox_, {},
                                               [](const auto& entry) { return entry.second; });
    const bool over_share = most->second > share && bytes_by_sandbox_.size() > 1;
    Statement& oldest = over_share ? statements_.oldest_of : statements_.oldest;
    oldest.Bind(1, kTrimRows);
    uint64_t enough = bytes_ - options_.bytes_max;
    if (over_share) {
      if (const auto named = NameMost(most->first); !named) return named;
      oldest.Bind(2, std::string_view(most_));
      enough = std::min(enough, most->second - share);
    }
    const auto rows = Rows(oldest);
    if (!rows) return std::unexpected(rows.error());
    const auto removed = Remove(*rows, enough);
    if (!removed) return std::unexpected(removed.error());
    if (*removed == 0) return {};
    (over_share ? trimmed.by_share : trimmed.by_bytes) += *removed;
  }
  return {};
}

StoreResult<void> Spool::NameMost(size_t hash) {
  if (TextHash()(most_) == hash) return {};
  for (;;) {
    const auto row = statements_.sandboxes.Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) {
      most_.clear();
      return {};
    }
    most_ = statements_.sandboxes.Text(0);
    if (TextHash()(most_) != hash) continue;
    statements_.sandboxes.Reset();
    return {};
  }
}

StoreResult<void> Spool::TrimOld(int64_t now_ns, Trimmed& trimmed) {
  const int64_t oldest_ns = now_ns - options_.age_max_ns;
  for (;;) {
    statements_.older_than.Bind(1, int64_t{1});
    const auto first = statements_.older_than.Step();
    if (!first) return std::unexpected(first.error());
    const bool is_due = *first && statements_.older_than.Int(3) < oldest_ns;
    statements_.older_than.Reset();
    if (!is_due) return {};
    constexpr int64_t kRowsAtOnce = 1'000;
    uint64_t removed_rows = 0;
    const auto removed = Transact([&]() -> StoreResult<void> {
      std::vector<Row> rows;
      statements_.older_than.Bind(1, kRowsAtOnce);
      for (;;) {
        const auto row = statements_.older_than.Step();
        if (!row) return std::unexpected(row.error());
        if (!*row) break;
        const Statement& now = statements_.older_than;
        if (now.Int(3) >= oldest_ns) {
          statements_.older_than.Reset();
          break;
        }
        const std::string sandbox(now.Text(1));
        rows.push_back(
            {now.Int(0), sandbox, SpooledBytes(static_cast<uint64_t>(now.Int(2)), sandbox)});
      }
      const auto gone = Remove(rows, UINT64_MAX);
      if (!gone) return std::unexpected(gone.error());
      removed_rows = *gone;
      return {};
    });
    if (!removed) return removed;
    trimmed.by_age += removed_rows;
    if (removed_rows == 0) return {};
  }
}

StoreResult<std::vector<Spool::Row>> Spool::Rows(Statement& statement) {
  std::vector<Row> rows;
  for (;;) {
    const auto row = statement.Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return rows;
    const std::string sandbox(statement.Text(1));
    rows.push_back({statement.Int(0), sandbox,
                    SpooledBytes(static_cast<uint64_t>(statement.Int(2)), sandbox)});
  }
}

// From the front, until that many bytes are gone.
StoreResult<uint64_t> Spool::Remove(std::span<const Row> rows, uint64_t bytes_enough) {
  uint64_t count = 0;
  uint64_t bytes = 0;
  for (const Row& row : rows) {
    if (bytes >= bytes_enough) break;
    if (const auto removed = statements_.remove.Bind(1, row.position).Run(); !removed) {
      return std::unexpected(removed.error());
    }
    ++count;
    bytes += row.bytes;
    changes_.push_back({row.sandbox, -1, -static_cast<int64_t>(row.bytes)});
    Count(row.sandbox, -1, -static_cast<int64_t>(row.bytes));
  }
  // How many there were in a boot must be known when its last ones are gone.
  for (size_t i = 0; i < count; ++i) {
    const int64_t boot = BootOf(rows[i].position);
    if (i + 1 < count && BootOf(rows[i + 1].position) == boot) continue;
    statements_.note_last.Bind(1, boot).Bind(2, static_cast<int64_t>(SequenceOf(rows[i].position)));
    if (const auto noted = statements_.note_last.Run(); !noted) {
      return std::unexpected(noted.error());
    }
  }
  return count;
}

// The syncer's checkpoints never come to an end while alerts come without a pause: then the log is
// emptied here.
void Spool::BoundLog() {
  constexpr uint64_t kAlertsBetween = 4'096;
  constexpr off_t kLogBytesMax = off_t{64} << 20;
  if (since_log_check_ < kAlertsBetween) return;
  since_log_check_ = 0;
  struct stat status{};
  if (stat((options_.path + "-wal").c_str(), &status) != 0) return;
  // Busy: a reader is in its way; the next time will do.
  if (status.st_size > kLogBytesMax) static_cast<void>(database_.Checkpoint(true));
}

// Alerts that come one by one write each page of the log many times over: where the disk is nearly
// full, that is moved into the database early, while there is space for it.
void Spool::SpareDisk() {
  constexpr uint64_t kLogBytesMin = 256 * 1024;
  constexpr uint64_t kTimesTheLog = 4;
  struct stat status{};
  if (stat((options_.path + "-wal").c_str(), &status) != 0) return;
  const auto log_bytes = static_cast<uint64_t>(status.st_size);
  if (log_bytes < kLogBytesMin) return;
  struct statvfs disk{};
  if (statvfs(options_.path.c_str(), &disk) != 0) return;
  if (uint64_t{disk.f_bavail} * disk.f_frsize < kTimesTheLog * log_bytes) MakeRoom();
}

void Spool::MakeRoom() {
  // What fails here shows at the next write.
  static_cast<void>(database_.Checkpoint(true));
}

StoreResult<std::vector<Cursor>> Spool::TakeCursors(std::span<const std::string> channels,
                                                    std::vector<Cursor>& dropped) {
  std::vector<Cursor> stored;
  auto read = database_.Prepare("SELECT channel, position FROM cursors");
  if (!read) return std::unexpected(read.error());
  for (;;) {
    const auto row = read->Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    stored.push_back({std::string(read->Text(0)), read->Int(1)});
  }
  std::vector<Cursor> taken;
  for (const std::string& channel : channels) {
    const auto found = std::ranges::find(stored, channel, &Cursor::channel);
    taken.push_back(found != stored.end() ? *found : Cursor{channel, MakePosition(boot_, 0)});
  }
  dropped.clear();
  std::ranges::copy_if(stored, std::back_inserter(dropped), [channels](const Cursor& cursor) {
    return std::ranges::find(channels, cursor.channel) == channels.end();
  });
  const auto saved = Transact([&]() -> StoreResult<void> {
    auto drop = database_.Prepare("DELETE FROM cursors WHERE channel = ?1");
    if (!drop) return std::unexpected(drop.error());
    for (const Cursor& cursor : dropped) {
      if (const auto gone = drop->Bind(1, std::string_view(cursor.channel)).Run(); !gone)
        return gone;
    }
    for (const Cursor& cursor : taken) {
      statements_.save_cursor.Bind(1, std::string_view(cursor.channel)).Bind(2, cursor.position);
      if (const auto kept = statements_.save_cursor.Run(); !kept) return kept;
    }
    return {};
  });
  if (!saved) return std::unexpected(saved.error());
  return taken;
}

StoreResult<void> Spool::SaveCursors(std::span<const Cursor> cursors) {
  return Transact([&]() -> StoreResult<void> {
    for (const Cursor& cursor : cursors) {
      statements_.save_cursor.Bind(1, std::string_view(cursor.channel)).Bind(2, cursor.position);
      if (const auto saved = statements_.save_cursor.Run(); !saved) return saved;
    }
    return {};
  });
}

bool Spool::IsInPlace() const {
  return InodeOf(options_.path) == inode_;
}

}  // namespace gyrfalcon
