// What the dispatcher promises of delivery: channels that fail or hang, stores that can't be
// written, and starts after an end that nobody expected.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alerts/test_alert.h"
#include "base/test_folder.h"
#include "channels/dispatcher.h"
#include "store/spool_reader.h"
#include "store/sqlite.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;

// What a receiver has got, and how it behaves; outlives its channels.
class Receiver {
 public:
  struct Item {
    std::string boot_id;
    uint64_t sequence;
    std::string message;
    std::string rule;
  };
  enum class Mood : uint8_t { kTakes, kFails, kHangs, kRefuses };

  void Be(Mood mood) {
    const std::scoped_lock lock(mutex_);
    mood_ = mood;
    changed_.notify_all();
  }
  void Refuse(std::string message) { refused_message_ = std::move(message); }
  Delivery Take(std::span<const OutgoingAlert> batch, const std::atomic<bool>& given_up) {
    std::unique_lock lock(mutex_);
    ++calls_;
    while (mood_ == Mood::kHangs && !given_up) changed_.wait_for(lock, 20ms);
    Delivery delivery;
    if (mood_ == Mood::kRefuses) {
      return {
          .done = batch.size(), .refused = batch.size(), .problem = {}, .refusal = "receiver: 400"};
    }
    if (mood_ != Mood::kTakes) {
      delivery.problem = Error{"receiver: not now", Fault::kEnvironment};
      return delivery;
    }
    sizes_.push_back(batch.size());
    for (const OutgoingAlert& outgoing : batch) {
      ++delivery.done;
      if (!refused_message_.empty() && outgoing.alert->message == refused_message_) {
        ++delivery.refused;
        continue;
      }
      items_.push_back({std::string(outgoing.boot_id), outgoing.sequence, outgoing.alert->message,
                        outgoing.alert->rule});
    }
    changed_.notify_all();
    return delivery;
  }
  bool WaitFor(size_t count, std::chrono::milliseconds patience = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this, count] { return items_.size() >= count; });
  }
  bool WaitForRule(std::string_view rule, size_t count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] {
      return static_cast<size_t>(std::ranges::count(items_, rule, &Item::rule)) >= count;
    });
  }
  std::vector<Item> items() const {
    const std::scoped_lock lock(mutex_);
    return items_;
  }
  // Alerts in each call that took them.
  std::vector<size_t> sizes() const {
    const std::scoped_lock lock(mutex_);
    return sizes_;
  }
  int calls() const {
    const std::scoped_lock lock(mutex_);
    return calls_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Mood mood_ = Mood::kTakes;
  std::vector<Item> items_;
  std::vector<size_t> sizes_;
  std::string refused_message_;
  int calls_ = 0;
};

class TestChannel final : public Channel {
 public:
  TestChannel(std::string name, Receiver& receiver) : name_(std::move(name)), receiver_(receiver) {}
  std::string_view name() const override { return name_; }
  bool is_local() const override { return name_ == "local"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    return receiver_.Take(batch, given_up_);
  }
  void GiveUp() override { given_up_ = true; }

 private:
  const std::string name_;
  Receiver& receiver_;
  std::atomic<bool> given_up_ = false;
};

class Delivering : public ::testing::Test {
 protected:
  using Outputs = std::vector<std::pair<std::string, Receiver*>>;

