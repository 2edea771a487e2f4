#include "cli/listings.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/utsname.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "cli/version.h"
#include "points/schema.h"
#include "points/syscalls.h"
#include "rules/binder.h"
#include "rules/rules_reader.h"
#include "rules/rules_schema.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kSource = "syscall";

// Fields are of the class that the first part of their name says.
constexpr struct {
  std::string_view name, help;
} kFieldClasses[] = {
    {"container", "The container that the event happened in."},
    {"evt", "The event itself: its type, time, result and arguments."},
    {"fd", "The file or connection that the event is about."},
    {"fdlist", "Those of a poll, which names several."},
    {"fs", "The paths that an event names."},
    {"group", "The group of the process's user."},
    {"k8s", "The pod that the container belongs to."},
    {"proc", "The process that acts, its parent and its ancestors."},
    {"syscall", "The system call, by Falco's older name for evt."},
    {"thread", "The thread that acts."},
    {"user", "The user that the process runs as."},
};

std::string_view ClassOf(std::string_view field) {
  return field.substr(0, field.find('.'));
}

std::string_view ClassHelp(std::string_view name) {
  const auto known =
      std::ranges::find(kFieldClasses, name, [](const auto& row) { return row.name; });
  return known == std::end(kFieldClasses) ? std::string_view("Further fields.") : known->help;
}

