// Any text is edited and undone to what it was, or refused with its place; what nlohmann/json takes
// for JSON is JSON here, too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "setup/docker_config.h"
#include "setup/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto read = ReadJsonText("p", text);
  if (!read && !read.error().message.starts_with("p:")) std::abort();
  // A NUL ends the text to nlohmann/json.
  const bool accepts = !text.contains('\0') && nlohmann::json::accept(text);
  if (accepts && !read && !read.error().message.contains("twice") && size < kJsonDepthMax) {
    std::abort();
  }
  // Half a surrogate pair is a character to Go, and a number of any size one.
  if (read && !accepts && !text.contains("\\u") &&
      text.find_first_of("0123456789") == std::string::npos && !text.contains('\0')) {
    std::abort();
  }
  const std::string session = "/etc/gyrfalcon/pod-init.json";
  const DockerWish wish{.session_file = session, .replace = true, .new_path = "/usr/bin/runsc"};
  const auto after = AddToDockerConfig("p", text, wish);
  if (!after) {
    if (!after.error().message.starts_with("p:")) std::abort();
    return 0;
  }
  const auto runtimes = ReadDockerRuntimes("p", *after);
  if (!runtimes || runtimes->empty()) std::abort();
  for (const DockerRuntime& runtime : *runtimes) {
    if (!runtime.path.empty() && runtime.session_file != session) std::abort();
  }
  if (*AddToDockerConfig("p", *after, wish) != *after) std::abort();
  if (*after == text) return 0;
  const auto undone = RemoveFromDockerConfig("p", *after, session, ConfigChange{text, *after});
  if (!undone || *undone != text) std::abort();
  if (!RemoveFromDockerConfig("p", *after, session, std::nullopt)) std::abort();
  return 0;
}
