#include "cli/config.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "rules/yaml.h"

namespace gyrfalcon {
namespace {

// Sets what a node says; returns what is wrong with it, or "".
using Setter = std::string (*)(const YamlNode& node, Config& config);

struct ConfigKey {
  std::string_view path;
  Setter set;  // nullptr: Falco knows the key, and it means nothing here
};

std::string ReadBool(const YamlNode& node, bool& out) {
  return node.IsScalar() && ParseYamlBool(node.scalar, out) ? "" : "expected true or false";
}

std::string ReadText(const YamlNode& node, std::string& out) {
  if (!node.IsScalar()) return "expected a text";
  out = node.scalar;
  return "";
}

std::string ReadTexts(const YamlNode& node, std::vector<std::string>& out) {
  if (node.IsScalar()) {
    out = {node.scalar};
    return "";
  }
  if (!node.IsSequence()) return "expected a list of texts";
  out.clear();
  for (const YamlNode& item : node.items) {
    if (!item.IsScalar()) return "expected a list of texts";
    out.push_back(item.scalar);
  }
  return "";
}

template <auto member>
std::string SetBool(const YamlNode& node, Config& config) {
  return ReadBool(node, config.*member);
}

template <auto member>
std::string SetText(const YamlNode& node, Config& config) {
  return ReadText(node, config.*member);
}

template <bool AlertFormatOptions::* member>
std::string SetFormat(const YamlNode& node, Config& config) {
  return ReadBool(node, config.format.*member);
}

std::string SetRulesFiles(const YamlNode& node, Config& config) {
  return ReadTexts(node, config.rules_files);
}

std::string SetPriority(const YamlNode& node, Config& config) {
  const auto priority = node.IsScalar() ? ParsePriority(node.scalar) : std::nullopt;
  if (!priority) return "expected a priority, Emergency to Debug";
  config.rules.priority = *priority;
  return "";
}

std::string SetMatching(const YamlNode& node, Config& config) {
  if (node.scalar != "first" && node.scalar != "all") return "expected `first` or `all`";
  config.rules.matching = node.scalar == "all" ? RuleMatching::kAll : RuleMatching::kFirst;
  return "";
}

std::string SetLogLevel(const YamlNode& node, Config& config) {
  constexpr std::array<std::string_view, 8> kLevels = {"emergency", "alert",  "critical", "error",
                                                       "warning",   "notice", "info",     "debug"};
  if (std::ranges::find(kLevels, node.scalar) == kLevels.end()) {
    return "expected emergency, alert, critical, error, warning, notice, info or debug";
  }
  config.log_level = node.scalar;
  return "";
}

std::string SetWorkers(const YamlNode& node, Config& config) {
  constexpr uint64_t kWorkersMax = 256;
  const auto workers = ParseUint(node.scalar);
  if (!workers || *workers > kWorkersMax)
    return "expected a number from 0 (one per processor) to 256";
  config.workers = *workers;
  return "";
}

// One of `rules:`: {enable|disable: {rule: PATTERN | tag: TAG}}.
std::string AddSelection(const YamlNode& item, Config& config) {
  constexpr std::string_view kForm = "expected `enable` or `disable` with `rule` or `tag`";
  if (!item.IsMapping() || item.pairs.size() != 1) return std::string(kForm);
  const YamlPair& action = item.pairs.front();
  const bool enable = action.key == "enable";
  if ((!enable && action.key != "disable") || !action.value.IsMapping()) return std::string(kForm);
  for (const YamlPair& by : action.value.pairs) {
    if ((by.key != "rule" && by.key != "tag") || !by.value.IsScalar()) return std::string(kForm);
    config.rules.selection.push_back(
        {by.key == "tag" ? RuleSelection::By::kTag : RuleSelection::By::kPattern, by.value.scalar,
         enable});
  }
  return "";
}

std::string SetSelection(const YamlNode& node, Config& config) {
  if (!node.IsSequence()) return "expected a list";
  for (const YamlNode& item : node.items) {
    if (std::string wrong = AddSelection(item, config); !wrong.empty()) return wrong;
  }
  return "";
}

std::string ReadMatch(const YamlNode& node, AppendOutput& out) {
  if (!node.IsMapping()) return "expected `match` to be a mapping";
  for (const YamlPair& pair : node.pairs) {
    if (pair.key == "source") {
      out.match_source = pair.value.scalar;
    } else if (pair.key == "rule") {
      out.match_rule = pair.value.scalar;
    } else if (pair.key == "tags") {
      std::vector<std::string> tags;
      if (std::string wrong = ReadTexts(pair.value, tags); !wrong.empty()) return wrong;
      out.match_tags.insert(tags.begin(), tags.end());
    }
  }
  return "";
}

std::string ReadExtraFields(const YamlNode& node, AppendOutput& out) {
  if (!node.IsSequence()) return "expected `extra_fields` to be a list";
  for (const YamlNode& item : node.items) {
    if (item.IsScalar()) {
      out.extra_fields.push_back({item.scalar, ""});
    } else if (item.IsMapping() && item.pairs.size() == 1) {
      out.extra_fields.push_back({item.pairs.front().key, item.pairs.front().value.scalar});
    } else {
      return "expected a field, or `key: format`";
    }
  }
  return "";
}

std::string SetAppendOutput(const YamlNode& node, Config& config) {
  if (!node.IsSequence()) return "expected a list";
  config.rules.append_output.clear();
  for (const YamlNode& item : node.items) {
    AppendOutput append;
    std::string wrong;
    for (const YamlPair& pair : item.pairs) {
      if (pair.key == "match") wrong = ReadMatch(pair.value, append);
      if (pair.key == "extra_output") wrong = ReadText(pair.value, append.extra_output);
      if (pair.key == "extra_fields") wrong = ReadExtraFields(pair.value, append);
      if (pair.key == "suggested_output") wrong = ReadBool(pair.value, append.suggested_output);
      if (!wrong.empty()) return wrong;
    }
    config.rules.append_output.push_back(std::move(append));
  }
  return "";
}

// Falco's keys of version 0.43 and ours. A row without a dot stands for all that is below it.
constexpr ConfigKey kKeys[] = {
    {"append_output", SetAppendOutput},
    {"buffered_outputs", SetBool<&Config::buffered_outputs>},
    {"engine.gvisor.config", SetText<&Config::session_file>},
    {"engine.gvisor.root", nullptr},
    {"engine.kind", nullptr},
    {"file_output.enabled", SetBool<&Config::file_enabled>},
    {"file_output.filename", SetText<&Config::file_name>},
    {"file_output.keep_alive", nullptr},
    {"gvisor.socket", SetText<&Config::socket_path>},
    {"json_include_message_property",
     SetFormat<&AlertFormatOptions::json_include_message_property>},
    {"json_include_output_fields_property",
     SetFormat<&AlertFormatOptions::json_include_output_fields_property>},
    {"json_include_output_property", SetFormat<&AlertFormatOptions::json_include_output_property>},
    {"json_include_tags_property", SetFormat<&AlertFormatOptions::json_include_tags_property>},
    {"json_output", SetFormat<&AlertFormatOptions::json_output>},
    {"log_level", SetLogLevel},
    {"priority", SetPriority},
    {"rule_matching", SetMatching},
    {"rules", SetSelection},
    {"rules_file", SetRulesFiles},
    {"rules_files", SetRulesFiles},
    {"stdout_output.enabled", SetBool<&Config::stdout_enabled>},
    {"time_format_iso_8601", SetFormat<&AlertFormatOptions::time_format_iso_8601>},
    {"workers", SetWorkers},
    {"base_syscalls", nullptr},
    {"buffer_format_base64", nullptr},
    {"capture", nullptr},
    {"config_files", nullptr},
    {"container_engines", nullptr},
    {"engine.ebpf", nullptr},
    {"engine.kmod", nullptr},
    {"engine.modern_ebpf", nullptr},
    {"engine.replay", nullptr},
    {"falco_libs", nullptr},
    {"grpc", nullptr},
    {"grpc_output", nullptr},
    {"http_output", nullptr},
    {"libs_logger", nullptr},
    {"load_plugins", nullptr},
    {"log_stderr", nullptr},
    {"log_syslog", nullptr},
    {"metrics", nullptr},
    {"output_timeout", nullptr},
    {"outputs_queue", nullptr},
    {"plugins", nullptr},
    {"plugins_hostinfo", nullptr},
    {"program_output", nullptr},
    {"static_fields", nullptr},
    {"syscall_event_drops", nullptr},
    {"syscall_event_timeouts", nullptr},
    {"syslog_output", nullptr},
    {"watch_config_files", nullptr},
    {"webserver", nullptr},
};

const ConfigKey* FindKey(std::string_view path) {
  const auto found = std::ranges::find(kKeys, path, &ConfigKey::path);
  return found == std::end(kKeys) ? nullptr : found;
}

bool IsAboveSomeKey(std::string_view path) {
  return std::ranges::any_of(kKeys, [path](const ConfigKey& key) {
    return key.path.size() > path.size() && key.path.starts_with(path) &&
           key.path[path.size()] == '.';
  });
}

std::string UnknownKey(std::string_view path) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : kKeys) names.push_back(key.path);
  std::string message = fmt::format("unknown key `{}`", path);
  if (const auto nearest = NearestWord(path, names)) {
    message += fmt::format("; did you mean `{}`?", *nearest);
  }
  return message;
}

