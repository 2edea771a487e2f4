// Reads a spool beside the daemon that writes it, by a connection of its own: the history, and what
// a channel that is behind has not had yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "store/sqlite.h"

namespace gyrfalcon {

struct SpooledAlert {
  int64_t position = 0;  // store/position.h
  std::string boot_id;
  Alert alert;
};

struct SpoolRange {
  int64_t after = 0;
  int64_t before = INT64_MAX;
  int64_t stored_since_ns = 0;  // of the day; 0: all
  size_t alerts_max = 1'000;
  size_t bytes_max = size_t{4} << 20;  // of what is read; one alert is always read
};

struct SpoolPage {
  std::vector<SpooledAlert> alerts;
  int64_t last = 0;      // the position of the last row that was looked at; 0: there was none
  uint64_t damaged = 0;  // rows that make no sense, and were passed over
};

class SpoolReader {
 public:
  // The file must be there, and be of this release's version.
  static StoreResult<SpoolReader> Open(const std::string& path);

  StoreResult<SpoolPage> Read(const SpoolRange& range);
  // How many alerts there were after the one position and before the other, whether they are still
  // there or not, as far as the boots tell.
  StoreResult<uint64_t> CountBetween(int64_t after, int64_t before);
  // Changes when somebody has committed.
  StoreResult<int64_t> Generation();

 private:
  Database database_;
  Statement read_;
  Statement boots_;
};

}  // namespace gyrfalcon
