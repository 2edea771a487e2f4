#include "setup/runsc_config.h"

#include <fmt/format.h>

#include "setup/toml_text.h"

namespace gyrfalcon {
namespace {

const TomlKey& SessionKey() {
  static const TomlKey key{{"runsc_config"}, "pod-init-config"};
  return key;
}

}  // namespace

Result<RunscConfig> ReadRunscConfig(const std::string& path, std::string_view text) {
  const auto session = ReadTomlText(path, text, SessionKey());
  if (!session) return std::unexpected(session.error());
  const auto binary = ReadTomlText(path, text, {{}, "binary_name"});
  if (!binary) return std::unexpected(binary.error());
  const auto platform = ReadTomlText(path, text, {SessionKey().table, "platform"});
  if (!platform) return std::unexpected(platform.error());
  return RunscConfig{.session_file = session->value_or(""),
                     .binary = binary->value_or(""),
                     .platform = platform->value_or("")};
}

Result<std::string> AddToRunscConfig(const std::string& path, std::string_view text,
                                     const std::string& session_file, bool replace) {
  const auto there = ReadTomlText(path, text, SessionKey());
  if (!there) return std::unexpected(there.error());
  if (*there && **there != session_file && !replace) {
    return Fail(Fault::kInput,
                fmt::format("{}: it has another session config, {}: somebody else listens to its "
                            "sandboxes; --replace puts {} in its place, --undo puts it back",
                            path, **there, session_file));
  }
  return SetTomlText(path, text, SessionKey(), session_file);
}

Result<std::string> RemoveFromRunscConfig(const std::string& path, std::string_view text,
                                          const std::string& session_file,
                                          const std::optional<std::string>& before) {
  return UnsetTomlText(path, text, SessionKey(), session_file, before);
}

}  // namespace gyrfalcon
