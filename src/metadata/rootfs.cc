#include "metadata/rootfs.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

std::unexpected<Error> FailErrno(const std::string& path) {
  return Fail(Fault::kEnvironment, fmt::format("{}: {}", path, ErrnoText(errno)));
}

// Reads what `found` (opened with O_PATH, so without effect on what it is) refers to.
Result<std::string> ReadRegular(const UniqueFd& found, const std::string& path, size_t bytes_max) {
  struct stat status{};
  if (::fstat(found.get(), &status) != 0) return FailErrno(path);
  if (!S_ISREG(status.st_mode)) {
    return Fail(Fault::kInput, fmt::format("{}: not a regular file", path));
  }
  const std::string by_number = fmt::format("/proc/self/fd/{}", found.get());
  const UniqueFd file(::open(by_number.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return FailErrno(path);
  std::string text;
  constexpr size_t kPiece = 16 * 1024;
  while (text.size() <= bytes_max) {
    const size_t had = text.size();
    text.resize(had + kPiece);
    const ssize_t got = ::read(file.get(), text.data() + had, kPiece);
    text.resize(had + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return FailErrno(path);
  }
  return Fail(Fault::kInput, fmt::format("{}: larger than {} bytes", path, bytes_max));
}

// root.path of an OCI spec, absolute; nullopt where it has none.
std::optional<std::string> RootPath(const nlohmann::json& spec, const std::string& bundle) {
  if (!spec.is_object()) return std::nullopt;
  const auto root = spec.find("root");
  if (root == spec.end() || !root->is_object()) return std::nullopt;
  const auto path = root->find("path");
  if (path == root->end() || !path->is_string()) return std::nullopt;
  const auto& text = path->get_ref<const std::string&>();
  if (text.starts_with('/')) return text;
  if (text.empty() || !bundle.starts_with('/')) return std::nullopt;
  return bundle + "/" + text;
}

Result<std::string> RootFromBundle(const std::string& bundle) {
  const std::string path = bundle + "/config.json";
  const auto text = ReadHostFile(path, kContainerSpecBytesMax);
  if (!text) return std::unexpected(text.error());
  auto root = RootPathOfSpec(*text, bundle);
  if (!root) return Fail(Fault::kInput, path + ": no root.path");
  return *std::move(root);
}

// Both runscs that we know write {"id", "spec", "bundleDir", …}.
Result<std::string> RootFromState(const SandboxPlace& place, std::string_view container_id) {
  const std::string path = StateFilePath(place, container_id);
  const auto text = ReadHostFile(path, kContainerSpecBytesMax);
  if (!text) return std::unexpected(text.error());
  if (auto root = RootPathOfState(*text)) return *std::move(root);
  return Fail(Fault::kInput, path + ": no spec with a root.path");
}

}  // namespace

std::string StateFilePath(const SandboxPlace& place, std::string_view container_id) {
  return fmt::format("{}/{}_sandbox:{}.state", place.state_root, container_id, place.sandbox_id);
}

Result<std::string> ReadHostFile(const std::string& path, size_t bytes_max) {
  const UniqueFd found(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!found) return FailErrno(path);
  return ReadRegular(found, path, bytes_max);
}

std::optional<std::string> RootPathOfSpec(std::string_view json, const std::string& bundle) {
  return RootPath(nlohmann::json::parse(json, nullptr, false), bundle);
}

std::optional<std::string> RootPathOfState(std::string_view json) {
  const auto state = nlohmann::json::parse(json, nullptr, false);
  if (!state.is_object() || !state.contains("spec")) return std::nullopt;
  const auto bundle = state.find("bundleDir");
  const bool has_bundle = bundle != state.end() && bundle->is_string();
  return RootPath(state["spec"], has_bundle ? bundle->get<std::string>() : "");
}

bool IsContainerId(std::string_view id) {
  constexpr size_t kLengthMax = 200;  // with the rest of a state file's name below 255
  const auto is_ordinary = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '+' || c == '-' || c == '.';
  };
  return !id.empty() && id.size() <= kLengthMax && id != "." && id != ".." &&
         std::ranges::all_of(id, is_ordinary);
}

Result<std::string> FindRootFolder(const SandboxPlace& place, std::string_view container_id) {
  if (!place.known() || !IsContainerId(container_id) || !IsContainerId(place.sandbox_id)) {
    return Fail(Fault::kInput, "the sandbox's place on this host is not known");
  }
  if (container_id == place.sandbox_id && !place.bundle.empty()) {
    if (auto root = RootFromBundle(place.bundle)) return root;
  }
  return RootFromState(place, container_id);
}

Result<std::string> ReadBelowRoot(const std::string& root_folder, const std::string& path,
                                  size_t bytes_max) {
  const std::string shown = root_folder + "/" + path;
  const UniqueFd root(::open(root_folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return FailErrno(root_folder);
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const UniqueFd found(
      static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  if (!found) return FailErrno(shown);
  return ReadRegular(found, shown, bytes_max);
}

Result<std::shared_ptr<const UserTable>> LoadUserTable(const SandboxPlace& place,
                                                       std::string_view container_id) {
  const auto root = FindRootFolder(place, container_id);
  if (!root) return std::unexpected(root.error());
  const auto passwd = ReadBelowRoot(*root, "etc/passwd", kUserFileBytesMax);
  const auto group = ReadBelowRoot(*root, "etc/group", kUserFileBytesMax);
  if (!passwd && !group) return std::unexpected(passwd.error());
  return std::make_shared<const UserTable>(
      UserTable::Parse(passwd ? *passwd : std::string(), group ? *group : std::string()));
}

}  // namespace gyrfalcon
