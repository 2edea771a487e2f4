#include "channels/syslog_channel.h"

#include <chrono>
#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "channels/test_alerts.h"

namespace gyrfalcon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class SyslogChannel : public ::testing::Test {
 protected:
  void SetUp() override { options_.socket = folder_ / "log"; }
  UniqueFd Listen() const {
    UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = UnixAddress(options_.socket).value();
    unlink(options_.socket.c_str());
    EXPECT_EQ(bind(fd.get(), Generic(address), sizeof address), 0);
    return fd;
  }
  static std::string Receive(const UniqueFd& fd) {
    std::string packet(300'000, '\0');
    const ssize_t got = recv(fd.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    packet.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return packet;
  }
  std::unique_ptr<Channel> Open(AlertFormatOptions format = {}) const {
    auto channel = MakeSyslogChannel(options_, std::move(format));
    EXPECT_TRUE(channel) << channel.error().message;
    return std::move(*channel);
  }

  const TestFolder folder_;
  SyslogOptions options_;
};

TEST_F(SyslogChannel, AnAlertIsOneMessageWithItsOwnPriority) {
  const UniqueFd log = Listen();
  const auto channel = Open();
  EXPECT_EQ(channel->Deliver(TestAlerts({"file=/etc/shadow"}).batch()).done, 1);
  const std::string pid = std::to_string(getpid());
  // user is 1, Warning is 4.
  EXPECT_THAT(Receive(log), MatchesRegex("<12>[A-Z][a-z][a-z] [ 0-9]+:[0-9]+:[0-9]+ gyrfalcon\\[" +
                                         pid + "\\]: [0-9:.]+: Warning file=/etc/shadow"));
}

TEST_F(SyslogChannel, FacilityIdentAndFormatAreTheConfigs) {
  options_.facility = "local3";
  options_.ident = "falco";
  const UniqueFd log = Listen();
  Open({.json_output = true, .hostname = "h"})->Deliver(TestAlerts({"one"}).batch());
  const std::string packet = Receive(log);
  EXPECT_THAT(packet, testing::StartsWith("<156>"));
  EXPECT_THAT(packet, HasSubstr(" falco["));
  EXPECT_THAT(packet, HasSubstr("]: {\"boot_id\":\"boot-1\",\"hostname\":\"h\""));
}

TEST_F(SyslogChannel, ADaemonThatIsNotThereIsAProblemAndOneThatComesBackIsFound) {
  const auto channel = Open();
  const TestAlerts alerts({"one"});
  Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 0);
  ASSERT_TRUE(delivery.problem);
  EXPECT_THAT(delivery.problem->message, HasSubstr("does a syslog daemon run here?"));
  UniqueFd log = Listen();
  EXPECT_EQ(channel->Deliver(alerts.batch()).done, 1);
  EXPECT_THAT(Receive(log), EndsWith("one"));
  log.reset();
  log = Listen();  // restarted: the same name, another socket
  delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 1) << "without a failure in between";
  EXPECT_THAT(Receive(log), EndsWith("one"));
  log.reset();
  delivery = channel->Deliver(alerts.batch());
  ASSERT_TRUE(delivery.problem);
}

TEST_F(SyslogChannel, ALineThatIsTooLongIsCutAndNotLost) {
  const UniqueFd log = Listen();
  const auto channel = Open();
  EXPECT_EQ(channel->Deliver(TestAlerts({std::string(500'000, 'x')}).batch()).done, 1);
  const std::string packet = Receive(log);
  EXPECT_EQ(packet.size(), 64 * 1024);
  EXPECT_THAT(packet, EndsWith("xx …(cut)"));
}

TEST_F(SyslogChannel, ADaemonThatDoesNotReadIsWaitedForAndGivenUp) {
  const UniqueFd log = Listen();
  const auto channel = Open();
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(300));
    channel->GiveUp();
  });
  const auto begin = Clock::now();
  const Delivery delivery = channel->Deliver(TestAlerts::Many(100'000).batch());
  stopper.join();
  EXPECT_LT(Clock::now() - begin, milliseconds(10'000));
  ASSERT_TRUE(delivery.problem);
  size_t received = 0;
  while (!Receive(log).empty()) ++received;
  EXPECT_EQ(received, delivery.done) << "what is called done was sent";
}

TEST_F(SyslogChannel, OptionsThatCantBeMeantAreErrors) {
  options_.socket = std::string(200, 'x');
  EXPECT_THAT(MakeSyslogChannel(options_, {}).error().message, HasSubstr("1 to 107 bytes"));
  options_.socket = "/dev/log";
  options_.facility = "kern";
  EXPECT_THAT(MakeSyslogChannel(options_, {}).error().message,
              HasSubstr("`kern` is none of user|"));
}

}  // namespace
}  // namespace gyrfalcon
