#include "cli/config_schema.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/config.h"
#include "cli/config_table.h"
#include "cli/file.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

// As much of draft-07 as the schema uses; anything else in it fails the test.
class SchemaChecker {
 public:
  std::string problem;

  bool Fits(const Json& value, const Json& schema, const std::string& path) {
    for (const auto& [word, rule] : schema.items()) {
      if (!FitsWord(value, word, rule, schema, path)) {
        if (problem.empty()) problem = path + ": " + word + " of " + value.dump();
        return false;
      }
    }
    return true;
  }

 private:
  bool FitsWord(const Json& value, const std::string& word, const Json& rule, const Json& schema,
                const std::string& path) {
    if (word == "$schema") return rule == "http://json-schema.org/draft-07/schema#";
    if (word == "title" || word == "description") return rule.is_string();
    if (word == "default") return true;
    if (word == "type") return HasType(value, rule.get<std::string>());
    if (word == "enum") return !rule.empty() && std::ranges::find(rule, value) != rule.end();
    if (word == "minimum") return value.get<double>() >= rule.get<double>();
    if (word == "maximum") return value.get<double>() <= rule.get<double>();
    if (word == "minProperties") return value.size() >= rule.get<size_t>();
    if (word == "maxProperties") return value.size() <= rule.get<size_t>();
    if (word == "anyOf") {
      SchemaChecker inner;
      return std::ranges::any_of(
          rule, [&](const Json& option) { return inner.Fits(value, option, path); });
    }
    if (word == "items") {
      return std::ranges::all_of(value,
                                 [&](const Json& item) { return Fits(item, rule, path + "[]"); });
    }
    if (word == "properties" || word == "additionalProperties") {
      return FitsProperties(value, schema, path);
    }
    problem = "the schema has the word " + word;
    return false;
  }

  bool FitsProperties(const Json& value, const Json& schema, const std::string& path) {
    const Json properties = schema.value("properties", Json::object());
    const Json& others = schema.at("additionalProperties");
    for (const auto& [name, below] : value.items()) {
      const bool is_named = properties.contains(name);
      if (!is_named && others.is_boolean() && !others.get<bool>()) return false;
      const Json& rule = is_named ? properties.at(name) : others;
      if (!Fits(below, rule, path + "." + name)) return false;
    }
    return true;
  }

  static bool HasType(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }
};

// A plain YAML scalar as JSON tools read it.
Json ToJson(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kSequence: {
      Json out = Json::array();
      for (const YamlNode& item : node.items) out.push_back(ToJson(item));
      return out;
    }
    case YamlNode::Kind::kMapping: {
      Json out = Json::object();
      for (const YamlPair& pair : node.pairs) out[pair.key] = ToJson(pair.value);
      return out;
    }
    case YamlNode::Kind::kNull:
      return nullptr;
    case YamlNode::Kind::kScalar:
      break;
  }
  if (node.quoted) return node.scalar;
  if (node.scalar == "true" || node.scalar == "false") return node.scalar == "true";
  const Json number =
      Json::parse((node.scalar.starts_with('.') ? "0" : "") + node.scalar, nullptr, false);
  return number.is_number() ? number : Json(node.scalar);
}

Json LoadYaml(const std::string& path) {
  const auto text = ReadWholeFile(path, kConfigBytesMax);
  EXPECT_TRUE(text) << path;
  const auto documents = ParseYaml(*text);
  EXPECT_TRUE(documents && documents->size() == 1) << path;
  return ToJson(documents->front());
}

const std::string kTestData = GYRFALCON_TEST_DATA;
const std::string kDefaults = kTestData + "/../../config/gyrfalcon.yaml";

void CollectPaths(const Json& schema, const std::string& path, std::set<std::string>& out) {
  if (schema.contains("properties")) {
    for (const auto& [name, below] : schema.at("properties").items()) {
      const std::string full = path.empty() ? name : path + "." + name;
      out.insert(full);
      CollectPaths(below, full, out);
    }
  }
  for (const Json& option : schema.value("anyOf", Json::array())) CollectPaths(option, path, out);
  if (schema.contains("items")) CollectPaths(schema.at("items"), path + "[]", out);
}

TEST(ConfigSchema, HasEachKeyOfTheTable) {
  std::set<std::string> paths;
  CollectPaths(Json::parse(ConfigSchemaJson()), "", paths);
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_TRUE(paths.contains(std::string(key.path))) << key.path;
  }
}

TEST(ConfigSchema, AcceptsTheDefaultConfigAndFalcos) {
  const Json schema = Json::parse(ConfigSchemaJson());
  for (const std::string& path : {kDefaults, kTestData + "/config/falco-0.43.yaml"}) {
    Json config = LoadYaml(path);
    if (config.contains("plugins") && !config["plugins"].empty()) {
      config["plugins"].back().erase(
          "init_config");  // null: the loader takes it, JSON tools differ
    }
    SchemaChecker checker;
    EXPECT_TRUE(checker.Fits(config, schema, "")) << path << ": " << checker.problem;
  }
}

TEST(ConfigSchema, RefusesWhatTheLoaderRefuses) {
  const Json schema = Json::parse(ConfigSchemaJson());
  for (const std::string_view text :
       {"priorty: debug", "json_output: maybe", "workers: 257", "rules: 5", "rules: [a]",
        "http_output: {ulr: x}", "append_output: [{match: {tgas: [a]}}]", "rule_matching: frist",
        "append_output: [{extra_fields: [{a: b, c: d}]}]", "webserver: {listen_port: 70000}",
        "syscall_event_drops: {actions: [shout]}"}) {
    SchemaChecker checker;
    EXPECT_FALSE(checker.Fits(ToJson(ParseYaml(text)->front()), schema, "")) << text;
    EXPECT_FALSE(ReadConfig("c.yaml", text)) << text;
  }
}

TEST(DefaultConfig, LoadsWithoutAWarningAndChangesNothing) {
  const auto loaded = LoadConfig({.file = kDefaults, .assignments = {}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(loaded->warnings.empty()) << loaded->warnings.front();
  const Config plain;
  EXPECT_EQ(loaded->config.format, plain.format);
  EXPECT_EQ(loaded->config.rules_files, plain.rules_files);
  EXPECT_EQ(loaded->config.rules.priority, plain.rules.priority);
  EXPECT_EQ(loaded->config.socket_path, plain.socket_path);
  EXPECT_EQ(loaded->config.file_enabled, plain.file_enabled);
  EXPECT_EQ(loaded->config.log_level, plain.log_level);
}

TEST(DefaultConfig, HasEachHonouredKeyWithItsHelp) {
  const std::string text = DefaultConfigYaml();
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.effect != ConfigEffect::kHonoured || key.path == "rules_file") continue;
    EXPECT_NE(text.find(key.help), std::string::npos) << key.path;
  }
}

}  // namespace
}  // namespace gyrfalcon
