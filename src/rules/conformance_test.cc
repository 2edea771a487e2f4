// Holds the rules folder against recorded answers of Falco. The recordings live beside the
// repository; where they are missing the tests are skipped. Differences that are meant are listed,
// with the reason, in tests/conformance/deviations.json.
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "rules/binder.h"
#include "rules/condition_parser.h"
#include "rules/event_type_inference.h"
#include "rules/interpreter.h"
#include "rules/recordings.h"
#include "rules/rule_loader.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

TEST(Conformance, FilterParse) {
  Recording recording("filter-parse");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    const std::string text = test.at("expr");
    const auto parsed = ParseCondition(text, 100);
    const std::string falcos = test.at("valid").get<bool>() ? test.at("ast") : test.at("error");
    recording.Check(text, parsed ? PrintCondition(*parsed) : parsed.error().message, falcos);
  }
}

std::string ParseErrorText(const SyntaxError& error) {
  return "filter error at index " + std::to_string(error.position.offset) + ", line " +
         std::to_string(error.position.line) + ", column " + std::to_string(error.position.column) +
         ": " + error.message;
}

// "ok", or the message.
std::string CompileOutcome(const std::string& text, const FieldCatalog& catalog,
                           std::optional<BoundCondition>* bound_out = nullptr) {
  const auto parsed = ParseCondition(text);
  if (!parsed) return ParseErrorText(parsed.error());
  std::vector<BindProblem> warnings;
  auto bound = BindCondition(*parsed, catalog, warnings);
  if (!bound) return bound.error().message;
  if (bound_out != nullptr) *bound_out = std::move(*bound);
  std::string out = "ok";
  for (const BindProblem& warning : warnings) out += "; " + warning.message;
  return out;
}

TEST(Conformance, FilterCompile) {
  Recording recording("filter-compile");
  SKIP_WITHOUT_RECORDING(recording);
  TestCatalog mock;
  mock.AddReal();
  for (const char* name :
       {"c.true", "c.false", "c.doublequote", "c.singlequote", "c.transformed"}) {
    mock.Add(FieldType::kText, name);
  }
  mock.Add(FieldType::kBytes, "c.buffer");
  for (const Json& test : recording.cases()) {
    const bool is_mock = test.at("fields").get<std::string>().starts_with("mock");
    std::string falcos = test.at("valid").get<bool>() ? "ok" : test.value("error", "");
    std::string ours = CompileOutcome(test.at("expr"), is_mock ? mock.catalog() : AllFields());
    if (test.contains("warnings")) {
      for (const Json& warning : test.at("warnings")) falcos += "; " + warning.get<std::string>();
    } else if (ours.starts_with("ok")) {
      ours = "ok";  // warnings were not recorded
    }
    recording.Check(test.at("expr"), ours, falcos);
  }
}

TEST(Conformance, FilterBoolean) {
  Recording recording("filter-boolean");
  SKIP_WITHOUT_RECORDING(recording);
  TestCatalog mock;
  for (const char* name : {"c.true", "c.false", "c.doublequote", "c.singlequote"}) {
    mock.Add(FieldType::kText, name);
  }
  TestValues& values = TestValues::Current();
  values.Clear();
  values.SetText("c.true", "1");
  values.SetText("c.false", "0");
  values.SetText("c.doublequote", "hello \"quoted\"");
  values.SetText("c.singlequote", "hello 'quoted'");
  Scratch scratch;
  for (const Json& test : recording.cases()) {
    std::optional<BoundCondition> bound;
    std::string ours = CompileOutcome(test.at("expr"), mock.catalog(), &bound);
    if (bound) ours = Evaluate(*bound, Happening{}, scratch) ? "true" : "false";
    const std::string falcos = test.at("result").is_boolean()
                                   ? (test.at("result").get<bool>() ? "true" : "false")
                                   : "error";
    if (falcos == "error" && !bound) ours = "error";
    if (!bound && falcos == "false") ours = "false";  // the recorder counted an error as no match
    recording.Check(test.at("expr"), ours, falcos);
  }
}

std::string FromHex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return out;
}

uint64_t LittleEndian(std::string_view bytes, bool is_signed) {
  uint64_t value = is_signed && !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (size_t i = bytes.size(); i-- > 0;)
    value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}

