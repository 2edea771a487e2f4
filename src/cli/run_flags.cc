#include "cli/run_flags.h"

#include <filesystem>

#include <unistd.h>

#include "cli/file.h"

namespace gyrfalcon {

void AddRulesFlags(CLI::App& app, RunFlags& flags) {
  app.add_option("-c,--config", flags.config_file, "Config file (Falco's falco.yaml works)");
  app.add_option(
         "-r,--rules", flags.rules_files,
         "Rules file, or folder of *.yaml; may be given again. Replaces the config's and the "
         "embedded rules")
      ->allow_extra_args(false);
  app.add_option("-o,--option", flags.settings,
                 "KEY=VALUE over the config's, e.g. json_output=true")
      ->allow_extra_args(false);
  app.add_option("-t", flags.enable_tags, "Only rules with this tag")->allow_extra_args(false);
  app.add_option("-T", flags.disable_tags, "No rules with this tag")->allow_extra_args(false);
  app.add_option("-D", flags.disable_substrings, "No rules whose name holds this text")
      ->allow_extra_args(false);
  app.add_option("-p,--print", flags.extra_formats, "Added to each rule's output")
      ->allow_extra_args(false);
}

namespace {

Result<void> ReadConfigFile(const std::string& path, Config& config,
                            std::vector<std::string>& warnings) {
  constexpr size_t kConfigBytesMax = 4 * 1024 * 1024;
  const auto text = ReadWholeFile(path, kConfigBytesMax);
  if (!text) return std::unexpected(text.error());
  return ReadConfig(path, *text, config, warnings);
}

}  // namespace

std::string DefaultIfThere(std::string path) {
  std::error_code error;
  return std::filesystem::exists(path, error) ? path : std::string();
}

Result<void> ApplyFlags(const RunFlags& flags, Config& config, std::vector<std::string>& warnings) {
  if (!flags.config_file.empty()) {
    if (const auto read = ReadConfigFile(flags.config_file, config, warnings); !read) return read;
  }
  if (!flags.rules_files.empty()) config.rules_files = flags.rules_files;
  for (const std::string& setting : flags.settings) {
    if (const auto set = SetConfigKey(setting, config, warnings); !set) return set;
  }
  const auto select = [&config](RuleSelection::By by, const std::string& text, bool enable) {
    config.rules.selection.push_back({by, text, enable});
  };
  if (!flags.enable_tags.empty()) select(RuleSelection::By::kPattern, "*", false);
  for (const std::string& tag : flags.enable_tags) select(RuleSelection::By::kTag, tag, true);
  for (const std::string& tag : flags.disable_tags) select(RuleSelection::By::kTag, tag, false);
  for (const std::string& text : flags.disable_substrings) {
    select(RuleSelection::By::kSubstring, text, false);
  }
  for (const std::string& format : flags.extra_formats) {
    AppendOutput append;
    append.extra_output = format;
    config.rules.append_output.push_back(std::move(append));
  }
  return {};
}

Result<std::vector<std::unique_ptr<Channel>>> MakeChannels(const Config& config) {
  std::vector<std::unique_ptr<Channel>> channels;
  if (config.stdout_enabled) {
    channels.push_back(MakeFdChannel("standard output", STDOUT_FILENO, config.buffered_outputs));
  }
  if (config.file_enabled) {
    if (config.file_name.empty()) {
      return Fail(Fault::kInput, "file_output is enabled without a file_output.filename");
    }
    auto file = MakeFileChannel(config.file_name, config.buffered_outputs);
    if (!file) return std::unexpected(file.error());
    channels.push_back(std::move(*file));
  }
  return channels;
}

}  // namespace gyrfalcon
