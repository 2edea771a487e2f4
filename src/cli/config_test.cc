#include "cli/config.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/test_folder.h"
#include "cli/config_check.h"
#include "cli/config_table.h"
#include "cli/config_tree.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Config Read(std::string_view text, const std::vector<std::string>& assignments = {}) {
  const auto loaded = ReadConfig("c.yaml", text, assignments);
  EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
  return loaded ? loaded->config : Config{};
}

std::string Wrong(std::string_view text, const std::vector<std::string>& assignments = {}) {
  const auto loaded = ReadConfig("c.yaml", text, assignments);
  return loaded ? "" : loaded.error().message;
}

TEST(ConfigTable, EachPathStandsOnceAndIsNoMappingAsWell) {
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_EQ(FindConfigKey(key.path), &key) << key.path;
    EXPECT_FALSE(IsConfigMapping(key.path)) << key.path;
    EXPECT_FALSE(key.help.empty() || key.help.ends_with('.')) << key.path;
  }
}

TEST(ConfigTable, EachHonouredKeyOutsideOfListsIsSetOrFollowed) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.path.contains("[]") || key.path == "config_files") continue;
    EXPECT_EQ(key.set != nullptr, key.effect == ConfigEffect::kHonoured) << key.path;
  }
}

TEST(ConfigTable, EachDefaultIsAValueOfItsKeyAndWhatAConfigHasWithoutIt) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.default_value.empty()) continue;
    const auto documents = ParseYaml(key.default_value);
    ASSERT_TRUE(documents && documents->size() == 1) << key.path;
    EXPECT_THAT(CheckConfig(documents->front(), key.path), IsEmpty()) << key.path;
  }
  Config from_table;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.default_value.empty() || key.set == nullptr) continue;
    key.set(ParseYaml(key.default_value)->front(), from_table);
  }
  const Config plain;
  EXPECT_EQ(from_table.format, plain.format);
  EXPECT_EQ(from_table.log_level, plain.log_level);
  EXPECT_EQ(from_table.rules.priority, plain.rules.priority);
  EXPECT_EQ(from_table.stdout_enabled, plain.stdout_enabled);
  EXPECT_EQ(from_table.watch_files, plain.watch_files);
  EXPECT_EQ(from_table.file_keep_alive, plain.file_keep_alive);
  EXPECT_EQ(from_table.syslog, plain.syslog);
  EXPECT_EQ(from_table.program, plain.program);
  EXPECT_EQ(from_table.http, plain.http);
}

TEST(Config, AnUnknownKeyIsAnErrorWithPlaceAndNearestKeyAtEachDepth) {
  EXPECT_EQ(Wrong("priorty: debug"), "c.yaml:1:1: unknown key `priorty`; did you mean `priority`?");
  EXPECT_EQ(Wrong("http_output:\n  enabled: true\n  ulr: x"),
            "c.yaml:3:3: unknown key `http_output.ulr`; did you mean `http_output.url`?");
  EXPECT_EQ(Wrong("append_output:\n  - match: {tgas: [a]}"),
            "c.yaml:2:13: unknown key `append_output[].match.tgas`; did you mean "
            "`append_output[].match.tags`?");
  EXPECT_THAT(Wrong("rules:\n  - enabel: {tag: a}"), HasSubstr("did you mean `rules[].enable`"));
  EXPECT_THAT(Wrong("plugins:\n  - nam: a"), HasSubstr("did you mean `plugins[].name`"));
  EXPECT_THAT(Wrong("engine: {gvisor: {confg: a}}"), HasSubstr("`engine.gvisor.config`"));
  EXPECT_THAT(Wrong("zzzzzz: 1"), HasSubstr("--config-schema"));
}

