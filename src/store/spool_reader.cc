#include "store/spool_reader.h"

#include <algorithm>
#include <cerrno>

#include <sqlite3.h>
#include <sys/stat.h>

#include "store/alert_codec.h"
#include "store/position.h"
#include "store/spool_files.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kRead =
    "SELECT a.position, b.id, a.body FROM alerts a LEFT JOIN boots b"
    " ON b.number = a.position >> 40"
    " WHERE a.position > ?1 AND a.position < ?2 AND a.stored_ns >= ?3 ORDER BY a.position LIMIT ?4";
static_assert(kSequenceBits == 40);

constexpr std::string_view kBoots =
    "SELECT number, max(last_sequence, coalesce((SELECT max(position) & ?3 FROM alerts WHERE"
    " position >= number << 40 AND position < (number + 1) << 40), 0))"
    " FROM boots WHERE number >= ?1 AND number <= ?2";

}  // namespace

StoreResult<SpoolReader> SpoolReader::Open(const std::string& path) {
  constexpr int kBusyMs = 1'000;
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 && errno == ENOENT) {
    return std::unexpected(StoreError{StoreFault::kNone, "it is not there"});
  }
  SpoolReader reader;
  auto database = Database::Open(path, Database::Mode::kRead, kBusyMs);
  if (!database) return std::unexpected(database.error());
  reader.database_ = std::move(*database);
  const auto version = reader.database_.Number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version != kSpoolVersion) {
    return std::unexpected(StoreError{
        StoreFault::kCorrupt, path + " is of version " + std::to_string(*version) +
                                  ", and this release reads " + std::to_string(kSpoolVersion)});
  }
  auto read = reader.database_.Prepare(kRead);
  if (!read) return std::unexpected(read.error());
  reader.read_ = std::move(*read);
  auto boots = reader.database_.Prepare(kBoots);
  if (!boots) return std::unexpected(boots.error());
  reader.boots_ = std::move(*boots);
  return reader;
}

StoreResult<SpoolPage> SpoolReader::Read(const SpoolRange& range) {
  SpoolPage page;
  size_t bytes = 0;
  read_.Bind(1, range.after).Bind(2, range.before).Bind(3, range.stored_since_ns);
  read_.Bind(4, static_cast<int64_t>(range.alerts_max));
  for (;;) {
    const auto row = read_.Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return page;
    page.last = read_.Int(0);
    const std::string_view body = read_.Text(2);
    bytes += body.size();
    if (auto alert = DecodeAlert(body)) {
      page.alerts.push_back({page.last, std::string(read_.Text(1)), std::move(*alert)});
    } else {
      ++page.damaged;
    }
    if (bytes >= range.bytes_max) {
      read_.Reset();
      return page;
    }
  }
}

StoreResult<uint64_t> SpoolReader::CountBetween(int64_t after, int64_t before) {
  uint64_t count = 0;
  boots_.Bind(1, BootOf(after)).Bind(2, BootOf(before));
  boots_.Bind(3, (int64_t{1} << kSequenceBits) - 1);
  for (;;) {
    const auto row = boots_.Step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return count;
    const int64_t boot = boots_.Int(0);
    const uint64_t from = boot == BootOf(after) ? SequenceOf(after) : 0;
    auto to = static_cast<uint64_t>(boots_.Int(1));
    if (boot == BootOf(before)) to = SequenceOf(before) == 0 ? 0 : SequenceOf(before) - 1;
    count += to > from ? to - from : 0;
  }
}

StoreResult<int64_t> SpoolReader::Generation() {
  return database_.Number("PRAGMA data_version");
}

}  // namespace gyrfalcon
