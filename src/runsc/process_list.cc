#include "runsc/process_list.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace gyrfalcon {
namespace {

using nlohmann::json;

constexpr std::string_view kHeading = "PROCFS DUMP";

// Reads members of JSON objects; remembers whether any was not what it has to be.
class Reader {
 public:
  bool failed() const { return failed_; }
  void Require(bool holds) { failed_ = failed_ || !holds; }

  // The member, nullptr where it is not there or not of this type.
  const json* Find(const json& object, const char* key, json::value_t type) {
    const auto found = object.find(key);
    if (found == object.end()) return nullptr;
    const bool fits = found->type() == type;
    Require(fits);
    return fits ? &*found : nullptr;
  }
  const json* Object(const json& object, const char* key) {
    return Find(object, key, json::value_t::object);
  }
  std::string Text(const json& object, const char* key) {
    const json* found = Find(object, key, json::value_t::string);
    return found == nullptr ? std::string() : found->get<std::string>();
  }
  std::vector<std::string> Texts(const json& object, const char* key) {
    std::vector<std::string> out;
    const json* found = Find(object, key, json::value_t::array);
    if (found == nullptr) return out;
    for (const json& item : *found) {
      Require(item.is_string());
      if (failed_) break;
      out.push_back(item.get<std::string>());
    }
    return out;
  }
  // `absent` where it is not there. What does not fit the type is as wrong as a text.
  template <class Number>
  Number NumberOr(const json& object, const char* key, Number absent) {
    const auto found = object.find(key);
    if (found == object.end()) return absent;
    if (found->is_number_unsigned()) {
      const auto value = found->get<uint64_t>();
      Require(std::in_range<Number>(value));
      return static_cast<Number>(value);
    }
    Require(found->is_number_integer());
    if (failed_) return absent;
    const auto value = found->get<int64_t>();
    Require(std::in_range<Number>(value));
    return static_cast<Number>(value);
  }

