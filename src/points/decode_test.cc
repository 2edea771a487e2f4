#include <deque>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>
#include <protozero/pbf_reader.hpp>

#include "points/event.h"
#include "points/test_message.h"
#include "points/wire_reader.h"

namespace gyrfalcon {
namespace {

using testing::AsBytes;
using testing::Message;

// The event's views point into a copy that outlives the test.
std::expected<void, DecodeError> DecodeAs(MessageType type, const std::string& payload,
                                          Event& event) {
  static std::deque<std::string> payloads;
  payloads.push_back(payload);
  return Decode(static_cast<uint16_t>(type), AsBytes(payloads.back()), event);
}

// A value of the right wire type for a field, nested messages included.
void AddValue(const FieldSpec& field, Message& out) {
  if (field.kind <= WireKind::kBool) {
    out.Number(field.number, 1);
  } else if (field.nested != nullptr) {
    Message nested;
    for (const FieldSpec& inner : field.nested->fields) AddValue(inner, nested);
    out.Nested(field.number, nested);
  } else {
    out.Text(field.number, "x");
  }
}

std::vector<MessageType> AllTypes() {
  std::vector<MessageType> types;
  for (uint16_t type = 1; type < kMessageTypeCount; ++type) types.push_back(MessageType{type});
  return types;
}

class EachMessage : public ::testing::TestWithParam<MessageType> {
 protected:
  const MessageSpec& spec() const { return *FindMessage(static_cast<uint16_t>(GetParam())); }
};
INSTANTIATE_TEST_SUITE_P(Decode, EachMessage, ::testing::ValuesIn(AllTypes()),
                         [](const auto& test) {
                           return std::string(FindMessage(static_cast<uint16_t>(test.param))->name);
                         });

TEST_P(EachMessage, TakesAllItsFieldsAndShowsThem) {
  Message message;
  for (const FieldSpec& field : spec().fields) AddValue(field, message);
  Event event;
  ASSERT_TRUE(DecodeAs(GetParam(), message.bytes(), event));
  EXPECT_EQ(event.type(), GetParam());
  for (const FieldSpec& field : spec().fields) {
    if (field.slot == Slot::kNone) continue;
    ASSERT_TRUE(event.has(field.slot)) << field.name;
    if (field.kind <= WireKind::kBool) {
      EXPECT_EQ(event.number(field.slot), 1) << field.name;
    }
    if (field.kind == WireKind::kText) {
      EXPECT_EQ(event.text(field.slot), "x") << field.name;
    }
    if (field.kind == WireKind::kTexts) {
      EXPECT_EQ(event.list(field.slot).size(), 1u) << field.name;
    }
  }
  EXPECT_TRUE(event.context().has(ContextField::kCwd));
}

TEST_P(EachMessage, RefusesEachFieldOfTheWrongWireType) {
  for (const FieldSpec& field : spec().fields) {
    Message wrong;
    if (field.kind <= WireKind::kBool) {
      wrong.Text(field.number, "abc");
    } else {
      wrong.Number(field.number, 7);
    }
    Event event;
    const auto decoded = DecodeAs(GetParam(), wrong.bytes(), event);
    ASSERT_FALSE(decoded) << field.name;
    EXPECT_EQ(decoded.error(), DecodeError::kWrongWireType) << field.name;
  }
}

TEST_P(EachMessage, RefusesALengthBeyondItsEnd) {
  for (const FieldSpec& field : spec().fields) {
    if (field.kind <= WireKind::kBool) continue;
    Message whole;
    whole.Text(field.number, std::string(40, '\0'));
    Event event;
    const auto decoded =
        DecodeAs(GetParam(), whole.bytes().substr(0, whole.bytes().size() - 1), event);
    ASSERT_FALSE(decoded) << field.name;
    EXPECT_EQ(decoded.error(), DecodeError::kMalformed) << field.name;
  }
}

TEST_P(EachMessage, RefusesANumberThatIsNotThere) {
  for (const FieldSpec& field : spec().fields) {
    if (field.kind > WireKind::kBool) continue;
    const std::string tag = Message().Number(field.number, 1).bytes();
    // Exactly as large as its content, for a sanitizer to see a read beyond it.
    const std::vector<char> payload(tag.begin(), tag.end() - 1);
    Event event;
    const auto decoded =
        Decode(static_cast<uint16_t>(GetParam()), std::as_bytes(std::span(payload)), event);
    ASSERT_FALSE(decoded) << field.name;
    EXPECT_EQ(decoded.error(), DecodeError::kMalformed) << field.name;
  }
}

TEST(Decode, AZeroOfTwoBytesIsFalse) {
  using namespace std::literals;
  Event event;
  const auto start = static_cast<uint16_t>(MessageType::kContainerStart);
  const std::string terminal = "\x30\x80\x00"s;
  ASSERT_TRUE(Decode(start, AsBytes(terminal), event));
  EXPECT_EQ(event.number(Slot::kTerminal), 0);
  const std::string context = "\x0a\x03\x58\x80\x00"s;
  ASSERT_TRUE(Decode(start, AsBytes(context), event));
  EXPECT_FALSE(event.context().is_exec_session);
}

TEST_P(EachMessage, SkipsFieldsOfALaterGvisor) {
  Message message;
  message.Number(200, 5).Text(201, "later").Fixed32(202, 9);
  Event event;
  EXPECT_TRUE(DecodeAs(GetParam(), message.bytes(), event));
}

TEST_P(EachMessage, MayBeEmpty) {
  Event event;
  ASSERT_TRUE(DecodeAs(GetParam(), "", event));
  EXPECT_FALSE(event.is_exit());
  EXPECT_EQ(event.list(Slot::kArgv).front(), "");
}

TEST(Decode, AnUnknownTypeIsNoMalformedMessage) {
  Event event;
  for (const uint16_t type : {uint16_t{0}, uint16_t{39}, uint16_t{65535}}) {
    const auto decoded = Decode(type, {}, event);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), DecodeError::kUnknownType);
  }
}

