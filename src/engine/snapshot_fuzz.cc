// Bytes that claim to be a session's snapshot, and bytes that claim to be a sandbox's state: an
// error or a session that takes messages, is written, and comes back the same; never a crash, and
// never more than the limits allow. The first byte of the input says what the rest is: 0 a session,
// as it is; 1 a session whose checksums are made right; 2 a sandbox's state.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/checksum.h"
#include "engine/pipeline.h"
#include "rules/rule_loader.h"

namespace {

using namespace gyrfalcon;

class NoAlerts final : public AlertSink, public HappeningSink {
 public:
  bool OnAlert(Alert /*alert*/) override { return true; }
  void OnHappening(const Happening& happening) override {
    if (happening.process == nullptr) std::abort();
    bytes_ += happening.process->CommandLine().size();
  }

 private:
  size_t bytes_ = 0;
};

constexpr SandboxLimits kLimits = {.processes_max = 64,
                                   .threads_max = 64,
                                   .containers_max = 8,
                                   .fds_per_process_max = 32,
                                   .ancestors_max = 8,
                                   .written_files_max = 64,
                                   .sandbox_bytes_max = 1 << 20};

std::shared_ptr<const RuleSet> Rules() {
  static const auto rules = [] {
    RuleLoader loader(AllFields());
    loader.AddFile("fuzz.yaml",
                   "- rule: all\n  desc: d\n  condition: evt.num >= 1\n  output: \"%proc.cmdline "
                   "%proc.aname[2] %fd.name %container.id\"\n  priority: INFO\n"
                   "  warn_evttypes: false\n");
    auto set = loader.Compile();
    if (set == nullptr) std::abort();
    return set;
  }();
  return rules;
}

// An open by thread 1, and its end: what was restored is looked at and let go.
void Use(Pipeline& pipeline) {
  static constexpr uint8_t kOpen[] = {8,    0, 7, 0, 0,    0,    0, 0,    0x0a, 2,   0x10, 1,
                                      0x12, 2, 8, 3, 0x18, 0x81, 2, 0x32, 2,    '/', 'x'};
  static constexpr uint8_t kExit[] = {8, 0, 5, 0, 0, 0, 0, 0, 0x0a, 2, 0x10, 1};
  Record record;
  record.connection = ConnectionId{1};
  record.frame = std::as_bytes(std::span(kOpen));
  pipeline.Process(record);
  record.frame = std::as_bytes(std::span(kExit));
  pipeline.Process(record);
}

void TrySession(const std::string& bytes) {
  NoAlerts alerts;
  PipelineOptions options;
  options.limits = kLimits;
  Pipeline pipeline(Rules(), options, alerts);
  (void)ReadSnapshotIdentity(bytes);
  const bool restored = pipeline.RestoreSession({.connection = 1}, bytes).has_value();
  if (pipeline.sandbox_count() != 1) std::abort();
  if (restored) {
    const std::string again = pipeline.SaveSession(1);
    Pipeline other(Rules(), options, alerts);
    if (!other.RestoreSession({.connection = 1}, again)) std::abort();
    if (other.SaveSession(1).size() != again.size()) std::abort();
  }
  Use(pipeline);
  Record record;
  record.kind = RecordKind::kClosed;
  record.connection = ConnectionId{1};
  pipeline.Process(record);
}

void TrySandbox(std::string_view bytes) {
  auto sandbox = Sandbox::Restore(kLimits, kHostArch, bytes);
  if (!sandbox) return;
  std::string again;
  (*sandbox)->Save(again);
  if (!Sandbox::Restore(kLimits, kHostArch, again)) std::abort();
  NoAlerts sink;
  (*sandbox)->BeginConnection(sink);
}

// As the writer does: three sections, the checksum of each in the header, then the header's own.
void MendChecksums(std::string& bytes) {
  constexpr size_t kSections = 3;
  constexpr size_t kHeader = 8 + kSections * 24 + 8;
  if (bytes.size() < kHeader) return;
  size_t at = kHeader;
  for (size_t i = 0; i < kSections; ++i) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data() + 8 + i * 24 + 8, sizeof length);
    if (length > bytes.size() - at) return;
    const uint64_t sum = Checksum(std::string_view(bytes).substr(at, length));
    std::memcpy(bytes.data() + 8 + i * 24 + 16, &sum, sizeof sum);
    at += length;
  }
  const uint64_t sum = Checksum(std::string_view(bytes).substr(0, kHeader - 8));
  std::memcpy(bytes.data() + kHeader - 8, &sum, sizeof sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 2) {
    TrySandbox(bytes);
    return 0;
  }
  if (data[0] % 3 == 1) MendChecksums(bytes);
  TrySession(bytes);
  return 0;
}
