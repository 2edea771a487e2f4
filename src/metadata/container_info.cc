#include "metadata/container_info.h"

#include <algorithm>

namespace gyrfalcon {
namespace {

constexpr size_t kDigestLength = 64;
constexpr std::string_view kSha256 = "sha256:";

bool IsHex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsImageId(std::string_view name) {
  if (name.starts_with(kSha256)) return true;
  return name.size() == kDigestLength && IsHex(name);
}

}  // namespace

std::string InfoText(std::string_view text) {
  return std::string(text.substr(0, kInfoTextBytesMax));
}

ImageName SplitImageName(std::string_view name) {
  ImageName out;
  if (name.empty() || IsImageId(name)) return out;
  if (const size_t at = name.find('@'); at != std::string_view::npos) {
    out.digest = name.substr(at + 1);
    name = name.substr(0, at);
  }
  // A colon before the last slash is a registry's port.
  const size_t colon = name.rfind(':');
  const size_t slash = name.rfind('/');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    out.tag = name.substr(colon + 1);
    name = name.substr(0, colon);
  }
  out.repository = name;
  if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
  return out;
}

void AddLabel(Labels& labels, std::string_view name, std::string_view value) {
  const auto at = std::ranges::lower_bound(labels, name, {}, &Labels::value_type::first);
  if (at != labels.end() && at->first == name) {
    at->second = InfoText(value);
    return;
  }
  size_t bytes = name.size() + std::min(value.size(), kInfoTextBytesMax);
  for (const auto& [known, text] : labels) bytes += known.size() + text.size();
  const bool fits = labels.size() < kInfoLabelsMax && bytes <= kInfoLabelBytesMax;
  if (fits && !name.empty()) labels.emplace(at, name, InfoText(value));
}

const std::string* FindLabel(const Labels& labels, std::string_view name) {
  const auto at = std::ranges::lower_bound(labels, name, {}, &Labels::value_type::first);
  return at != labels.end() && at->first == name ? &at->second : nullptr;
}

void ContainerInfo::SetImage(std::string_view text) {
  image = InfoText(text);
  image_name = SplitImageName(image);
  if (image_name.repository.empty()) SetImageId(image);
}

void ContainerInfo::SetImageId(std::string_view id) {
  constexpr size_t kShown = 12;
  if (id.starts_with(kSha256)) id.remove_prefix(kSha256.size());
  if (id.size() < kShown || !IsHex(id)) return;
  image_id = id.substr(0, kShown);
}

void ContainerInfo::TakeKubernetesNames(const Labels& from) {
  const auto take = [&from](std::string& into, std::string_view label) {
    const std::string* found = FindLabel(from, label);
    if (found != nullptr && into.empty()) into = *found;
  };
  take(pod_name, "io.kubernetes.pod.name");
  take(pod_namespace, "io.kubernetes.pod.namespace");
  take(pod_uid, "io.kubernetes.pod.uid");
  take(pod_sandbox_id, "io.kubernetes.sandbox.id");
}

}  // namespace gyrfalcon