TEST(Decode, TheContextSaysWhatTheSessionGave) {
  const Message context = Message()
                              .Number(1, 1'795'335'717'026'572'338)
                              .Number(2, 7)
                              .Number(4, 5)
                              .Text(6, "c1")
                              .Nested(7, Message())
                              .Text(8, "/tmp")
                              .Text(9, "sh")
                              .Number(10, 1)
                              .Number(11, 1);
  Event event;
  ASSERT_TRUE(DecodeAs(MessageType::kClose, Message().Nested(1, context).bytes(), event));
  const Context& c = event.context();
  EXPECT_EQ(c.time_ns, 1'795'335'717'026'572'338);
  EXPECT_EQ(c.thread_id, 7);
  EXPECT_EQ(c.thread_group_id, 5);
  EXPECT_EQ(c.container_id, "c1");
  // root's credentials are an empty message, which is not the same as none.
  EXPECT_TRUE(c.has(ContextField::kCredentials));
  EXPECT_EQ(c.credentials.effective_uid, 0u);
  EXPECT_EQ(c.cwd, "/tmp");
  EXPECT_EQ(c.process_name, "sh");
  EXPECT_EQ(c.parent_thread_group_id, 1);
  EXPECT_TRUE(c.is_exec_session);
  EXPECT_FALSE(c.has(ContextField::kThreadStartTime));
}

TEST(Decode, AWrongWireTypeInsideTheContextIsAnError) {
  for (uint32_t field = 1; field <= 11; ++field) {
    const bool is_view = field >= 6 && field <= 9;
    const Message context = is_view ? Message().Number(field, 1) : Message().Text(field, "x");
    Event event;
    const auto decoded = DecodeAs(MessageType::kClose, Message().Nested(1, context).bytes(), event);
    ASSERT_FALSE(decoded) << field;
    EXPECT_EQ(decoded.error(), DecodeError::kWrongWireType) << field;
  }
}

TEST(Decode, AnEmptyExitMessageIsAnExitThatReturnedZero) {
  Event event;
  ASSERT_TRUE(DecodeAs(MessageType::kClose, Message().Nested(2, Message()).bytes(), event));
  EXPECT_TRUE(event.is_exit());
  EXPECT_EQ(event.return_value(), 0);
  const Message failed = Message().Nested(2, Message().Number(1, 0).Number(2, 13));
  ASSERT_TRUE(DecodeAs(MessageType::kOpen, failed.bytes(), event));
  EXPECT_EQ(event.return_value(), -13);
}

std::vector<std::string> Items(const TextList& list) {
  std::vector<std::string> out;
  list.ForEach([&out](std::string_view item) { out.emplace_back(item); });
  return out;
}

TEST(Decode, AListIsReadWhereItLiesAlsoBetweenOtherFields) {
  const Message message = Message()
                              .Text(7, "a")
                              .Text(6, "/bin/a")
                              .Text(7, "")
                              .Number(9, 3)
                              .Text(7, std::string("\xff\0b", 3));
  Event event;
  ASSERT_TRUE(DecodeAs(MessageType::kExecve, message.bytes(), event));
  const std::vector<std::string> expected = {"a", "", std::string("\xff\0b", 3)};
  EXPECT_EQ(Items(event.list(Slot::kArgv)), expected);
  EXPECT_EQ(event.list(Slot::kArgv).front(), "a");
}

