// A stream of messages of two connections, against a rule that reads every field: no crash, and
// nothing that a message says makes state or alerts grow beyond their limits. The input is a row of
// [connection][length, 2 bytes][message with its header]; what is left at the end is one message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/pipeline.h"
#include "rules/rule_loader.h"

namespace {

using namespace gyrfalcon;

// Every field that needs no argument, some that take one, and conditions of every kind.
std::string RulesText() {
  std::string output;
  for (const FieldDef& row : AllFields().rows()) {
    if (AllFields().Bind(row.name, std::nullopt)) output += "%" + std::string(row.name) + " ";
  }
  output += "%proc.aname[2] %proc.env[HOME] %evt.arg.res %evt.arg[0] %evt.rawarg.fd %proc.args[1]";
  return "- rule: all\n  desc: d\n  condition: evt.num >= 1\n  output: \"" + output +
         "\"\n  priority: INFO\n  warn_evttypes: false\n"
         "- rule: compare\n  desc: d\n  condition: (evt.type = execve and proc.aname startswith a)"
         " or fd.sip = 1.2.3.4 or fd.name pmatch (/etc, /a*b) or proc.cmdline regex \"a.*b\""
         " or fd.net in (10.0.0.0/8) or proc.args intersects (x, y)\n"
         "  output: x\n  priority: INFO\n  warn_evttypes: false\n";
}

std::shared_ptr<const RuleSet> Rules() {
  static const auto rules = [] {
    LoadOptions options;
    options.matching = RuleMatching::kAll;
    RuleLoader loader(AllFields(), options);
    loader.AddFile("fuzz.yaml", RulesText());
    auto set = loader.Compile();
    if (set == nullptr) std::abort();
    return set;
  }();
  return rules;
}

class Discard final : public AlertSink {
 public:
  bool OnAlert(Alert) override { return true; }
};

// Small, so that short inputs reach them.
constexpr SandboxLimits kLimits = {.processes_max = 8,
                                   .threads_max = 8,
                                   .containers_max = 2,
                                   .fds_per_process_max = 4,
                                   .ancestors_max = 4,
                                   .text_bytes_max = 64,
                                   .argv_bytes_max = 256,
                                   .written_files_max = 4,
                                   .sandbox_bytes_max = 32 * 1024};

void Tell(Pipeline& pipeline, RecordKind kind, uint64_t connection,
          std::span<const std::byte> message = {}) {
  Record record;
  record.kind = kind;
  record.connection = ConnectionId{connection};
  if (kind == RecordKind::kFrame) record.frame = FrameRef::Copy(message);
  pipeline.Process(record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Discard discard;
  Pipeline pipeline(Rules(), {.limits = kLimits}, discard);
  const auto bytes = std::as_bytes(std::span(data, size));
  Tell(pipeline, RecordKind::kOpened, 0);
  Tell(pipeline, RecordKind::kOpened, 1);
  for (size_t at = 0; at + 3 <= size;) {
    const size_t wanted = data[at + 1] + data[at + 2] * size_t{256};
    const size_t length = std::min(wanted, size - at - 3);
    Tell(pipeline, RecordKind::kFrame, data[at] % 2, bytes.subspan(at + 3, length));
    at += 3 + length;
  }
  Tell(pipeline, RecordKind::kClosed, 0);
  Tell(pipeline, RecordKind::kClosed, 1);
  if (pipeline.sandbox_count() != 0) std::abort();
  return 0;
}
