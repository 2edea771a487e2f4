#include "cli/runsc_toml.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "cli/file.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

constexpr size_t kTomlBytesMax = size_t{1} << 20;
constexpr size_t kNameBytesMax = 4'096;
constexpr const char* kNameSuffix = ".gyrfalcon";

}  // namespace

RunscTomlKeeper::RunscTomlKeeper(std::vector<std::string> files, std::string session_file)
    : session_file_(std::move(session_file)) {
  for (std::string& path : files) files_.push_back({.path = std::move(path)});
}

std::vector<RunscTomlKeeper::Note> RunscTomlKeeper::Look() {
  std::vector<Note> notes;
  for (File& file : files_) std::ranges::move(LookAt(file), std::back_inserter(notes));
  return notes;
}

std::vector<RunscTomlKeeper::Note> RunscTomlKeeper::Tell(File& file, std::string trouble) {
  if (std::exchange(file.trouble, trouble) == trouble) return {};
  return {{Note::Kind::kError, std::move(trouble)}};
}

std::string RunscTomlKeeper::NamedBefore(const File& file) {
  return ReadWholeFile(file.path + kNameSuffix, kNameBytesMax).value_or("");
}

Result<void> RunscTomlKeeper::KeepName(const File& file) const {
  if (NamedBefore(file) == session_file_) return {};
  return ReplaceFile(file.path + kNameSuffix, session_file_);
}

std::vector<RunscTomlKeeper::Note> RunscTomlKeeper::LookAt(File& file) const {
  std::error_code error;
  if (!std::filesystem::is_regular_file(session_file_, error)) {
    return Tell(file, fmt::format("{}: pod-init-config is not kept there while {} is missing: no "
                                  "sandbox would start",
                                  file.path, session_file_));
  }
  const auto text = ReadWholeFile(file.path, kTomlBytesMax);
  if (!text) {
    return Tell(file, text.error().message +
                          "; sandboxes that start there are not watched until "
                          "they are attached");
  }
  const auto current = ReadRunscConfig(file.path, *text);
  if (!current) return Tell(file, current.error().message);
  if (current->session_file == session_file_) {
    file.was_ours = true;
    if (const auto kept = KeepName(file); !kept) return Tell(file, kept.error().message);
    file.trouble.clear();
    return {};
  }
  const bool is_of_before =
      !current->session_file.empty() && current->session_file == NamedBefore(file);
  if (!current->session_file.empty() && !is_of_before) {
    return Tell(file,
                fmt::format("{}: pod-init-config is {}, which is somebody else's and left "
                            "alone: sandboxes that start there go to that one's listener; "
                            "take the line out to have them watched; one of `gyrfalcon install "
                            "containerd` by: gyrfalcon install containerd --replace "
                            "--session-config={}",
                            file.path, current->session_file, session_file_));
  }
  const auto wanted = AddToRunscConfig(file.path, *text, session_file_, is_of_before);
  if (!wanted) return Tell(file, wanted.error().message);
  if (const auto written = ReplaceFile(file.path, *wanted); !written) {
    return Tell(file, written.error().message);
  }
  if (const auto kept = KeepName(file); !kept) return Tell(file, kept.error().message);
  file.trouble.clear();
  if (is_of_before) {
    file.was_ours = true;
    return {{Note::Kind::kInfo, fmt::format("{}: pod-init-config is {}, and was {}", file.path,
                                            session_file_, current->session_file)}};
  }
  const bool again = std::exchange(file.was_ours, true);
  return {{again ? Note::Kind::kWarning : Note::Kind::kInfo,
           fmt::format("{}: pod-init-config {} {}", file.path,
                       again ? "was taken out, and is again" : "is", session_file_)}};
}

}  // namespace gyrfalcon
