#include "metadata/user_table.h"

#include <array>
#include <limits>
#include <optional>

#include "base/text.h"

namespace gyrfalcon {
namespace {

std::optional<uint32_t> ParseId(std::string_view text) {
  const auto number = ParseUint(text);
  // The largest stands for "no id" in system calls, so nobody has it.
  if (!number || *number >= std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(*number);
}

template <class Visitor>
void ForEachLine(std::string_view text, Visitor&& visit) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    visit(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

bool IsNoEntry(std::string_view line) {
  const std::string_view trimmed = TrimBlanks(line);
  return trimmed.empty() || trimmed.front() == '#';
}

// The first `N` fields of a line; false where it is too long, has fewer, or holds a NUL.
template <size_t N>
bool SplitLine(std::string_view line, std::array<std::string_view, N>& fields) {
  if (line.size() > kUserLineBytesMax || line.find('\0') != std::string_view::npos) return false;
  for (size_t i = 0; i < N; ++i) {
    const size_t colon = line.find(':');
    fields[i] = line.substr(0, colon);
    if (colon == std::string_view::npos) return i + 1 == N;
    line.remove_prefix(colon + 1);
  }
  return true;
}

}  // namespace

UserTable UserTable::Parse(std::string_view passwd, std::string_view group) {
  UserTable table;
  // name:password:uid:gid:comment:home:shell
  ForEachLine(passwd, [&table](std::string_view line) {
    if (IsNoEntry(line)) return;
    std::array<std::string_view, 7> fields;
    const bool whole = SplitLine(line, fields);
    const auto uid = whole ? ParseId(fields[2]) : std::nullopt;
    if (!uid || fields[0].empty() || table.users_.size() >= kUserEntriesMax) {
      ++table.skipped_lines_;
      return;
    }
    table.users_.try_emplace(*uid, UserEntry{.name = std::string(fields[0]),
                                             .home = std::string(fields[5]),
                                             .shell = std::string(fields[6])});
  });
  // name:password:gid:members
  ForEachLine(group, [&table](std::string_view line) {
    if (IsNoEntry(line)) return;
    std::array<std::string_view, 3> fields;
    const bool whole = SplitLine(line, fields);
    const auto gid = whole ? ParseId(fields[2]) : std::nullopt;
    if (!gid || fields[0].empty() || table.groups_.size() >= kUserEntriesMax) {
      ++table.skipped_lines_;
      return;
    }
    table.groups_.try_emplace(*gid, std::string(fields[0]));
  });
  return table;
}

const UserEntry* UserTable::FindUser(uint32_t uid) const {
  const auto found = users_.find(uid);
  return found == users_.end() ? nullptr : &found->second;
}

const std::string* UserTable::FindGroup(uint32_t gid) const {
  const auto found = groups_.find(gid);
  return found == groups_.end() ? nullptr : &found->second;
}

}  // namespace gyrfalcon
