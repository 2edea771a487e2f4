// Any text is a list within the limits, of which every process has what names it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "runsc/process_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  // With the heading, so that the fuzzer need not find it; and without.
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)ParseProcessList(text, {.all = true, .tgids = {}});
  const auto list = ParseProcessList("PROCFS DUMP\n" + text, {.all = true, .tgids = {}});
  if (!list || list->processes.size() > kProcessEntriesMax) std::abort();
  for (const ProcessSnapshot& process : list->processes) {
    if (process.tgid <= 0 || process.start_time_ns <= 0 || process.parent_tgid < 0) std::abort();
  }
  // What is wanted is a part of it, in whatever pieces it comes.
  ProcessListReader reader({.all = false, .tgids = {1, 7}});
  reader.Feed("PROCFS DUMP\n");
  for (size_t i = 0; i < size; i += 7) reader.Feed(std::string_view(text).substr(i, 7));
  const auto wanted = reader.Finish();
  const auto of_all = [&](int32_t tgid) {
    return std::ranges::count(list->processes, tgid, &ProcessSnapshot::tgid);
  };
  if (!wanted) std::abort();
  const auto among_all = static_cast<size_t>(of_all(1) + of_all(7));
  if (!list->cut && wanted->processes.size() > among_all) std::abort();
  return 0;
}
