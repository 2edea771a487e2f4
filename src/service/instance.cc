#include "service/instance.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

struct Instance {
  uint64_t number = 0;
  std::string name;
};

// 20 digits, a space and a newline beside the name.
constexpr size_t kFileBytesMax = kInstancesMax * (kInstanceNameBytesMax + 22);

std::string PathOf(const std::string& socket_path) {
  return Beside(socket_path, "instances");
}

std::unexpected<Error> Cannot(std::string what, const std::string& path) {
  return Fail(Fault::kEnvironment, std::move(what) + " " + path + ": " + ErrnoText(errno) +
                                       "; the folder of the socket must be ours to write");
}

Result<std::string> ReadAll(int fd, const std::string& path) {
  std::string text(kFileBytesMax, '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  if (got < 0) return Cannot("cannot read", path);
  text.resize(static_cast<size_t>(got));
  return text;
}

// What is no such line is left out.
std::vector<Instance> Parse(std::string_view text) {
  std::vector<Instance> instances;
  while (!text.empty() && instances.size() < kInstancesMax) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // written by halves
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    Instance instance;
    const auto [rest, error] =
        std::from_chars(line.data(), line.data() + line.size(), instance.number);
    const auto digits = static_cast<size_t>(rest - line.data());
    if (error != std::errc() || digits >= line.size() || line[digits] != ' ') continue;
    instance.name = line.substr(digits + 1);
    if (IsInstanceName(instance.name)) instances.push_back(std::move(instance));
  }
  return instances;
}

uint64_t NumberOf(const std::vector<Instance>& instances, std::string_view name) {
  const auto found = std::ranges::find(instances, name, &Instance::name);
  return found == instances.end() ? 0 : found->number;
}

Result<void> WriteAll(int fd, const std::string& path, const std::vector<Instance>& instances) {
  std::string text;
  for (const Instance& instance : instances) {
    text += std::to_string(instance.number) + " " + instance.name + "\n";
  }
  const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
  if (written != static_cast<ssize_t>(text.size()) || ::ftruncate(fd, written) != 0) {
    return Cannot("cannot write", path);
  }
  return {};
}

}  // namespace

bool IsInstanceName(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kInstanceNameBytesMax &&
         std::ranges::all_of(name, is_allowed);
}

Result<uint64_t> NumberInstance(const std::string& socket_path, const std::string& name) {
  const std::string path = PathOf(socket_path);
  ::mkdir(FolderOf(path).c_str(), 0700);  // what is wrong with it, open tells
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::flock(fd.get(), LOCK_EX) != 0) return Cannot("cannot open", path);
  const auto text = ReadAll(fd.get(), path);
  if (!text) return std::unexpected(text.error());
  std::vector<Instance> instances = Parse(*text);
  if (const uint64_t number = NumberOf(instances, name); number != 0) return number;
  uint64_t number = static_cast<uint64_t>(std::max<time_t>(1, std::time(nullptr)));
  for (const Instance& instance : instances) number = std::max(number, instance.number + 1);
  if (instances.size() == kInstancesMax) {
    instances.erase(std::ranges::min_element(instances, {}, &Instance::number));
  }
  instances.push_back({.number = number, .name = name});
  if (const auto written = WriteAll(fd.get(), path, instances); !written) {
    return std::unexpected(written.error());
  }
  return number;
}

Result<uint64_t> FindInstance(const std::string& socket_path, const std::string& name) {
  const std::string path = PathOf(socket_path);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return 0;
  if (!fd || ::flock(fd.get(), LOCK_SH) != 0) return Cannot("cannot open", path);
  const auto text = ReadAll(fd.get(), path);
  if (!text) return std::unexpected(text.error());
  return NumberOf(Parse(*text), name);
}

}  // namespace gyrfalcon
