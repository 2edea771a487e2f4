#include "metadata/cri.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

std::string Number(int number, char value) {
  return {static_cast<char>(number << 3), value};
}
std::string Entry(unsigned number, std::string_view name, std::string_view value) {
  return CriField(number, CriField(1, name) + CriField(2, value));
}

TEST(Cri, AContainerIsFoundByItsId) {
  const std::string other = CriField(1, CriField(1, "c0") + CriField(2, "s0"));
  const std::string own =
      CriField(1, CriField(1, "c1") + CriField(2, "s1") + CriField(3, CriField(1, "web")) +
                      CriField(4, CriField(1, "docker.io/library/nginx:1.25")) +
                      CriField(5, "docker.io/library/nginx@sha256:abc") + Number(6, 1) +
                      Entry(8, "app", "shop"));
  const auto found = ReadCriContainers(other + own, "c1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->pod_sandbox_id, "s1");
  EXPECT_EQ(found->name, "web");
  EXPECT_EQ(found->image, "docker.io/library/nginx:1.25");
  EXPECT_EQ(found->image_ref, "docker.io/library/nginx@sha256:abc");
  EXPECT_EQ(*FindLabel(found->labels, "app"), "shop");
  EXPECT_FALSE(ReadCriContainers(other + own, "c"));
  EXPECT_FALSE(ReadCriContainers(other + own.substr(0, own.size() - 1), "c1"));
}

TEST(Cri, APodHasItsLabelsAddressAndNamespaces) {
  const std::string status =
      CriField(1, "s1") +
      CriField(2, CriField(1, "web-7d4") + CriField(2, "0b9c") + CriField(3, "shop")) +
      CriField(5, CriField(1, "10.1.2.3")) +
      CriField(6, CriField(1, CriField(2, Number(1, 2) + Number(2, 1) + Number(3, 0)))) +
      Entry(7, "app", "shop");
  const auto pod = ReadCriPod(
      CriField(1, status) +
      Entry(2, "info", R"({"cniResult": {"Interfaces": {"lo": {}, "eth0": {"Mac": "x"}}}})"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->id, "s1");
  EXPECT_EQ(pod->name, "web-7d4");
  EXPECT_EQ(pod->uid, "0b9c");
  EXPECT_EQ(pod->pod_namespace, "shop");
  EXPECT_EQ(pod->ip, "10.1.2.3");
  EXPECT_EQ(pod->host_network, true);
  EXPECT_EQ(pod->host_pid, false);
  EXPECT_EQ(pod->host_ipc, false);
  EXPECT_EQ(pod->cni_json, R"({"eth0":{"Mac":"x"}})");
  EXPECT_EQ(*FindLabel(pod->labels, "app"), "shop");
}

TEST(Cri, WhatIsNoMessageIsNone) {
  EXPECT_FALSE(ReadCriPod(""));
  EXPECT_FALSE(ReadCriPod("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_FALSE(ReadCriPod(CriField(1, "\x0a\x7f")));
  EXPECT_FALSE(ReadCriContainers("", "c1"));
}

TEST(Cri, ARuntimeThatIsNotThereIsTheEnvironments) {
  ContainerInfo info;
  const auto asked = AddCri("/nowhere/containerd.sock", "c1", 1'000, info);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().fault, Fault::kEnvironment);
}

}  // namespace
}  // namespace gyrfalcon
