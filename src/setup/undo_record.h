// What an `install` has changed, kept so that it can be undone: the files as they were and as it
// left them. Texts in, texts out; the command keeps the record on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

enum class SetupFile : uint8_t {
  kDocker,      // daemon.json
  kContainerd,  // config.toml
  kRunsc,       // the TOML of runsc's shim
  kOwn,         // ours alone: a unit, a sysctl setting
};

struct RecordedFile {
  SetupFile kind = SetupFile::kOwn;
  std::string path;
  std::optional<std::string> before;  // nullopt: it was not there
  std::string after;
};

struct UndoRecord {
  std::string session_file;
  std::vector<RecordedFile> files;
  // containerd: the ConfigPath that was set where there was none, and the runtime that was added.
  std::string config_path;
  std::string new_runtime;
  // That are gVisor's though nothing of them says so (--runtime).
  std::vector<std::string> runtimes;
  uint64_t queue_bytes_before = 0;  // net.core.wmem_default; 0: not touched
  uint64_t queue_bytes = 0;
};

inline constexpr size_t kUndoRecordBytesMax = size_t{32} << 20;

std::string WriteUndoRecord(const UndoRecord& record);
// Errors (kInput) name the file, and say that only what can be found without it is undone.
Result<UndoRecord> ReadUndoRecord(const std::string& path, std::string_view text);

// What the file is to be when it is undone; `now`, and the answer: nullopt is no file. As it was
// where it is as we left it. Else what is ours goes from it, and the rest stays; a file of ours
// that somebody has changed stays. runsc's TOML that we made stays too, as a comment: containerd
// may name it until it is restarted, and starts no sandbox without it.
Result<std::optional<std::string>> UndoneText(const UndoRecord& record, const RecordedFile& file,
                                              const std::optional<std::string>& now);

// The same without a record: only the session config goes from Docker's and runsc's files.
Result<std::optional<std::string>> TakenOut(const std::string& session_file, SetupFile kind,
                                            const std::string& path,
                                            const std::optional<std::string>& now);

}  // namespace gyrfalcon
