// The files of a node that `install` changes, and what it keeps to undo that, on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "setup/undo_record.h"

namespace gyrfalcon {

// nullopt where there is none. Errors (kEnvironment) for one that can't be read.
Result<std::optional<std::string>> ReadIfThere(const std::string& path, size_t bytes_max);

// What becomes of a file.
struct PlannedFile {
  SetupFile kind = SetupFile::kOwn;
  std::string path;  // as the node sees it; below `--root` it lies in that folder
  std::optional<std::string> now;
  std::optional<std::string> wanted;  // nullopt: it goes

  bool changes() const { return now != wanted; }
};

// The node's own tree, or a copy of it in a folder (`--root`).
class NodeFiles {
 public:
  explicit NodeFiles(std::string root = "");

  bool is_copy() const { return !root_.empty(); }
  std::string Place(const std::string& path) const { return root_ + path; }
  Result<std::optional<std::string>> Read(const std::string& path) const;
  // Whole or not at all; its folder is made where it is missing. Fails where it is not `now` any
  // more.
  Result<void> Write(const PlannedFile& file) const;

  // `target`: "docker", "containerd", "systemd". nullopt: nothing was installed.
  Result<std::optional<UndoRecord>> ReadRecord(const std::string& target) const;
  Result<void> KeepRecord(const std::string& target, const UndoRecord& record) const;
  Result<void> DropRecord(const std::string& target) const;

  // $STATE_DIRECTORY/install, else /var/lib/gyrfalcon/install.
  std::string RecordFolder() const;

 private:
  std::string RecordPath(const std::string& target) const;

  std::string root_;  // without a slash at its end
};

}  // namespace gyrfalcon
