#include "runsc/sandbox_list.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace gyrfalcon {
namespace {

using nlohmann::json;

std::string TextAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t NumberAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

// How containerd and CRI-O tell runsc that a container goes into another one's sandbox; runsc asks
// them in this order.
constexpr struct {
  const char* type;
  const char* sandbox;
} kPodAnnotations[] = {
    {"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
    {"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
};

// "" for one that is a sandbox of its own: that is every one without such a type.
std::string SandboxOf(const json& annotations) {
  for (const auto& names : kPodAnnotations) {
    const std::string type = TextAt(annotations, names.type);
    if (type == "container") return TextAt(annotations, names.sandbox);
    if (!type.empty()) return {};
  }
  return {};
}

ListedContainer ReadContainer(const json& object) {
  ListedContainer container{.id = TextAt(object, "id"),
                            .sandbox_id = {},
                            .running = TextAt(object, "status") == "running",
                            .stopped = TextAt(object, "status") == "stopped",
                            .pid = NumberAt(object, "pid"),
                            .bundle = TextAt(object, "bundle")};
  const auto annotations = object.find("annotations");
  if (annotations != object.end() && annotations->is_object()) {
    container.sandbox_id = SandboxOf(*annotations);
  }
  if (container.sandbox_id.empty()) container.sandbox_id = container.id;
  return container;
}

}  // namespace

Result<std::vector<ListedContainer>> ParseSandboxList(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  std::vector<ListedContainer> containers;
  if (parsed.is_null()) return containers;
  if (!parsed.is_array()) {
    return Fail(Fault::kEnvironment, "`runsc list -format json` printed no JSON list");
  }
  for (const json& entry : parsed) {
    if (containers.size() == kListedContainersMax) break;
    if (!entry.is_object()) continue;
    ListedContainer container = ReadContainer(entry);
    if (!container.id.empty()) containers.push_back(std::move(container));
  }
  return containers;
}

Result<std::vector<std::string>> ListContainerIds(const RunscCall& call) {
  const auto output =
      RunChild({call.program, "--root=" + call.root, "list", "-quiet"}, call.limits);
  if (!output) return std::unexpected(output.error());
  std::vector<std::string> ids;
  for (const std::string_view line : Split(*output, '\n')) {
    const std::string_view id = TrimBlanks(line);
    if (ids.size() == kListedContainersMax) break;
    if (!id.empty() && !id.starts_with('-')) ids.emplace_back(id);
  }
  return ids;
}

Result<ListedContainer> ReadContainerState(const RunscCall& call, const std::string& id) {
  const auto output = RunChild({call.program, "--root=" + call.root, "state", id}, call.limits);
  if (!output) return std::unexpected(output.error());
  const json parsed = json::parse(*output, nullptr, false);
  if (!parsed.is_object() || TextAt(parsed, "id") != id) {
    return Fail(Fault::kEnvironment, "`runsc state " + id + "` printed no state of it");
  }
  return ReadContainer(parsed);
}

Result<std::vector<ListedContainer>> ListSandboxes(const RunscCall& call) {
  const auto output =
      RunChild({call.program, "--root=" + call.root, "list", "-format", "json"}, call.limits);
  if (!output) return std::unexpected(output.error());
  return ParseSandboxList(*output);
}

}  // namespace gyrfalcon
