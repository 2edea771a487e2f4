#include "store/sqlite.h"

#include <utility>

#include <sqlite3.h>

namespace gyrfalcon {
namespace {

StoreFault FaultOf(int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StoreFault::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StoreFault::kBusy;
    default:
      return StoreFault::kUnusable;
  }
}

std::unexpected<StoreError> Failure(sqlite3* database, int code) {
  std::string message = sqlite3_errstr(code);
  if (database != nullptr && sqlite3_errcode(database) == (code & 0xff)) {
    message = sqlite3_errmsg(database);
  }
  return std::unexpected(StoreError{FaultOf(code), std::move(message)});
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::Bind(int parameter, int64_t value) {
  bind_code_ |= sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Statement& Statement::Bind(int parameter, std::string_view text) {
  bind_code_ |= sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(),
                                    text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBytes(int parameter, std::string_view bytes) {
  bind_code_ |=
      sqlite3_bind_blob64(statement_.get(), parameter, bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

StoreResult<bool> Statement::Step() {
  sqlite3* database = sqlite3_db_handle(statement_.get());
  if (const int code = std::exchange(bind_code_, 0); code != SQLITE_OK) {
    return Failure(database, code);
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  auto failure = Failure(database, code);
  Reset();
  if (code == SQLITE_DONE) return false;
  return failure;
}

StoreResult<void> Statement::Run() {
  for (;;) {
    const auto row = Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
  }
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
}

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

StoreResult<Database> Database::Open(const std::string& path, Mode mode, int busy_timeout_ms) {
  const int flags =
      (mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  Database database;
  database.database_.reset(opened);
  if (code != SQLITE_OK) return Failure(opened, code);
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_wal_autocheckpoint(opened, 0);  // by the syncer's thread
  return database;
}

StoreResult<void> Database::Run(const char* statements) {
  const int code = sqlite3_exec(database_.get(), statements, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failure(database_.get(), code);
  return {};
}

StoreResult<Statement> Database::Prepare(std::string_view text) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), text.data(), static_cast<int>(text.size()),
                                      SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  Statement statement;
  statement.statement_.reset(prepared);
  if (code != SQLITE_OK) return Failure(database_.get(), code);
  return statement;
}

StoreResult<int64_t> Database::Number(std::string_view text) {
  auto statement = Prepare(text);
  if (!statement) return std::unexpected(statement.error());
  const auto row = statement->Step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->Int(0) : 0;
}

StoreResult<void> Database::Checkpoint(bool until_empty) {
  // A connection that has read nothing yet has no log to move, and would say that it did.
  if (const auto read = Number("PRAGMA schema_version"); !read) {
    return std::unexpected(read.error());
  }
  const int mode = until_empty ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, mode, nullptr, nullptr);
  if (code != SQLITE_OK) return Failure(database_.get(), code);
  return {};
}

}  // namespace gyrfalcon
