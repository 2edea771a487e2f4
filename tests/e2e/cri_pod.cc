// Makes a pod with one container, which does not run, at a container runtime: for a test of what
// its CRI socket tells. usage: cri_pod SOCKET IMAGE; prints the ids of pod and container. cri_pod
// SOCKET stop POD ends it.
#include <cstdio>
#include <string>
#include <string_view>

#include "metadata/cri.h"

namespace {

using namespace gyrfalcon;

// A field that holds a text or a message.
std::string Entry(unsigned number, std::string_view name, std::string_view value) {
  return CriField(number, CriField(1, name) + CriField(2, value));
}

constexpr int kTimeoutMs = 60'000;

// The id that the answer has as its first field; "" where there is no answer.
std::string Call(const char* socket, std::string_view method, const std::string& message) {
  const auto answer = CallCri(socket, method, message, kTimeoutMs);
  if (!answer) {
    std::fprintf(stderr, "%s\n", answer.error().message.c_str());
    return "";
  }
  constexpr size_t kHead = 2;
  return answer->size() > kHead ? answer->substr(kHead) : "";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  if (argc == 4) {
    const std::string pod = CriField(1, argv[3]);
    const bool stopped = CallCri(argv[1], "StopPodSandbox", pod, kTimeoutMs).has_value() &&
                         CallCri(argv[1], "RemovePodSandbox", pod, kTimeoutMs).has_value();
    return stopped ? 0 : 1;
  }
  // LinuxPodSandboxConfig → security context → namespaces: the network is the node's, for which no
  // network plugin is needed.
  const std::string node_network{"\x08\x02", 2};
  const std::string linux_part = CriField(2, CriField(1, node_network));
  const std::string pod_config =
      CriField(1, CriField(1, "web-7d4") + CriField(2, "0b9c") + CriField(3, "shop")) +
      Entry(6, "app", "shop") + Entry(6, "tier", "front") + CriField(8, linux_part);
  const std::string pod = Call(argv[1], "RunPodSandbox", CriField(1, pod_config));
  if (pod.empty()) return 1;
  const std::string container_config =
      CriField(1, CriField(1, "web")) + CriField(2, CriField(1, argv[2])) +
      CriField(3, "/bin/sleep") + CriField(4, "60") + Entry(9, "team", "blue");
  const std::string container =
      Call(argv[1], "CreateContainer",
           CriField(1, pod) + CriField(2, container_config) + CriField(3, pod_config));
  if (container.empty()) return 1;
  std::printf("%s %s\n", pod.c_str(), container.c_str());
  return 0;
}
