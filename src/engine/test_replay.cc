#include "engine/test_replay.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <unistd.h>

#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon::testing {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

class KeepAlerts final : public AlertSink {
 public:
  explicit KeepAlerts(std::vector<Alert>& out) : out_(out) {}
  bool OnAlert(Alert alert) override {
    out_.push_back(std::move(alert));
    return true;
  }

 private:
  std::vector<Alert>& out_;
};

std::shared_ptr<const RuleSet> Finish(RuleLoader& loader) {
  EXPECT_TRUE(loader.successful()) << Diagnostics(loader.results(), loader.files(), false);
  return loader.Compile();
}

}  // namespace

std::shared_ptr<const RuleSet> LoadRulesForTest(const std::vector<std::string>& paths,
                                                LoadOptions options) {
  RuleLoader loader(AllFields(), std::move(options));
  for (const std::string& path : paths) loader.AddFile(path, ReadFile(path));
  return Finish(loader);
}

std::shared_ptr<const RuleSet> RulesFromText(const std::string& yaml) {
  RuleLoader loader(AllFields());
  loader.AddFile("test.yaml", yaml);
  return Finish(loader);
}

std::vector<std::string> ReplayResult::RuleNames() const {
  std::vector<std::string> names;
  names.reserve(alerts.size());
  for (const Alert& alert : alerts) names.push_back(alert.rule);
  std::ranges::sort(names);
  return names;
}

ReplayResult ReplayForTest(const std::string& capture, std::shared_ptr<const RuleSet> rules,
                           const MessageFilter& filter) {
  ReplayResult result;
  KeepAlerts sink(result.alerts);
  CaptureSource source({capture});
  Pipeline pipeline(std::move(rules), {}, sink);
  Record record;
  std::optional<std::string> kept;
  while (source.Next(record) != SourceStatus::kEnd) {
    if (record.kind == RecordKind::kFrame && filter != nullptr) {
      const auto bytes = record.frame;
      kept = filter({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      if (!kept) continue;
      record.frame = std::as_bytes(std::span(*kept));
    }
    pipeline.Process(record);
  }
  result.warnings = source.TakeWarnings();
  EXPECT_FALSE(source.error()) << source.error()->message;
  result.totals = pipeline.totals();
  return result;
}

namespace {

struct KeptPoint {
  std::set<std::string, std::less<>> optional_fields;
  std::set<uint32_t> context_fields;  // protobuf numbers
};

using KeptPoints = std::map<std::string, KeptPoint, std::less<>>;

KeptPoints ReadPoints(const std::string& session_json) {
  const auto context_names = AllContextFields();  // in the order of their protobuf numbers
  KeptPoints kept;
  const auto session = nlohmann::json::parse(session_json);
  for (const auto& point : session["trace_session"]["points"]) {
    KeptPoint& out = kept[point["name"].get<std::string>()];
    for (const auto& name : point.value("optional_fields", nlohmann::json::array())) {
      out.optional_fields.insert(name.get<std::string>());
    }
    for (const auto& name : point.value("context_fields", nlohmann::json::array())) {
      const auto at = std::ranges::find(context_names, name.get<std::string>());
      out.context_fields.insert(static_cast<uint32_t>(at - context_names.begin()) + 1);
    }
  }
  return kept;
}

std::string StripContext(std::string_view context, const KeptPoint& kept) {
  std::string out;
  protozero::pbf_writer writer(out);
  protozero::pbf_reader reader(context.data(), context.size());
  while (reader.next()) {
    const uint32_t tag = reader.tag();
    if (!kept.context_fields.contains(tag)) {
      reader.skip();
    } else if (reader.wire_type() == protozero::pbf_wire_type::varint) {
      writer.add_uint64(tag, reader.get_uint64());
    } else {
      const auto view = reader.get_view();
      writer.add_bytes(tag, view.data(), view.size());
    }
  }
  return out;
}

// The optional field group that a message's field belongs to; "" for fields that always come.
std::string_view OptionalGroup(MessageType type, std::string_view field) {
  if (field == "fd_path" || field == "envv" || field == "binary_sha256" || field == "binary_sha1") {
    return field;
  }
  if (type == MessageType::kContainerStart && field == "env") return field;
  if (type != MessageType::kSentryExec) return {};
  if (field.starts_with("std")) return "fd_info";
  if (field.starts_with("pipe_")) return "pipe_proc_info";
  return field.starts_with("binary_") && field != "binary_path" ? "binary_info" : "";
}

std::string StripPayload(MessageType type, std::span<const std::byte> payload,
                         const KeptPoint& kept) {
  std::string out;
  protozero::pbf_writer writer(out);
  protozero::pbf_reader reader(reinterpret_cast<const char*>(payload.data()), payload.size());
  const MessageSpec& spec = *FindMessage(static_cast<uint16_t>(type));
  while (reader.next()) {
    const uint32_t tag = reader.tag();
    const FieldSpec* field = spec.Find(tag);
    const std::string_view group = field == nullptr ? "" : OptionalGroup(type, field->name);
    if (!group.empty() && !kept.optional_fields.contains(group)) {
      reader.skip();
    } else if (reader.wire_type() == protozero::pbf_wire_type::varint) {
      writer.add_uint64(tag, reader.get_uint64());
    } else {
      const auto view = reader.get_view();
      const std::string_view bytes(view.data(), view.size());
      const bool is_context = field != nullptr && field->kind == WireKind::kContext;
      writer.add_bytes(tag, is_context ? StripContext(bytes, kept) : std::string(bytes));
    }
  }
  return out;
}

}  // namespace

MessageFilter StripToSession(const std::string& session_json) {
  return
      [kept = ReadPoints(session_json)](std::string_view datagram) -> std::optional<std::string> {
        const auto message = ReadMessage(std::as_bytes(std::span(datagram)));
        Event event;
        if (!message || !Decode(message->type, message->payload, event))
          return std::string(datagram);
        const PointRef point = ResolvePoint(event.type(), event.sysno(), kHostArch);
        std::string name = point.point == nullptr ? "syscall/sysno/" + std::to_string(event.sysno())
                                                  : std::string(point.point->name);
        if (point.point == nullptr || point.point->is_syscall()) {
          name += event.is_exit() ? "/exit" : "/enter";
        }
        const auto found = kept.find(name);
        if (found == kept.end()) return std::nullopt;
        std::string out(datagram.substr(0, kHeaderBytes));
        out += StripPayload(event.type(), message->payload, found->second);
        return out;
      };
}

std::string FieldText(const Alert& alert, std::string_view name) {
  for (const AlertField& field : alert.fields) {
    if (field.name != name) continue;
    if (const auto* text = std::get_if<std::string>(&field.value)) return *text;
  }
  return {};
}

HeavyCapture::HeavyCapture() {
  const std::string packed = SharedPath("captures/new/heavy.trace.zst");
  if (packed.empty()) {
    missing_ = "no ../shared/captures/new/heavy.trace.zst";
    return;
  }
  std::string path = ::testing::TempDir() + "gyrfalcon-heavy-" + std::to_string(::getpid());
  const std::string unpack = "zstd -dqf -o '" + path + "' '" + packed + "' 2>/dev/null";
  if (std::system(unpack.c_str()) != 0) {
    missing_ = "zstd can't unpack " + packed;
    return;
  }
  path_ = std::move(path);
}

HeavyCapture::~HeavyCapture() {
  std::error_code error;
  if (!path_.empty()) std::filesystem::remove(path_, error);
}

std::string SharedPath(const std::string& relative) {
  const std::string path = std::string(GYRFALCON_SHARED) + "/" + relative;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace gyrfalcon::testing
