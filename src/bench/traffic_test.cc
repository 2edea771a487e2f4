#include "bench/traffic.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "points/event.h"
#include "wire/capture_file.h"
#include "wire/message_header.h"
#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string kCaptures = GYRFALCON_TEST_DATA "/captures/new/";
constexpr int64_t kNow = 1'800'000'000'123'456'789;

std::vector<std::string> MessagesOf(const std::string& path) {
  std::vector<std::string> out;
  auto reader = CaptureReader::Open(path);
  for (auto next = reader->Next(); next && *next; next = reader->Next()) {
    out.push_back(test::Text(**next));
  }
  return out;
}

Traffic LoadOne(const std::string& name, size_t connections = 2) {
  auto traffic = Traffic::Load({kCaptures + name}, connections);
  EXPECT_TRUE(traffic) << traffic.error().message;
  return std::move(*traffic);
}

class Renderer {
 public:
  Renderer(const Traffic& traffic, size_t connection)
      : traffic_(traffic), ids_(traffic.IdsFor(connection)), buffer_(traffic.message_bytes_max()) {}

  std::string operator()(size_t index) {
    const auto message = traffic_.Render(index, ids_, kNow, buffer_);
    return test::Text(message.header) + test::Text(message.payload);
  }

 private:
  const Traffic& traffic_;
  const std::vector<std::string> ids_;
  std::vector<std::byte> buffer_;
};

Event DecodeText(const std::string& datagram) {
  Event event;
  const auto message = ReadMessage(test::Bytes(datagram));
  EXPECT_TRUE(message);
  EXPECT_TRUE(Decode(message->type, message->payload, event));
  return event;
}

TEST(Traffic, OnlyIdTimeAndDropCountOfAMessageAreChanged) {
  for (const std::string name : {"write-etc.trace", "docker-exec.trace", "late-attach.trace"}) {
    const auto recorded = MessagesOf(kCaptures + name);
    const Traffic traffic = LoadOne(name);
    ASSERT_THAT(recorded, SizeIs(traffic.message_count())) << name;
    Renderer render(traffic, 1);
    for (size_t i = 0; i < recorded.size(); ++i) {
      const std::string sent = render(i);
      ASSERT_EQ(sent.size(), recorded[i].size());
      const Event was = DecodeText(recorded[i]);
      const Event is = DecodeText(sent);
      EXPECT_EQ(is.type(), was.type());
      EXPECT_EQ(is.context().thread_id, was.context().thread_id);
      EXPECT_EQ(is.context().thread_start_time_ns, was.context().thread_start_time_ns);
      EXPECT_EQ(is.context().process_name, was.context().process_name);
      if (was.context().has(ContextField::kTime)) {
        EXPECT_EQ(is.context().time_ns, kNow);
      }
    }
  }
}

TEST(Traffic, EachConnectionHasIdsOfItsOwnAndOfTheSameLength) {
  const auto traffic =
      Traffic::Load({kCaptures + "write-etc.trace", kCaptures + "docker-exec.trace"}, 100);
  ASSERT_TRUE(traffic);
  ASSERT_GE(traffic->container_ids().size(), 2u);
  std::set<std::string> seen(traffic->container_ids().begin(), traffic->container_ids().end());
  for (size_t connection = 0; connection < 100; ++connection) {
    const auto ids = traffic->IdsFor(connection);
    ASSERT_EQ(ids.size(), traffic->container_ids().size());
    for (size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(ids[i].size(), traffic->container_ids()[i].size());
      EXPECT_TRUE(seen.insert(ids[i]).second) << ids[i] << " was there before";
    }
  }
}

TEST(Traffic, AnIdIsChangedEverywhereInTheMessage) {
  const Traffic traffic = LoadOne("docker-exec.trace");
  for (const std::string& id : traffic.container_ids()) {
    Renderer render(traffic, 1);
    for (size_t i = 0; i < traffic.message_count(); ++i) {
      ASSERT_EQ(render(i).find(id), std::string::npos) << "message " << i;
    }
  }
}

