#include "metadata/oci_spec.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContainerdSpec = R"({
  "ociVersion": "1.0.2",
  "process": {"capabilities": {"bounding": ["CAP_CHOWN"]}},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/data", "type": "bind", "source": "/srv/data", "options": ["rbind", "ro", "rslave"]}],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc", "path": "/proc/1/ns/ipc"}],
            "maskedPaths": ["/proc/kcore"]},
  "annotations": {
    "io.kubernetes.cri.container-name": "web",
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.25",
    "io.kubernetes.cri.sandbox-id": "pod1",
    "io.kubernetes.cri.sandbox-name": "web-7d4",
    "io.kubernetes.cri.sandbox-namespace": "shop",
    "io.kubernetes.cri.sandbox-uid": "0b9c"}})";

TEST(OciSpec, TellsPodContainerAndImageOfContainerd) {
  const auto spec = InfoOfSpec(kContainerdSpec, "c1");
  ASSERT_TRUE(spec);
  const ContainerInfo& info = spec->info;
  EXPECT_EQ(info.type, "containerd");
  EXPECT_EQ(info.name, "web");
  EXPECT_EQ(info.image, "docker.io/library/nginx:1.25");
  EXPECT_EQ(info.image_name.repository, "docker.io/library/nginx");
  EXPECT_EQ(info.image_name.tag, "1.25");
  EXPECT_EQ(info.pod_name, "web-7d4");
  EXPECT_EQ(info.pod_namespace, "shop");
  EXPECT_EQ(info.pod_uid, "0b9c");
  EXPECT_EQ(info.pod_sandbox_id, "pod1");
  EXPECT_FALSE(info.is_pod_sandbox);
  EXPECT_EQ(info.privileged, false);
  EXPECT_EQ(info.host_pid, false);
  EXPECT_EQ(info.host_ipc, false) << "its pod's";
  EXPECT_EQ(info.host_network, true);
  ASSERT_EQ(info.mounts->size(), 1u);
  EXPECT_EQ(info.mounts->front().source, "/srv/data");
  EXPECT_EQ(info.mounts->front().destination, "/data");
  EXPECT_FALSE(info.mounts->front().writable);
  EXPECT_EQ(info.mounts->front().propagation, "rslave");
  EXPECT_EQ(spec->docker_folder, "");
}

TEST(OciSpec, TellsThePodOfItsOwnContainer) {
  const auto spec = InfoOfSpec(R"({"annotations": {"io.kubernetes.cri.container-type": "sandbox",
      "io.kubernetes.cri.sandbox-name": "p"}})",
                               "pod1");
  ASSERT_TRUE(spec);
  EXPECT_TRUE(spec->info.is_pod_sandbox);
  EXPECT_EQ(spec->info.pod_sandbox_id, "pod1");
  EXPECT_EQ(spec->info.pod_name, "p");
}

TEST(OciSpec, TellsTheSameOfCriO) {
  const auto spec = InfoOfSpec(R"({"annotations": {
      "io.kubernetes.container.name": "web", "io.kubernetes.cri-o.ContainerType": "container",
      "io.kubernetes.cri-o.ImageName": "quay.io/a/b:3", "io.kubernetes.cri-o.SandboxID": "pod1",
      "io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n", "io.kubernetes.pod.uid": "u",
      "io.kubernetes.cri-o.Labels": "{\"app\": \"shop\", \"n\": 1}"}})",
                               "c1");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->info.type, "cri-o");
  EXPECT_EQ(spec->info.name, "web");
  EXPECT_EQ(spec->info.image_name.repository, "quay.io/a/b");
  EXPECT_EQ(spec->info.pod_name, "p");
  EXPECT_EQ(spec->info.pod_namespace, "n");
  EXPECT_EQ(spec->info.pod_uid, "u");
  ASSERT_EQ(spec->info.labels.size(), 1u);
  EXPECT_EQ(*FindLabel(spec->info.labels, "app"), "shop");
}

