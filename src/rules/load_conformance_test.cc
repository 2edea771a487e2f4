// Loading and describing rules, held against Falco's recorded answers word by word: the JSON and
// the text of load results, descriptions, transformers, escaping, outputs.
#include <algorithm>
#include <map>

#include "rules/condition_parser.h"
#include "rules/description.h"
#include "rules/output_format.h"
#include "rules/recordings.h"
#include "rules/rule_loader.h"
#include "rules/rules_schema.h"
#include "rules/transformers.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

// Falco keeps these in tables without an order.
void SortTables(Json& json) {
  if (json.is_object()) {
    for (auto& [key, value] : json.items()) {
      const bool table = key == "condition_fields" || key == "condition_operators" ||
                         key == "events" || key == "exception_fields" || key == "exception_names" ||
                         key == "exception_operators" || key == "lists" || key == "macros" ||
                         key == "plugins";
      if (table && value.is_array() && (value.empty() || value[0].is_string())) {
        std::sort(value.begin(), value.end());
      } else {
        SortTables(value);
      }
    }
  } else if (json.is_array()) {
    for (Json& item : json) SortTables(item);
  }
}

void CheckResults(Recording& recording, const std::string& id, const RuleLoader& loader,
                  const Json& falcos) {
  const Json ours =
      Json::parse(LoadResultsJson(loader.results(), loader.files())).at("falco_load_results");
  ASSERT_EQ(ours.size(), falcos.size()) << id;
  for (size_t i = 0; i < ours.size(); ++i) recording.Check(id, ours[i].dump(), falcos[i].dump());
}

void CheckText(Recording& recording, const std::string& id, const RuleLoader& loader,
               const std::string& falcos) {
  std::string ours;
  for (const LoadResult& result : loader.results()) ours += VerdictText(result) + "\n";
  recording.Check(id, ours, falcos);
}

void CheckDescription(Recording& recording, const std::string& id, RuleLoader& loader, Json falcos,
                      const std::string& rule = {}) {
  const auto rules = loader.Compile();
  ASSERT_NE(rules, nullptr) << id;
  Json ours = Json::parse(DescribeJson(loader, *rules, rule));
  SortTables(ours);
  SortTables(falcos);
  recording.Check(id, ours.dump(), falcos.dump());
}

// The cases of one test that load files in turn share an engine, and the recording has not which
// options the engine had: those of the extra_* tests are named after them.
LoadOptions OptionsOf(const std::string& id) {
  LoadOptions options;
  AppendOutput append;
  if (id.starts_with("extra_format")) append.extra_output = "evt.type=%evt.type";
  if (id == "extra_format_by_rule") append.match_rule = "legit_rule";
  if (id == "extra_fields_all") append.extra_fields = {{"my_field", "hello %evt.num"}};
  if (id.starts_with("extra_")) options.append_output.push_back(std::move(append));
  return options;
}

TEST(LoadConformance, UnitTestsOfFalco) {
  Recording recording("rule-load");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    const std::string id = test.at("id");
    RuleLoader loader(RecordedFields(), OptionsOf(id));
    loader.AddFile(test.at("file_name").get<std::string>(), test.at("content").get<std::string>());
    CheckResults(recording, id, loader, Json::array({test.at("result")}));
    recording.Check(id, VerboseText(loader.results().front()), test.at("text"));
    if (test.at("describe").is_null() || !loader.successful()) continue;
    CheckDescription(recording, id, loader, test.at("describe"));
  }
}

TEST(LoadConformance, Probes) {
  Recording recording("rule-load-probes");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    RuleLoader loader(RecordedFields());
    for (const Json& file : test.at("files")) {
      loader.AddFile(file.at("name").get<std::string>(), file.at("content").get<std::string>());
    }
    const std::string id = test.at("id");
    CheckResults(recording, id, loader, test.at("load_results"));
    CheckText(recording, id, loader, test.at("text_stdout"));
    if (!loader.successful() || !test.contains("rules")) continue;
    const auto rules = loader.Compile();
    const Json described = Json::parse(DescribeJson(loader, *rules)).at("rules");
    for (const Json& falcos : test.at("rules")) {
      const auto ours = std::find_if(
          described.begin(), described.end(),
          [&falcos](const Json& rule) { return rule.at("info").at("name") == falcos.at("name"); });
      ASSERT_NE(ours, described.end()) << id;
      const Json& info = ours->at("info");
      const Json& details = ours->at("details");
      Json same = {{"name", info.at("name")},
                   {"enabled", info.at("enabled")},
                   {"priority", info.at("priority")},
                   {"tags", info.at("tags")},
                   {"desc", info.at("description")},
                   {"output", info.at("output")},
                   {"condition_compiled", details.at("condition_compiled")},
                   {"events", details.at("events")}};
      Json expected = falcos;
      SortTables(expected);
      // Long lists were recorded as their length.
      if (expected.at("events").is_string()) {
        same["events"] = std::to_string(same["events"].size()) + " events";
      }
      recording.Check(id, same.dump(), expected.dump());
    }
  }
}