class ConfigReader {
 public:
  ConfigReader(std::string_view place, Config& config, std::vector<std::string>& warnings)
      : place_(place), config_(config), warnings_(warnings) {}

  void ReadMapping(const YamlNode& node, std::string_view prefix) {
    for (const YamlPair& pair : node.pairs) {
      const std::string path = prefix.empty() ? pair.key : std::string(prefix) + "." + pair.key;
      ReadKey(path, pair.key_position, pair.value);
    }
  }

  void ReadKey(const std::string& path, FilePosition position, const YamlNode& value) {
    if (const ConfigKey* key = FindKey(path)) {
      if (key->set == nullptr) {
        ignored_.push_back(path);
      } else if (std::string wrong = key->set(value, config_); !wrong.empty()) {
        AddError(value.position, fmt::format("`{}`: {}", path, wrong));
      }
    } else if (IsAboveSomeKey(path)) {
      if (value.IsMapping()) {
        ReadMapping(value, path);
      } else if (!value.IsNull()) {
        AddError(value.position, fmt::format("`{}`: expected a mapping", path));
      }
    } else {
      AddError(position, UnknownKey(path));
    }
  }

  void AddError(FilePosition position, std::string_view what) {
    if (!errors_.empty()) errors_ += '\n';
    if (at_position_) {
      errors_ += fmt::format("{}:{}:{}: {}", place_, position.line + 1, position.column + 1, what);
    } else {
      errors_ += fmt::format("{}: {}", place_, what);
    }
  }

