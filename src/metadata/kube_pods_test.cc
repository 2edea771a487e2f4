#include "metadata/kube_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(KubePodsTest, AListIsReadPageByPage) {
  const auto page = ReadPodPage(R"({"kind": "PartialObjectMetadataList",
    "metadata": {"resourceVersion": "81", "continue": "eyJ2"},
    "items": [{"metadata": {"uid": "u1", "name": "web", "labels": {"app": "shop", "tier": "front"}}},
              {"metadata": {"uid": "u2", "name": "bare"}},
              {"metadata": {"name": "without a uid"}}]})");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->version, "81");
  EXPECT_EQ(page->next, "eyJ2");
  ASSERT_EQ(page->pods.size(), 2u);
  EXPECT_EQ(page->pods[0].uid, "u1");
  EXPECT_THAT(page->pods[0].labels, ElementsAre(Pair("app", "shop"), Pair("tier", "front")));
  EXPECT_TRUE(page->pods[1].labels.empty());
}

TEST(KubePodsTest, ANodeWithoutPodsIsNoError) {
  const auto page = ReadPodPage(R"({"metadata": {"resourceVersion": "7"}, "items": null})");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(page->pods.empty());
  EXPECT_EQ(page->next, "");
}

TEST(KubePodsTest, WhatIsNoListSaysWhatTheServerSaid) {
  for (const char* text :
       {R"({"kind": "Status", "message": "try later"})", "", "[]", R"({"items": []})",
        R"({"items": {}, "metadata": {"resourceVersion": "1"}})"}) {
    EXPECT_FALSE(ReadPodPage(text)) << text;
  }
  const auto page = ReadPodPage(R"({"kind": "Status", "message": "try later"})");
  EXPECT_THAT(page.error().message, HasSubstr("try later"));
}

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
  EXPECT_EQ(PodListPath("node-1", ""),
            "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1&limit=100");
  EXPECT_THAT(PodListPath("node-1", "a+b/c="), HasSubstr("&continue=a%2Bb%2Fc%3D"));
  EXPECT_EQ(PodWatchPath("a&b", "82", 300),
            "/api/v1/pods?fieldSelector=spec.nodeName%3Da%26b&watch=1&allowWatchBookmarks=true"
            "&timeoutSeconds=300&resourceVersion=82");
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
