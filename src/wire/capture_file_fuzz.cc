// What a reader yields, written again, is byte for byte what was read: the whole file when it is
// well, and everything up to the error's offset when it is not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "wire/capture_file.h"

namespace gyrfalcon {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

UniqueFd FileOf(std::string_view bytes) {
  UniqueFd fd(::memfd_create("capture", MFD_CLOEXEC));
  Require(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  Require(::lseek(fd.get(), 0, SEEK_SET) == 0);
  return fd;
}

void AppendBlock(std::string& out, std::string_view bytes) {
  for (size_t i = 0; i < 8; ++i) out += static_cast<char>(uint64_t{bytes.size()} >> (8 * i) & 0xff);
  out += bytes;
}

void Check(std::string_view file) {
  auto reader = CaptureReader::FromFd(FileOf(file), "input");
  if (!reader) {
    Require(!reader.error().message.empty());
    return;
  }
  std::string again(kCaptureMagic);
  AppendBlock(again, reader->header_json());
  while (true) {
    const auto message = reader->Next();
    if (!message) {
      Require(message.error().offset == again.size() && again.size() < file.size());
      break;
    }
    if (!*message) {
      Require(again.size() == file.size());
      break;
    }
    AppendBlock(again, {reinterpret_cast<const char*>((*message)->data()), (*message)->size()});
  }
  Require(file.starts_with(again));
}

}  // namespace
}  // namespace gyrfalcon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gyrfalcon::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
