// Whatever bytes a sandbox gives for an address: what is made of them lies within them, and fits
// their family.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <sys/socket.h>

#include "state/sockaddr.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  const auto address = ParseSockaddr(raw);
  if (address.has_value() != (size >= 2)) std::abort();
  if (!address) return 0;
  if (address->family != (data[0] | data[1] << 8)) std::abort();
  const bool is_ip = address->family == AF_INET || address->family == AF_INET6;
  if (address->endpoint && !is_ip) std::abort();
  if (address->endpoint && address->endpoint->port != (data[2] << 8 | data[3])) std::abort();
  const std::string_view path = address->unix_path;
  if (path.empty()) return 0;
  if (address->family != AF_UNIX || path.find('\0') != path.npos) std::abort();
  const size_t begin = address->is_abstract ? 3 : 2;
  if (path.data() != raw.data() + begin || path.size() > size - begin) std::abort();
  return 0;
}