TEST(Config, AValueOfAnotherTypeIsAnErrorWithItsPlace) {
  const struct {
    std::string_view text, error;
  } kCases[] = {
      {"json_output: maybe", "c.yaml:1:14: `json_output`: expected true or false, not `maybe`"},
      {"json_output: [true]", "c.yaml:1:14: `json_output`: expected true or false, not a list"},
      {"workers: many",
       "c.yaml:1:10: `workers`: expected a whole number from 0 to 256, not `many`"},
      {"workers: 257", "c.yaml:1:10: `workers`: expected a whole number from 0 to 256, not `257`"},
      {"workers: 1.5", "c.yaml:1:10: `workers`: expected a whole number from 0 to 256, not `1.5`"},
      {"webserver:\n  listen_port: 70000",
       "c.yaml:2:16: `webserver.listen_port`: expected a whole number from 0 to 65535, not "
       "`70000`"},
      {"webserver:\n  listen_address: here",
       "c.yaml:2:19: `webserver.listen_address`: `here` is no IP address"},
      {"rules: 5", "c.yaml:1:8: `rules`: expected a list, not `5`"},
      {"rules: [a]", "c.yaml:1:9: `rules[]`: expected a mapping, not `a`"},
      {"rules: [{}]",
       "c.yaml:1:8: `rules`: each item needs `enable` or `disable`, and below it `rule` or `tag`"},
      {"metrics: [1]", "c.yaml:1:10: `metrics`: expected a mapping, not a list"},
      {"rules_files: [[a]]", "c.yaml:1:15: `rules_files`: expected a text, not a list"},
      {"rule_matching: fist",
       "c.yaml:1:16: `rule_matching`: expected one of first, all (did you mean `first`?), not "
       "`fist`"},
      {"append_output:\n  - extra_fields: [{a: b, c: d}]",
       "c.yaml:2:20: `append_output[].extra_fields[]`: expected a text or one `name: format`, not "
       "a mapping"},
      {"static_fields: {a: [b]}", "c.yaml:1:20: `static_fields.a`: expected a text, not a list"},
      {"syscall_event_drops: {threshold: 1.1}",
       "c.yaml:1:34: `syscall_event_drops.threshold`: syscall event drops threshold must be a "
       "double in the range [0, 1]"},
      {"syscall_event_drops: {actions: [ignore, log]}",
       "c.yaml:1:32: `syscall_event_drops.actions`: syscall event drop action \"log\" does not "
       "make sense with the \"ignore\" action"},
      {"- a", "c.yaml:1:1: expected a mapping of keys"},
  };
  for (const auto& row : kCases) EXPECT_EQ(Wrong(row.text), row.error) << row.text;
  EXPECT_THAT(Wrong("json_output: maybe\nworkers: -1"), HasSubstr("c.yaml:1:14: `json_output`"));
  EXPECT_THAT(Wrong("json_output: maybe\nworkers: -1"), HasSubstr("\nc.yaml:2:10: `workers`"));
}

TEST(Config, BuiltinAlertsAreSwitchedAndMadeLouderByName) {
  const auto loaded =
      ReadConfig("c.yaml",
                 "builtin_alerts:\n"
                 "  - {name: events lost, enabled: false}\n"
                 "  - {name: 'gyrfalcon: path changed during syscall', priority: notice}\n");
  ASSERT_TRUE(loaded) << loaded.error().message;
  const BuiltinSettings& builtins = loaded->config.builtins;
  EXPECT_FALSE(builtins.enabled(Builtin::kEventsLost));
  EXPECT_TRUE(builtins.enabled(Builtin::kPathChanged));
  EXPECT_EQ(builtins.priority(Builtin::kPathChanged), Priority::kNotice);
  EXPECT_EQ(builtins.priority(Builtin::kEventHidden), Priority::kCritical);
  EXPECT_EQ(
      Wrong("builtin_alerts:\n  - enabled: true\n    name: event lost\n  - name: sandbox silent\n"
            "  - {}"),
      "c.yaml:3:11: `builtin_alerts[].name`: no built-in alert is called `event lost`: "
      "docs/sensor.md lists them; did you mean `events lost`?\n"
      "c.yaml:4:11: `builtin_alerts[].name`: no built-in alert is called `sandbox silent`: "
      "docs/sensor.md lists them\n"
      "c.yaml:5:5: `builtin_alerts`: each item needs `name`: that of a built-in alert");
  for (const char* assignment :
       {R"(builtin_alerts[]={"name": "evnts lost"})", "builtin_alerts[0].name=evnts lost",
        R"(builtin_alerts=[{"name": "evnts lost"}])"}) {
    const auto refused = ReadConfig("c.yaml", "", {assignment});
    ASSERT_FALSE(refused) << assignment;
    EXPECT_THAT(refused.error().message, HasSubstr("did you mean `events lost`?"));
  }
  EXPECT_THAT(ReadConfig("c.yaml", "", {"builtin_alerts[]={}"}).error().message,
              HasSubstr("each item needs `name`"));
  EXPECT_THAT(Wrong("builtin_alerts:\n  - {name: events lost, priority: lowd}"),
              HasSubstr("unknown priority `lowd`"));
  EXPECT_THAT(Wrong("builtin_alerts: [{enabled: false}]"), HasSubstr("each item needs `name`"));
}

