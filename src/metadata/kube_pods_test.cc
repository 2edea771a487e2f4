#include "metadata/kube_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(KubePodsTest, EachKindOfChangeIsKnown) {
  const auto read = [](const std::string& kind) {
    return ReadPodEvent(R"({"type": ")" + kind +
                        R"(", "object": {"metadata": {"uid": "u1", "resourceVersion": "82",
                        "labels": {"owner": "alice"}}}})");
  };
  EXPECT_EQ(read("ADDED")->kind, PodEventKind::kChanged);
  EXPECT_EQ(read("DELETED")->kind, PodEventKind::kGone);
  EXPECT_EQ(read("BOOKMARK")->kind, PodEventKind::kMark);
  const auto changed = read("MODIFIED");
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->kind, PodEventKind::kChanged);
  EXPECT_EQ(changed->version, "82");
  EXPECT_EQ(changed->pod.uid, "u1");
  EXPECT_THAT(changed->pod.labels, ElementsAre(Pair("owner", "alice")));
  EXPECT_FALSE(read("RENAMED"));
  EXPECT_FALSE(ReadPodEvent("{"));
  EXPECT_FALSE(ReadPodEvent(R"({"type": "ADDED"})"));
}

TEST(KubePodsTest, AVersionThatIsTooOldIsNoOtherProblem) {
  const auto expired = ReadPodEvent(
      R"({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})");
  EXPECT_EQ(expired->kind, PodEventKind::kTooOld);
  const auto other = ReadPodEvent(
      R"({"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd is away"}})");
  EXPECT_EQ(other->kind, PodEventKind::kProblem);
  EXPECT_EQ(other->problem, "etcd is away");
}

TEST(KubePodsTest, WhatIsAskedForIsEscaped) {
  EXPECT_EQ(PodWatchPath("a&b", "82", 300),
            "/api/v1/pods?fieldSelector=spec.nodeName%3Da%26b%2Cstatus.phase%21%3DSucceeded%2C"
            "status.phase%21%3DFailed&watch=1&allowWatchBookmarks=true&timeoutSeconds=300"
            "&resourceVersion=82");
  EXPECT_TRUE(PodWatchPath("n", "", 300).ends_with("&resourceVersion=0")) << "all that there are";
}

TEST(KubePodsTest, OnlyAMessageOfTheServersIsShown) {
  EXPECT_EQ(ReadApiProblem(R"({"kind": "Status", "message": "try later"})"), "try later");
  EXPECT_EQ(ReadApiProblem(R"({"metadata": {"annotations": {"a": "secret"}}})"), "");
  EXPECT_EQ(ReadApiProblem("<html>"), "");
  const auto unknown =
      ReadPodEvent(R"({"type": "RENAMED", "object": {"metadata": {"name": "secret"}}})");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, Not(HasSubstr("secret")));
}

TEST(KubePodsTest, LabelsAreBounded) {
  std::string labels;
  for (size_t i = 0; i < kInfoLabelsMax + 10; ++i) {
    labels += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\": \"x\"";
  }
  const auto event = ReadPodEvent(R"({"type": "ADDED", "object": {"metadata": {"uid": "u1",
                                  "labels": {)" +
                                  labels + "}}}}");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->pod.labels.size(), kInfoLabelsMax);
}

}  // namespace
}  // namespace gyrfalcon