// podman copies the image's annotations, which are for whoever makes the image to choose.
TEST(OciSpec, BelievesNoAnnotationsThatPodmanCopies) {
  const auto spec = InfoOfSpec(R"({"annotations": {"io.container.manager": "libpod",
      "io.kubernetes.cri.image-name": "registry.k8s.io/pause:3.9",
      "io.kubernetes.cri.container-type": "sandbox",
      "io.kubernetes.pod.namespace": "kube-system"}})",
                               "c1");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->info.type, "podman");
  EXPECT_EQ(spec->info.image, "");
  EXPECT_EQ(spec->info.pod_namespace, "");
  EXPECT_FALSE(spec->info.is_pod_sandbox);
}

TEST(OciSpec, ShowsWhereDockerKeepsTheContainer) {
  constexpr const char* kSpec = R"({"mounts": [
    {"destination": "/etc/hosts", "type": "bind", "source": "/data/containers/c1/hosts"}]})";
  EXPECT_EQ(InfoOfSpec(kSpec, "c1")->docker_folder, "/data/containers/c1");
  EXPECT_EQ(InfoOfSpec(kSpec, "c2")->docker_folder, "") << "another's";
}

TEST(OciSpec, APrivilegedContainerHasAllCapabilitiesAndNothingMasked) {
  const auto spec = InfoOfSpec(R"({"process": {"capabilities": {"bounding":
      ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO"]}}})",
                               "c1");
  EXPECT_EQ(spec->info.privileged, true);
}

TEST(OciSpec, OtherTextsAreNoSpec) {
  EXPECT_FALSE(InfoOfSpec("", "c"));
  EXPECT_FALSE(InfoOfSpec("[1]", "c"));
  EXPECT_FALSE(InfoOfState("{}", "c"));
  EXPECT_FALSE(InfoOfState(R"({"spec": 7})", "c"));
  EXPECT_TRUE(
      InfoOfSpec(R"({"annotations": 1, "mounts": {"a": 1}, "linux": [], "process": 2})", "c"));
}

class SpecFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gyrfalcon-spec.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = name;
    place_ = {.state_root = base_, .sandbox_id = "pod1", .bundle = ""};
  }
  void TearDown() override { fs::remove_all(base_); }

  std::string base_;
  SandboxPlace place_;
};

TEST_F(SpecFiles, AreTheBundleOrTheStateFile) {
  EXPECT_FALSE(ReadSpecInfo(place_, "pod1"));
  std::ofstream(base_ + "/c1_sandbox:pod1.state")
      << R"({"id": "c1", "spec": )" << kContainerdSpec << "}";
  EXPECT_EQ(ReadSpecInfo(place_, "c1")->info.name, "web");
  fs::create_directories(base_ + "/bundle");
  std::ofstream(base_ + "/bundle/config.json") << kContainerdSpec;
  place_.bundle = base_ + "/bundle";
  EXPECT_EQ(ReadSpecInfo(place_, "pod1")->info.pod_name, "web-7d4");
}

TEST_F(SpecFiles, AreNeverNamedAfterWhatIsNoId) {
  fs::create_directories(base_ + "/x");
  std::ofstream(base_ + "/x/c_sandbox:pod1.state") << R"({"spec": {}})";
  const std::string long_id(300, 'a');
  for (const std::string& id :
       {std::string("x/c"), std::string("../x/c"), std::string(), std::string("."), long_id}) {
    EXPECT_FALSE(ReadSpecInfo(place_, id)) << id;
  }
}

TEST_F(SpecFiles, AreNotWaitedForAndNotReadBeyondTheirSize) {
  ASSERT_EQ(::mkfifo((base_ + "/c1_sandbox:pod1.state").c_str(), 0600), 0);
  EXPECT_FALSE(ReadSpecInfo(place_, "c1"));
  std::ofstream(base_ + "/c2_sandbox:pod1.state")
      << R"({"spec": {}, "x": ")" << std::string(kContainerSpecBytesMax, ' ') << "\"}";
  EXPECT_FALSE(ReadSpecInfo(place_, "c2"));
}

}  // namespace
}  // namespace gyrfalcon