TEST(Config, KeysWithoutEffectAreNamedInOneWarning) {
  const auto loaded =
      ReadConfig("c.yaml",
                 "engine: {kind: kmod, kmod: {buf_size_preset: 4}, gvisor: {config: x, root: y}}\n"
                 "grpc: {enabled: false}\nmetrics: {plugins_metrics_enabled: true}\nlibs_logger: "
                 "{enabled: true}\n",
                 {"base_syscalls.all=true"});
  ASSERT_TRUE(loaded);
  EXPECT_THAT(
      loaded->warnings,
      ElementsAre("c.yaml: keys without a meaning here, ignored: engine.kind, engine.kmod, "
                  "metrics.plugins_metrics_enabled, libs_logger, base_syscalls; not there yet "
                  "in this release, ignored: grpc"));
  EXPECT_EQ(loaded->config.session_file, "x");
  const auto quiet = ReadConfig("c.yaml", "engine: {kind: gvisor}\nlog_syslog: false");
  EXPECT_THAT(quiet->warnings, IsEmpty());
}

TEST(Config, TheWebServerAndMetricsHaveFalcosKeys) {
  const auto loaded = ReadConfig(
      "c.yaml",
      "webserver: {enabled: true, threadiness: 99, listen_port: 0, listen_address: '::1',\n"
      "  k8s_healthz_endpoint: /live, prometheus_metrics_enabled: false, ssl_enabled: true,\n"
      "  ssl_certificate: /x.pem}\n"
      "metrics: {enabled: true, interval: 1h30m, output_rule: false, output_file: /m}\n"
      "log_format: json\n");
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(loaded->warnings, IsEmpty());
  const Config& config = loaded->config;
  EXPECT_TRUE(config.web_enabled);
  EXPECT_EQ(config.web.threads, 16u);
  EXPECT_EQ(config.web.port, 0);
  EXPECT_EQ(config.web.address, "::1");
  EXPECT_EQ(WebOptionsOf(config).certificate, "/x.pem");
  EXPECT_EQ(config.web_pages.healthz_path, "/live");
  EXPECT_FALSE(config.web_pages.metrics);
  EXPECT_EQ(config.metrics.interval_ms, 5'400'000u);
  EXPECT_FALSE(config.metrics.output_rule);
  EXPECT_EQ(config.metrics.output_file, "/m");
  EXPECT_TRUE(config.log_json);
  EXPECT_EQ(WebOptionsOf(Config()).certificate, "");
  EXPECT_THAT(Wrong("metrics: {interval: 5}"), HasSubstr("`5` is no duration"));
  EXPECT_THAT(Wrong("metrics: {interval: 5m1h}"), HasSubstr("is no duration"));
  EXPECT_THAT(Wrong("metrics: {interval: 99ms}"), HasSubstr("less than 100ms"));
  EXPECT_THAT(Wrong("webserver: {k8s_healthz_endpoint: health}"), HasSubstr("begins with /"));
}

TEST(Config, OutputsHaveTheirOptions) {
  const auto loaded =
      ReadConfig("c.yaml",
                 "syslog_output: {enabled: true, facility: local0, ident: falco, socket: /s}\n"
                 "program_output: {enabled: true, keep_alive: true, program: cat -u}\n"
                 "http_output: {enabled: true, url: 'https://h/', mtls: true, batch_max: 20,\n"
                 "  headers: {X-Token: t, X-Other: u}, max_consecutive_timeouts: 0}\n",
                 {"http_output.timeout_ms=5", "program_output.timeout_ms=7"});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(loaded->warnings, IsEmpty());
  const Config& config = loaded->config;
  EXPECT_TRUE(config.syslog_enabled && config.program_enabled && config.http_enabled);
  EXPECT_EQ(config.syslog, (SyslogOptions{.socket = "/s", .ident = "falco", .facility = "local0"}));
  EXPECT_EQ(config.program,
            (ProgramOptions{.program = "cat -u", .keep_alive = true, .timeout_ms = 7}));
  EXPECT_EQ(config.http, (HttpOptions{.url = "https://h/",
                                      .headers = {{"X-Token", "t"}, {"X-Other", "u"}},
                                      .mtls = true,
                                      .timeout_ms = 5,
                                      .max_consecutive_timeouts = 0,
                                      .batch_max = 20}));
  EXPECT_THAT(Wrong("http_output: {batch_max: 0}"), HasSubstr("batch_max"));
  EXPECT_THAT(Wrong("syslog_output: {facility: kern}"), HasSubstr("facility"));
}

