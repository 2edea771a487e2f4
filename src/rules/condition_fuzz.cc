// Any text is a condition or an error; a condition prints as text that reads back as itself, and
// what binds can be evaluated.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/binder.h"
#include "rules/condition_parser.h"
#include "rules/event_type_inference.h"
#include "rules/fuzz_catalog.h"
#include "rules/interpreter.h"
#include "state/happening.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto once = ParseCondition(text);
  if (!once) return 0;
  const std::string printed = PrintCondition(*once, PrintStyle::kSource);
  const auto twice = ParseCondition(printed);
  if (!twice || PrintCondition(*twice, PrintStyle::kSource) != printed) std::abort();
  if (PrintCondition(*twice) != PrintCondition(*once)) std::abort();
  static_cast<void>(InferEventTypes(*once));
  std::vector<BindProblem> warnings;
  const auto bound = BindCondition(*once, FuzzCatalog(), warnings);
  if (!bound) return 0;
  Scratch scratch;
  static const Happening happening{};
  static_cast<void>(Evaluate(*bound, happening, scratch));
  return 0;
}
