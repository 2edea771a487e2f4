#include "cli/setup_files.h"

#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/environment.h"
#include "cli/file.h"
#include "setup/json_text.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

Result<void> MakeFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return Fail(Fault::kEnvironment,
              fmt::format("cannot make the folder {}: {}", folder, error.message()));
}

}  // namespace

Result<std::optional<std::string>> ReadIfThere(const std::string& path, size_t bytes_max) {
  std::error_code error;
  const bool is_there = fs::exists(path, error);
  if (!is_there && !error) return std::nullopt;
  auto text = ReadWholeFile(path, bytes_max);
  if (!text) return std::unexpected(text.error());
  return std::move(*text);
}

NodeFiles::NodeFiles(std::string root) : root_(std::move(root)) {
  while (root_.ends_with('/')) root_.pop_back();
}

Result<std::optional<std::string>> NodeFiles::Read(const std::string& path) const {
  constexpr size_t kSessionBytesMax = size_t{4} << 20;  // the largest of them
  return ReadIfThere(Place(path), kSessionBytesMax);
}

Result<void> NodeFiles::Write(const PlannedFile& file) const {
  const std::string place = Place(file.path);
  const auto there = Read(file.path);
  if (!there) return std::unexpected(there.error());
  if (*there != file.now) {
    return Fail(Fault::kEnvironment,
                fmt::format("{} was changed meanwhile, and is left as it is: try again", place));
  }
  if (!file.wanted) {
    if (::unlink(place.c_str()) == 0 || errno == ENOENT) return {};
    return Fail(Fault::kEnvironment, fmt::format("cannot remove {}: {}", place, ErrnoText(errno)));
  }
  if (const auto made = MakeFolder(fs::path(place).parent_path()); !made) return made;
  return ReplaceFile(place, *file.wanted);
}

std::string NodeFiles::RecordFolder() const {
  std::string folder(is_copy() ? "" : Environment("STATE_DIRECTORY"));
  folder = folder.substr(0, folder.find(':'));  // systemd separates several by colons
  return (folder.empty() ? Place("/var/lib/gyrfalcon") : folder) + "/install";
}

std::string NodeFiles::RecordPath(const std::string& target) const {
  return RecordFolder() + "/" + target + ".json";
}

Result<std::optional<UndoRecord>> NodeFiles::ReadRecord(const std::string& target) const {
  const auto text = ReadIfThere(RecordPath(target), kUndoRecordBytesMax);
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  auto record = ReadUndoRecord(RecordPath(target), **text);
  if (!record) return std::unexpected(record.error());
  return std::move(*record);
}

Result<void> NodeFiles::KeepRecord(const std::string& target, const UndoRecord& record) const {
  if (const auto made = MakeFolder(RecordFolder()); !made) return made;
  return ReplaceFile(RecordPath(target), WriteUndoRecord(record));
}

Result<void> NodeFiles::DropRecord(const std::string& target) const {
  const std::string path = RecordPath(target);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return Fail(Fault::kEnvironment, fmt::format("cannot remove {}: {}", path, ErrnoText(errno)));
}

}  // namespace gyrfalcon
