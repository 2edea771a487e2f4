#include "cli/coverage_sources.h"

#include <utility>

#include <fmt/format.h>

#include "cli/file.h"
#include "runsc/known_runsc.h"

namespace gyrfalcon {
namespace {

Result<NamedPoints> Named(Result<SentPoints> points, std::string name) {
  if (!points) return std::unexpected(points.error());
  return NamedPoints{std::move(*points), std::move(name)};
}

template <class Read>
Result<SentPoints> ReadFrom(const std::string& path, Read read) {
  const auto text = ReadWholeFile(path, kSentPointsBytesMax);
  if (!text) return std::unexpected(text.error());
  return read(path, *text);
}

}  // namespace

Result<NamedPoints> PointsOfSessionFile(const std::string& path) {
  return Named(ReadFrom(path, ReadSessionPoints), "the session " + path);
}

Result<NamedPoints> PointsOfRunsc(const std::string& program) {
  return Named(AskRunsc(program), program);
}

NamedPoints PointsOfNewestRunsc() {
  return {NewestPoints(), fmt::format("the newest runsc known ({})", KnownRunscs().back().version)};
}

Result<NamedPoints> PointsOfMetadataFile(const std::string& path) {
  return Named(ReadFrom(path, ReadRunscMetadata), "the runsc of " + path);
}

}  // namespace gyrfalcon
