#include "setup/undo_record.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "setup/containerd_config.h"
#include "setup/docker_config.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::array<std::string_view, 4> kKinds = {"docker", "containerd", "runsc", "own"};
constexpr std::string_view kLeftBehind =
    "# Empty on purpose, left by `gyrfalcon install containerd --undo`: containerd may name this "
    "file until it is\n# restarted, and starts no sandbox without it.\n";

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t NumberOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

std::vector<std::string> TextsOf(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return texts;
  for (const Json& text : *found) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::optional<RecordedFile> ReadFile(const Json& row) {
  if (!row.is_object()) return std::nullopt;
  const auto* kind = std::ranges::find(kKinds, TextOf(row, "kind"));
  if (kind == kKinds.end() || TextOf(row, "path").empty()) return std::nullopt;
  RecordedFile file;
  file.kind = static_cast<SetupFile>(kind - kKinds.begin());
  file.path = TextOf(row, "path");
  if (row.contains("before") && row["before"].is_string()) file.before = TextOf(row, "before");
  file.after = TextOf(row, "after");
  return file;
}

Result<std::string> WithoutOurs(const UndoRecord& record, const RecordedFile& file,
                                const std::string& now) {
  switch (file.kind) {
    case SetupFile::kDocker:
      return RemoveFromDockerConfig(file.path, now, record.session_file,
                                    ConfigChange{file.before, file.after});
    case SetupFile::kContainerd:
      return RemoveFromContainerdConfig(file.path, now, file.before.value_or(""),
                                        {.config_path = record.config_path,
                                         .also = record.runtimes,
                                         .new_name = record.new_runtime});
    case SetupFile::kRunsc:
      return RemoveFromRunscConfig(file.path, now, record.session_file, file.before.value_or(""));
    case SetupFile::kOwn:
      break;
  }
  return now;
}

}  // namespace

std::string WriteUndoRecord(const UndoRecord& record) {
  Json out;
  out["version"] = kVersion;
  out["session_file"] = record.session_file;
  out["config_path"] = record.config_path;
  out["new_runtime"] = record.new_runtime;
  out["runtimes"] = record.runtimes;
  out["queue_bytes_before"] = record.queue_bytes_before;
  out["queue_bytes"] = record.queue_bytes;
  out["files"] = Json::array();
  for (const RecordedFile& file : record.files) {
    Json row;
    row["kind"] = kKinds[static_cast<size_t>(file.kind)];
    row["path"] = file.path;
    row["before"] = file.before ? Json(*file.before) : Json();
    row["after"] = file.after;
    out["files"].push_back(std::move(row));
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<UndoRecord> ReadUndoRecord(const std::string& path, std::string_view text) {
  const Json in = Json::parse(text, nullptr, false);
  const auto fail = [&path](std::string_view what) {
    return Fail(Fault::kInput,
                fmt::format("{}: {}: move it away; --undo then takes out only what it finds "
                            "without it",
                            path, what));
  };
  if (!in.is_object()) return fail("not the record of an install");
  if (NumberOf(in, "version") != kVersion) return fail("the record of another version");
  UndoRecord record{.session_file = TextOf(in, "session_file"),
                    .files = {},
                    .config_path = TextOf(in, "config_path"),
                    .new_runtime = TextOf(in, "new_runtime"),
                    .runtimes = TextsOf(in, "runtimes"),
                    .queue_bytes_before = NumberOf(in, "queue_bytes_before"),
                    .queue_bytes = NumberOf(in, "queue_bytes")};
  if (!in.contains("files") || !in["files"].is_array()) return fail("it names no files");
  for (const Json& row : in["files"]) {
    auto file = ReadFile(row);
    if (!file) return fail("one of its files makes no sense");
    record.files.push_back(std::move(*file));
  }
  return record;
}

Result<std::optional<std::string>> UndoneText(const UndoRecord& record, const RecordedFile& file,
                                              const std::optional<std::string>& now) {
  if (!now) return std::nullopt;
  std::optional<std::string> text = file.before;
  if (*now != file.after) {
    auto without = WithoutOurs(record, file, *now);
    if (!without) return std::unexpected(without.error());
    text = std::move(*without);
    const bool is_emptied = !file.before && IsBlank(*text) && !IsBlank(*now);
    if (is_emptied) text.reset();
  }
  if (!text && file.kind == SetupFile::kRunsc) return std::string(kLeftBehind);
  return text;
}

Result<std::optional<std::string>> TakenOut(const std::string& session_file, SetupFile kind,
                                            const std::string& path,
                                            const std::optional<std::string>& now) {
  if (!now || kind == SetupFile::kContainerd || kind == SetupFile::kOwn) return now;
  auto text = kind == SetupFile::kDocker
                  ? RemoveFromDockerConfig(path, *now, session_file, std::nullopt)
                  : RemoveFromRunscConfig(path, *now, session_file, std::nullopt);
  if (!text) return std::unexpected(text.error());
  return std::move(*text);
}

}  // namespace gyrfalcon
