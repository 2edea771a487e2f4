// Any text is points within the limits, or an error that says where.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runsc/sent_points.h"

namespace {

void Check(const gyrfalcon::Result<gyrfalcon::SentPoints>& read) {
  using namespace gyrfalcon;
  if (!read) {
    if (!read.error().message.starts_with("f:")) std::abort();
    return;
  }
  if (read->size() > kSentPointsMax) std::abort();
  for (const auto& [name, point] : *read) {
    if (name.empty() || name.size() > kSentNameBytesMax) std::abort();
    if (point.context.size() > kSentFieldsMax || point.optional.size() > kSentFieldsMax) {
      std::abort();
    }
  }
  // What a runsc knows that knows no more than was asked for is what was asked for.
  if (Intersect(*read, *read) != *read) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Check(gyrfalcon::ReadSessionPoints("f", text));
  Check(gyrfalcon::ReadRunscMetadata("f", text));
  return 0;
}
