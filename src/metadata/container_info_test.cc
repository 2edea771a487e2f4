#include "metadata/container_info.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(ImageNames, AreTakenApart) {
  const struct {
    std::string_view name, repository, tag, digest;
  } kCases[] = {
      {"busybox", "busybox", "latest", ""},
      {"nginx:1.25", "nginx", "1.25", ""},
      {"docker.io/library/nginx:1.25", "docker.io/library/nginx", "1.25", ""},
      {"registry:5000/team/app", "registry:5000/team/app", "latest", ""},
      {"registry:5000/team/app:2", "registry:5000/team/app", "2", ""},
      {"app@sha256:abc", "app", "", "sha256:abc"},
      {"registry:5000/app:2@sha256:abc", "registry:5000/app", "2", "sha256:abc"},
      {"sha256:0123456789abcdef", "", "", ""},
      {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", "", ""},
      {"", "", "", ""},
  };
  for (const auto& c : kCases) {
    const ImageName name = SplitImageName(c.name);
    EXPECT_EQ(name.repository, c.repository) << c.name;
    EXPECT_EQ(name.tag, c.tag) << c.name;
    EXPECT_EQ(name.digest, c.digest) << c.name;
  }
}

TEST(ImageNames, OfAnIdAreTheId) {
  ContainerInfo info;
  info.SetImage("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
  EXPECT_EQ(info.image_id, "0123456789ab");
  info.SetImageId("not an id");
  EXPECT_EQ(info.image_id, "0123456789ab");
}

TEST(LabelLists, AreSortedBoundedAndTheLaterOneCounts) {
  Labels labels;
  AddLabel(labels, "b", "1");
  AddLabel(labels, "a", "2");
  AddLabel(labels, "b", "3");
  AddLabel(labels, "", "no name");
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0].first, "a");
  EXPECT_EQ(*FindLabel(labels, "b"), "3");
  EXPECT_EQ(FindLabel(labels, "c"), nullptr);
  for (size_t i = 0; i < 2 * kInfoLabelsMax; ++i) AddLabel(labels, "n" + std::to_string(i), "v");
  EXPECT_EQ(labels.size(), kInfoLabelsMax);
  Labels large;
  for (int i = 0; i < 100; ++i) {
    AddLabel(large, "n" + std::to_string(i), std::string(2 * kInfoTextBytesMax, 'x'));
  }
  EXPECT_EQ(large.front().second.size(), kInfoTextBytesMax);
  EXPECT_LE(large.size() * kInfoTextBytesMax, kInfoLabelBytesMax);
}

}  // namespace
}  // namespace gyrfalcon
