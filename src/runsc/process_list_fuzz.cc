// Any text is a list within the limits, of which every process has what names it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runsc/process_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  // With the heading, so that the fuzzer need not find it; and without.
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)ParseProcessList(text);
  const auto list = ParseProcessList("PROCFS DUMP\n" + text);
  if (!list || list->processes.size() > kProcessEntriesMax) std::abort();
  size_t items = 0;
  for (const ProcessSnapshot& process : list->processes) {
    if (process.tgid <= 0 || process.start_time_ns <= 0 || process.parent_tgid < 0) std::abort();
    items += process.argv.size() + process.env.size() + process.fds.size();
  }
  if (items > kProcessItemsMax) std::abort();
  return 0;
}
