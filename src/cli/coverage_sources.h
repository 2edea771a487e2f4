// What coverage is judged by: what a session asks for and what a runsc knows, each with a name for
// people.
#pragma once

#include <string>

#include "base/result.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {

struct NamedPoints {
  SentPoints points;
  std::string name;
};

// Of a session config, as it stands there.
Result<NamedPoints> PointsOfSessionFile(const std::string& path);
// As the program itself says; it is run.
Result<NamedPoints> PointsOfRunsc(const std::string& program);
// Of the newest that is built in.
NamedPoints PointsOfNewestRunsc();
// Of the saved output of `runsc trace metadata`.
Result<NamedPoints> PointsOfMetadataFile(const std::string& path);

}  // namespace gyrfalcon