Value TypedValue(const std::string& type, const std::string& raw) {
  TestValues& values = TestValues::Current();
  if (type == "CHARBUF" || type == "BYTEBUF" || type.starts_with("FS")) return values.Text(raw);
  if (type == "IPADDR") {
    return values.Ip(*IpAddress::FromBytes(std::as_bytes(std::span(raw.data(), raw.size()))));
  }
  if (type == "BOOL") return Value::Bool(LittleEndian(raw, false) != 0);
  const bool is_signed =
      type.starts_with("INT") || type == "ERRNO" || type == "FD" || type == "PID";
  const uint64_t bits = LittleEndian(raw, is_signed);
  return is_signed ? Value::Int(static_cast<int64_t>(bits)) : Value::Uint(bits);
}

// The two ends of the connection that an event's tuple parameter names.
void SetSides(const Json& event) {
  TestValues& values = TestValues::Current();
  for (const Json& param : event.at("params")) {
    if (param.at("type") != "SOCKTUPLE") continue;
    const std::string raw = FromHex(param.at("hex").get<std::string>());
    const size_t size = raw.size() == 13 ? 4 : (raw.size() == 37 ? 16 : 0);
    if (size == 0) return;
    const auto address = [&](size_t at) {
      return values.Ip(*IpAddress::FromBytes(std::as_bytes(std::span(raw.data() + at, size))));
    };
    const auto port = [&](size_t at) {
      return Value::Uint(LittleEndian(std::string_view(raw).substr(at, 2), false));
    };
    const Value source = address(1);
    const Value target = address(1 + size + 2);
    values.SetList("fd.ip", {source, target});
    values.SetList("fd.net", {source, target});
    values.SetList("fd.port", {port(1 + size), port(1 + size + 2 + size)});
    values.Set("fd.snet", target);
    values.Set("fd.lnet", target);
    values.Set("fd.cnet", source);
    values.Set("fd.rnet", source);
  }
}

void SetField(const std::string& name, const Json& field) {
  TestValues& values = TestValues::Current();
  const std::string type = field.at("type");
  if (!field.contains("raw_hex") || field.at("value").is_null()) return;
  std::vector<Value> items;
  for (const Json& raw : field.at("raw_hex")) {
    items.push_back(TypedValue(type, FromHex(raw.get<std::string>())));
  }
  const bool ancestors = name == "proc.aname" || name == "proc.aexe" || name == "proc.aexepath" ||
                         name == "proc.acmdline";
  if (ancestors) {
    std::vector<Value> line;
    std::string rest = field.at("value");
    for (size_t at = 0; at != std::string::npos;) {
      const size_t blank = rest.find(' ', at);
      line.push_back(values.Text(rest.substr(at, blank == std::string::npos ? blank : blank - at)));
      at = blank == std::string::npos ? blank : blank + 1;
    }
    values.SetList(name, line);
  } else if (field.value("list", false) || items.size() > 1) {
    values.SetList(name, items);
  } else if (!items.empty()) {
    values.Set(name, items.front());
  }
}

TEST(Conformance, FilterEval) {
  Recording recording("filter-eval");
  SKIP_WITHOUT_RECORDING(recording);
  TestValues& values = TestValues::Current();
  for (const Json& test : recording.cases()) {
    values.Clear();
    SetSides(recording.data().at("events").at(test.at("event").get<size_t>()));
    for (const auto& [name, field] : test.at("fields").items()) SetField(name, field);
    std::optional<BoundCondition> bound;
    Scratch scratch;
    std::string ours = CompileOutcome(test.at("expr"), RecordedFields(), &bound);
    if (bound) ours = Evaluate(*bound, Happening{}, scratch) ? "true" : "false";
    const std::string falcos = test.at("result").is_boolean()
                                   ? (test.at("result").get<bool>() ? "true" : "false")
                                   : test.value("error", "error");
    recording.Check(test.at("expr"), ours, falcos);
  }
}

TEST(Conformance, EventTypes) {
  Recording recording("evttypes");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    const std::string text = test.at("expr");
    const auto parsed = ParseCondition(text);
    const auto types = parsed ? InferEventTypes(*parsed) : std::unexpected(std::string("no parse"));
    std::string ours = types ? "" : types.error();
    const bool except = test.contains("all_except");
    for (size_t i = 0; types && i < kEventTypeCount; ++i) {
      // Falco has no code of its own for the rest; they share one.
      if (types->test(i) != except && EventTypes()[i].falco_codes > 0) {
        ours += std::string(EventTypes()[i].name) + " ";
      }
    }
    std::string falcos = test.value("error", "");
    const Json names = except ? test.at("all_except") : test.value("names", Json::array());
    for (const Json& name : names) falcos += name.get<std::string>() + " ";
    recording.Check(text, ours, falcos);
  }
}

