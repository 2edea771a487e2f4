// Any text loads or says what is wrong with it, in every form of the report.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/fuzz_catalog.h"
#include "rules/rule_loader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RuleLoader loader(FuzzCatalog());
  loader.AddFile("fuzz.yaml", text);
  for (const LoadResult& result : loader.results()) VerboseText(result);
  LoadResultsJson(loader.results());
  Diagnostics(loader.results(), loader.files(), true);
  const bool successful = loader.successful();
  if ((loader.Compile() != nullptr) != successful) std::abort();
  return 0;
}
