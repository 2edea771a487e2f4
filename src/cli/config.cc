#include "cli/config.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/config_check.h"
#include "cli/config_table.h"
#include "cli/config_tree.h"
#include "cli/file.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIncludeKey = "config_files";

std::string At(const std::string& file, FilePosition position, std::string_view what) {
  return fmt::format("{}:{}:{}: {}", file, position.line + 1, position.column + 1, what);
}

std::string AllOf(const std::string& file, const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += At(file, problem.position, problem.message);
  }
  return text;
}

class Loader {
 public:
  explicit Loader(const Config& base) { loaded_.config = base; }

  Result<void> AddText(const std::string& name, std::string_view text) {
    auto root = ReadTree(name, text);
    if (!root) return std::unexpected(root.error());
    root_ = std::move(*root);
    place_ = name;
    loaded_.is_empty = root_.pairs.empty();
    return {};
  }

  Result<void> AddFile(const std::string& path) {
    const auto text = ReadWholeFile(path, kConfigBytesMax);
    if (!text) return std::unexpected(text.error());
    loaded_.files.push_back(path);
    return AddText(path, *text);
  }

  // As Falco, -o config_files counts before the files that it names, and all others after them.
  Result<void> AddAssignments(const std::vector<std::string>& assignments, bool includes) {
    for (const std::string& text : assignments) {
      if (text.starts_with(kIncludeKey) != includes) continue;
      if (const auto added = AddAssignment(text); !added) return added;
    }
    return {};
  }

  Result<void> AddIncluded() {
    const YamlNode* entries = root_.Find(kIncludeKey);
    if (entries == nullptr) return {};
    const YamlNode list = *entries;  // merging moves the tree
    if (list.IsScalar() && !list.scalar.empty()) return Include(list.scalar, {});
    for (const YamlNode& entry : list.items) {
      const YamlNode* path = entry.IsScalar() ? &entry : entry.Find("path");
      const YamlNode* strategy = entry.Find("strategy");
      if (path == nullptr || path->scalar.empty()) {
        return Fail(Fault::kInput, At(place_, entry.position, "`config_files[]`: no `path`"));
      }
      const auto included =
          Include(path->scalar, ParseMergeStrategy(strategy == nullptr ? "" : strategy->scalar));
      if (!included) return included;
    }
    return {};
  }

  Result<LoadedConfig> Finish() {
    if (root_.Find("rules_file") != nullptr) {
      if (root_.Find("rules_files") != nullptr) {
        return Fail(Fault::kInput,
                    Place() +
                        ": both `rules_files` and its older name `rules_file` are there; "
                        "leave one");
      }
      loaded_.warnings.push_back(Place() + ": `rules_file` is an older name: use `rules_files`");
    }
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.set == nullptr) continue;
      const YamlNode* value = FindConfigValue(root_, key.path);
      if (value == nullptr || value->IsNull()) continue;
      const bool is_default =
          key.type != ConfigType::kText && value->IsScalar() && value->scalar.empty();
      if (!is_default) key.set(*value, loaded_.config);
    }
    WarnIgnored();
    return std::move(loaded_);
  }

 private:
  std::string Place() const { return place_.empty() ? "-o" : place_; }

  Result<YamlNode> ReadTree(const std::string& name, std::string_view text) {
    auto documents = ParseYaml(text);
    if (!documents) {
      return Fail(Fault::kInput, At(name, documents.error().position, documents.error().message));
    }
    YamlNode root;
    if (!documents->empty()) root = std::move(documents->front());
    if (documents->size() > 1) {
      loaded_.warnings.push_back(
          At(name, (*documents)[1].position, "a second YAML document: only the first one is read"));
    }
    for (const ConfigProblem& repeated : DropRepeatedKeys(root)) {
      loaded_.warnings.push_back(At(name, repeated.position, repeated.message));
    }
    if (const auto expanded = ExpandEnvironment(root); !expanded) {
      return Fail(Fault::kInput, At(name, expanded.error(),
                                    "the environment variables of this value grow without end: "
                                    "one of them names itself"));
    }
    const auto problems = CheckConfig(root, "");
    if (!problems.empty()) return Fail(Fault::kInput, AllOf(name, problems));
    return root;
  }

  Result<void> AddAssignment(const std::string& text) {
    auto assignment = ParseAssignment(text);
    if (!assignment) return std::unexpected(assignment.error());
    const auto wrong = [&text](const std::string& what) {
      return Fail(Fault::kUsage, fmt::format("-o {}: {}", text, what));
    };
    const auto place = PlaceOf(assignment->key, root_);
    if (!place) return wrong(place.error().message);
    YamlNode value;
    value.kind = YamlNode::Kind::kScalar;
    value.scalar = assignment->value;
    if (IsInline(place->path, assignment->value)) {
      auto documents = ParseYaml(assignment->value);
      if (!documents) return wrong(documents.error().message);
      if (!documents->empty()) value = std::move(documents->front());
    }
    const auto problems = CheckConfig(value, place->path);
    if (!problems.empty()) return wrong(problems.front().message);
    *place->node = std::move(value);
    return {};
  }

  // A value in braces or brackets is YAML, so JSON too, unless the key wants a text.
  static bool IsInline(std::string_view path, std::string_view value) {
    const ConfigKey* key = FindConfigKey(path);
    if (key != nullptr && key->type == ConfigType::kText) return false;
    return (value.starts_with('{') && value.ends_with('}')) ||
           (value.starts_with('[') && value.ends_with(']'));
  }

  // What is not there is passed over, as in Falco.
  Result<void> Include(const std::string& entry, MergeStrategy strategy) {
    const std::string path = IncludedPath(entry);
    std::error_code error;
    if (fs::equivalent(path, place_, error)) {
      return Fail(Fault::kInput, fmt::format("{}: `config_files` names this file itself", place_));
    }
    if (!fs::is_directory(path, error)) {
      return fs::exists(path, error) ? IncludeFile(path, strategy) : Result<void>();
    }
    loaded_.folders.push_back(path);
    std::vector<std::string> files;
    for (fs::directory_iterator file(path, error), end; !error && file != end;
         file.increment(error)) {
      std::error_code unreadable;
      if (file->is_regular_file(unreadable)) files.push_back(file->path().string());
    }
    std::ranges::sort(files);
    for (const std::string& file : files) {
      if (const auto included = IncludeFile(file, strategy); !included) return included;
    }
    return {};
  }

  // Falco takes a relative path from where it was started; the config's own folder is the second
  // place.
  std::string IncludedPath(const std::string& entry) const {
    std::error_code error;
    if (fs::path(entry).is_absolute() || fs::exists(entry, error)) return entry;
    return (fs::path(place_).parent_path() / entry).string();
  }

  Result<void> IncludeFile(const std::string& path, MergeStrategy strategy) {
    const auto text = ReadWholeFile(path, kConfigBytesMax);
    if (!text) return std::unexpected(text.error());
    const auto tree = ReadTree(path, *text);
    if (!tree) return std::unexpected(tree.error());
    for (const YamlPair& pair : tree->pairs) {
      if (pair.key != kIncludeKey) continue;
      return Fail(Fault::kInput, At(path, pair.key_position,
                                    "`config_files` has no place in a file that is included"));
    }
    loaded_.files.push_back(path);
    MergeConfig(root_, *tree, strategy);
    return {};
  }

  void WarnIgnored() {
    const IgnoredKeys ignored = FindIgnoredKeys(root_);
    std::vector<std::string> parts;
    if (!ignored.without_meaning.empty()) {
      parts.push_back("keys without a meaning here, ignored: " +
                      Join(ignored.without_meaning, ", "));
    }
    if (!ignored.not_yet.empty()) {
      parts.push_back("not there yet in this release, ignored: " + Join(ignored.not_yet, ", "));
    }
    if (!parts.empty()) loaded_.warnings.push_back(Place() + ": " + Join(parts, "; "));
  }

  LoadedConfig loaded_;
  YamlNode root_;
  std::string place_;  // the main file
};

