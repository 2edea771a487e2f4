#include "engine/test_replay.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/test_kept_alerts.h"
#include "rules/test_rules.h"
#include "wire/capture_source.h"

namespace gyrfalcon::testing {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::shared_ptr<const RuleSet> LoadRulesForTest(const std::vector<std::string>& paths,
                                                LoadOptions options) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& path : paths) files.emplace_back(path, ReadFile(path));
  return LoadTestRules(files, std::move(options));
}

std::shared_ptr<const RuleSet> RulesFromText(const std::string& yaml) {
  return LoadTestRules(yaml);
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

std::vector<std::string> CapturesBelow(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() == ".trace") out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> OwnCaptures() {
  return CapturesBelow(GYRFALCON_TEST_DATA "/captures");
}

std::vector<std::string> AllCaptures() {
  std::vector<std::string> out = OwnCaptures();
  std::ranges::move(CapturesBelow(GYRFALCON_SHARED "/captures"), std::back_inserter(out));
  return out;
}

std::vector<std::string> TraceNames(const std::string& folder) {
  std::vector<std::string> out;
  for (const char* runsc : {"old", "new"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder + "/" + runsc, error)) {
      if (entry.path().extension() != ".trace") continue;
      out.push_back(std::string(runsc) + "/" + entry.path().stem().string());
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace gyrfalcon::testing
