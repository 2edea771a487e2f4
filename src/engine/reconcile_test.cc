#include "engine/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

// One sandbox, looked at again and again.
class ReconcilerTest : public ::testing::Test {
 protected:
  ReconcilePlan Look(Tracing tracing, std::optional<uint64_t> dropped = {}, bool was_ours = false) {
    UntracedSandbox untraced{.root = "/r", .sandbox_id = "s", .pid = 7, .ended_ns = {}};
    if (was_ours) untraced.ended_ns = 5;
    TracedSandbox sandbox;
    sandbox.id = "s";
    sandbox.call.root = "/r";
    sandbox.tracing = tracing;
    sandbox.dropped = dropped;
    if (tracing == Tracing::kOther) sandbox.endpoints = {"/run/falco.sock"};
    if (tracing == Tracing::kUnknown) sandbox.problem = "not seen from here";
    return reconciler_.Plan({untraced}, {sandbox});
  }
  // What is done about it; nullopt: it is left alone.
  std::optional<AttachReason> ReasonFor(Tracing tracing, std::optional<uint64_t> dropped = {},
                                        bool was_ours = false) {
    const ReconcilePlan plan = Look(tracing, dropped, was_ours);
    if (plan.attach.empty()) return std::nullopt;
    return plan.attach[0].reason;
  }

  Reconciler reconciler_{false};
};

TEST_F(ReconcilerTest, OneWithoutASessionIsAttached) {
  EXPECT_EQ(ReasonFor(Tracing::kNone), AttachReason::kUntraced);
  EXPECT_EQ(ReasonFor(Tracing::kNone, {}, true), AttachReason::kLost) << "somebody deleted ours";
}

TEST_F(ReconcilerTest, OneWhoseListenerIsGoneIsAttachedAgain) {
  EXPECT_EQ(ReasonFor(Tracing::kNobody, 12), AttachReason::kLost);
}

TEST_F(ReconcilerTest, OursIsLeftWithoutAWord) {
  const ReconcilePlan plan = Look(Tracing::kOurs, 12);
  EXPECT_TRUE(plan.attach.empty());
  EXPECT_TRUE(plan.left.empty());
}

TEST_F(ReconcilerTest, SomebodyElsesIsLeftAloneAndToldOnce) {
  const ReconcilePlan first = Look(Tracing::kOther, 3);
  EXPECT_TRUE(first.attach.empty());
  ASSERT_EQ(first.left.size(), 1u);
  EXPECT_THAT(first.left[0].reason, HasSubstr("/run/falco.sock"));
  EXPECT_THAT(first.left[0].reason, HasSubstr("--takeover-sessions"));
  EXPECT_TRUE(Look(Tracing::kOther, 3).left.empty());
}

TEST_F(ReconcilerTest, SomebodyElsesIsTakenWhereItsDropsRiseBetweenTwoLooks) {
  EXPECT_EQ(ReasonFor(Tracing::kOther, 900), std::nullopt) << "they may be of long ago";
  EXPECT_EQ(ReasonFor(Tracing::kOther, 900), std::nullopt);
  EXPECT_EQ(ReasonFor(Tracing::kOther, 4), std::nullopt) << "a new session";
  EXPECT_EQ(ReasonFor(Tracing::kOther, 5), AttachReason::kTakenOver);
}

TEST_F(ReconcilerTest, LooksThatAreNotInARowDoNotCount) {
  EXPECT_EQ(ReasonFor(Tracing::kOther, 1), std::nullopt);
  EXPECT_TRUE(reconciler_.Plan({}, {}).attach.empty());
  EXPECT_EQ(ReasonFor(Tracing::kOther, 9), std::nullopt);
}

TEST_F(ReconcilerTest, TakenAtOnceWhereThatIsAskedFor) {
  reconciler_ = Reconciler(true);
  EXPECT_EQ(ReasonFor(Tracing::kOther, 0), AttachReason::kTakenOver);
  EXPECT_EQ(ReasonFor(Tracing::kUnknown, 0), AttachReason::kTakenOver);
  EXPECT_EQ(ReasonFor(Tracing::kUnknown), std::nullopt) << "it did not answer";
}

TEST_F(ReconcilerTest, WhereNobodyCanBeSeenDropsThatRiseSayThatNobodyListens) {
  const ReconcilePlan first = Look(Tracing::kUnknown, 3, true);
  EXPECT_TRUE(first.attach.empty());
  ASSERT_EQ(first.left.size(), 1u);
  EXPECT_EQ(first.left[0].reason, "not seen from here");
  EXPECT_EQ(ReasonFor(Tracing::kUnknown, 4, true), AttachReason::kLost) << "it was ours";
  EXPECT_EQ(ReasonFor(Tracing::kUnknown, 5), AttachReason::kTakenOver);
}

TEST_F(ReconcilerTest, ATroubleIsNewsUntilItIsAnother) {
  EXPECT_TRUE(reconciler_.IsNews("/r", "s", "refused"));
  EXPECT_FALSE(reconciler_.IsNews("/r", "s", "refused"));
  EXPECT_TRUE(reconciler_.IsNews("/r", "s", "hangs"));
  EXPECT_TRUE(reconciler_.IsNews("/r", "t", "hangs"));
}

}  // namespace
}  // namespace gyrfalcon
