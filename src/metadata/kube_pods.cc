#include "metadata/kube_pods.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "metadata/json_access.h"

namespace gyrfalcon {
namespace {

constexpr size_t kUidBytesMax = 128;
constexpr size_t kVersionBytesMax = 256;
constexpr size_t kProblemBytesMax = 500;

// For a query's value: what is not a letter, digit, "-", "." or "_" as %XX.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
    if (is_plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// A text of the server's that is sent back to it: whole, or not at all.
std::string Token(const Json* object, std::string_view name, size_t bytes_max) {
  const std::string_view text = TextAt(object, name);
  return text.size() <= bytes_max ? std::string(text) : std::string();
}

Pod PodOf(const Json* metadata) {
  return {.uid = Token(metadata, "uid", kUidBytesMax), .labels = LabelsAt(metadata, "labels")};
}

PodEvent ProblemOf(const Json* status) {
  const Json* code = Member(status, "code");
  const bool is_too_old =
      (code != nullptr && code->is_number_integer() && code->get<int64_t>() == kHttpGone) ||
      TextAt(status, "reason") == "Expired";
  const std::string_view message = TextAt(status, "message");
  return {.kind = is_too_old ? PodEventKind::kTooOld : PodEventKind::kProblem,
          .pod = {},
          .version = "",
          .problem = std::string(message.substr(0, kProblemBytesMax))};
}

struct NamedKind {
  std::string_view name;
  PodEventKind kind;
};
constexpr auto kKinds = std::to_array<NamedKind>({{"ADDED", PodEventKind::kChanged},
                                                  {"MODIFIED", PodEventKind::kChanged},
                                                  {"DELETED", PodEventKind::kGone},
                                                  {"BOOKMARK", PodEventKind::kMark},
                                                  {"ERROR", PodEventKind::kProblem}});

}  // namespace

// Pods that have ended run nothing, and a tenant may leave any number of them.
std::string PodWatchPath(std::string_view node, std::string_view version, int seconds) {
  const std::string selector =
      "spec.nodeName=" + std::string(node) + ",status.phase!=Succeeded,status.phase!=Failed";
  return fmt::format(
      "/api/v1/pods?fieldSelector={}&watch=1&allowWatchBookmarks=true&timeoutSeconds={}"
      "&resourceVersion={}",
      Escaped(selector), seconds, version.empty() ? "0" : Escaped(version));
}

Result<PodEvent> ReadPodEvent(std::string_view line) {
  const Json event = ParseJson(line);
  const auto* const kind = std::ranges::find(kKinds, TextAt(&event, "type"), &NamedKind::name);
  const Json* object = Member(&event, "object");
  if (kind == kKinds.end() || object == nullptr) {
    return Fail(Fault::kInput, "the answer is no change of a pod");
  }
  if (kind->kind == PodEventKind::kProblem) return ProblemOf(object);
  const Json* metadata = Member(object, "metadata");
  return PodEvent{.kind = kind->kind,
                  .pod = PodOf(metadata),
                  .version = Token(metadata, "resourceVersion", kVersionBytesMax),
                  .problem = ""};
}

std::string ReadApiProblem(std::string_view body) {
  const Json status = ParseJson(body);
  return std::string(TextAt(&status, "message").substr(0, kProblemBytesMax));
}

}  // namespace gyrfalcon
