// For tests: the recorded answers of Falco that lie beside the repository, and the list of those
// that differ on purpose (tests/conformance/deviations.json).
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "rules/test_catalog.h"

namespace gyrfalcon {

inline std::string RecordedPath(const std::string& name) {
  return std::string(GYRFALCON_SHARED) + "/" + name;
}

inline std::string RecordedText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// One recording: counts what agrees, and fails for what does not and is not listed. A case whose
// id is listed for the recording may differ in everything.
class Recording {
 public:
  explicit Recording(const std::string& name) : name_(name) {
    data_ = Read(RecordedPath("conformance/" + name + ".json"));
    const auto tests = std::filesystem::path(GYRFALCON_TEST_DATA).parent_path();
    const auto listed = Read((tests / "conformance" / "deviations.json").string());
    if (!listed) return;
    for (const nlohmann::json& entry : *listed) {
      if (entry.at("file") == name) deviations_.insert(entry.at("case").get<std::string>());
    }
  }
  ~Recording() {
    if (data_) std::printf("%s: %zu of %zu agree\n", name_.c_str(), agree_, total_);
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  bool missing() const { return !data_; }
  const nlohmann::json& data() const { return *data_; }
  const nlohmann::json& cases() const { return data_->at("cases"); }

  void Check(const std::string& id, const std::string& ours, const std::string& falcos) {
    ++total_;
    if (ours == falcos) {
      ++agree_;
      return;
    }
    if (deviations_.contains(id)) return;
    ADD_FAILURE() << name_ << ": " << Beginning(id) << "\n  ours:  " << Beginning(ours)
                  << "\n  Falco: " << Beginning(falcos);
  }

 private:
  // Enough to tell what differs; some answers are whole files.
  static std::string Beginning(const std::string& text) {
    return text.size() > 400 ? text.substr(0, 400) + "..." : text;
  }

  static std::optional<nlohmann::json> Read(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    return nlohmann::json::parse(file);
  }

  std::string name_;
  std::optional<nlohmann::json> data_;
  std::set<std::string> deviations_;
  size_t agree_ = 0;
  size_t total_ = 0;
};

#define SKIP_WITHOUT_RECORDING(recording) \
  if ((recording).missing()) GTEST_SKIP() << "no recordings beside the repository"

// The program's own fields, with values that a test sets.
inline const FieldCatalog& RecordedFields() {
  static TestCatalog catalog = [] {
    TestCatalog all;
    all.AddReal();
    return all;
  }();
  return catalog.catalog();
}

}  // namespace gyrfalcon
