// What container.* and k8s.* show of what the host knows of a container.
#include <string>

#include <gtest/gtest.h>

#include "fields/field.h"
#include "metadata/container_info.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

class ContainerFieldValues : public ::testing::Test {
 protected:
  ContainerFieldValues() { happening_.container = container_.get(); }

  // As an output shows it: "<NA>" for a missing value.
  std::string Show(std::string_view field, std::optional<std::string_view> bracket = {}) {
    const auto bound = AllFields().Bind(field, bracket);
    if (!bound) return bound.error();
    const Value value = bound->ExtractPrinted(happening_, scratch_);
    if (value.missing()) return "<NA>";
    std::string out;
    AppendPrinted(value, bound->print, out);
    return out;
  }
  void Know(ContainerInfo info) {
    container_->info = std::make_shared<const ContainerInfo>(std::move(info));
  }

  Arena arena_;
  Ref<Container> container_{arena_.New<Container>("c1")};
  Happening happening_{.type = EventType{}, .path = {}, .path_raw = {}};
  Scratch scratch_;
};

ContainerInfo Whole() {
  ContainerInfo info;
  info.name = "web";
  info.type = "containerd";
  info.SetImage("registry:5000/shop/web:1.2@sha256:abc");
  info.SetImageId("sha256:0123456789abcdef0123");
  info.privileged = true;
  info.host_pid = false;
  info.mounts = {{.source = "/srv/data",
                  .destination = "/data",
                  .mode = "ro",
                  .writable = false,
                  .propagation = "rslave"},
                 {.source = "/run/docker.sock",
                  .destination = "/var/run/docker.sock",
                  .mode = "",
                  .writable = true,
                  .propagation = "rprivate"}};
  info.ip = info.pod_ip = "10.1.2.3";
  AddLabel(info.labels, "team", "shop");
  AddLabel(info.labels, "app", "web");
  AddLabel(info.labels, "io.kubernetes.container.name", "web");
  info.pod_name = "web-7d4";
  info.pod_namespace = "shop";
  info.pod_uid = "0b9c";
  info.pod_sandbox_id = std::string(64, 'a');
  AddLabel(info.pod_labels, "tier", "front");
  return info;
}

TEST_F(ContainerFieldValues, AreThoseOfTheContainer) {
  Know(Whole());
  EXPECT_EQ(Show("container.id"), "c1");
  EXPECT_EQ(Show("container.name"), "web");
  EXPECT_EQ(Show("container.type"), "containerd");
  EXPECT_EQ(Show("container.image"), "registry:5000/shop/web:1.2@sha256:abc");
  EXPECT_EQ(Show("container.image.id"), "0123456789ab");
  EXPECT_EQ(Show("container.image.repository"), "registry:5000/shop/web");
  EXPECT_EQ(Show("container.image.tag"), "1.2");
  EXPECT_EQ(Show("container.image.digest"), "sha256:abc");
  EXPECT_EQ(Show("container.privileged"), "true");
  EXPECT_EQ(Show("container.host_pid"), "false");
  EXPECT_EQ(Show("container.host_network"), "<NA>") << "not known";
  EXPECT_EQ(Show("container.ip"), "10.1.2.3");
  EXPECT_EQ(Show("k8s.pod.name"), "web-7d4");
  EXPECT_EQ(Show("k8s.ns.name"), "shop");
  EXPECT_EQ(Show("k8s.pod.uid"), "0b9c");
  EXPECT_EQ(Show("k8s.pod.id"), "0b9c");
  EXPECT_EQ(Show("k8s.pod.sandbox_id"), "aaaaaaaaaaaa");
  EXPECT_EQ(Show("k8s.pod.full_sandbox_id"), std::string(64, 'a'));
  EXPECT_EQ(Show("k8s.pod.ip"), "10.1.2.3");
}

TEST_F(ContainerFieldValues, MountsAreFoundByNumberAndPattern) {
  Know(Whole());
  EXPECT_EQ(Show("container.mounts"),
            "/srv/data:/data:ro:false:rslave,/run/docker.sock:/var/run/docker.sock::true:rprivate");
  EXPECT_EQ(Show("container.mount", "0"), "/srv/data:/data:ro:false:rslave");
  EXPECT_EQ(Show("container.mount", "2"), "<NA>");
  EXPECT_EQ(Show("container.mount", "/srv/*"), "/srv/data:/data:ro:false:rslave");
  EXPECT_EQ(Show("container.mount.dest", "/run/docker.sock"), "/var/run/docker.sock");
  EXPECT_EQ(Show("container.mount.dest", "/nowhere"), "<NA>");
  EXPECT_EQ(Show("container.mount.source", "/data"), "/srv/data");
  EXPECT_EQ(Show("container.mount.mode", "/srv/data"), "ro");
  EXPECT_EQ(Show("container.mount.rdwr", "/srv/data"), "false");
  EXPECT_EQ(Show("container.mount.propagation", "1"), "rprivate");
}

TEST_F(ContainerFieldValues, LabelsAreOneOrAllButTheEnginesOwn) {
  Know(Whole());
  EXPECT_EQ(Show("container.labels"), "app:web, team:shop");
  EXPECT_EQ(Show("container.label", "team"), "shop");
  EXPECT_EQ(Show("container.label.io.kubernetes.container.name"), "web");
  EXPECT_EQ(Show("container.label", "other"), "<NA>");
  EXPECT_EQ(Show("k8s.pod.labels"), "tier:front");
  EXPECT_EQ(Show("k8s.pod.label.tier"), "front");
}

TEST_F(ContainerFieldValues, AreMissingWhereNothingIsKnown) {
  for (const char* field : {"container.name", "container.privileged", "container.mounts",
                            "container.labels", "k8s.pod.name", "k8s.pod.sandbox_id"}) {
    EXPECT_EQ(Show(field), "<NA>") << field;
  }
  Know({});
  for (const char* field : {"container.name", "container.privileged", "container.mounts",
                            "container.labels", "k8s.pod.name", "k8s.pod.sandbox_id"}) {
    EXPECT_EQ(Show(field), "<NA>") << field;
  }
  happening_.container = nullptr;
  EXPECT_EQ(Show("container.image"), "<NA>");
}

}  // namespace
}  // namespace gyrfalcon
