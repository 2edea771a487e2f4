#include "cli/run_flags.h"

#include <csignal>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/host_name.h"
#include "base/text.h"
#include "channels/http_channel.h"
#include "channels/program_channel.h"
#include "channels/syslog_channel.h"
#include "cli/falco_flags.h"
#include "cli/file.h"
#include "runsc/sent_points.h"
#include "runsc/session.h"
#include "store/spool_files.h"

namespace gyrfalcon {

void AddRulesFlags(CLI::App& app, RunFlags& flags) {
  app.add_option("-c,--config", flags.config_file, "Config file (Falco's falco.yaml works)")
      ->type_name("FILE");
  app.add_option(
         "-r,--rules", flags.rules_files,
         "Rules file, or folder of *.yaml; may be given again. Replaces the config's and the "
         "embedded rules")
      ->type_name("FILE|FOLDER")
      ->allow_extra_args(false);
  app.add_option("-o,--option", flags.settings, "Over the config's, e.g. json_output=true")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("-t", flags.enable_tags, "Only rules with this tag")
      ->type_name("TAG")
      ->allow_extra_args(false);
  app.add_option("-T", flags.disable_tags, "No rules with this tag")
      ->type_name("TAG")
      ->allow_extra_args(false);
  app.add_option("-D", flags.disable_substrings, "No rules whose name holds this text")
      ->type_name("PART")
      ->allow_extra_args(false);
  app.add_option("-p,--print", flags.extra_formats, "Added to each rule's output")
      ->type_name("FORMAT")
      ->allow_extra_args(false);
}

namespace {

constexpr std::string_view kNoRulesFile =
    "You must specify at least one rules file/directory via -r or a rules_files entry in the "
    "config";

Result<void> CheckSelectionFlags(const RunFlags& flags, const Config& config) {
  const bool disables = !flags.disable_tags.empty() || !flags.disable_substrings.empty();
  const bool enables = !flags.enable_tags.empty();
  if (disables && enables) {
    return Fail(Fault::kUsage,
                "You can not specify both disabled (-D/-T) and enabled (-t) rules; "
                "-o \"rules[].disable.tag=TAG\" and its like mix them in order");
  }
  if ((disables || enables) && !config.rules.selection.empty()) {
    return Fail(Fault::kUsage,
                "-D, -t and -T do not go together with `rules` of the config or "
                "-o \"rules[]…\": use the latter for all");
  }
  return {};
}

void AddSelection(const RunFlags& flags, std::vector<RuleSelection>& selection) {
  using By = RuleSelection::By;
  if (!flags.enable_tags.empty()) selection.push_back({By::kPattern, "*", false});
  for (const std::string& tag : flags.enable_tags) selection.push_back({By::kTag, tag, true});
  for (const std::string& tag : flags.disable_tags) selection.push_back({By::kTag, tag, false});
  for (const std::string& text : flags.disable_substrings) {
    selection.push_back({By::kSubstring, text, false});
  }
}

void AddFormats(const RunFlags& flags, LoadedConfig& loaded) {
  for (const std::string& format : flags.extra_formats) {
    if (IsPrintPreset(format)) {
      loaded.warnings.push_back(
          fmt::format("-p {} adds nothing, as in Falco since 0.42: use "
                      "-o 'append_output[]={{\"suggested_output\": true}}'",
                      format));
      continue;
    }
    AppendOutput append;
    append.extra_output = format;
    loaded.config.rules.append_output.push_back(std::move(append));
  }
}

void DropMissingRulesFiles(LoadedConfig& loaded) {
  std::vector<std::string>& files = loaded.config.rules_files;
  std::vector<std::string>& missing = loaded.missing_rules_files;
  std::erase_if(files, [&missing](const std::string& path) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) return false;
    missing.push_back(path);
    return true;
  });
  if (missing.empty() || files.empty()) return;
  loaded.warnings.push_back("rules files of the config that are not there: " + Join(missing, ", "));
}

}  // namespace

std::string DefaultIfThere(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) ? path : std::string();
}

Result<LoadedConfig> ApplyFlags(const RunFlags& flags, const Config& base) {
  auto loaded = LoadConfig({flags.config_file, flags.settings}, base);
  if (!loaded) return loaded;
  Config& config = loaded->config;
  if (!flags.rules_files.empty()) {
    config.rules_files = flags.rules_files;
  } else {
    DropMissingRulesFiles(*loaded);
  }
  if (const auto checked = CheckSelectionFlags(flags, config); !checked) {
    return std::unexpected(checked.error());
  }
  AddSelection(flags, config.rules.selection);
  AddFormats(flags, *loaded);
  return loaded;
}

Result<void> RequireRules(const RunFlags& flags, const LoadedConfig& loaded) {
  if (!loaded.config.rules_files.empty()) return {};
  if (!loaded.missing_rules_files.empty()) {
    return Fail(Fault::kInput, fmt::format("{}; none of those that it names is there: {}",
                                           kNoRulesFile, Join(loaded.missing_rules_files, ", ")));
  }
  if (flags.config_file.empty() || !loaded.is_empty) return {};
  return Fail(Fault::kInput,
              fmt::format("{}: the file is empty. {}; without a config, the rules that are built "
                          "in are used",
                          flags.config_file, kNoRulesFile));
}