// A problem without what we add or do better: the snippet stays, it is Falco's.
std::string ProblemText(const LoadProblem& problem) {
  std::string out = std::string(Describe(problem.code).name) + "|" + problem.message + "|";
  for (const LoadLocation& location : problem.context) {
    out += location.item_type + ":" + location.item_name + "@" + location.file + ":" +
           std::to_string(location.position.line) + ":" + std::to_string(location.position.column) +
           ":" + std::to_string(location.position.offset) + "/";
  }
  return out + problem.snippet + problem.deprecated_field;
}

std::string ProblemText(const Json& problem) {
  std::string out =
      problem.at("code").get<std::string>() + "|" + problem.at("message").get<std::string>() + "|";
  for (const Json& location : problem.at("context").at("locations")) {
    const Json& position = location.at("position");
    out += location.at("item_type").get<std::string>() + ":" +
           location.at("item_name").get<std::string>() + "@" +
           position.at("name").get<std::string>() + ":" + position.at("line").dump() + ":" +
           position.at("column").dump() + ":" + position.at("offset").dump() + "/";
  }
  return out + problem.at("context").at("snippet").get<std::string>() +
         problem.value("deprecated_field", "");
}

std::string ResultText(const LoadResult& result) {
  std::string out = SummaryText(result) + "\n";
  if (!result.errors.empty()) out += ProblemText(result.errors.front()) + "\n";
  for (const LoadProblem& warning : result.warnings) {
    if (!warning.beyond_first_error) out += ProblemText(warning) + "\n";
  }
  return out;
}

std::string ResultText(const Json& result) {
  const bool ok = result.at("successful").get<bool>();
  std::string out = result.at("name").get<std::string>();
  out += !ok ? ": Invalid" : (result.at("warnings").empty() ? ": Ok" : ": Ok, with warnings");
  out += "\n";
  if (!result.at("errors").empty()) out += ProblemText(result.at("errors").front()) + "\n";
  for (const Json& warning : result.at("warnings")) out += ProblemText(warning) + "\n";
  return out;
}

TEST(Conformance, RuleLoad) {
  Recording recording("rule-load");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    RuleLoader loader(AllFields());
    loader.AddFile(test.at("file_name").get<std::string>(), test.at("content").get<std::string>());
    const std::string id = test.at("id");
    recording.Check(id, ResultText(loader.results().front()), ResultText(test.at("result")));
    const Json& describe = test.at("describe");
    const auto rules = loader.Compile();
    if (describe.is_null() || rules == nullptr) continue;
    for (const Json& described : describe.at("rules")) {
      const Rule* rule = rules->Find(described.at("info").at("name").get<std::string>());
      recording.Check(id, rule == nullptr ? "missing" : rule->condition_compiled,
                      described.at("details").at("condition_compiled"));
    }
  }
}

TEST(Conformance, RuleLoadProbes) {
  Recording recording("rule-load-probes");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    RuleLoader loader(AllFields());
    for (const Json& file : test.at("files")) {
      loader.AddFile(file.at("name").get<std::string>(), file.at("content").get<std::string>());
    }
    const std::string id = test.at("id");
    for (size_t i = 0; i < test.at("load_results").size(); ++i) {
      recording.Check(id, ResultText(loader.results()[i]), ResultText(test.at("load_results")[i]));
    }
    const auto rules = loader.Compile();
    for (const Json& described :
         rules == nullptr ? Json::array() : test.value("rules", Json::array())) {
      const Rule* rule = rules->Find(described.at("name").get<std::string>());
      recording.Check(
          id,
          rule == nullptr ? "missing" : rule->condition_compiled + (rule->enabled ? " on" : " off"),
          described.at("condition_compiled").get<std::string>() +
              (described.at("enabled").get<bool>() ? " on" : " off"));
    }
  }
}

TEST(Conformance, FalcoTesting) {
  Recording recording("falco-testing");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    const Json& oracle = test.value("oracle", Json::object());
    const bool full = oracle.contains("load_results");
    if (!full && !oracle.contains("load_summary")) continue;
    const Json& results = full ? oracle.at("load_results") : oracle.at("load_summary");
    if (!results.is_array() || results.size() != test.at("rules_files").size()) continue;
    RuleLoader loader(AllFields());
    for (const Json& file : test.at("rules_files")) {
      const std::string content =
          file.contains("content")
              ? file.at("content").get<std::string>()
              : RecordedText(
                    RecordedPath("conformance/" + file.at("content_file").get<std::string>()));
      loader.AddFile(file.at("name").get<std::string>(), content);
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const std::string id = test.at("id");
      const LoadResult& ours = loader.results()[i];
      if (full) {
        recording.Check(id, ResultText(ours), ResultText(results[i]));
      } else {
        recording.Check(id, ours.successful() ? "ok" : ours.errors.front().message,
                        results[i].at("successful").get<bool>() ? "ok" : "an error");
      }
    }
  }
}

