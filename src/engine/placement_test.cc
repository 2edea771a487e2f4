#include "engine/placement.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

class PlacementTest : public ::testing::Test {
 protected:
  size_t WorkerOf(uint64_t connection) const {
    size_t found = 99;
    placement_.WithWorkerOf(connection, [&](size_t worker) { found = worker; });
    return found;
  }
  // What would be moved; nothing: an empty list.
  std::vector<uint64_t> Relieve(size_t worker, double share, std::vector<ConnectionLoad> loads) {
    std::vector<uint64_t> moved;
    placement_.Relieve(worker, share, loads, now_ns_,
                       [&](const PlacementMove& move) { moved = move.connections; });
    return moved;
  }

  using Connections = std::vector<uint64_t>;
  int64_t now_ns_ = 1000 * kSecond;
  Placement placement_{2};
};

TEST_F(PlacementTest, NewSandboxesGoToTheWorkerWithTheFewest) {
  EXPECT_EQ(placement_.Place(1, "a"), 0u);
  EXPECT_EQ(placement_.Place(2, ""), 1u);
  EXPECT_EQ(placement_.Place(3, ""), 0u);
  placement_.Leave(1);
  placement_.Leave(3);
  EXPECT_EQ(placement_.Place(4, "b"), 0u);
  EXPECT_EQ(WorkerOf(1), 99u) << "it has ended";
  EXPECT_EQ(WorkerOf(2), 1u);
}

TEST_F(PlacementTest, ConnectionsOfOneSandboxGoToOneWorker) {
  for (uint64_t connection = 1; connection <= 4; ++connection) {
    EXPECT_EQ(placement_.Place(connection, "a"), 0u);
  }
  EXPECT_EQ(placement_.Place(5, "b"), 1u);
}

TEST_F(PlacementTest, AnOverloadedWorkerGivesWhatLeavesBothWithTheLeast) {
  placement_.Place(1, "a");  // 0
  placement_.Place(2, "b");  // 1
  placement_.Place(3, "c");  // 0
  placement_.Place(4, "d");  // 1
  placement_.Place(5, "e");  // 0
  placement_.NoteBusy(1, 0.2);
  EXPECT_EQ(Relieve(0, 1.0, {{1, 600}, {3, 300}, {5, 100}}), Connections{3});
  EXPECT_EQ(WorkerOf(3), 1u);
  EXPECT_EQ(WorkerOf(1), 0u);
}

TEST_F(PlacementTest, AllConnectionsOfASandboxMoveTogether) {
  placement_.Place(1, "a");
  placement_.Place(2, "b");
  placement_.Place(3, "a");
  placement_.Place(4, "c");
  EXPECT_EQ(Relieve(0, 1.0, {{1, 50}, {3, 0}}), Connections{}) << "it is all that there is";
  ASSERT_EQ(placement_.Place(5, "d"), 0u);
  EXPECT_EQ(Relieve(0, 1.0, {{1, 50}, {3, 0}, {5, 50}}), (Connections{1, 3}));
  EXPECT_EQ(WorkerOf(3), 1u);
}

TEST_F(PlacementTest, NothingMovesThatWouldNotHelp) {
  placement_.Place(1, "a");
  placement_.Place(2, "b");
  placement_.Place(3, "c");
  EXPECT_EQ(Relieve(0, 0.8, {{1, 50}, {3, 50}}), Connections{}) << "it keeps up";
  placement_.NoteBusy(1, 0.95);
  EXPECT_EQ(Relieve(0, 1.0, {{1, 50}, {3, 50}}), Connections{}) << "the other has no room";
  placement_.NoteBusy(1, 0.0);
  EXPECT_EQ(Relieve(0, 1.0, {{1, 0}, {3, 0}}), Connections{}) << "it is nobody's load";
  EXPECT_EQ(Relieve(0, 1.0, {{1, 50}, {3, 50}}).size(), 1u);
}

TEST_F(PlacementTest, ASandboxIsNotPassedRound) {
  placement_.Place(1, "a");
  placement_.Place(2, "b");
  placement_.Place(3, "c");
  ASSERT_EQ(Relieve(0, 1.0, {{1, 60}, {3, 40}}), Connections{1});
  placement_.NoteBusy(0, 0.0);
  EXPECT_EQ(Relieve(1, 1.0, {{1, 60}}), Connections{});
  now_ns_ += Placement::kRestNs;
  placement_.NoteBusy(0, 0.0);
  EXPECT_EQ(Relieve(1, 1.0, {{1, 60}, {2, 40}}), Connections{1});
}

TEST_F(PlacementTest, ASandboxOfWhichAConnectionIsOnItsWayStays) {
  placement_.Place(1, "a");
  placement_.Place(2, "b");
  placement_.Place(3, "c");
  placement_.Place(4, "c");  // accepted, not yet taken up
  EXPECT_EQ(Relieve(0, 1.0, {{1, 1}, {3, 60}}), Connections{});
}

TEST_F(PlacementTest, NothingMovesAtAStop) {
  placement_.Place(1, "a");
  placement_.Place(2, "b");
  placement_.Place(3, "c");
  placement_.Freeze();
  EXPECT_EQ(Relieve(0, 1.0, {{1, 50}, {3, 50}}), Connections{});
}

TEST(PlacementThatRemembers, BringsASandboxBackToWhereItsStateIsKept) {
  Placement placement(2, int64_t{1} << 60);
  const size_t first = placement.Place(1, "sandbox");
  placement.Leave(1);
  EXPECT_NE(placement.Place(2, "another"), 1 - first);
  EXPECT_EQ(placement.Place(3, "sandbox"), first);
}

TEST(PlacementThatRemembers, ForgetsSandboxesWhoseTimeIsOver) {
  Placement placement(2, 1);
  for (uint64_t i = 0; i < 10'000; ++i) {
    placement.Place(i, "sandbox " + std::to_string(i));
    placement.Leave(i);
  }
  EXPECT_LE(placement.remembered(), 256u);
}

TEST(PlacementThatRemembers, KeepsThoseThatMayComeBackThoughTheyAreMany) {
  Placement placement(2, int64_t{1} << 60);
  for (uint64_t i = 0; i < 10'000; ++i) {
    placement.Place(i, "sandbox " + std::to_string(i));
    placement.Leave(i);
  }
  EXPECT_EQ(placement.remembered(), 10'000u);
}

}  // namespace
}  // namespace gyrfalcon