Result<LoadedConfig> Complete(Loader& loader, const std::vector<std::string>& assignments,
                              bool follow_includes) {
  if (const auto added = loader.AddAssignments(assignments, true); !added) {
    return std::unexpected(added.error());
  }
  if (follow_includes) {
    if (const auto added = loader.AddIncluded(); !added) return std::unexpected(added.error());
  }
  if (const auto added = loader.AddAssignments(assignments, false); !added) {
    return std::unexpected(added.error());
  }
  return loader.Finish();
}

}  // namespace

Result<LoadedConfig> LoadConfig(const ConfigSources& sources, const Config& base) {
  Loader loader(base);
  if (!sources.file.empty()) {
    std::error_code unknown;
    if (!std::filesystem::exists(sources.file, unknown) && !unknown) {
      return Fail(
          Fault::kEnvironment,
          fmt::format("there is no config file {}; -c names it, and without -c the built-in "
                      "defaults are used where there is no /etc/gyrfalcon/gyrfalcon.yaml",
                      sources.file));
    }
    if (const auto added = loader.AddFile(sources.file); !added) {
      return std::unexpected(added.error());
    }
  }
  return Complete(loader, sources.assignments, true);
}

Result<LoadedConfig> ReadConfig(const std::string& name, std::string_view text,
                                const std::vector<std::string>& assignments, const Config& base) {
  Loader loader(base);
  if (const auto added = loader.AddText(name, text); !added) {
    return std::unexpected(added.error());
  }
  return Complete(loader, assignments, false);
}

std::string DefaultSocketPath() {
  if (geteuid() == 0) return "/run/gyrfalcon/gvisor.sock";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string base =
      runtime != nullptr && *runtime != '\0' ? runtime : fmt::format("/run/user/{}", geteuid());
  return base + "/gyrfalcon/gvisor.sock";
}

std::string DefaultStorePath() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  constexpr const char* kFile = "/alerts.db";
  // systemd separates several folders by colons.
  std::string folder = variable("STATE_DIRECTORY");
  folder = folder.substr(0, folder.find(':'));
  if (!folder.empty()) return folder + kFile;
  if (geteuid() == 0) return std::string("/var/lib/gyrfalcon") + kFile;
  folder = variable("XDG_STATE_HOME");
  if (folder.empty() && !variable("HOME").empty()) folder = variable("HOME") + "/.local/state";
  return folder.empty() ? "" : folder + "/gyrfalcon" + kFile;
}

WebServerOptions WebOptionsOf(const Config& config) {
  WebServerOptions web = config.web;
  if (config.web_tls) web.certificate = config.web_certificate;
  return web;
}

SpoolOptions StoreOf(const Config& config) {
  constexpr int64_t kHourNs = int64_t{3'600} * 1'000'000'000;
  SpoolOptions store;
  if (config.store_enabled) {
    store.path = config.store_path.empty() ? DefaultStorePath() : config.store_path;
    store.is_default_place = store.path == DefaultStorePath();
  }
  store.bytes_max = config.store_bytes_max;
  store.age_max_ns = static_cast<int64_t>(config.store_age_hours) * kHourNs;
  store.sandbox_share_percent = static_cast<unsigned>(config.store_share_percent);
  store.sync_each_commit = config.store_sync_each_commit;
  store.sync_interval_ms = static_cast<int>(config.store_sync_interval_ms);
  return store;
}

}  // namespace gyrfalcon
