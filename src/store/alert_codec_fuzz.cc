// Bytes that decode give, encoded again, an alert that decodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "store/alert_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const auto alert = DecodeAlert({reinterpret_cast<const char*>(data), size});
  if (!alert) return 0;
  std::string first;
  EncodeAlert(*alert, first);
  const auto again = DecodeAlert(first);
  if (!again) std::abort();
  std::string second;
  EncodeAlert(*again, second);
  if (first != second) std::abort();
  return 0;
}
