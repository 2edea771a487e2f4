#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
  for (const std::string_view text : {"127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254"}) {
    const auto address = IpAddress::Parse(text);
    ASSERT_TRUE(address) << text;
    std::string out;
    address->AppendTo(out);
    EXPECT_EQ(out, text);
  }
  EXPECT_FALSE(IpAddress::Parse("300.1.1.1"));
  EXPECT_FALSE(IpAddress::Parse(""));
  EXPECT_FALSE(IpAddress::Parse(std::string(100, '1')));
}

TEST(IpAddress, ANetworkHoldsItsOwnAddressesAndNoOtherFamily) {
  const IpNetwork ten{*IpAddress::Parse("10.0.0.0"), 8};
  EXPECT_TRUE(ten.Contains(*IpAddress::Parse("10.255.1.2")));
  EXPECT_FALSE(ten.Contains(*IpAddress::Parse("11.0.0.1")));
  EXPECT_FALSE(ten.Contains(*IpAddress::Parse("a00::1")));
  const IpNetwork odd{*IpAddress::Parse("192.168.128.0"), 17};
  EXPECT_TRUE(odd.Contains(*IpAddress::Parse("192.168.200.1")));
  EXPECT_FALSE(odd.Contains(*IpAddress::Parse("192.168.127.1")));
  const IpNetwork all{*IpAddress::Parse("0.0.0.0"), 0};
  EXPECT_TRUE(all.Contains(*IpAddress::Parse("8.8.8.8")));
}

TEST(IpAddress, ZerosAreUnspecified) {
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->IsUnspecified());
  EXPECT_TRUE(IpAddress::Parse("::")->IsUnspecified());
  EXPECT_FALSE(IpAddress::Parse("::1")->IsUnspecified());
}

}  // namespace
}  // namespace gyrfalcon
