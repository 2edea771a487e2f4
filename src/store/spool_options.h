// Where alerts are kept, and how many.
#pragma once

#include <cstdint>
#include <string>

namespace gyrfalcon {

struct SpoolOptions {
  std::string path;  // of the database; empty: alerts are not kept
  // The place is gyrfalcon's own, and nobody has named it: whatever lies there was its database. At
  // any other place a file that never was one is somebody else's.
  bool is_default_place = false;
  // Of the alerts, without what SQLite needs around them.
  uint64_t bytes_max = uint64_t{256} << 20;
  int64_t age_max_ns = int64_t{7} * 24 * 3600 * 1'000'000'000;
  // Of bytes_max. When the spool is full, sandboxes that have more than this lose their oldest
  // alerts first.
  unsigned sandbox_share_percent = 25;
  // A power cut loses nothing, and each commit waits for the disk; else it loses at most what came
  // in the last `sync_interval_ms`. The end of the process loses nothing in either case.
  bool sync_each_commit = false;
  int sync_interval_ms = 1'000;

  friend bool operator==(const SpoolOptions&, const SpoolOptions&) = default;
};

}  // namespace gyrfalcon