TEST(Config, WholeFalcoConfigIsAccepted) {
  const auto loaded =
      LoadConfig({.file = GYRFALCON_TEST_DATA "/config/falco-0.43.yaml", .assignments = {}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->warnings.size(), 1);
  EXPECT_EQ(loaded->config.rules.append_output.size(), 2);
  EXPECT_EQ(loaded->config.rules.selection.size(), 2);
  EXPECT_EQ(loaded->config.rules_files.size(), 2);
}

TEST(Config, AKeyThatIsThereTwiceCountsOnceAndIsTold) {
  const auto loaded = ReadConfig("c.yaml", "json_output: true\njson_output: false");
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->config.format.json_output);
  EXPECT_THAT(loaded->warnings, ElementsAre("c.yaml:2:1: key `json_output` again: line 1 counts, "
                                            "this one does not"));
}

TEST(Config, TheOlderNameOfRulesFilesWorksAlone) {
  EXPECT_THAT(Read("rules_file: a.yaml").rules_files, ElementsAre("a.yaml"));
  EXPECT_THAT(Wrong("rules_file: a\nrules_files: [b]"), HasSubstr("leave one"));
}

TEST(Config, AssignmentsReachEachDepth) {
  EXPECT_TRUE(Read("", {"json_output=true"}).format.json_output);
  EXPECT_TRUE(Read("", {"file_output.enabled=true"}).file_enabled);
  EXPECT_THAT(
      Read("rules_files: [a, b]", {"rules_files[0]=c", "rules_files[2]=d", "rules_files[]=e"})
          .rules_files,
      ElementsAre("c", "b", "d", "e"));
  EXPECT_THAT(Read("rules_files: a", {"rules_files[]=b"}).rules_files, ElementsAre("a", "b"));
  EXPECT_THAT(Read("", {"rules_files=[a, b]"}).rules_files, ElementsAre("a", "b"));
  const auto selection =
      Read("rules: [{enable: {tag: x}}]", {"rules[].disable.rule=*", "rules[].enable.tag=a=b"})
          .rules.selection;
  ASSERT_EQ(selection.size(), 3);
  EXPECT_EQ(selection[1].text, "*");
  EXPECT_FALSE(selection[1].enable);
  EXPECT_EQ(selection[2].text, "a=b");
  EXPECT_EQ(selection[2].by, RuleSelection::By::kTag);
}

TEST(Config, AssignmentsTakeJson) {
  const auto appended =
      Read("append_output: [{suggested_output: true}]",
           {R"(append_output[]={"match": {"source": "syscall", "tags": ["a"]}, )"
            R"("extra_output": "x", "extra_fields": ["evt.hostname", {"k": "%proc.name"}]})"})
          .rules.append_output;
  ASSERT_EQ(appended.size(), 2);
  EXPECT_EQ(appended[1].match_source, "syscall");
  EXPECT_THAT(appended[1].match_tags, ElementsAre("a"));
  ASSERT_EQ(appended[1].extra_fields.size(), 2);
  EXPECT_EQ(appended[1].extra_fields[1].key, "k");
  EXPECT_EQ(appended[1].extra_fields[1].format, "%proc.name");
}

TEST(Config, ANameBehindAListBeginsItAnew) {
  const auto appended = Read("append_output: [{suggested_output: true}, {extra_output: x}]",
                             {"append_output.suggested_output=false"})
                            .rules.append_output;
  ASSERT_EQ(appended.size(), 1);
  EXPECT_FALSE(appended[0].suggested_output);
}

