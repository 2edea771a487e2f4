#include "setup/containerd_config.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "setup/toml_tree.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kType = "io.containerd.runsc.v1";
constexpr std::string_view kOptionsType = "io.containerd.runsc.v1.options";

struct Plugin {
  int version;
  std::string_view name;
};
// The plugin that the runtimes of pods stand under; containerd 2 reads a file of version 2, too.
constexpr Plugin kPlugins[] = {{2, "io.containerd.grpc.v1.cri"},
                               {3, "io.containerd.cri.v1.runtime"}};

TomlPath RuntimesTable(const Plugin& plugin) {
  return {"plugins", std::string(plugin.name), "containerd", "runtimes"};
}

Result<int> VersionOf(const std::string& path, const toml::table& root, int of_importer) {
  const toml::node* node = root.get("version");
  if (node == nullptr && (of_importer != 0 || root.empty())) {
    return of_importer != 0 ? of_importer : 2;
  }
  const auto version = node == nullptr ? 1 : node->value<int64_t>().value_or(0);
  for (const Plugin& plugin : kPlugins) {
    if (plugin.version == version) return plugin.version;
  }
  const auto line = node == nullptr ? 1 : node->source().begin.line;
  const auto column = node == nullptr ? 1 : node->source().begin.column;
  return Fail(Fault::kInput,
              fmt::format("{}:{}:{}: containerd's config of version {}; 2 and 3 are known here: "
                          "`containerd config migrate` prints it in a newer one",
                          path, line, column, version));
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string VersionLine(int version) {
  return fmt::format("version = {}\n", version);
}

bool IsGvisors(std::string_view name, const toml::table& runtime,
               const std::vector<std::string>& also) {
  if (std::ranges::find(also, name) != also.end()) return true;
  return runtime["runtime_type"].value<std::string>().value_or("").contains("runsc");
}

TomlKey ConfigPathOf(const ContainerdRuntime& runtime) {
  TomlPath options = runtime.table;
  options.emplace_back("options");
  return {std::move(options), "ConfigPath"};
}

TomlKey TypeOf(const ContainerdRuntime& runtime) {
  return {ConfigPathOf(runtime).table, "TypeUrl"};
}

Result<std::string> AddRuntime(const std::string& path, std::string_view text, int version,
                               const std::string& name) {
  const auto* plugin = std::ranges::find(kPlugins, version, &Plugin::version);
  TomlPath table = RuntimesTable(*plugin);
  const auto root = ReadToml(path, text);
  const toml::table* runtimes = root ? FindTable(*root, table) : nullptr;
  if (const toml::node* there = runtimes == nullptr ? nullptr : runtimes->get(name)) {
    const toml::source_position place = there->source().begin;
    return Fail(Fault::kInput, fmt::format("{}:{}:{}: the runtime {} does not look like gVisor's; "
                                           "if it is, --runtime {}",
                                           path, place.line, place.column, name, name));
  }
  table.push_back(name);
  // For a text of its own, the version comes first.
  const std::string whole = IsBlank(text) ? VersionLine(version) : std::string(text);
  return SetTomlText(path, whole, {std::move(table), "runtime_type"}, std::string(kType));
}

}  // namespace

Result<ContainerdConfig> ReadContainerdConfig(const std::string& path, std::string_view text,
                                              const std::vector<std::string>& also, int version) {
  const auto root = ReadToml(path, text);
  if (!root) return std::unexpected(root.error());
  ContainerdConfig config;
  const auto known = VersionOf(path, *root, version);
  if (!known) return std::unexpected(known.error());
  config.version = *known;
  if (const toml::array* imports = (*root)["imports"].as_array()) {
    for (const toml::node& node : *imports) {
      if (const auto pattern = node.value<std::string>()) config.imports.push_back(*pattern);
    }
  }
  for (const Plugin& plugin : kPlugins) {
    const TomlPath path_of_all = RuntimesTable(plugin);
    const toml::table* runtimes = FindTable(*root, path_of_all);
    if (runtimes == nullptr) continue;
    for (const auto& [key, value] : *runtimes) {
      const toml::table* runtime = value.as_table();
      if (runtime == nullptr || !IsGvisors(key.str(), *runtime, also)) continue;
      ContainerdRuntime found{
          .name = std::string(key.str()), .table = path_of_all, .config_path = {}};
      found.table.push_back(found.name);
      found.config_path = (*runtime)["options"]["ConfigPath"].value<std::string>().value_or("");
      config.runtimes.push_back(std::move(found));
    }
  }
  return config;
}

Result<std::string> AddToContainerdConfig(const std::string& path, std::string_view text,
                                          const ContainerdWish& wish, int version) {
  auto config = ReadContainerdConfig(path, text, wish.also, version);
  if (!config) return std::unexpected(config.error());
  std::string now(text);
  if (config->runtimes.empty() && !wish.new_name.empty()) {
    auto added = AddRuntime(path, text, config->version, wish.new_name);
    if (!added) return added;
    now = std::move(*added);
    config = ReadContainerdConfig(path, now, wish.also, version);
    if (!config) return std::unexpected(config.error());
  }
  for (const ContainerdRuntime& runtime : config->runtimes) {
    if (!runtime.config_path.empty()) continue;
    auto with_path = SetTomlText(path, now, ConfigPathOf(runtime), wish.config_path);
    if (!with_path) return with_path;
    // runsc's shim takes a ConfigPath under this type only.
    auto with_type = SetTomlText(path, *with_path, TypeOf(runtime), std::string(kOptionsType));
    if (!with_type) return with_type;
    now = std::move(*with_type);
  }
  return now;
}

Result<std::string> RemoveFromContainerdConfig(const std::string& path, std::string_view text,
                                               const std::string& before_ours,
                                               const ContainerdWish& wish) {
  // Which version it is does not matter any more.
  constexpr int kAny = 2;
  const auto config = ReadContainerdConfig(path, text, wish.also, kAny);
  if (!config) return std::unexpected(config.error());
  const bool was_blank = IsBlank(before_ours);
  const std::string before = was_blank ? VersionLine(config->version) : before_ours;
  std::string now(text);
  for (const ContainerdRuntime& runtime : config->runtimes) {
    const auto had_path = ReadTomlText(path, before, ConfigPathOf(runtime));
    if (runtime.config_path != wish.config_path || !had_path || had_path->has_value()) continue;
    const TomlKey type{runtime.table, "runtime_type"};
    const auto had_type = ReadTomlText(path, before, type);
    const bool is_added = runtime.name == wish.new_name && had_type && !had_type->has_value();
    // What the options were added to.
    const auto with_runtime = is_added ? SetTomlText(path, before, type, std::string(kType))
                                       : Result<std::string>(before);
    const struct {
      TomlKey key;
      std::string_view value;
      std::string before;
    } steps[] = {{ConfigPathOf(runtime), wish.config_path, with_runtime.value_or(before)},
                 {TypeOf(runtime), kOptionsType, with_runtime.value_or(before)},
                 {type, kType, before}};
    for (const auto& step : std::span(steps).first(is_added ? 3 : 2)) {
      const auto had = ReadTomlText(path, step.before, step.key);
      if (had && *had == step.value) continue;
      auto without = UnsetTomlText(path, now, step.key, std::string(step.value), step.before);
      if (!without) return without;
      now = std::move(*without);
    }
  }
  // A file of our own has nothing but its version left.
  if (was_blank && now == before) return before_ours;
  return now;
}

}  // namespace gyrfalcon
