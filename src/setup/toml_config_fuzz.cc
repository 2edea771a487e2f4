// Any text is edited and undone to what it was, or refused with its place: as runsc's TOML and as
// containerd's.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "setup/containerd_config.h"
#include "setup/runsc_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto check = [](const auto& result) {
    if (!result && !result.error().message.starts_with("p:")) std::abort();
    return result.has_value();
  };
  const std::string session = "/etc/gyrfalcon/pod-init.json";
  const auto runsc = AddToRunscConfig("p", text, session, true);
  if (check(runsc)) {
    if (ReadRunscConfig("p", *runsc)->session_file != session) std::abort();
    if (*runsc != text && *RemoveFromRunscConfig("p", *runsc, session, text) != text) std::abort();
  }
  const ContainerdWish wish{.config_path = "/etc/containerd/runsc.toml", .new_name = "runsc"};
  const auto containerd = AddToContainerdConfig("p", text, wish, 2);
  if (check(containerd)) {
    const auto read = ReadContainerdConfig("p", *containerd, {}, 2);
    if (!read || read->runtimes.empty()) std::abort();
    for (const ContainerdRuntime& runtime : read->runtimes) {
      if (runtime.config_path.empty()) std::abort();
    }
    if (*containerd == text) return 0;
    const auto undone = RemoveFromContainerdConfig("p", *containerd, text, wish);
    if (!undone || *undone != text) std::abort();
  }
  return 0;
}