TEST(Decode, AListWhoseLengthIsWrittenInMoreBytesThanNeededIsReadToo) {
  // Tag of field 7, then the length 1 as a varint of three bytes.
  const std::string overlong("\x3a\x81\x80\x00z", 5);
  Event event;
  ASSERT_TRUE(DecodeAs(MessageType::kExecve, Message().Raw(overlong).Text(7, "b").bytes(), event));
  EXPECT_EQ(Items(event.list(Slot::kArgv)), (std::vector<std::string>{"z", "b"}));
}

TEST(Decode, AListWithTooManyItemsIsRefused) {
  std::string many;
  for (size_t i = 0; i <= kListItemsMax; ++i) many += std::string_view("\x3a\x00", 2);
  Event event;
  const auto decoded = DecodeAs(MessageType::kExecve, many, event);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error(), DecodeError::kTooLong);
}

TEST(Decode, AnErrorInThePlaceOfAPathIsNoPath) {
  Event event;
  ASSERT_TRUE(
      DecodeAs(MessageType::kClose, Message().Text(5, "[err: FD not found]").bytes(), event));
  EXPECT_FALSE(event.has(Slot::kFdPath));
  ASSERT_TRUE(DecodeAs(MessageType::kClose, Message().Text(5, "/etc/[err: x]").bytes(), event));
  EXPECT_EQ(event.text(Slot::kFdPath), "/etc/[err: x]");
}

TEST(Decode, NothingOfAnEarlierMessageIsLeft) {
  Event event;
  const Message first = Message()
                            .Nested(1, Message().Number(2, 5).Text(6, "c"))
                            .Nested(2, Message().Number(1, 3))
                            .Text(6, "/etc/x");
  ASSERT_TRUE(DecodeAs(MessageType::kOpen, first.bytes(), event));
  ASSERT_TRUE(event.has(Slot::kPathname));
  ASSERT_TRUE(DecodeAs(MessageType::kOpen, "", event));
  EXPECT_FALSE(event.has(Slot::kPathname));
  EXPECT_FALSE(event.is_exit());
  EXPECT_EQ(event.context().thread_id, 0);
}

TEST(Decode, FdInfoHasSocketEndsWithTheirPortInHostOrder) {
  // gVisor sends 4444 as 23569: network byte order.
  const Message end =
      Message().Number(1, 2).Text(2, std::string_view("\x7f\0\0\x01", 4)).Number(3, 23569);
  const Message info = Message()
                           .Number(1, 0140777)
                           .Number(2, 9)
                           .Text(3, "socket:[9]")
                           .Nested(4, Message().Number(1, 2).Nested(3, end));
  const FdInfo decoded = DecodeFdInfo(info.bytes());
  EXPECT_EQ(decoded.socket_family, 2u);
  EXPECT_EQ(decoded.path, "socket:[9]");
  EXPECT_FALSE(decoded.local);
  ASSERT_TRUE(decoded.remote);
  EXPECT_EQ(decoded.remote->port, 4444);
  std::string address;
  decoded.remote->address.AppendTo(address);
  EXPECT_EQ(address, "127.0.0.1");
}

