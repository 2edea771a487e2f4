// Any text is a format or an error, and a format renders; its segments put together are the text
// again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/fuzz_catalog.h"
#include "rules/output_format.h"
#include "state/happening.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto format = OutputFormat::Parse(text, FuzzCatalog());
  if (!format) return 0;
  Scratch scratch;
  std::string out;
  static const Happening happening{};
  format->Render(happening, scratch, out);
  std::string again;
  for (const OutputFormat::Segment& segment : format->segments()) {
    if (segment.is_field) again += '%';
    if (segment.width > 0) again += std::to_string(segment.width);
    again += segment.literal;
  }
  if (OutputFormat::Parse(again, FuzzCatalog())->segments().size() != format->segments().size()) {
    std::abort();
  }
  return 0;
}