TEST(LoadConformance, TestsOfFalcosecurity) {
  Recording recording("falco-testing");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    const Json& oracle = test.value("oracle", Json::object());
    if (!oracle.contains("load_results") || !oracle.at("load_results").is_array()) continue;
    if (oracle.at("load_results").size() != test.at("rules_files").size()) continue;
    RuleLoader loader(RecordedFields());
    for (const Json& file : test.at("rules_files")) {
      const std::string content =
          file.contains("content")
              ? file.at("content").get<std::string>()
              : RecordedText(
                    RecordedPath("conformance/" + file.at("content_file").get<std::string>()));
      loader.AddFile(file.at("name").get<std::string>(), content);
    }
    const std::string id = test.at("id");
    CheckResults(recording, id, loader, oracle.at("load_results"));
    if (oracle.contains("text_stdout")) {
      CheckText(recording, id, loader, oracle.at("text_stdout"));
    }
    const Json& describe = oracle.value("describe", Json::object());
    if (!describe.contains("json")) continue;
    const Json& args = test.at("args");
    const auto flag = std::find(args.begin(), args.end(), "-l");
    const std::string rule = flag == args.end() ? "" : (flag + 1)->get<std::string>();
    if (describe.at("json").is_object()) {
      CheckDescription(recording, id, loader, describe.at("json"), rule);
    }
  }
}

TEST(LoadConformance, DescriptionsOfOfficialRules) {
  Recording recording("official-rules");
  SKIP_WITHOUT_RECORDING(recording);
  std::map<std::string, Json> described;  // by file
  for (const Json& test : recording.cases()) {
    const std::string path = test.at("file");
    const std::string name = path.substr(path.rfind('/') + 1);
    if (!described.contains(name)) {
      RuleLoader loader(RecordedFields());
      loader.AddFile(name, RecordedText(RecordedPath("falco-rules/" + name)));
      const auto rules = loader.Compile();
      ASSERT_NE(rules, nullptr) << Diagnostics(loader.results(), loader.files(), false);
      described[name] = Json::parse(DescribeJson(loader, *rules)).at("rules");
    }
    const std::string id = test.at("rule");
    const auto rule = std::find_if(
        described[name].begin(), described[name].end(),
        [&id](const Json& candidate) { return candidate.at("info").at("name") == id; });
    ASSERT_NE(rule, described[name].end()) << id;
    const Json& info = rule->at("info");
    const Json& details = rule->at("details");
    const Json ours = {{"file", path},
                       {"rule", id},
                       {"enabled", info.at("enabled")},
                       {"priority", info.at("priority")},
                       {"tags", info.at("tags")},
                       {"condition_compiled", details.at("condition_compiled")},
                       {"events", details.at("events")},
                       {"condition_fields", details.at("condition_fields")},
                       {"operators", details.at("condition_operators")},
                       {"output_fields", details.at("output_fields")},
                       {"output_compiled", details.at("output_compiled")},
                       {"exceptions", details.at("exception_names")}};
    recording.Check(id, ours.dump(), test.dump());
  }
}

std::string Bytes(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return out;
}

// A recorded value: texts end with a NUL.
Value RecordedValue(const std::string& type, const std::string& hex) {
  std::string raw = Bytes(hex);
  if (type == "UINT64") {
    uint64_t number = 0;
    for (size_t i = raw.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(raw[i]);
    return Value::Uint(number);
  }
  if (raw.ends_with('\0')) raw.pop_back();
  return TestValues::Current().Text(raw);
}

std::string Printed(const Value& value) {
  if (value.kind() == ValueKind::kMissing) return "missing";
  std::string out;
  AppendPrinted(value, PrintFormat::kPlain, out);
  return out;
}

TEST(LoadConformance, Transformers) {
  Recording recording("transformers");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    TestValues::Current().Clear();
    Scratch scratch;
    const std::string name = test.at("src").at("test");
    std::vector<Value> inputs;
    for (const Json& hex : test.at("input_hex")) {
      inputs.push_back(RecordedValue(test.at("input_type"), hex.get<std::string>()));
    }
    // Falco's values are lists of one; a transformer of texts treats them one by one.
    const bool list = test.at("is_list").get<bool>();
    std::vector<std::string> ours;
    if (name == "len") {
      const Value value = list ? Value::List(inputs) : inputs.at(0);
      ours.push_back(Printed(LengthOf(value)));
    } else {
      const Transformer transformer = name == "toupper"   ? Transformer::kToupper
                                      : name == "tolower" ? Transformer::kTolower
                                      : name == "b64"     ? Transformer::kB64
                                                          : Transformer::kBasename;
      for (const Value& input : inputs) {
        ours.push_back(Printed(TransformText(transformer, input, scratch)));
      }
    }
    std::vector<std::string> falcos;
    for (const Json& hex : test.value("expected_hex", Json::array())) {
      falcos.push_back(Printed(RecordedValue(test.at("expected_type"), hex.get<std::string>())));
    }
    if (!test.contains("expected_hex")) falcos.assign(ours.size(), "missing");
    recording.Check(name + " " + test.at("input_hex").dump(),
                    Json(ours).dump(-1, ' ', true, Json::error_handler_t::replace),
                    Json(falcos).dump(-1, ' ', true, Json::error_handler_t::replace));
  }
}