TEST(Decode, TimesAddUpAndAForgedOneIsNoUndefinedBehaviour) {
  EXPECT_EQ(DecodeTimespecNs(Message().Number(1, 2).Number(2, 5).bytes()), 2'000'000'005);
  EXPECT_EQ(DecodeTimespecNs(""), 0);
  DecodeTimespecNs(Message().Number(1, INT64_MAX).Number(2, INT64_MAX).bytes());
}

// What lies in a message, as text, and whether it ends as it should.
std::string Walked(const std::string& bytes) {
  std::string out;
  WireReader reader(bytes);
  while (reader.Next()) {
    WireReader as_number = reader;
    WireReader as_bytes = reader;
    const uint64_t number = as_number.Number();
    const std::string_view text = as_bytes.Bytes();
    if (as_number.result()) out += std::to_string(number);
    if (as_bytes.result()) out += text;
    out += '#' + std::to_string(reader.number()) + ' ';
    reader.Skip();
  }
  return out + (reader.result() ? "whole" : "broken");
}

std::string WalkedByProtozero(const std::string& bytes) {
  std::string out;
  protozero::pbf_reader reader(bytes);
  try {
    while (reader.next()) {
      protozero::pbf_reader value = reader;
      const auto number = value.tag();  // a debug build forgets it with the value
      reader.skip();                    // throws what reading the value would
      if (value.wire_type() == protozero::pbf_wire_type::varint) {
        out += std::to_string(value.get_uint64());
      } else if (value.wire_type() == protozero::pbf_wire_type::length_delimited) {
        out += std::string(value.get_view());
      }
      out += '#' + std::to_string(number) + ' ';
    }
  } catch (const protozero::exception&) {
    return out + "broken";
  }
  return out + "whole";
}

// Up to the last field, of which ours tells the number before it is skipped.
std::string WithoutTheBroken(std::string walked) {
  if (!walked.ends_with("broken")) return walked;
  return "broken";
}

TEST(WireReader, ReadsWhatProtozeroReads) {
  std::mt19937_64 random(1);
  const auto below = [&](uint32_t end) { return static_cast<uint32_t>(random() % end); };
  size_t whole = 0;
  for (int round = 0; round < 100'000; ++round) {
    Message message;
    for (uint32_t field = below(4); field < 4; ++field) {
      // Varints of every length.
      message.Number(1 + below(18'999), static_cast<int64_t>(random() >> random() % 64));
      message.Text(1 + below(30), std::string(below(4), 'x'));
      message.Fixed32(1 + below(30), static_cast<uint32_t>(random()));
    }
    std::string bytes = message.bytes();
    const bool damaged = random() % 2 == 0 && !bytes.empty();
    if (damaged) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
    const std::string expected = WalkedByProtozero(bytes);
    ASSERT_EQ(WithoutTheBroken(Walked(bytes)), WithoutTheBroken(expected));
    if (expected.ends_with("whole")) ++whole;
  }
  EXPECT_GT(whole, 30'000u);
  EXPECT_LT(whole, 90'000u);
}

TEST(WireReader, RefusesNumbersOfFieldsThatAreReserved) {
  EXPECT_EQ(Walked(Message().Number(18'999, 1).bytes()), "1#18999 whole");
  EXPECT_EQ(Walked(Message().Number(20'000, 1).bytes()), "1#20000 whole");
  EXPECT_EQ(Walked("\xc0\xa3\x09\x01"), "broken");  // 19000
  EXPECT_EQ(Walked("\xf8\xe1\x09\x01"), "broken");  // 19999
}

TEST(WireReader, ANumberHasTenBytesAtMost) {
  using namespace std::literals;
  EXPECT_EQ(Walked("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "18446744073709551615#1 whole");
  EXPECT_EQ(Walked("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "9223372036854775807#1 whole");
  EXPECT_EQ(Walked("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"s), "#1 broken");
}

TEST(Schema, EveryPointOfASystemCallIsFoundByItsNumber) {
  for (const PointDef& point : Points()) {
    if (!point.is_syscall() || point.sysno_x86_64 < 0) continue;
    const PointRef found =
        ResolvePoint(point.message, static_cast<uint64_t>(point.sysno_x86_64), Arch::kX86_64);
    ASSERT_NE(found.point, nullptr) << point.name;
    EXPECT_EQ(found.point->name, point.name);
    ASSERT_TRUE(found.event_type) << point.name;
    EXPECT_EQ(Describe(*found.event_type).name, point.event_type);
    // The table's number and the kernel's name for it agree.
    EXPECT_EQ("syscall/" + std::string(SyscallName(Arch::kX86_64,
                                                   static_cast<uint64_t>(point.sysno_x86_64))),
              point.name);
    if (point.sysno_aarch64 < 0) continue;
    EXPECT_EQ("syscall/" + std::string(SyscallName(Arch::kAarch64,
                                                   static_cast<uint64_t>(point.sysno_aarch64))),
              point.name);
  }
}

TEST(Schema, ANumberMeansAnotherCallOnAnotherMachine) {
  EXPECT_EQ(ResolvePoint(MessageType::kOpen, 257, Arch::kX86_64).point->name, "syscall/openat");
  EXPECT_EQ(ResolvePoint(MessageType::kOpen, 257, Arch::kAarch64).point, nullptr);
  EXPECT_EQ(ResolvePoint(MessageType::kOpen, 56, Arch::kAarch64).point->name, "syscall/openat");
  EXPECT_EQ(SyscallName(Arch::kX86_64, 87), "unlink");
  EXPECT_EQ(SyscallName(Arch::kAarch64, 35), "unlinkat");
  EXPECT_EQ(SyscallName(Arch::kX86_64, 100000), "");
}

}  // namespace
}  // namespace gyrfalcon
