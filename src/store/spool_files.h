// The files of a spool: a database, SQLite's two beside it (-wal, -shm), and a lock (.lock).
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "store/spool_options.h"
#include "store/sqlite.h"

namespace gyrfalcon {

// What this release writes; a database of another version is moved aside, not read.
inline constexpr int kSpoolVersion = 1;
inline constexpr int kSpoolApplicationId = 0x67797266;  // "gyrf"

// kForeign, with what to do, where something lies that is left as it is: a folder or device; and,
// but for the default place, a file that has bytes and is no SQLite database. Writes nothing.
StoreResult<void> CheckSpoolPlace(const SpoolOptions& options);
std::unexpected<StoreError> ForeignFile(const std::string& path, const std::string& what);

// Makes the folder (0700) and the files (0600) where they are not there, and takes the lock, which
// lasts as long as the descriptor. StoreFault::kTaken: another process has it.
StoreResult<UniqueFd> TakeSpoolFiles(const std::string& path);

// An empty database with mode 0600, where nothing is there; SQLite gives the files beside it the
// same mode.
StoreResult<void> MakeSpoolFile(const std::string& path);

// Renames a database that can't be used to `PATH.SUFFIX`, over what has that name. Its log goes
// with it.
StoreResult<void> MoveAside(const std::string& path, const std::string& suffix);

// Which file lies at the path now; 0: none.
uint64_t InodeOf(const std::string& path);

}  // namespace gyrfalcon