  void SetUp() override {
    options_.spool.path = folder_ / "alerts.db";
    options_.retry_first_ms = 5;
    options_.retry_max_ms = 20;
    options_.builtins.Enable(Builtin::kChannelFailing, false);
  }
  void TearDown() override { dispatcher_.reset(); }
  void Start(const std::string& boot, const Outputs& outputs) {
    dispatcher_.reset();
    options_.boot_id = boot;
    std::vector<std::unique_ptr<Channel>> channels;
    for (const auto& [name, receiver] : outputs) {
      channels.push_back(std::make_unique<TestChannel>(name, *receiver));
    }
    dispatcher_ = std::make_unique<Dispatcher>(
        options_, std::move(channels),
        [this](const Error& error) {
          const std::scoped_lock lock(told_mutex_);
          errors_.push_back(error.message);
        },
        [this](const std::string& note) {
          const std::scoped_lock lock(told_mutex_);
          notes_ += note + "\n";
        },
        [this](const std::string& good) {
          const std::scoped_lock lock(told_mutex_);
          good_ += good + "\n";
        });
  }
  std::vector<std::string> errors() {
    const std::scoped_lock lock(told_mutex_);
    return errors_;
  }
  std::string good() {
    const std::scoped_lock lock(told_mutex_);
    return good_;
  }
  void Put(int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(dispatcher_->Put(MakeTestAlert(std::to_string(i))));
  }
  uint64_t Count(DeliveryCounter counter) const { return dispatcher_->figures().counters[counter]; }
  template <class Holds>
  static bool Eventually(const Holds& holds) {
    for (int i = 0; i < 1'000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }
  // All from..to of the boot, at least once each, first deliveries in order.
  static void ExpectAll(const Receiver& receiver, const std::string& boot, uint64_t from,
                        uint64_t to) {
    uint64_t next = from;
    for (const Receiver::Item& item : receiver.items()) {
      if (item.boot_id == boot && item.sequence == next) ++next;
    }
    EXPECT_EQ(next, to + 1) << "of boot " << boot;
  }

  const TestFolder folder_;
  std::deque<Receiver> receivers_;  // until the dispatcher is gone
  DispatcherOptions options_;
  std::mutex told_mutex_;
  std::vector<std::string> errors_;
  std::string notes_;
  std::string good_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

// The store is held up by somebody else who writes.
TEST_F(Delivering, ALocalOutputNeedNotWaitForTheStore) {
  Receiver& local = receivers_.emplace_back();
  Receiver& other = receivers_.emplace_back();
  Start("b", {{"local", &local}, {"other", &other}});
  Put(0, 1);
  ASSERT_TRUE(local.WaitFor(1));
  ASSERT_TRUE(other.WaitFor(1));
  {
    constexpr int kBusyMs = 5'000;
    auto writer = Database::Open(options_.spool.path, Database::Mode::kWrite, kBusyMs);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->Run("BEGIN IMMEDIATE"));
    Put(1, 2);
    EXPECT_TRUE(local.WaitFor(2, 500ms));
    EXPECT_EQ(other.items().size(), 1u);
    ASSERT_TRUE(writer->Run("COMMIT"));
  }
  EXPECT_TRUE(other.WaitFor(2));
  dispatcher_->Stop();
  ExpectAll(local, "b", 1, 2);
  ExpectAll(other, "b", 1, 2);
  EXPECT_EQ(local.items().size(), 2u);
  EXPECT_EQ(Count(DeliveryCounter::kSpooled), 2u);
}

// What earlier runs have left it goes first, and what it is behind with.
TEST_F(Delivering, ALocalOutputThatIsBehindKeepsTheOrder) {
  Receiver& local = receivers_.emplace_back();
  Start("a", {{"local", &local}});
  local.Be(Receiver::Mood::kFails);
  Put(0, 50);
  dispatcher_->Stop();
  ASSERT_EQ(local.items().size(), 0u);
  local.Be(Receiver::Mood::kTakes);
  Start("b", {{"local", &local}});
  Put(0, 50);
  ASSERT_TRUE(local.WaitFor(100));
  const auto items = local.items();
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(items[i].boot_id, i < 50 ? "a" : "b") << i;
    EXPECT_EQ(items[i].sequence, i % 50 + 1) << i;
  }
}

TEST_F(Delivering, EachAlertHasBootAndSequenceWithoutGaps) {
  Receiver& receiver = receivers_.emplace_back();
  Start("b", {{"one", &receiver}});
  Put(0, 3'000);
  dispatcher_->Stop();
  const auto items = receiver.items();
  ASSERT_EQ(items.size(), 3'000u);
  for (size_t i = 0; i < items.size(); ++i) {
    ASSERT_EQ(items[i].sequence, i + 1);
    ASSERT_EQ(items[i].boot_id, "b");
    ASSERT_EQ(items[i].message, std::to_string(i));
  }
  EXPECT_EQ(Count(DeliveryCounter::kSpooled), 3'000u);
  EXPECT_EQ(Count(DeliveryCounter::kDelivered), 3'000u);
  EXPECT_EQ(Count(DeliveryCounter::kMissed), 0u);
}

TEST_F(Delivering, AChannelThatHangsOrFailsDelaysNoOther) {
  Receiver& good = receivers_.emplace_back();
  Receiver& hanging = receivers_.emplace_back();
  Receiver& failing = receivers_.emplace_back();
  hanging.Be(Receiver::Mood::kHangs);
  failing.Be(Receiver::Mood::kFails);
  Start("b", {{"hanging", &hanging}, {"failing", &failing}, {"good", &good}});
  const auto begin = std::chrono::steady_clock::now();
  Put(0, 20'000);
  ASSERT_TRUE(good.WaitFor(20'000));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 8s);
  EXPECT_TRUE(hanging.items().empty());
  EXPECT_TRUE(failing.items().empty());
  EXPECT_TRUE(
      Eventually([this] { return dispatcher_->figures().channels[2].delivered == 20'000; }));
  EXPECT_EQ(dispatcher_->figures().channels[0].waiting, 20'000u);
  // More than memory holds for a channel: the rest comes from the store, in order.
  hanging.Be(Receiver::Mood::kTakes);
  failing.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(hanging.WaitFor(20'000));
  ASSERT_TRUE(failing.WaitFor(20'000));
  EXPECT_EQ(hanging.items().size(), 20'000u);
  ExpectAll(hanging, "b", 1, 20'000);
  ExpectAll(failing, "b", 1, 20'000);
  EXPECT_EQ(Count(DeliveryCounter::kMissed), 0u);
  EXPECT_TRUE(Eventually([this] { return dispatcher_->figures().channels[0].waiting == 0; }));
}

TEST_F(Delivering, ADeadChannelDoesNotHoldUpTheEnd) {
  Receiver& hanging = receivers_.emplace_back();
  hanging.Be(Receiver::Mood::kHangs);
  Start("b", {{"hanging", &hanging}});
  Put(0, 100);
  const auto begin = std::chrono::steady_clock::now();
  dispatcher_->Stop(200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(Count(DeliveryCounter::kMissed), 0u) << "the store has them";
}

TEST_F(Delivering, WhatWasNotDeliveredIsDeliveredAfterAStartAsItsOwnBoots) {
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("first", {{"one", &receiver}});
  Put(0, 5'000);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 5'000; }));
  dispatcher_->Stop(100);
  Start("second", {{"one", &receiver}});
  Put(0, 10);
  dispatcher_->Stop(100);
  receiver.Be(Receiver::Mood::kTakes);
  Start("third", {{"one", &receiver}});
  Put(0, 10);
  ASSERT_TRUE(receiver.WaitFor(5'020));
  dispatcher_->Stop();
  EXPECT_EQ(receiver.items().size(), 5'020u) << "and nothing twice after an orderly end";
  ExpectAll(receiver, "first", 1, 5'000);
  ExpectAll(receiver, "second", 1, 10);
  ExpectAll(receiver, "third", 1, 10);
  EXPECT_EQ(receiver.items().back().boot_id, "third");
  Start("fourth", {{"one", &receiver}});
  dispatcher_->Stop();
  EXPECT_EQ(receiver.items().size(), 5'020u);
}

TEST_F(Delivering, ANewChannelBeginsWithThisStartAndARemovedOneIsForgotten) {
  Receiver& first = receivers_.emplace_back();
  Receiver& late = receivers_.emplace_back();
  first.Be(Receiver::Mood::kFails);
  Start("a", {{"first", &first}});
  Put(0, 10);
  dispatcher_->Stop(50);
  Start("b", {{"late", &late}});
  Put(0, 10);
  dispatcher_->Stop();
  EXPECT_EQ(late.items().size(), 10u);
  EXPECT_NE(notes_.find("output first is no longer configured: the 10 alerts that it has not had"),
            std::string::npos)
      << notes_;
  first.Be(Receiver::Mood::kTakes);
  Start("c", {{"first", &first}, {"late", &late}});
  Put(0, 10);
  dispatcher_->Stop();
  EXPECT_EQ(first.items().size(), 10u);
  EXPECT_EQ(late.items().size(), 20u);
}

TEST_F(Delivering, WhatTheReceiverRefusesIsADeadLetterAndHoldsUpNothing) {
  Receiver& receiver = receivers_.emplace_back();
  receiver.Refuse("3");
  Start("b", {{"one", &receiver}});
  Put(0, 10);
  dispatcher_->Stop();
  EXPECT_EQ(receiver.items().size(), 9u);
  EXPECT_EQ(Count(DeliveryCounter::kDeadLetters), 1u);
  EXPECT_EQ(Count(DeliveryCounter::kDelivered), 9u);
  EXPECT_EQ(dispatcher_->figures().channels[0].dead_letters, 1u);
}

TEST_F(Delivering, WhatTheStoreHadToDropForAChannelIsCountedAsMissed) {
  options_.spool.bytes_max = 200'000;
  options_.waiting_max = 100;  // in memory, so that the store is needed
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("b", {{"one", &receiver}});
  for (int i = 0; i < 5'000; ++i) {
    while (!dispatcher_->Put(MakeTestAlert(std::string(200, 'x'))))
      std::this_thread::sleep_for(1ms);
  }
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 5'000; }));
  receiver.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(Eventually([this] { return dispatcher_->figures().channels[0].waiting == 0; }));
  const uint64_t missed = Count(DeliveryCounter::kMissed);
  EXPECT_GT(missed, 0u);
  EXPECT_EQ(receiver.items().size() + missed, 5'000u);
  EXPECT_GT(Count(DeliveryCounter::kTrimmedByBytes), 0u);
}

TEST_F(Delivering, RetriesAreFewAndEachRunOfFailuresIsToldOnce) {
  options_.retry_first_ms = 50;
  options_.retry_max_ms = 1'000;
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("b", {{"one", &receiver}});
  Put(0, 100);
  std::this_thread::sleep_for(1s);
  EXPECT_GE(receiver.calls(), 3);
  EXPECT_LE(receiver.calls(), 8) << "50, 100, 200, 400 ms, each shortened by up to half";
  receiver.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(receiver.WaitFor(100));
  dispatcher_->Stop();
  EXPECT_EQ(errors_, std::vector<std::string>{"receiver: not now"});
}

TEST_F(Delivering, AChannelThatFailsForAWhileIsToldByTheOthersAndSoIsItsReturn) {
  options_.builtins.Enable(Builtin::kChannelFailing, true);
  options_.failing_after_ms = 300;
  Receiver& good = receivers_.emplace_back();
  Receiver& failing = receivers_.emplace_back();
  Receiver& hanging = receivers_.emplace_back();
  failing.Be(Receiver::Mood::kFails);
  hanging.Be(Receiver::Mood::kHangs);
  Start("b", {{"good", &good}, {"failing", &failing}, {"hanging", &hanging}});
  Put(0, 1);
  ASSERT_TRUE(good.WaitForRule("gyrfalcon: channel failing", 2));
  failing.Be(Receiver::Mood::kTakes);
  hanging.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(good.WaitForRule("gyrfalcon: channel failing", 4));
  std::multiset<std::string> states;
  for (const auto& item : good.items()) {
    for (const char* name : {"failing", "hanging"}) {
      for (const char* state : {"failing", "works again"}) {
        const std::string text =
            std::string("gyrfalcon_channel=") + name + " gyrfalcon_channel_state=" + state + " ";
        if (item.message.find(text) != std::string::npos) states.insert(text);
      }
    }
  }
  EXPECT_EQ(states.size(), 4u);
  EXPECT_EQ(Count(DeliveryCounter::kOwnAlerts), 4u);
}

TEST_F(Delivering, AReceiverThatRefusesAllIsToldOnceAndByTheOthersAndSoIsItsReturn) {
  options_.builtins.Enable(Builtin::kChannelFailing, true);
  options_.failing_after_ms = 300;
  Receiver& good = receivers_.emplace_back();
  Receiver& refusing = receivers_.emplace_back();
  refusing.Be(Receiver::Mood::kRefuses);
  Start("b", {{"good", &good}, {"refusing", &refusing}});
  Put(0, 3);
  ASSERT_TRUE(good.WaitForRule("gyrfalcon: channel failing"));
  Put(3, 6);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kDeadLetters) == 7; }));
  ASSERT_EQ(errors().size(), 1u);
  EXPECT_TRUE(errors()[0].starts_with("receiver: 400; ")) << errors()[0];
  EXPECT_TRUE(errors()[0].contains("refused for good")) << errors()[0];
  const auto told = good.items();
  const auto alert =
      std::ranges::find(told, "gyrfalcon: channel failing", &Receiver::Item::rule)->message;
  EXPECT_TRUE(alert.contains("gyrfalcon_channel_state=refuses all ")) << alert;
  EXPECT_TRUE(alert.contains("receiver: 400")) << alert;
  refusing.Be(Receiver::Mood::kTakes);
  Put(6, 7);
  ASSERT_TRUE(good.WaitForRule("gyrfalcon: channel failing", 2));
  EXPECT_TRUE(good.items().back().message.contains("works again")) << good.items().back().message;
  EXPECT_TRUE(this->good().contains("output refusing takes alerts again: it has refused 7 alerts"))
      << this->good();
}

TEST_F(Delivering, TheEndOfAFailureIsToldOnceWithHowLongAndHowMany) {
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("b", {{"one", &receiver}});
  Put(0, 20);
  ASSERT_TRUE(Eventually([this] { return dispatcher_->figures().channels[0].waiting == 20; }));
  ASSERT_TRUE(Eventually([this] { return errors().size() == 1; }));
  receiver.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(receiver.WaitFor(20));
  dispatcher_->Stop();
  EXPECT_TRUE(good_.contains("output one works again, after ")) << good_;
  EXPECT_TRUE(good_.contains(" s; 20 alerts waited for it, and go out now")) << good_;
  EXPECT_EQ(good_.find("works again"), good_.rfind("works again")) << good_;
}

TEST_F(Delivering, WhatCameBitByBitWhileAnOutputFailedGoesTogether) {
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("b", {{"one", &receiver}});
  for (uint64_t i = 1; i <= 200; ++i) {
    Put(0, 1);
    const auto waits = [&] { return dispatcher_->figures().channels[0].waiting == i; };
    ASSERT_TRUE(Eventually(waits));
  }
  receiver.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(receiver.WaitFor(200));
  EXPECT_LE(receiver.sizes().size(), 2u) << "the one that was tried, then all others";
  ExpectAll(receiver, "b", 1, 200);
}

TEST_F(Delivering, HeldBackNothingIsMadeAndNothingSaid) {
  options_.held_back = true;
  options_.spool.path = folder_ / "below/alerts.db";
  Receiver& receiver = receivers_.emplace_back();
  Start("b", {{"one", &receiver}});
  std::this_thread::sleep_for(50ms);
  dispatcher_->Stop();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "below"));
  EXPECT_EQ(good_ + notes_, "");
  Start("c", {{"one", &receiver}});
  Put(0, 3);
  std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(receiver.items().empty());
  dispatcher_->Begin();
  ASSERT_TRUE(receiver.WaitFor(3));
  EXPECT_EQ(good(), "alerts are kept in " + options_.spool.path + ", boot id c\n");
}

TEST_F(Delivering, WithoutAStoreAlertsGoOutFromMemory) {
  options_.spool.path = "/proc/nowhere/alerts.db";
  Receiver& receiver = receivers_.emplace_back();
  Start("b", {{"one", &receiver}});
  Put(0, 100);
  dispatcher_->Stop();
  ExpectAll(receiver, "b", 1, 100);
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_NE(errors_[0].find("/proc/nowhere"), std::string::npos);
  EXPECT_EQ(good_, "") << "it is nowhere kept";
  EXPECT_EQ(Count(DeliveryCounter::kNotSpooled), 100u) << "counted at the stop";
  EXPECT_FALSE(dispatcher_->figures().spooling);
}

TEST_F(Delivering, AStoreThatIsInUseIsTakenOnceItIsFree) {
  Receiver& old_one = receivers_.emplace_back();
  Receiver& new_one = receivers_.emplace_back();
  old_one.Be(Receiver::Mood::kFails);
  Start("old", {{"out", &old_one}});
  Put(0, 10);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 10; }));
  auto old_dispatcher = std::move(dispatcher_);
  Start("new", {{"out", &new_one}});
  Put(0, 10);
  ASSERT_TRUE(new_one.WaitFor(10)) << "from memory";
  old_dispatcher->Stop(50);
  old_dispatcher.reset();
  ASSERT_TRUE(new_one.WaitFor(20)) << "what the old one could not deliver";
  ExpectAll(new_one, "old", 1, 10);
  ExpectAll(new_one, "new", 1, 10);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 10; }));
}

TEST_F(Delivering, AfterAStopTheStoreIsFree) {
  Receiver& old_one = receivers_.emplace_back();
  Receiver& new_one = receivers_.emplace_back();
  old_one.Be(Receiver::Mood::kFails);
  Start("old", {{"out", &old_one}});
  Put(0, 10);
  dispatcher_->Stop(50);
  errors_.clear();
  const auto stopped = std::move(dispatcher_);
  Start("new", {{"out", &new_one}});
  Put(0, 10);
  dispatcher_->Stop();
  EXPECT_EQ(Count(DeliveryCounter::kSpooled), 10u);
  EXPECT_TRUE(errors_.empty()) << errors_.front();
  ExpectAll(new_one, "old", 1, 10);
  ExpectAll(new_one, "new", 1, 10);
}

// Places in the one that was deleted mean nothing in the new one, where starts are counted anew.
TEST_F(Delivering, AnOutputThatIsBehindInADeletedStoreGoesOnInTheNewOne) {
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("a", {{"one", &receiver}});
  Put(0, 2'500);
  dispatcher_->Stop(50);
  options_.waiting_max = 100;
  Start("b", {{"one", &receiver}});
  for (int i = 0; i < 2'000; ++i) {
    while (!dispatcher_->Put(MakeTestAlert(std::to_string(i)))) std::this_thread::sleep_for(1ms);
  }
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 2'000; }));
  std::filesystem::remove_all(folder_.path());
  ASSERT_TRUE(Eventually([this] { return std::filesystem::exists(options_.spool.path); }));
  Put(2'000, 2'010);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 2'010; }));
  receiver.Be(Receiver::Mood::kTakes);
  ASSERT_TRUE(Eventually([this] { return dispatcher_->figures().channels[0].waiting == 0; }));
  dispatcher_->Stop();
  const auto items = receiver.items();
  ASSERT_FALSE(items.empty());
  EXPECT_EQ(items.back().message, "2009");
  const auto of_b = static_cast<uint64_t>(std::ranges::count(items, "b", &Receiver::Item::boot_id));
  EXPECT_EQ(of_b + Count(DeliveryCounter::kMissed), 2'010u);
  EXPECT_EQ(Count(DeliveryCounter::kDelivered), items.size());
}

TEST_F(Delivering, AStoreThatIsDeletedIsBegunAnew) {
  Receiver& receiver = receivers_.emplace_back();
  Start("b", {{"one", &receiver}});
  Put(0, 10);
  ASSERT_TRUE(receiver.WaitFor(10));
  std::filesystem::remove_all(folder_.path());
  ASSERT_TRUE(Eventually([this] { return std::filesystem::exists(options_.spool.path); }));
  Put(10, 20);
  ASSERT_TRUE(receiver.WaitFor(20));
  dispatcher_->Stop();
  ExpectAll(receiver, "b", 1, 20);
  auto reader = SpoolReader::Open(options_.spool.path);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->Read({})->alerts.size(), 10u);
}

// A child is killed in the middle of a stream, as often as said; what it had put into the store is
// delivered by those after it.
TEST_F(Delivering, AfterAKillEverythingThatWasSpooledIsDelivered) {
  constexpr int kKills = 5;
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  for (int i = 0; i < kKills; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Start("kill" + std::to_string(i), {{"one", &receiver}});
      for (int n = 0;; ++n) {
        if (!dispatcher_->Put(MakeTestAlert(std::to_string(n)))) std::this_thread::sleep_for(1ms);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(150 + 37 * i));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  std::set<std::pair<std::string, uint64_t>> stored;
  {
    auto reader = SpoolReader::Open(options_.spool.path);
    ASSERT_TRUE(reader) << reader.error().message;
    SpoolRange range;
    for (;;) {
      const auto page = reader->Read(range);
      ASSERT_TRUE(page) << page.error().message;
      if (page->last == 0) break;
      for (const SpooledAlert& spooled : page->alerts) {
        stored.emplace(spooled.boot_id, static_cast<uint64_t>(spooled.position) & 0xff'ffff'ffff);
      }
      range.after = page->last;
    }
  }
  ASSERT_GT(stored.size(), 100u);
  receiver.Be(Receiver::Mood::kTakes);
  Start("after", {{"one", &receiver}});
  ASSERT_TRUE(receiver.WaitFor(stored.size(), 60s));
  dispatcher_->Stop();
  std::set<std::pair<std::string, uint64_t>> delivered;
  for (const Receiver::Item& item : receiver.items())
    delivered.emplace(item.boot_id, item.sequence);
  EXPECT_EQ(delivered, stored);
}

// Needs root, for a file system of its own.
class OnASmallDisk : public Delivering {
 protected:
  void SetUp() override {
    Delivering::SetUp();
    mounted_ = mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=16m") == 0;
  }
  std::string Fill() const {
    std::string filler = folder_ / "filler";
    std::ofstream file(filler);
    const std::string block(4'096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
    return filler;
  }
  void PutLarge(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(dispatcher_->Put(MakeTestAlert(std::string(5'000, 'x'))));
    }
  }
  void TearDown() override {
    dispatcher_.reset();
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
    Delivering::TearDown();
  }
  bool mounted_ = false;
};

TEST_F(OnASmallDisk, TheDaemonGoesOnAndTheLossIsToldWhenThereIsSpace) {
  if (!mounted_) GTEST_SKIP() << "a tmpfs can't be mounted (not root?)";
  Receiver& receiver = receivers_.emplace_back();
  Start("b", {{"one", &receiver}});
  Put(0, 10);
  ASSERT_TRUE(receiver.WaitFor(10));
  const std::string filler = Fill();
  constexpr size_t kAlerts = 20'000;
  for (size_t i = 0; i < kAlerts; ++i) {
    while (!dispatcher_->Put(MakeTestAlert(std::string(500, 'x'))))
      std::this_thread::sleep_for(1ms);
  }
  ASSERT_TRUE(receiver.WaitFor(10 + kAlerts)) << "from memory";
  EXPECT_GT(Count(DeliveryCounter::kNotSpooled), 0u);
  EXPECT_FALSE(dispatcher_->figures().spooling);
  std::filesystem::remove(filler);
  ASSERT_TRUE(receiver.WaitForRule("gyrfalcon: alerts not spooled")) << notes_;
  // As often as it is told: where a batch fits in between, there is more than one run of losses.
  uint64_t told = 0;
  uint64_t times = 0;
  ASSERT_TRUE(Eventually([&] {
    told = times = 0;
    for (const Receiver::Item& item : receiver.items()) {
      constexpr std::string_view kKey = "gyrfalcon_alerts=";
      const size_t at = item.message.find(kKey);
      if (item.rule != "gyrfalcon: alerts not spooled" || at == std::string::npos) continue;
      ++times;
      told += std::strtoull(item.message.c_str() + at + kKey.size(), nullptr, 10);
    }
    return told == Count(DeliveryCounter::kNotSpooled);
  })) << told
      << " told, " << Count(DeliveryCounter::kNotSpooled) << " not in the store";
  ASSERT_TRUE(receiver.WaitFor(10 + kAlerts + times));
  ExpectAll(receiver, "b", 1, 10 + kAlerts + times);
  EXPECT_EQ(Count(DeliveryCounter::kMissed), 0u);
}

// Each of them writes pages of the log of which the database has one in the end.
TEST_F(OnASmallDisk, TheStoresOwnLogDoesNotFillIt) {
  if (!mounted_) GTEST_SKIP() << "a tmpfs can't be mounted (not root?)";
  ASSERT_EQ(mount(nullptr, folder_.path().c_str(), nullptr, MS_REMOUNT, "size=4m"), 0);
  Receiver& receiver = receivers_.emplace_back();
  Start("b", {{"one", &receiver}});
  constexpr int kAlerts = 600;
  for (int i = 0; i < kAlerts; ++i) {
    ASSERT_TRUE(dispatcher_->Put(MakeTestAlert(std::string(1'000, 'x'))));
    ASSERT_TRUE(receiver.WaitFor(static_cast<size_t>(i) + 1));
  }
  EXPECT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == kAlerts; }))
      << Count(DeliveryCounter::kSpooled);
  EXPECT_TRUE(errors().empty()) << errors().front();
}

TEST_F(OnASmallDisk, WhatWaitsForSpaceIsTriedOnceMoreAtTheEnd) {
  if (!mounted_) GTEST_SKIP() << "a tmpfs can't be mounted (not root?)";
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("b", {{"one", &receiver}});
  Put(0, 10);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 10; }));
  const std::string filler = Fill();
  PutLarge(100);
  ASSERT_TRUE(Eventually([this] { return !dispatcher_->figures().spooling; }));
  std::filesystem::remove(filler);
  dispatcher_->Stop(50);
  EXPECT_EQ(Count(DeliveryCounter::kSpooled), 110u);
  EXPECT_EQ(Count(DeliveryCounter::kMissed), 0u);
  receiver.Be(Receiver::Mood::kTakes);
  Start("c", {{"one", &receiver}});
  ASSERT_TRUE(receiver.WaitFor(110));
  dispatcher_->Stop();
  ExpectAll(receiver, "b", 1, 110);
}

TEST_F(OnASmallDisk, WhatIsNeitherStoredNorDeliveredAtTheEndIsCounted) {
  if (!mounted_) GTEST_SKIP() << "a tmpfs can't be mounted (not root?)";
  Receiver& receiver = receivers_.emplace_back();
  receiver.Be(Receiver::Mood::kFails);
  Start("b", {{"one", &receiver}});
  Put(0, 10);
  ASSERT_TRUE(Eventually([this] { return Count(DeliveryCounter::kSpooled) == 10; }));
  Fill();
  PutLarge(100);
  dispatcher_->Stop(50);
  EXPECT_EQ(Count(DeliveryCounter::kSpooled) + Count(DeliveryCounter::kMissed), 110u);
  EXPECT_EQ(Count(DeliveryCounter::kSpooled) + Count(DeliveryCounter::kNotSpooled), 110u);
  EXPECT_EQ(errors_.size(), 2u) << "the output, and the store: each once";
  EXPECT_GT(Count(DeliveryCounter::kMissed), 90u);
}

}  // namespace
}  // namespace gyrfalcon