TEST(Traffic, NoMessageSaysThatMessagesWereDropped) {
  TestFolder folder;
  auto writer = CaptureWriter::Create(folder / "drops.trace", {});
  ASSERT_TRUE(writer);
  std::string message = MessagesOf(kCaptures + "write-etc.trace").front();
  message[4] = 7;
  ASSERT_TRUE(writer->Append(test::Bytes(message)));
  ASSERT_TRUE(writer->Close());
  const auto traffic = Traffic::Load({folder / "drops.trace"}, 1);
  ASSERT_TRUE(traffic);
  const std::string sent = Renderer(*traffic, 0)(0);
  EXPECT_EQ(ReadMessage(test::Bytes(message))->dropped_count, 7u);
  EXPECT_EQ(ReadMessage(test::Bytes(sent))->dropped_count, 0u);
}

TEST(Traffic, WhatIsNoMessageIsSentAsItIs) {
  TestFolder folder;
  auto writer = CaptureWriter::Create(folder / "bad.trace", {});
  ASSERT_TRUE(writer);
  const std::vector<std::string> bad = {"abc", std::string("\xff\xff\x01\0\1\2\3\4", 8),
                                        std::string("\x08\0\x01\0\1\0\0\0\x0a\x7f", 10)};
  for (const std::string& message : bad) ASSERT_TRUE(writer->Append(test::Bytes(message)));
  ASSERT_TRUE(writer->Close());
  const auto traffic = Traffic::Load({folder / "bad.trace"}, 1);
  ASSERT_TRUE(traffic);
  ASSERT_EQ(traffic->message_count(), bad.size());
  Renderer render(*traffic, 0);
  EXPECT_EQ(render(0), bad[0]);
  EXPECT_EQ(render(1), bad[1]);
  EXPECT_EQ(render(2).substr(8), bad[2].substr(8));
}

TEST(Traffic, CapturesFollowEachOtherAndTheirBeginningsAreKnown) {
  const auto traffic = Traffic::Load({kCaptures + "hello.trace", kCaptures + "write-etc.trace"}, 1);
  ASSERT_TRUE(traffic);
  const size_t first = MessagesOf(kCaptures + "hello.trace").size();
  EXPECT_EQ(traffic->beginnings(), (std::vector<size_t>{0, first}));
}

TEST(Traffic, ErrorsSayWhatIsWrong) {
  const auto missing = Traffic::Load({"no-such.trace"}, 1);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, Fault::kEnvironment);
  EXPECT_THAT(missing.error().message, HasSubstr("no-such.trace"));
  const auto empty = Traffic::Load({kCaptures + "empty-session.trace"}, 1);
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().message, HasSubstr("no message"));
}

TEST(Traffic, AContainerIdThatIsTooShortForAllConnectionsIsAnError) {
  TestFolder folder;
  auto writer = CaptureWriter::Create(folder / "short.trace", {});
  ASSERT_TRUE(writer);
  // container/start, whose context (field 1) has the container id (field 6) "ab".
  const std::string message(
      "\x08\0\x01\0\0\0\0\0\x0a\x04\x32\x02"
      "ab",
      14);
  ASSERT_TRUE(writer->Append(test::Bytes(message)));
  ASSERT_TRUE(writer->Close());
  const auto traffic = Traffic::Load({folder / "short.trace"}, 2);
  ASSERT_FALSE(traffic);
  EXPECT_THAT(traffic.error().message, HasSubstr("`ab` is too short"));
}

TEST(Traffic, AFileThatWasCutOffIsTakenUpToTheCut) {
  TestFolder folder;
  const std::string whole = test::ReadFile(kCaptures + "hello.trace");
  test::WriteFile(folder / "cut.trace", std::string_view(whole).substr(0, whole.size() - 3));
  const auto traffic = Traffic::Load({folder / "cut.trace"}, 1);
  ASSERT_TRUE(traffic);
  EXPECT_EQ(traffic->message_count() + 1, MessagesOf(kCaptures + "hello.trace").size());
  ASSERT_THAT(traffic->warnings(), SizeIs(1));
  EXPECT_THAT(traffic->warnings()[0], HasSubstr("cut.trace"));
}

}  // namespace
}  // namespace gyrfalcon
