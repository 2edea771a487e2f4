// Any text is a config or says what is wrong with it, and so is any assignment over one; what was
// read once reads the same again. The first line is an assignment.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  const std::string assignment(text.substr(0, line));
  const std::string_view file = line == std::string_view::npos ? "" : text.substr(line + 1);
  const auto plain = ReadConfig("fuzz.yaml", file);
  const auto assigned = ReadConfig("fuzz.yaml", file, {assignment});
  if (!plain) {
    if (plain.error().message.empty() || assigned) std::abort();
    return 0;
  }
  const auto again = ReadConfig("fuzz.yaml", file);
  if (!again || again->warnings != plain->warnings ||
      again->config.rules_files != plain->config.rules_files) {
    std::abort();
  }
  if (!assigned && assigned.error().message.empty()) std::abort();
  return 0;
}