// Words after `indent` columns, in lines of at most 120.
std::string Wrapped(std::string_view text, size_t indent) {
  constexpr size_t kLineMax = 120;
  std::istringstream words{std::string(text)};
  std::string out;
  std::string word;
  size_t column = indent;
  while (words >> word) {
    if (column > indent && column + 1 + word.size() > kLineMax) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

constexpr size_t kHelpColumn = 30;

void PrintFieldClass(std::string_view name, const std::vector<const FieldDef*>& fields,
                     const ListingOptions& options) {
  if (options.markdown) {
    fmt::print("## Field Class: {}\n\n{}\n\nEvent Sources: {}\n\n", name, ClassHelp(name), kSource);
    fmt::print("Name | Type | Description\n:----|:-----|:-----------\n");
  } else {
    fmt::print("-------------------------------\n{:<{}}{}\n{:<{}}{}\n{:<{}}{}\n\n",
               "Field Class:", kHelpColumn, name, "Description:", kHelpColumn,
               Wrapped(ClassHelp(name), kHelpColumn), "Event Sources:", kHelpColumn, kSource);
  }
  for (const FieldDef* field : fields) {
    if (options.markdown) {
      fmt::print("`{}` | {} | {}\n", field->name, FalcoTypeName(*field), field->help);
      continue;
    }
    const bool long_name = field->name.size() >= kHelpColumn;
    fmt::print("{:<{}}", field->name, kHelpColumn);
    if (long_name) fmt::print("\n{:<{}}", "", kHelpColumn);
    const std::string type =
        options.verbose ? fmt::format("(Type: {}) ", FalcoTypeName(*field)) : std::string();
    fmt::print("{}\n", Wrapped(type + std::string(field->help), kHelpColumn));
  }
  fmt::print("\n");
}

const std::set<std::string_view>& SyscallNames() {
  static const std::set<std::string_view> names = [] {
    std::set<std::string_view> all;
    constexpr uint64_t kNumberMax = 1024;
    for (const Arch arch : {Arch::kX86_64, Arch::kAarch64}) {
      for (uint64_t number = 0; number < kNumberMax; ++number) {
        const std::string_view name = SyscallName(arch, number);
        if (!name.empty()) all.insert(name);
      }
    }
    return all;
  }();
  return names;
}

const std::set<std::string_view>& ToldTypes() {
  static const std::set<std::string_view> types = [] {
    std::set<std::string_view> all;
    for (const PointDef& point : Points()) {
      if (!point.event_type.empty()) all.insert(point.event_type);
    }
    return all;
  }();
  return types;
}

// What Falco's --version tells, for scripts that read it: the release whose rules and output are
// followed. There is no driver, and no API of plugins.
constexpr std::string_view kFalcoVersion = "0.44.0";
constexpr std::string_view kNoVersion = "0.0.0";

nlohmann::json VersionJson() {
  return {{"gyrfalcon_version", kVersion},
          {"falco_version", kFalcoVersion},
          {"libs_version", kNoVersion},
          {"plugin_api_version", kNoVersion},
          {"engine_version", std::string(Split(kEngineVersion, '.')[1])},
          {"engine_version_semver", kEngineVersion},
          {"driver_api_version", kNoVersion},
          {"driver_schema_version", kNoVersion},
          {"default_driver_version", kNoVersion}};
}

nlohmann::json SystemJson() {
  utsname system{};
  uname(&system);
  return {{"sysname", system.sysname},
          {"nodename", system.nodename},
          {"release", system.release},
          {"version", system.version},
          {"machine", system.machine}};
}

}  // namespace

int ListFields(const std::string& source, const ListingOptions& options) {
  if (!source.empty() && source != kSource) {
    return Report(
        {fmt::format("--list={}: the only source is `{}`", source, kSource), Fault::kUsage});
  }
  std::map<std::string_view, std::vector<const FieldDef*>> classes;
  for (const FieldDef& field : AllFields().rows()) {
    if (options.names_only) {
      fmt::print("{}\n", field.name);
    } else {
      classes[ClassOf(field.name)].push_back(&field);
    }
  }
  for (const auto& [name, fields] : classes) PrintFieldClass(name, fields, options);
  return kExitOk;
}

int ListEvents(bool syscalls_only, const ListingOptions& options) {
  if (options.markdown) fmt::print("gVisor | Dir | Event\n:------|:----|:-----\n");
  for (const EventTypeDef& type : EventTypes()) {
    if (syscalls_only && !SyscallNames().contains(type.name)) continue;
    if (options.markdown) {
      fmt::print("{} | `<` | **{}**\n", ToldTypes().contains(type.name) ? "Yes" : "No", type.name);
    } else {
      fmt::print("{}{}\n", options.names_only ? "" : "< ", type.name);
    }
  }
  return kExitOk;
}

int ListIgnoredSyscalls() {
  fmt::print("Ignored syscall(s): gVisor has no trace point for them\n");
  for (const std::string_view name : SyscallNames()) {
    if (!ToldTypes().contains(name)) fmt::print("- {}\n", name);
  }
  return kExitOk;
}

int PrintRuleSchema() {
  fmt::print("{}", RulesSchema());
  return kExitOk;
}

std::string VersionsText() {
  return VersionJson().dump();
}

std::string_view ProgramVersion() {
  return kVersion;
}

int PrintVersion(bool json) {
  if (json) {
    fmt::print("{}\n", VersionJson().dump());
    return kExitOk;
  }
  fmt::print("gyrfalcon {}\n", kVersion);
  fmt::print("Falco version: {}\n", kFalcoVersion);
  fmt::print("Libs version:  {}\n", kNoVersion);
  fmt::print("Plugin API:    {}\n", kNoVersion);
  fmt::print("Engine:        {}\n", kEngineVersion);
  fmt::print("Driver:\n");
  fmt::print("  API version:    {}\n", kNoVersion);
  fmt::print("  Schema version: {}\n", kNoVersion);
  fmt::print("  Default driver: {}\n", kNoVersion);
  return kExitOk;
}

int PrintSupport(const std::vector<std::string>& args, const std::string& config_file,
                 const Config& config) {
  const auto files = ReadRulesFiles(config.rules_files);
  if (!files) return Report(files.error());
  nlohmann::json rules = nlohmann::json::array();
  for (const auto& [name, text] : *files) {
    rules.push_back({{"name", name}, {"variants", {{{"content", text}}}}});
  }
  std::string config_text;
  if (!config_file.empty()) {
    auto text = ReadWholeFile(config_file, kConfigBytesMax);
    if (!text) return Report(text.error());
    config_text = std::move(*text);
  }
  const nlohmann::json support = {
      {"version", kVersion},         {"engine_info", VersionJson()},
      {"system_info", SystemJson()}, {"cmdline", "gyrfalcon " + Join(args, " ")},
      {"config", config_text},       {"rules_files", std::move(rules)}};
  fmt::print("{}\n", support.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return kExitOk;
}

}  // namespace gyrfalcon
