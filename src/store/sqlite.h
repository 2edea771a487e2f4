// SQLite's C interface with owners, and with errors as values. One thread at a time uses a database
// and its statements.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace gyrfalcon {

// What a person needs to know, and what the caller decides by.
enum class StoreFault : uint8_t {
  kUnusable,  // permission, a full disk, an error of the device: it may be better later
  kBusy,      // somebody else writes just now
  kCorrupt,   // this is no database, or a damaged one: no later try helps
  kTaken,     // another daemon has it
  kNone,      // there is nothing to read
  kForeign,   // what lies there is somebody else's, and is left as it is
};

struct StoreError {
  StoreFault fault = StoreFault::kUnusable;
  std::string message;
};

template <class T>
using StoreResult = std::expected<T, StoreError>;

class Statement {
 public:
  Statement() = default;

  // Values stay until they are bound anew; a failure of these is told by Step. Texts must live
  // until Step has returned.
  Statement& Bind(int parameter, int64_t value);
  Statement& Bind(int parameter, std::string_view text);
  Statement& BindBytes(int parameter, std::string_view bytes);

  // True: a row is there. False: there is none (any more), and the statement can be run again.
  StoreResult<bool> Step();
  // To the end, whatever rows it gives.
  StoreResult<void> Run();
  // Ends a run before its last row.
  void Reset();

  // Of the row that is there; views live until the next Step or Reset.
  int64_t Int(int column) const;
  std::string_view Text(int column) const;  // bytes too

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_code_ = 0;
};

class Database {
 public:
  enum class Mode : uint8_t { kRead, kWrite };

  Database() = default;
  // kWrite makes the file if it is not there. Schemas in the file are not trusted to call
  // functions.
  static StoreResult<Database> Open(const std::string& path, Mode mode, int busy_timeout_ms);

  StoreResult<void> Run(const char* statements);
  StoreResult<Statement> Prepare(std::string_view text);
  // The first value of the first row; 0 without one.
  StoreResult<int64_t> Number(std::string_view text);

  // Moves what the write-ahead log has into the database and syncs both. `until_empty`: waits for
  // readers (as long as the busy timeout), and empties the log; else as far as it goes now.
  StoreResult<void> Checkpoint(bool until_empty);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace gyrfalcon