std::string DefaultSessionFile() {
  std::string path = DefaultIfThere(kDefaultSessionFile);
  if (path.empty()) return path;
  const auto text = ReadWholeFile(path, kSentPointsBytesMax);
  return text && IsEmptySession(*text) ? "" : path;
}

Result<std::string> SocketPathOf(const Config& config) {
  std::string path = config.socket_path;
  if (!config.session_file.empty()) {
    constexpr size_t kSessionBytesMax = 4 * 1024 * 1024;
    const auto text = ReadWholeFile(config.session_file, kSessionBytesMax);
    if (!text) {
      Error error = text.error();
      error.message += "; make it with `gyrfalcon session generate > " + config.session_file + "`";
      error.fault = Fault::kEnvironment;
      return std::unexpected(std::move(error));
    }
    const auto session = ParseSessionConfig(config.session_file, *text);
    if (!session) return std::unexpected(session.error());
    if (path.empty()) path = session->endpoint;
  }
  return path.empty() ? DefaultSocketPath() : path;
}

namespace {

using MadeChannel = Result<std::unique_ptr<Channel>>;

MadeChannel MakeStdout(const Config& config, const AlertFormatOptions& format) {
  return MakeFdChannel("standard output", STDOUT_FILENO, format, config.buffered_outputs);
}

Result<void> RequireFileName(const Config& config) {
  if (!config.file_name.empty()) return {};
  return Fail(Fault::kInput, "file_output is enabled without a file_output.filename");
}

MadeChannel MakeFile(const Config& config, const AlertFormatOptions& format) {
  if (const auto named = RequireFileName(config); !named) return std::unexpected(named.error());
  return MakeFileChannel(config.file_name, format, config.buffered_outputs, config.file_keep_alive);
}

MadeChannel MakeSyslog(const Config& config, const AlertFormatOptions& format) {
  return MakeSyslogChannel(config.syslog, format);
}

// A program or a receiver that ends is an error of a write, not our end.
MadeChannel MakeProgram(const Config& config, const AlertFormatOptions& format) {
  std::signal(SIGPIPE, SIG_IGN);
  return MakeProgramChannel(config.program, format);
}

MadeChannel MakeHttp(const Config& config, const AlertFormatOptions& format) {
  std::signal(SIGPIPE, SIG_IGN);
  return MakeHttpChannel(config.http, format,
                         [](const std::string& line) { spdlog::info("{}", line); });
}

Result<void> CheckFile(const Config& config) {
  if (const auto named = RequireFileName(config); !named) return named;
  return CheckAlertFile(config.file_name);
}

// `check`: of those that something is written to when they are made.
constexpr struct {
  bool Config::* enabled;
  MadeChannel (*make)(const Config&, const AlertFormatOptions&);
  Result<void> (*check)(const Config&) = nullptr;
} kOutputs[] = {
    {&Config::stdout_enabled, MakeStdout}, {&Config::file_enabled, MakeFile, CheckFile},
    {&Config::syslog_enabled, MakeSyslog}, {&Config::program_enabled, MakeProgram},
    {&Config::http_enabled, MakeHttp},
};

}  // namespace

Result<std::vector<std::unique_ptr<Channel>>> MakeChannels(const Config& config) {
  std::vector<std::unique_ptr<Channel>> channels;
  AlertFormatOptions format = config.format;
  format.hostname = HostName();
  for (const auto& output : kOutputs) {
    if (!(config.*output.enabled)) continue;
    auto channel = output.make(config, format);
    if (!channel) return std::unexpected(channel.error());
    channels.push_back(std::move(*channel));
  }
  return channels;
}

Result<void> CheckOutputs(const Config& config) {
  for (const auto& output : kOutputs) {
    if (!(config.*output.enabled)) continue;
    if (output.check != nullptr) {
      if (const auto checked = output.check(config); !checked) return checked;
    } else if (const auto made = output.make(config, config.format); !made) {
      return std::unexpected(made.error());
    }
  }
  const SpoolOptions store = StoreOf(config);
  if (store.path.empty()) return {};
  const auto place = CheckSpoolPlace(store);
  if (!place) return Fail(Fault::kEnvironment, "store.path: " + place.error().message);
  return {};
}

DispatcherOptions MakeDispatcherOptions(const Config& config, WhenFull when_full) {
  DispatcherOptions options{.when_full = when_full};
  options.spool = StoreOf(config);
  options.builtins = config.builtins;
  const bool is_live = when_full == WhenFull::kRefuse;
  if (is_live || config.store_enabled) options.boot_id = MakeBootId();
  if (config.queue_capacity != 0) options.waiting_max = config.queue_capacity;
  return options;
}

}  // namespace gyrfalcon