TEST(LoadConformance, EscapedValuesReadBackAsTheyWere) {
  Recording recording("escaping");
  SKIP_WITHOUT_RECORDING(recording);
  for (const Json& test : recording.cases()) {
    const std::string text = Bytes(test.at("in_hex").get<std::string>());
    Condition check;
    check.kind = Condition::Kind::kCheck;
    check.op = Operator::kEqual;
    check.left.kind = Operand::Kind::kField;
    check.left.text = "proc.name";
    check.right.emplace();
    check.right->kind = Operand::Kind::kText;
    check.right->text = text;
    const std::string printed = PrintCondition(
        check, test.at("kind") == "escape" ? PrintStyle::kFalco : PrintStyle::kSource);
    constexpr std::string_view kBefore = "proc.name = ";
    const std::string id = test.at("in_hex");
    if (test.contains("out_hex")) {
      recording.Check(id, printed.substr(kBefore.size()),
                      Bytes(test.at("out_hex").get<std::string>()));
      continue;
    }
    const auto parsed = ParseCondition(printed);
    recording.Check(id, parsed ? parsed->right->text : parsed.error().message, text);
  }
}

// What Falco's library gives for a format without a leading star: everything up to the first
// missing value. The engine itself never asks so.
std::string RenderStrictly(const OutputFormat& format, Scratch& scratch, bool& complete) {
  std::string out;
  for (const OutputFormat::Segment& segment : format.segments()) {
    if (!segment.is_field) {
      out += segment.literal;
      continue;
    }
    const std::string name = segment.width == 0
                                 ? "%" + segment.literal
                                 : "%" + std::to_string(segment.width) + segment.literal;
    const auto alone = OutputFormat::Parse(name, RecordedFields());
    std::string value;
    alone->Render(Happening{}, scratch, value);
    if (value == "<NA>") {
      complete = false;
      return out;
    }
    out += value;
  }
  return out;
}

TEST(LoadConformance, Outputs) {
  Recording recording("formatter");
  SKIP_WITHOUT_RECORDING(recording);
  TestValues& values = TestValues::Current();
  for (const Json& test : recording.cases()) {
    const std::string text = test.at("format");
    values.Clear();
    const Json fields = test.value("field_values", Json::object());
    for (const auto& [name, value] : fields.items()) {
      if (value == "<NA>") continue;
      if (name == "thread.tid") {
        values.Set(name, Value::Int(std::stoll(value.get<std::string>())));
      } else {
        values.SetText(name, value.get<std::string>());
      }
    }
    const std::string id = text + (test.value("json", false) ? " (json)" : "");
    const auto format = OutputFormat::Parse(text, RecordedFields());
    if (!format) {
      recording.Check(id, format.error(), test.value("error", "no error"));
      continue;
    }
    Scratch scratch;
    bool complete = true;
    std::string ours = RenderStrictly(*format, scratch, complete);
    if (text.starts_with('*')) {
      ours.clear();
      complete = true;
      format->Render(Happening{}, scratch, ours);
    }
    if (test.value("json", false)) {
      Json object = Json::object();
      for (const OutputFormat::NamedField& field : format->fields()) {
        const Value value = OutputFormat::ValueOf(field, Happening{}, scratch);
        if (value.kind() == ValueKind::kMissing && !text.starts_with('*')) break;
        if (value.kind() == ValueKind::kMissing) {
          object[field.name] = nullptr;
        } else if (value.kind() == ValueKind::kInt) {
          object[field.name] = value.integer();
        } else {
          object[field.name] = Printed(value);
        }
      }
      ours = object.dump();
    }
    recording.Check(
        id, ours + (complete ? "" : " (incomplete)"),
        test.value("output", "an error") + (test.value("result", true) ? "" : " (incomplete)"));
    recording.Check(id, Json(format->FieldNames()).dump(), test.at("field_names").dump());
  }
}

}  // namespace
}  // namespace gyrfalcon
