#include "engine/reduced_capture.h"

#include <span>
#include <utility>

#include <gtest/gtest.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "engine/test_kept_alerts.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon::testing {
namespace {

constexpr std::string_view kRawPrefix = "syscall/sysno/";

std::string NameOf(const Event& event) {
  const PointRef point = ResolvePoint(event.type(), event.sysno(), kHostArch);
  std::string name = point.point == nullptr
                         ? std::string(kRawPrefix) + std::to_string(event.sysno())
                         : std::string(point.point->name);
  if (point.point == nullptr || point.point->is_syscall()) {
    name += event.is_exit() ? "/exit" : "/enter";
  }
  return name;
}

// The entry that says which context fields a point's messages have.
std::string ContextEntry(const std::string& point) {
  constexpr std::string_view kExit = "/exit";
  if (!point.starts_with(kRawPrefix) || !point.ends_with(kExit)) return point;
  return point.substr(0, point.size() - kExit.size()) + "/enter";
}

// Copies one field as it is.
void Copy(protozero::pbf_reader& reader, protozero::pbf_writer& writer) {
  const uint32_t tag = reader.tag();
  switch (reader.wire_type()) {
    case protozero::pbf_wire_type::varint:
      writer.add_uint64(tag, reader.get_uint64());
      return;
    case protozero::pbf_wire_type::fixed64:
      writer.add_fixed64(tag, reader.get_fixed64());
      return;
    case protozero::pbf_wire_type::fixed32:
      writer.add_fixed32(tag, reader.get_fixed32());
      return;
    default: {
      const auto view = reader.get_view();
      writer.add_bytes(tag, view.data(), view.size());
    }
  }
}

std::string ReduceContext(std::string_view context, const SentPoint* sent) {
  const auto names = AllContextFields();  // in the order of their protobuf numbers
  std::string out;
  protozero::pbf_writer writer(out);
  protozero::pbf_reader reader(context.data(), context.size());
  while (reader.next()) {
    const uint32_t tag = reader.tag();
    const bool kept =
        sent != nullptr && tag <= names.size() && sent->context.contains(names[tag - 1]);
    if (kept) {
      Copy(reader, writer);
    } else {
      reader.skip();
    }
  }
  return out;
}

// The optional field that has to be asked for to get a message's field; "" for those that always
// come.
std::string_view OptionalField(MessageType type, std::string_view field) {
  if (field == "fd_path" || field == "envv" || field == "binary_sha256" || field == "binary_sha1") {
    return field;
  }
  if (type == MessageType::kContainerStart && field == "env") return field;
  if (type != MessageType::kSentryExec) return {};
  if (field.starts_with("std")) return "fd_info";
  if (field.starts_with("pipe_")) return "pipe_proc_info";
  return field.starts_with("binary_") && field != "binary_path" ? "binary_info" : "";
}

std::string ReducePayload(MessageType type, std::string_view payload, const SentPoint& sent,
                          const SentPoint* context) {
  std::string out;
  protozero::pbf_writer writer(out);
  protozero::pbf_reader reader(payload.data(), payload.size());
  const MessageSpec& spec = *FindMessage(static_cast<uint16_t>(type));
  while (reader.next()) {
    const FieldSpec* field = spec.Find(reader.tag());
    const std::string_view optional = field == nullptr ? "" : OptionalField(type, field->name);
    if (!optional.empty() && !sent.optional.contains(optional)) {
      reader.skip();
    } else if (field != nullptr && field->kind == WireKind::kContext) {
      const uint32_t tag = reader.tag();
      const auto view = reader.get_view();
      writer.add_bytes(tag, ReduceContext({view.data(), view.size()}, context));
    } else {
      Copy(reader, writer);
    }
  }
  return out;
}

const SentPoint* Find(const SentPoints& sent, std::string_view point) {
  const auto found = sent.find(point);
  return found == sent.end() ? nullptr : &found->second;
}

std::optional<Event> Read(std::string_view datagram) {
  const auto message = ReadMessage(std::as_bytes(std::span(datagram)));
  Event event;
  if (!message || !Decode(message->type, message->payload, event)) return std::nullopt;
  return event;
}

}  // namespace

std::string PointOf(std::string_view datagram) {
  const auto event = Read(datagram);
  return event ? NameOf(*event) : "";
}

std::optional<std::string> ReduceMessage(std::string_view datagram, const SentPoints& sent) {
  const auto event = Read(datagram);
  if (!event) return std::string(datagram);
  const std::string point = NameOf(*event);
  const SentPoint* found = Find(sent, point);
  if (found == nullptr) return std::nullopt;
  const auto bytes = event->payload();
  std::string out(datagram.substr(0, datagram.size() - bytes.size()));
  out += ReducePayload(event->type(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                       *found, Find(sent, ContextEntry(point)));
  return out;
}

MessageFilter ReduceTo(SentPoints sent) {
  return
      [sent = std::move(sent)](std::string_view datagram) { return ReduceMessage(datagram, sent); };
}

MessageFilter ReduceToSession(const std::string& session_json) {
  auto sent = ReadSessionPoints("session.json", session_json);
  EXPECT_TRUE(sent) << sent.error().message;
  return ReduceTo(sent ? std::move(*sent) : SentPoints{});
}

RecordedCapture::RecordedCapture(std::string path) : path_(std::move(path)) {
  CaptureSource source({path_});
  Record record;
  while (source.Next(record) != SourceStatus::kEnd) {
    if (record.kind == RecordKind::kOpened) opened_ = record;
    if (record.kind == RecordKind::kClosed) closed_ = record;
    if (record.kind != RecordKind::kFrame) continue;
    const auto bytes = record.frame;
    messages_.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    points_.insert(PointOf(messages_.back()));
  }
  EXPECT_FALSE(source.error()) << source.error()->message;
  EXPECT_FALSE(messages_.empty()) << path_;
}

ReducedMessages RecordedCapture::Reduce(const SentPoints& sent) const {
  ReducedMessages out;
  out.reserve(messages_.size());
  for (const std::string& message : messages_) out.push_back(ReduceMessage(message, sent));
  return out;
}

ReducedMessages RecordedCapture::All() const {
  return {messages_.begin(), messages_.end()};
}

std::vector<Alert> RecordedCapture::Replay(const std::shared_ptr<const RuleSet>& rules,
                                           const ReducedMessages& messages,
                                           const std::shared_ptr<const UserTable>& users) const {
  std::vector<Alert> out;
  KeepAlerts sink(out);
  Pipeline pipeline(rules, {}, sink);
  pipeline.Process(opened_);
  Record record = opened_;
  record.kind = RecordKind::kFrame;
  if (const auto start = Read(messages_.front()); users && start) {
    // As live, where it is asked for the sandbox's own container at its beginning.
    pipeline.SetUsers(opened_.connection.value, start->context().container_id, users);
  }
  for (const auto& message : messages) {
    if (!message) continue;
    record.frame = std::as_bytes(std::span(*message));
    pipeline.Process(record);
  }
  pipeline.Process(closed_);
  return out;
}

}  // namespace gyrfalcon::testing