 private:
  bool failed_ = false;
};

std::optional<Credentials> ReadCredentials(Reader& reader, const json& status) {
  const json* uid = reader.Object(status, "uid");
  const json* gid = reader.Object(status, "gid");
  if (uid == nullptr || gid == nullptr) return std::nullopt;
  return Credentials{.real_uid = reader.NumberOr(*uid, "real", uint32_t{0}),
                     .effective_uid = reader.NumberOr(*uid, "effective", uint32_t{0}),
                     .saved_uid = reader.NumberOr(*uid, "saved", uint32_t{0}),
                     .real_gid = reader.NumberOr(*gid, "real", uint32_t{0}),
                     .effective_gid = reader.NumberOr(*gid, "effective", uint32_t{0}),
                     .saved_gid = reader.NumberOr(*gid, "saved", uint32_t{0})};
}

int64_t ReadFdLimit(Reader& reader, const json& entry) {
  const json* limits = reader.Object(entry, "limits");
  const json* files = limits == nullptr ? nullptr : reader.Object(*limits, "RLIMIT_NOFILE");
  if (files == nullptr) return -1;
  // RLIM_INFINITY is all ones.
  const auto current = reader.NumberOr(*files, "cur", uint64_t{0});
  return static_cast<int64_t>(
      std::min(current, static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
}

std::vector<ProcessSnapshot::Fd> ReadFds(Reader& reader, const json& entry) {
  std::vector<ProcessSnapshot::Fd> out;
  const json* fds = reader.Find(entry, "fdlist", json::value_t::array);
  if (fds == nullptr) return out;
  for (const json& fd : *fds) {
    reader.Require(fd.is_object());
    if (reader.failed()) break;
    out.push_back({.number = reader.NumberOr(fd, "number", int32_t{0}),
                   .mode = reader.NumberOr(fd, "mode", uint32_t{0}),
                   .path = reader.Text(fd, "path")});
  }
  return out;
}

ProcessSnapshot ReadEntry(Reader& reader, const json& entry) {
  ProcessSnapshot process;
  const json* status = reader.Object(entry, "status");
  reader.Require(status != nullptr && status->contains("comm"));
  if (status == nullptr) return process;
  process.tgid = reader.NumberOr(*status, "pid", int32_t{0});
  process.parent_tgid = reader.NumberOr(*status, "ppid", int32_t{0});
  process.start_time_ns = reader.NumberOr(entry, "clone_ts", int64_t{0});
  reader.Require(process.tgid > 0 && process.parent_tgid >= 0 && process.start_time_ns > 0);
  process.name = reader.Text(*status, "comm");
  process.exe_path = reader.Text(entry, "exe");
  process.argv = reader.Texts(entry, "args");
  process.env = reader.Texts(entry, "env");
  process.cwd = reader.Text(entry, "cwd");
  process.credentials = ReadCredentials(reader, *status);
  if (const json* stat = reader.Object(entry, "stat"); stat != nullptr) {
    process.group_id = reader.NumberOr(*stat, "pgid", int32_t{0});
    process.session_id = reader.NumberOr(*stat, "sid", int32_t{0});
  }
  process.fd_limit = ReadFdLimit(reader, entry);
  process.fds = ReadFds(reader, entry);
  return process;
}

// Not kept: the largest part, and of no use here.
bool IsWanted(int depth, json::parse_event_t event, const json& parsed) {
  if (depth != 1 || event != json::parse_event_t::key || !parsed.is_string()) return true;
  const auto& key = parsed.get_ref<const std::string&>();
  return key != "maps" && key != "cgroup";
}

size_t SizeOf(const std::string& text) {
  return sizeof(text) + text.size();
}

size_t SizeOf(const ProcessSnapshot& process) {
  size_t sum = sizeof(process) + SizeOf(process.exe_path) + SizeOf(process.cwd);
  for (const std::string& argument : process.argv) sum += SizeOf(argument);
  for (const std::string& variable : process.env) sum += SizeOf(variable);
  for (const ProcessSnapshot::Fd& fd : process.fds) sum += SizeOf(fd.path);
  return sum;
}

void Trim(std::string& text) {
  if (text.size() > kTrimmedTextBytesMax) text.resize(kTrimmedTextBytesMax);
  text.shrink_to_fit();
}

void Trim(ProcessSnapshot& process) {
  process.env = {};
  if (process.argv.size() > kTrimmedArgumentsMax) process.argv.resize(kTrimmedArgumentsMax);
  size_t left = kTrimmedTextBytesMax;
  for (std::string& argument : process.argv) {
    argument.resize(std::min(argument.size(), left));
    argument.shrink_to_fit();
    left -= argument.size();
  }
  process.argv.shrink_to_fit();
  std::erase_if(process.fds, [](const auto& fd) { return fd.number < 0 || fd.number > 2; });
  if (process.fds.size() > 3) process.fds.resize(3);
  process.fds.shrink_to_fit();
  for (ProcessSnapshot::Fd& fd : process.fds) Trim(fd.path);
  for (std::string* text : {&process.name, &process.exe_path, &process.cwd}) Trim(*text);
}

// Whether the line may be of a wanted process, without a look at all of it. In a JSON text the
// characters looked for are a key: inside of a string the quotes would be escaped.
bool MayBeWanted(std::string_view line, const WantedProcesses& wanted) {
  constexpr std::string_view kKey = "\"pid\":";
  bool any = false;
  for (size_t at = line.find(kKey); at != std::string_view::npos; at = line.find(kKey, at)) {
    at += kKey.size();
    int32_t pid = 0;
    const auto parsed = std::from_chars(line.data() + at, line.data() + line.size(), pid);
    if (parsed.ec != std::errc() || wanted.tgids.contains(pid)) return true;
    any = true;
  }
  return !any;
}

}  // namespace

Result<ProcessSnapshot> ParseProcess(std::string_view text) {
  const json entry = json::parse(text, IsWanted, false);
  if (!entry.is_object()) {
    return Fail(Fault::kEnvironment, "No JSON object: cannot parse procfs entry");
  }
  Reader reader;
  ProcessSnapshot process = ReadEntry(reader, entry);
  if (reader.failed()) {
    // Falco's words.
    return Fail(Fault::kEnvironment, "Missing json field or wrong type: cannot parse procfs entry");
  }
  return process;
}

void ProcessListReader::Feed(std::string_view piece) {
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (!skipping_ && line_.size() + part.size() > kProcessLineBytesMax) {
      skipping_ = true;
      line_.clear();
      ++list_.malformed;
    }
    if (!skipping_) line_ += part;
    if (end == std::string_view::npos) return;
    piece.remove_prefix(end + 1);
    if (!std::exchange(skipping_, false)) TakeLine(line_);
    line_.clear();
  }
}

void ProcessListReader::TakeLine(std::string_view line) {
  if (!std::exchange(begun_, true)) {
    no_dump_ = !line.starts_with(kHeading);
    return;
  }
  if (line.empty() || no_dump_) return;
  if (!wanted_.all && !MayBeWanted(line, wanted_)) return;
  auto process = ParseProcess(line);
  if (process) {
    Keep(std::move(*process));
  } else {
    ++list_.malformed;
  }
}

void ProcessListReader::Keep(ProcessSnapshot process) {
  const bool waited_for = wanted_.tgids.contains(process.tgid);
  if (!waited_for && !wanted_.all) return;
  const bool full = list_.processes.size() >= kProcessEntriesMax + wanted_.tgids.size();
  if (full || (!waited_for && others_ == kProcessEntriesMax)) {
    list_.cut = true;
    return;
  }
  others_ += waited_for ? 0 : 1;
  size_t size = SizeOf(process);
  if (size > kProcessListBytesMax - std::min(bytes_, kProcessListBytesMax)) {
    Trim(process);
    ++list_.trimmed;
    size = SizeOf(process);
  }
  bytes_ += size;
  list_.processes.push_back(std::move(process));
}

Result<ProcessList> ProcessListReader::Finish() {
  if (!skipping_ && !line_.empty()) TakeLine(line_);
  if (!begun_ || no_dump_) {
    return Fail(Fault::kEnvironment, "`runsc trace procfs` printed no dump");
  }
  return std::move(list_);
}

Result<ProcessList> ParseProcessList(std::string_view text, WantedProcesses wanted) {
  ProcessListReader reader(std::move(wanted));
  reader.Feed(text);
  return reader.Finish();
}

Result<ProcessList> ListProcesses(const RunscCall& call, const std::string& sandbox_id,
                                  WantedProcesses wanted) {
  // An id may come from a command line; one that looks like a flag is none.
  if (sandbox_id.starts_with('-')) return Fail(Fault::kInput, "no sandbox's id: " + sandbox_id);
  ProcessListReader reader(std::move(wanted));
  const auto ran = RunChild({call.program, "--root=" + call.root, "trace", "procfs", sandbox_id},
                            call.limits, [&](std::string_view piece) { reader.Feed(piece); });
  auto list = reader.Finish();
  if (ran) return list;
  if (!list || list->processes.empty()) return std::unexpected(ran.error());
  list->ended_early = ran.error();
  return list;
}

}  // namespace gyrfalcon