TEST(Conformance, OfficialRules) {
  Recording recording("official-rules");
  SKIP_WITHOUT_RECORDING(recording);
  std::map<std::string, std::shared_ptr<const RuleSet>> sets;
  for (const Json& test : recording.cases()) {
    const std::string path = test.at("file");
    const std::string name = path.substr(path.rfind('/') + 1);
    auto& rules = sets[name];
    if (rules == nullptr) {
      RuleLoader loader(AllFields());
      loader.AddFile(name, RecordedText(RecordedPath("falco-rules/" + name)));
      rules = loader.Compile();
      ASSERT_NE(rules, nullptr) << Diagnostics(loader.results(), loader.files(), false);
    }
    const std::string id = test.at("rule");
    const Rule* rule = rules->Find(id);
    ASSERT_NE(rule, nullptr) << id;
    recording.Check(id, rule->condition_compiled, test.at("condition_compiled"));
    std::string types;
    for (size_t i = 0; i < kEventTypeCount; ++i) {
      if (rule->event_types.test(i)) types += std::string(EventTypes()[i].name) + " ";
    }
    std::string falcos;
    for (const Json& event : test.at("events")) falcos += event.get<std::string>() + " ";
    recording.Check(id, types, falcos);
    std::string outputs;
    for (const OutputFormat::Segment& segment : rule->format.segments()) {
      if (segment.is_field) outputs += segment.literal + " ";
    }
    falcos.clear();
    for (const Json& field : test.at("output_fields")) falcos += field.get<std::string>() + " ";
    recording.Check(id, outputs, falcos);
  }
}

// Over the program's own fields, each file by itself and all of them with ours behind.
TEST(Conformance, OfficialRulesLoadWithTheProgramsFields) {
  const std::string kFiles[] = {"falco_rules.yaml", "falco-incubating_rules.yaml",
                                "falco-sandbox_rules.yaml", "falco-deprecated_rules.yaml"};
  Recording recording("official-rules");
  SKIP_WITHOUT_RECORDING(recording);
  if (!std::filesystem::exists(RecordedPath("falco-rules"))) {
    GTEST_SKIP() << "no falco-rules beside the repository";
  }
  RuleLoader all(AllFields());
  for (const std::string& name : kFiles) {
    const std::string text = RecordedText(RecordedPath("falco-rules/" + name));
    RuleLoader alone(AllFields());
    alone.AddFile(name, text);
    EXPECT_TRUE(alone.successful()) << Diagnostics(alone.results(), alone.files(), false);
    all.AddFile(name, text);
  }
  all.AddFile("ours",
              RecordedText(std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml"));
  const auto rules = all.Compile();
  ASSERT_NE(rules, nullptr) << Diagnostics(all.results(), all.files(), false);
  for (const Json& test : recording.cases()) {
    const std::string id = test.at("rule");
    const Rule* rule = rules->Find(id);
    ASSERT_NE(rule, nullptr) << id;
    recording.Check(id, rule->enabled ? "on" : "off",
                    test.at("enabled").get<bool>() ? "on" : "off");
  }
}

TEST(Conformance, Formatter) {
  Recording recording("formatter");
  SKIP_WITHOUT_RECORDING(recording);
  TestValues& values = TestValues::Current();
  for (const Json& test : recording.cases()) {
    const bool strict =
        !test.contains("error") && !test.at("format").get<std::string>().starts_with("*");
    if (test.value("json", false) || (strict && !test.value("result", true))) continue;
    std::string text = test.at("format");
    if (text.starts_with('*')) text.erase(0, 1);
    values.Clear();
    const Json fields = test.value("field_values", Json::object());
    for (const auto& [name, value] : fields.items()) {
      if (value != "<NA>") values.SetText(name, value.get<std::string>());
    }
    const auto format = OutputFormat::Parse(text, RecordedFields());
    std::string ours;
    Scratch scratch;
    if (format) {
      format->Render(Happening{}, scratch, ours);
    } else {
      ours = format.error();
    }
    recording.Check(test.at("format"), ours,
                    test.contains("error") ? test.at("error") : test.at("output"));
  }
}

}  // namespace
}  // namespace gyrfalcon
