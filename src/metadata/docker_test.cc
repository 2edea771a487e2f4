#include "metadata/docker.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "base/unix_socket.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = R"({"ID": "c1", "Name": "/web", "Image": "sha256:0123456789abcdef",
  "Config": {"Image": "nginx:1.25", "Labels": {"team": "shop"}},
  "MountPoints": {"/data": {"Source": "/srv", "Destination": "/data", "RW": false, "Mode": "ro",
                            "Propagation": "rprivate"}},
  "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}}})";
constexpr const char* kHost =
    R"({"Privileged": true, "PidMode": "host", "NetworkMode": "bridge", "IpcMode": "private"})";
constexpr const char* kList = R"([{"Id": "c0", "Names": ["/other"], "Image": "other"},
  {"Id": "c1", "Names": ["/web"], "Image": "nginx:1.25", "ImageID": "sha256:0123456789abcdef",
   "Labels": {"team": "shop"}, "HostConfig": {"NetworkMode": "host"},
   "NetworkSettings": {"Networks": {"bridge": {"IPAddress": ""}}},
   "Mounts": [{"Source": "/srv", "Destination": "/data", "Mode": "", "RW": true,
               "Propagation": "rprivate"}]}])";

TEST(Docker, TellsByTheFilesOfAContainer) {
  const auto info = InfoOfDockerConfig(kConfig, kHost, "c1");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->type, "docker");
  EXPECT_EQ(info->name, "web");
  EXPECT_EQ(info->image, "nginx:1.25");
  EXPECT_EQ(info->image_name.repository, "nginx");
  EXPECT_EQ(info->image_name.tag, "1.25");
  EXPECT_EQ(info->image_id, "0123456789ab");
  EXPECT_EQ(info->ip, "172.17.0.2");
  EXPECT_EQ(*FindLabel(info->labels, "team"), "shop");
  EXPECT_EQ(info->privileged, true);
  EXPECT_EQ(info->host_pid, true);
  EXPECT_EQ(info->host_network, false);
  ASSERT_EQ(info->mounts->size(), 1u);
  EXPECT_EQ(info->mounts->front().mode, "ro");
  EXPECT_FALSE(info->mounts->front().writable);
}

TEST(Docker, TellsByItsList) {
  const auto info = InfoOfDockerList(kList, "c1");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->name, "web");
  EXPECT_EQ(info->image_name.repository, "nginx");
  EXPECT_EQ(info->image_id, "0123456789ab");
  EXPECT_EQ(info->host_network, true);
  EXPECT_EQ(info->privileged, std::nullopt);
  EXPECT_TRUE(info->mounts->front().writable);
}

TEST(Docker, AnotherContainersAnswerIsNone) {
  EXPECT_FALSE(InfoOfDockerConfig(kConfig, kHost, "c2"));
  EXPECT_FALSE(InfoOfDockerConfig("{", kHost, "c1"));
  EXPECT_FALSE(InfoOfDockerConfig("[]", "", ""));
  EXPECT_FALSE(InfoOfDockerList(kList, "c2"));
  EXPECT_FALSE(InfoOfDockerList(R"({"message": "no"})", "c1"));
}

TEST(Docker, KubernetesLabelsArePodAndContainer) {
  const auto info = InfoOfDockerConfig(R"({"ID": "c1", "Name": "/k8s_web_web-7d4_shop_0b9c_0",
    "Config": {"Image": "nginx", "Labels": {"io.kubernetes.container.name": "web",
      "io.kubernetes.pod.name": "web-7d4", "io.kubernetes.pod.namespace": "shop",
      "io.kubernetes.pod.uid": "0b9c", "io.kubernetes.sandbox.id": "s1",
      "io.kubernetes.docker.type": "container"}}})",
                                       "", "c1");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->name, "web");
  EXPECT_EQ(info->pod_name, "web-7d4");
  EXPECT_EQ(info->pod_namespace, "shop");
  EXPECT_EQ(info->pod_uid, "0b9c");
  EXPECT_EQ(info->pod_sandbox_id, "s1");
}

