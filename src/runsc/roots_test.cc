#include "runsc/roots.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RootsTest : public ::testing::Test {
 protected:
  std::string Make(const std::string& folder) {
    std::filesystem::create_directories(run_ / folder);
    return run_ / folder;
  }

  const TestFolder run_;
};

TEST_F(RootsTest, ThoseOfRunscDockerAndContainerdThatAreThere) {
  EXPECT_THAT(UsualRoots(run_.path()), IsEmpty());
  Make("docker/containerd");
  Make("docker/runtime-other");  // of an engine that has started nothing
  const std::string moby = Make("docker/runtime-runc/moby");
  const std::string named = Make("docker/runtime-runsc/moby");
  const std::string gke = Make("containerd/runsc");
  const std::string k8s = Make("containerd/runsc/k8s.io");
  const std::string other = Make("containerd/runsc/default");
  const std::string own = Make("runsc");
  std::ofstream(run_ / "containerd/runsc/config.toml") << "x";
  EXPECT_THAT(UsualRoots(run_.path()), ElementsAre(gke, other, k8s, moby, named, own));
}

TEST_F(RootsTest, ThoseOfADockerThatKeepsItsStateElsewhere) {
  EXPECT_THAT(DockerRoots(run_ / "exec"), IsEmpty());
  Make("exec/containerd");
  Make("exec/runtime-other");
  const std::string moby = Make("exec/runtime-runc/moby");
  EXPECT_THAT(DockerRoots(run_ / "exec"), ElementsAre(moby));
}

TEST_F(RootsTest, OneWithoutAnyStateFileIsOfNoUse) {
  const std::string root = Make("docker/runtime-runc/moby");
  EXPECT_FALSE(KeepsState(root));
  Make("docker/runtime-runc/moby/c0ffee");  // runc's
  EXPECT_FALSE(KeepsState(root));
  std::ofstream(std::filesystem::path(root) / "c_sandbox:c.state") << "{}";
  EXPECT_TRUE(KeepsState(root));
  EXPECT_FALSE(KeepsState(root + "/no/such"));
}

}  // namespace
}  // namespace gyrfalcon