TEST(Config, ABadAssignmentSaysWhatIsWrongWithIt) {
  const struct {
    std::string assignment, error;
  } kCases[] = {
      {"json_output", "-o json_output: expected KEY=VALUE, such as json_output=true"},
      {"=x", "-o =x: expected KEY=VALUE, such as json_output=true"},
      {"no_such=1",
       "-o no_such=1: unknown key `no_such`; `gyrfalcon --config-schema` has them all"},
      {"json_output=1", "-o json_output=1: `json_output`: expected true or false, not `1`"},
      {"rules_files[x]=a",
       "-o rules_files[x]=a: `rules_files[x]`: expected a number in brackets, not `x`"},
      {"rules_files[3]=a",
       "-o rules_files[3]=a: `rules_files[3]`: `rules_files` has 0 items: the next one is [0]"},
      {"json_output[]=a", "-o json_output[]=a: `json_output[]`: `json_output` is no list"},
      {"rules[=a", "-o rules[=a: `rules[`: `[` without `]`"},
      {"rules..a=b", "-o rules..a=b: `rules..a`: expected a name before `.` or `[`"},
      {"stdout_output=true",
       "-o stdout_output=true: `stdout_output`: expected a mapping, not `true`"},
  };
  for (const auto& row : kCases) {
    const auto loaded = ReadConfig("c.yaml", "", {row.assignment});
    ASSERT_FALSE(loaded) << row.assignment;
    EXPECT_EQ(loaded.error().message, row.error);
    EXPECT_EQ(loaded.error().fault, Fault::kUsage);
  }
}

// The configs and -o of Falco's own tests are taken, or refused with Falco's words where it does.
TEST(Config, FalcosOwnTestsHoldForItsConfigs) {
  std::ifstream file(GYRFALCON_SHARED "/conformance/falco-testing.json");
  if (!file) GTEST_SKIP() << "no ../shared/conformance/falco-testing.json";
  const auto recorded = nlohmann::json::parse(file);
  for (const auto& item : recorded.at("cases")) {
    std::string text;
    if (item.contains("config") && item["config"].is_object()) {
      text = item["config"].value("content", "");
    }
    std::vector<std::string> assignments;
    for (size_t i = 0; i + 1 < item["args"].size(); ++i) {
      if (item["args"][i] == "-o") assignments.push_back(item["args"][i + 1]);
    }
    std::string refusal;
    for (const auto& line : item["expect"].value("stderr", nlohmann::json::array())) {
      const std::string value = line["value"].is_string() ? line["value"] : "";
      if (line["op"] == "Regexp" && value.starts_with("syscall event drop")) refusal = value;
    }
    const auto loaded = ReadConfig("c.yaml", text, assignments);
    EXPECT_EQ(loaded.has_value(), refusal.empty()) << item["id"];
    const std::string message = loaded ? "" : loaded.error().message;
    EXPECT_THAT(message, HasSubstr(refusal)) << item["id"];
  }
}

class ConfigEnvironment : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("GYR_TEXT", "word", 1);
    setenv("GYR_NESTED", "${GYR_TEXT}", 1);
    setenv("GYR_SELF", "a${GYR_SELF}", 1);
    setenv("GYR_EMPTY", "", 1);
    setenv("GYR_TRUE", "true", 1);
    setenv("GYR_NUMBER", "12", 1);
    unsetenv("GYR_UNSET");
  }
};

TEST_F(ConfigEnvironment, ExpandsAsFalcoDoes) {
  const struct {
    std::string_view text, expanded;
  } kCases[] = {
      {"${GYR_TEXT}", "word"},
      {" ${GYR_TEXT} ", " word "},
      {"/${GYR_TEXT}/${GYR_TEXT}${GYR_TEXT}/x", "/word/wordword/x"},
      {"${GYR_NESTED}/x", "word/x"},
      {"${GYR_UNSET}", ""},
      {"a${GYR_UNSET}b", "ab"},
      {"$GYR_TEXT", "$GYR_TEXT"},
      {"$$GYR_TEXT", "$$GYR_TEXT"},
      {"$${GYR_TEXT}", "${GYR_TEXT}"},
      {"$${GYR_TEXT}$${GYR_TEXT}", "${GYR_TEXT}${GYR_TEXT}"},
      {"$${GYR_TEXT}${GYR_TEXT}", "${GYR_TEXT}word"},
      {"$${${GYR_TEXT}}", "${word}"},
      {"${GYR_TEXT", "${GYR_TEXT"},
      {"$${GYR_TEXT", "$${GYR_TEXT"},
      {"$x ${GYR_TEXT}", "$x ${GYR_TEXT}"},
      {"", ""},
  };
  for (const auto& row : kCases) EXPECT_EQ(ExpandEnvironment(row.text), row.expanded) << row.text;
  EXPECT_EQ(ExpandEnvironment("${GYR_SELF}"), std::nullopt);
}

