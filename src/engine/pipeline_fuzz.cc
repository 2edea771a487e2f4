// A stream of messages of two connections, against a rule that reads every field: no crash, nothing
// that a message says makes state or alerts grow beyond their limits, and no alert that is held
// back or suppressed stays untold, whatever is left out for want of time. The input is a row of
// [connection and flags][length, 2 bytes][message with its header]; what is left at the end is one
// message. `Flags` says what they are.
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

// Of the byte before each message.
enum Flags : uint8_t {
  kConnection = 1,  // which of the two
  kLater = 2,       // a second after the one before
  kCut = 4,         // it was larger than the receive buffer
  kAnew = 8,        // `trace create --force` came before it
  kPressed = 16,    // the worker is pressed a step more
  kRelieved = 32,   // not any more
};

class CountHeldBack final : public AlertSink {
 public:
  bool OnAlert(Alert alert) override {
    for (const AlertField& field : alert.fields) {
      if (field.name == "gyrfalcon.held_back") told_ += std::get<uint64_t>(field.value);
      if (field.name == "gyrfalcon.suppressed") suppressed_ += std::get<uint64_t>(field.value);
    }
    return true;
  }
  uint64_t told() const { return told_; }
  uint64_t suppressed() const { return suppressed_; }

 private:
  uint64_t told_ = 0;
  uint64_t suppressed_ = 0;
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

// Two connections of two sandboxes that runsc tells of, live.
class Live {
 public:
  explicit Live(AlertSink& alerts) : pipeline_(Rules(), Options(containers_, memory_), alerts) {
    Open(0);
    Open(1);
  }

  void Open(size_t which) {
    current_[which] = next_++;
    Record record = Make(RecordKind::kOpened, current_[which]);
    std::string command_line("runsc\0create\0sandbox", sizeof "runsc\0create\0sandbox" - 1);
    command_line += static_cast<char>('0' + which);
    record.peer = std::make_shared<const Peer>(Peer{.command_line = std::move(command_line)});
    pipeline_.Process(record);
  }
  void Send(uint8_t flags, std::span<const std::byte> message) {
    const size_t which = (flags & kConnection) != 0 ? 1 : 0;
    if ((flags & kLater) != 0) now_ns_ += 1'000'000'000;
    if ((flags & kPressed) != 0) ++pressure_;
    if ((flags & kRelieved) != 0) pressure_ = 0;
    if ((flags & (kPressed | kRelieved)) != 0) pipeline_.SetPressure(pressure_);
    if ((flags & kAnew) != 0 && next_ < 64) Open(which);
    Record record = Make(RecordKind::kFrame, current_[which]);
    record.truncated = (flags & kCut) != 0;
    record.frame = message;
    pipeline_.Process(record);
    if ((flags & kLater) != 0) pipeline_.TellDue(now_ns_);
  }
  void Close() {
    for (uint64_t connection = 0; connection < next_; ++connection) {
      pipeline_.Process(Make(RecordKind::kClosed, connection));
    }
    // Until nobody waits for kept states any more.
    now_ns_ += 2 * PipelineOptions().grace_ns;
    pipeline_.TellDue(now_ns_);
  }
  Pipeline& pipeline() { return pipeline_; }
  const MemoryBudget& memory() const { return memory_; }

 private:
  static PipelineOptions Options(ContainerRegistry& containers, MemoryBudget& memory) {
    PipelineOptions options;
    options.limits = kLimits;
    options.containers = &containers;
    options.memory = &memory;
    options.alert_budget = {.burst = 3, .per_minute = 60};
    options.overload.sheds = true;
    return options;
  }
  Record Make(RecordKind kind, uint64_t connection) const {
    Record record;
    record.kind = kind;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = now_ns_;
    return record;
  }

  ContainerRegistry containers_;
  MemoryBudget memory_{64 * 1024};
  Pipeline pipeline_;
  unsigned pressure_ = 0;
  uint64_t next_ = 0;
  uint64_t current_[2] = {};
  int64_t now_ns_ = 1'795'335'717'000'000'000;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CountHeldBack alerts;
  Live live(alerts);
  const auto bytes = std::as_bytes(std::span(data, size));
  for (size_t at = 0; at + 3 <= size;) {
    const size_t wanted = data[at + 1] + data[at + 2] * size_t{256};
    const size_t length = std::min(wanted, size - at - 3);
    live.Send(data[at], bytes.subspan(at + 3, length));
    at += 3 + length;
  }
  live.Close();
  const Pipeline& pipeline = live.pipeline();
  if (pipeline.sandbox_count() != 0) std::abort();
  if (pipeline.totals().engine[EngineCounter::kAlertsHeldBack] != alerts.told()) std::abort();
  const uint64_t suppressed = pipeline.totals().engine[EngineCounter::kAlertsSuppressed];
  if (suppressed != alerts.suppressed() || live.memory().held_bytes() != 0) std::abort();
  return 0;
}
