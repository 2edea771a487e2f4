// What two runscs say that they know, recorded with `runsc trace metadata` and built in, so that a
// runsc that is not there can be asked about.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "runsc/sent_points.h"

namespace gyrfalcon {

struct KnownRunsc {
  std::string_view name;     // as the command line names it
  std::string_view version;  // for people
  std::string_view metadata;
};

// The oldest first.
std::span<const KnownRunsc> KnownRunscs();
// Read once; lives as long as the program.
const SentPoints& PointsOf(const KnownRunsc& runsc);
const SentPoints& NewestPoints();

// The first of them that has the point ("syscall/open/exit"), or a field of it; nullptr: none has.
const KnownRunsc* FirstWith(std::string_view point, std::string_view field = {});

}  // namespace gyrfalcon