TEST_F(ConfigEnvironment, EachTypeOfValueTakesVariables) {
  const Config config = Read(
      "json_output: ${GYR_TRUE}\nworkers: ${GYR_NUMBER}\nrules_files: ['/${GYR_TEXT}/a']\n"
      "append_output: [{extra_fields: [{home: '${GYR_TEXT}'}]}]\nbuffered_outputs: ${GYR_UNSET}\n"
      "file_output: {filename: \"${GYR_EMPTY}\"}\n");
  EXPECT_TRUE(config.format.json_output);
  EXPECT_EQ(config.workers, 12);
  EXPECT_THAT(config.rules_files, ElementsAre("/word/a"));
  EXPECT_EQ(config.rules.append_output[0].extra_fields[0].format, "word");
  EXPECT_FALSE(config.buffered_outputs);
  EXPECT_EQ(config.file_name, "");
  EXPECT_THAT(Wrong("json_output: ${GYR_TEXT}"), HasSubstr("c.yaml:1:14: `json_output`"));
  EXPECT_THAT(Wrong("priority: ${GYR_SELF}"), HasSubstr("c.yaml:1:11: the environment variables"));
  EXPECT_EQ(Read("", {"file_output.filename=${GYR_TEXT}"}).file_name, "${GYR_TEXT}");
}

class ConfigFiles : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(folder_ / "more.d"); }
  std::string Write(std::string_view name, std::string_view text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }

  Result<LoadedConfig> LoadMain(std::string_view includes,
                                const std::vector<std::string>& assignments = {}) {
    return LoadConfig({.file = Write("main.yaml", fmt::format("rules_files: [a]\npriority: error\n"
                                                              "config_files: {}\n",
                                                              includes)),
                       .assignments = assignments});
  }

  const TestFolder folder_;
};

TEST_F(ConfigFiles, EachStrategyMergesKeyByKey) {
  const std::string more =
      Write("more.yaml", "rules_files: [b]\npriority: notice\njson_output: true\n");
  const struct {
    std::string_view strategy;
    std::vector<std::string> rules_files;
    Priority priority;
  } kCases[] = {{"append", {"a", "b"}, Priority::kNotice},
                {"override", {"b"}, Priority::kNotice},
                {"add-only", {"a"}, Priority::kError}};
  for (const auto& row : kCases) {
    const auto loaded = LoadMain(fmt::format("[{{path: {}, strategy: {}}}]", more, row.strategy));
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->config.rules_files, row.rules_files) << row.strategy;
    EXPECT_EQ(loaded->config.rules.priority, row.priority) << row.strategy;
    EXPECT_TRUE(loaded->config.format.json_output);
    EXPECT_THAT(loaded->files, ElementsAre(folder_ / "main.yaml", more));
  }
}

TEST_F(ConfigFiles, AFolderIsReadByNameAndAssignmentsComeLast) {
  Write("more.d/2.yaml", "rules_files: [c]\npriority: alert\n");
  Write("more.d/1.yaml", "rules_files: [b]\npriority: notice\n");
  const auto loaded = LoadMain("[more.d, /nowhere.yaml]", {"priority=debug"});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(loaded->config.rules_files, ElementsAre("a", "b", "c"));
  EXPECT_EQ(loaded->config.rules.priority, Priority::kDebug);
  EXPECT_THAT(loaded->folders, ElementsAre(folder_ / "more.d"));
}

TEST_F(ConfigFiles, AnAssignmentMayNameTheIncludedFiles) {
  const std::string more = Write("more.yaml", "json_output: true\n");
  const auto loaded = LoadMain("[]", {"config_files[]=" + more});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(loaded->config.format.json_output);
}

TEST_F(ConfigFiles, AnErrorOfAnIncludedFileNamesIt) {
  const std::string more = Write("more.yaml", "json_output: true\njson_outptu: true\n");
  const auto loaded = LoadMain("[more.yaml]");
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("more.yaml:2:1: unknown key `json_outptu`"));
  EXPECT_FALSE(LoadMain("[main.yaml]"));
  Write("more.yaml", "config_files: [x]\n");
  EXPECT_THAT(LoadMain("[more.yaml]").error().message, HasSubstr("more.yaml:1:1: `config_files`"));
}

TEST(Config, AFileThatIsNoConfigAtAllEndsSoon) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += fmt::format("key{}: 1\n", i);
  const std::string wrong = Wrong(text);
  EXPECT_LE(std::ranges::count(wrong, '\n'), 50);
  EXPECT_THAT(Wrong(std::string(500, 'k') + ": 1"), HasSubstr("unknown key `kkkk"));
}

}  // namespace
}  // namespace gyrfalcon
