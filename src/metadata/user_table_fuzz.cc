// Any text makes a table within the limits, and every entry of it is well-formed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metadata/user_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const UserTable table = UserTable::Parse(text, text);
  if (table.user_count() > kUserEntriesMax || table.group_count() > kUserEntriesMax) std::abort();
  for (uint32_t id = 0; id < 2000; ++id) {
    const UserEntry* user = table.FindUser(id);
    if (user != nullptr && user->name.empty()) std::abort();
    if (user != nullptr && user->name.find_first_of(":\n") != std::string::npos) std::abort();
    const std::string* group = table.FindGroup(id);
    if (group != nullptr && (group->empty() || group->size() > kUserLineBytesMax)) std::abort();
  }
  return 0;
}