// Whoever makes an image writes its labels.
TEST(Docker, KubernetesLabelsOfAnImageAreLabels) {
  for (const char* name : {"/mine", "/k8s_web_web-7d4_shop_0b9c_0", "/k8s_"}) {
    const auto info = InfoOfDockerConfig(std::string(R"({"ID": "c1", "Name": ")") + name +
                                             R"(", "Config": {"Image": "nginx", "Labels": {
      "io.kubernetes.container.name": "kube-apiserver", "io.kubernetes.pod.name": "web-7d4",
      "io.kubernetes.pod.namespace": "kube-system", "io.kubernetes.pod.uid": "0b9c",
      "io.kubernetes.docker.type": "podsandbox"}}})",
                                         "", "c1");
    ASSERT_TRUE(info);
    EXPECT_EQ("/" + info->name, name);
    EXPECT_EQ(info->pod_name, "");
    EXPECT_EQ(info->pod_namespace, "");
    EXPECT_FALSE(info->is_pod_sandbox);
    EXPECT_EQ(*FindLabel(info->labels, "io.kubernetes.pod.namespace"), "kube-system");
  }
}

TEST(Docker, WhatItDoesNotSayStaysAsTheSpecTells) {
  ContainerInfo info;
  info.privileged = true;
  info.host_network = false;
  AddDocker(*InfoOfDockerList(kList, "c1"), info);
  EXPECT_EQ(info.privileged, true);
  EXPECT_EQ(info.host_network, true);
  EXPECT_EQ(info.name, "web");
}

// A socket that answers each client with what it is given, or never.
class AnsweringSocket {
 public:
  explicit AnsweringSocket(std::string answer) : answer_(std::move(answer)) {
    std::string name = (fs::temp_directory_path() / "gyrfalcon-docker.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    const sockaddr_un address = UnixAddress(path()).value();
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), Generic(address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~AnsweringSocket() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    fs::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/s"; }
  std::string asked() const { return asked_; }

 private:
  void Serve() {
    for (;;) {
      const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client) return;
      char request[4096];
      const ssize_t got = ::recv(client.get(), request, sizeof request, 0);
      asked_.assign(request, static_cast<size_t>(std::max<ssize_t>(got, 0)));
      if (answer_.empty()) {
        while (::recv(client.get(), request, sizeof request, 0) > 0) {
        }
        continue;
      }
      const std::string whole =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(answer_.size()) + "\r\n\r\n" +
          answer_;
      for (size_t sent = 0; sent < whole.size();) {
        const ssize_t put =
            ::send(client.get(), whole.data() + sent, whole.size() - sent, MSG_NOSIGNAL);
        if (put <= 0) break;
        sent += static_cast<size_t>(put);
      }
    }
  }

  const std::string answer_;
  std::string folder_;
  std::string asked_;
  UniqueFd listener_;
  std::thread thread_;
};

constexpr int kTimeoutMs = 10'000;

TEST(DockerDaemon, IsAskedForItsListAndNotForOneContainer) {
  AnsweringSocket daemon(kList);
  const auto info = AskDocker(daemon.path(), "c1", kTimeoutMs);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->name, "web");
  EXPECT_TRUE(daemon.asked().starts_with(
      "GET /containers/json?all=1&filters=%7B%22id%22%3A%5B%22c1%22%5D%7D HTTP/1.1\r\n"))
      << daemon.asked();
}

TEST(DockerDaemon, ThatHangsIsNotWaitedForLongerThanAsked) {
  AnsweringSocket daemon("");
  const auto info = AskDocker(daemon.path(), "c1", 100);
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().fault, Fault::kEnvironment);
}

TEST(DockerDaemon, WhoseAnswerIsTooLargeIsNotReadToItsEnd) {
  AnsweringSocket daemon(std::string(kDockerAnswerBytesMax + 1, ' '));
  const auto info = AskDocker(daemon.path(), "c1", kTimeoutMs);
  ASSERT_FALSE(info);
  EXPECT_NE(info.error().message.find("larger than"), std::string::npos) << info.error().message;
}

TEST(DockerDaemon, ThatIsNotThereIsAnError) {
  EXPECT_FALSE(AskDocker("/nowhere/docker.sock", "c1", kTimeoutMs));
  EXPECT_FALSE(AskDocker("/nowhere/docker.sock", "../c1", kTimeoutMs));
}

TEST(DockerFolder, IsReadAndItsIdIsHeldAgainstTheContainers) {
  std::string folder = (fs::temp_directory_path() / "gyrfalcon-docker.XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  EXPECT_FALSE(ReadDockerFolder(folder, "c1"));
  std::ofstream(folder + "/config.v2.json") << kConfig;
  EXPECT_EQ(ReadDockerFolder(folder, "c1")->privileged, std::nullopt);
  std::ofstream(folder + "/hostconfig.json") << kHost;
  EXPECT_EQ(ReadDockerFolder(folder, "c1")->privileged, true);
  EXPECT_FALSE(ReadDockerFolder(folder, "c2"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace gyrfalcon
