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
constexpr size_t kNextBytesMax = 4096;
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

std::string PathOfNode(std::string_view node) {
  return "/api/v1/pods?fieldSelector=" + Escaped("spec.nodeName=" + std::string(node));
}

// A text of the server's that is sent back to it: whole, or not at all.
std::string Token(const Json* object, std::string_view name, size_t bytes_max) {
  const std::string_view text = TextAt(object, name);
  return text.size() <= bytes_max ? std::string(text) : std::string();
}

Pod PodOf(const Json* metadata) {
  return {.uid = Token(metadata, "uid", kUidBytesMax), .labels = LabelsAt(metadata, "labels")};
}

constexpr long kHttpGone = 410;

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

std::string PodListPath(std::string_view node, std::string_view next) {
  std::string path = fmt::format("{}&limit={}", PathOfNode(node), kPodsOfPage);
  if (!next.empty()) path += "&continue=" + Escaped(next);
  return path;
}

std::string PodWatchPath(std::string_view node, std::string_view version, int seconds) {
  return fmt::format("{}&watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
                     PathOfNode(node), seconds, Escaped(version));
}

Result<PodPage> ReadPodPage(std::string_view json) {
  const Json page = ParseJson(json);
  const Json* items = Member(&page, "items");
  const Json* metadata = Member(&page, "metadata");
  PodPage out;
  out.version = Token(metadata, "resourceVersion", kVersionBytesMax);
  out.next = Token(metadata, "continue", kNextBytesMax);
  // A list without items has null there.
  const bool is_list = items != nullptr && (items->is_array() || items->is_null());
  if (!is_list || out.version.empty()) {
    return Fail(Fault::kInput, "the answer is no list of pods: " + ReadApiProblem(json));
  }
  for (const Json& item : *items) {
    if (Pod pod = PodOf(Member(&item, "metadata")); !pod.uid.empty()) {
      out.pods.push_back(std::move(pod));
    }
  }
  return out;
}

Result<PodEvent> ReadPodEvent(std::string_view line) {
  const Json event = ParseJson(line);
  const auto* const kind = std::ranges::find(kKinds, TextAt(&event, "type"), &NamedKind::name);
  const Json* object = Member(&event, "object");
  if (kind == kKinds.end() || object == nullptr) {
    return Fail(Fault::kInput, "the answer is no change of a pod: " + ReadApiProblem(line));
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
  const std::string_view message = TextAt(&status, "message");
  return std::string((message.empty() ? body : message).substr(0, kProblemBytesMax));
}

}  // namespace gyrfalcon
