#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "points/render.h"
#include "state/sockaddr.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

// Collects a message's fields as JSON, nested messages as objects.
class JsonVisitor final : public FieldVisitor {
 public:
  void OnNumber(const FieldSpec& field, int64_t value) override {
    Json& out = Top()[std::string(field.name)];
    if (field.kind == WireKind::kBool) {
      out = value != 0;
    } else if (field.kind == WireKind::kUint64) {
      out = static_cast<uint64_t>(value);
    } else {
      out = value;
    }
  }
  void OnText(const FieldSpec& field, std::string_view text) override {
    Json& out = Top()[std::string(field.name)];
    if (field.kind == WireKind::kTexts) {
      out.push_back(std::string(text));
    } else if (field.kind == WireKind::kBytes) {
      std::string hex;
      for (const char byte : text) hex += fmt::format("{:02x}", static_cast<uint8_t>(byte));
      out = std::move(hex);
    } else {
      out = std::string(text);
    }
  }
  void OnMessageBegin(const FieldSpec& field) override {
    Json& out = Top()[std::string(field.name)];
    out = Json::object();
    stack_.push_back(&out);
  }
  void OnMessageEnd() override { stack_.pop_back(); }
  void OnUnknown(uint32_t field_number) override { Top()[fmt::format("#{}", field_number)] = "?"; }

  Json Take() { return std::move(root_); }

 private:
  Json& Top() { return stack_.empty() ? root_ : *stack_.back(); }

  Json root_ = Json::object();
  std::vector<Json*> stack_;
};

// Moves what every message has to the front, under the names that scripts know.
Json Arrange(uint64_t number, std::string_view sandbox, const MessageView& message, Json fields) {
  Json out;
  out["num"] = number;
  const Json context =
      fields.contains("context_data") ? Json(fields["context_data"]) : Json::object();
  const auto from_context = [&context](const char* name) {
    return context.contains(name) ? Json(context[name]) : Json();
  };
  out["time_ns"] = from_context("time_ns");
  out["type"] = message.type;
  const bool is_exit = fields.contains("exit");
  const uint64_t sysno = fields.value("sysno", uint64_t{0});
  out["point"] = SentPointName(static_cast<MessageType>(message.type), sysno, is_exit, kHostArch);
  out["sandbox"] = sandbox;
  out["container_id"] = fields.contains("id") && message.type == 1 ? Json(fields["id"])
                                                                   : from_context("container_id");
  out["tid"] = from_context("thread_id");
  out["tgid"] = from_context("thread_group_id");
  if (message.dropped_count != 0) out["dropped"] = message.dropped_count;
  out.update(fields);
  return out;
}

std::string Print(const Json& json, bool as_json) {
  const auto replace = Json::error_handler_t::replace;
  if (as_json) return json.dump(-1, ' ', false, replace);
  std::string out;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null() || key == "context_data" || key == "sandbox") continue;
    if (!out.empty()) out += ' ';
    out += key + "=" + value.dump(-1, ' ', false, replace);
  }
  return out;
}

Json Describe(uint64_t number, std::string_view sandbox, std::span<const std::byte> datagram) {
  const auto message = ReadMessage(datagram);
  if (!message) {
    return {{"num", number}, {"sandbox", sandbox}, {"error", FramingErrorText(message.error())}};
  }
  JsonVisitor visitor;
  const auto visited = VisitFields(message->type, message->payload, visitor);
  if (!visited) {
    return {{"num", number},
            {"type", message->type},
            {"sandbox", sandbox},
            {"error", kDecodeErrorRows[static_cast<size_t>(visited.error())].help}};
  }
  return Arrange(number, sandbox, *message, visitor.Take());
}

}  // namespace

int DumpCaptures(std::vector<std::string> args) {
  const auto app = MakeApp("dump");
  std::vector<std::string> captures;
  bool json = false;
  app->add_option("CAPTURE", captures, "Files in gVisor's tracereplay format")->required();
  app->add_flag("--json", json, "One JSON object a line");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  CaptureSource source(captures);
  Record record;
  uint64_t number = 0;
  for (;;) {
    const SourceStatus status = source.Next(record);
    if (status == SourceStatus::kEnd) break;
    if (record.kind == RecordKind::kOpened) number = 0;
    if (status == SourceStatus::kRecord && record.kind == RecordKind::kFrame) {
      fmt::print("{}\n", Print(Describe(++number, source.current_path(), record.frame), json));
    }
  }
  for (const std::string& warning : source.TakeWarnings()) {
    fmt::print(stderr, "gyrfalcon: warning: {}\n", warning);
  }
  return source.error() ? Report(*source.error()) : kExitOk;
}

}  // namespace gyrfalcon