  Result<void> Finish() {
    if (!ignored_.empty()) {
      warnings_.push_back(fmt::format("{}: keys without a meaning here, ignored: {}", place_,
                                      Join(ignored_, ", ")));
    }
    if (!errors_.empty()) return Fail(Fault::kInput, errors_);
    return {};
  }

  void without_position() { at_position_ = false; }

 private:
  const std::string place_;
  Config& config_;
  std::vector<std::string>& warnings_;
  std::vector<std::string> ignored_;
  std::string errors_;
  bool at_position_ = true;
};

}  // namespace

Result<void> ReadConfig(const std::string& path, std::string_view text, Config& config,
                        std::vector<std::string>& warnings) {
  ConfigReader reader(path, config, warnings);
  const auto documents = ParseYaml(text);
  if (!documents) {
    reader.AddError(documents.error().position, documents.error().message);
    return reader.Finish();
  }
  for (const YamlNode& document : *documents) {
    if (document.IsNull()) continue;
    if (document.IsMapping()) {
      reader.ReadMapping(document, "");
    } else {
      reader.AddError(document.position, "expected a mapping of keys");
    }
  }
  return reader.Finish();
}

namespace {

// Falco's form for entries of `rules`: "rules[].disable.rule=PATTERN".
bool SetSelectionKey(std::string_view key, std::string_view value, Config& config) {
  constexpr struct {
    std::string_view key;
    RuleSelection::By by;
    bool enable;
  } kForms[] = {{"rules[].enable.rule", RuleSelection::By::kPattern, true},
                {"rules[].disable.rule", RuleSelection::By::kPattern, false},
                {"rules[].enable.tag", RuleSelection::By::kTag, true},
                {"rules[].disable.tag", RuleSelection::By::kTag, false}};
  for (const auto& form : kForms) {
    if (form.key != key) continue;
    config.rules.selection.push_back({form.by, std::string(value), form.enable});
    return true;
  }
  return false;
}

}  // namespace

Result<void> SetConfigKey(std::string_view assignment, Config& config,
                          std::vector<std::string>& warnings) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Fail(Fault::kUsage,
                fmt::format("-o {}: expected KEY=VALUE, such as json_output=true", assignment));
  }
  const std::string_view key = assignment.substr(0, equals);
  const std::string_view value = assignment.substr(equals + 1);
  if (SetSelectionKey(key, value, config)) return {};
  ConfigReader reader(fmt::format("-o {}", assignment), config, warnings);
  reader.without_position();
  const auto documents = ParseYaml(value);
  if (!documents) {
    reader.AddError({}, documents.error().message);
  } else {
    const YamlNode null;
    const std::string path =
        key.ends_with("[]") ? std::string(key.substr(0, key.size() - 2)) : std::string(key);
    reader.ReadKey(path, {}, documents->empty() ? null : documents->front());
  }
  Result<void> result = reader.Finish();
  if (!result) result.error().fault = Fault::kUsage;
  return result;
}

std::string DefaultSocketPath() {
  if (geteuid() == 0) return "/run/gyrfalcon/gvisor.sock";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string base =
      runtime != nullptr && *runtime != '\0' ? runtime : fmt::format("/run/user/{}", geteuid());
  return base + "/gyrfalcon/gvisor.sock";
}

}  // namespace gyrfalcon
