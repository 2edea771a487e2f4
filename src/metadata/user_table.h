// Names of users and groups, as a container's own /etc/passwd and /etc/group have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

namespace gyrfalcon {

// A file beyond this is not read at all; lines beyond theirs are skipped, and of entries beyond
// theirs the later ones are left out. Real ones are far below: Debian's have about 20 lines.
inline constexpr size_t kUserFileBytesMax = 1024 * 1024;
inline constexpr size_t kUserLineBytesMax = 1024;
inline constexpr size_t kUserEntriesMax = 16 * 1024;

struct UserEntry {
  std::string name;  // never empty
  std::string home;  // "": the file does not tell
  std::string shell;
};

// Immutable once made, so any number of threads may read it. The texts come from the container's
// image: any bytes but NUL, newline and colon.
class UserTable {
 public:
  // From the texts of the two files; either may be empty, being out of reach. Never fails: a line
  // that is no entry is skipped and counted, and of two entries of one id the first counts, as in
  // the C library.
  static UserTable Parse(std::string_view passwd, std::string_view group);

  // nullptr where there is no such entry.
  const UserEntry* FindUser(uint32_t uid) const;
  const std::string* FindGroup(uint32_t gid) const;

  size_t user_count() const { return users_.size(); }
  size_t group_count() const { return groups_.size(); }
  // Lines that are neither an entry, nor blank, nor a comment; too long; or one entry too many.
  size_t skipped_lines() const { return skipped_lines_; }

 private:
  absl::flat_hash_map<uint32_t, UserEntry> users_;
  absl::flat_hash_map<uint32_t, std::string> groups_;
  size_t skipped_lines_ = 0;
};

}  // namespace gyrfalcon
