#include "rules/random_rules.h"

#include "rules/binder.h"
#include "rules/condition_parser.h"
#include "rules/event_type_inference.h"
#include "rules/operators.h"

namespace gyrfalcon {

size_t Choices::Below(size_t count) {
  if (next_ >= row_.size() || count < 2) return 0;
  return row_[next_++] % count;
}

RandomConditions::RandomConditions(const FieldCatalog& catalog, bool plain_values)
    : catalog_(catalog), plain_values_(plain_values) {
  constexpr std::string_view kArguments[] = {
      "",     "[0]", "[1]",    "[7]",   "[a]",   "[HOME]", "['a b']",  "[\"[x]\"]",
      ".res", ".fd", ".flags", ".name", ".path", ".src",   ".label.x", "[1640995200000000000]"};
  for (const FieldDef& row : catalog.rows()) {
    for (const std::string_view argument : kArguments) {
      const bool quoted = argument.contains('"') || argument.contains('\'');
      if (plain_values && quoted) continue;
      const std::string text = std::string(row.name) + std::string(argument);
      const auto parsed = ParseFieldOrTransformer(text);
      if (!parsed || parsed->length != text.size()) continue;
      const auto bound = BindOperand(parsed->operand, catalog);
      if (bound) fields_.push_back({text, bound->type});
    }
  }
}

bool RandomConditions::Binds(const std::string& check) const {
  const auto parsed = ParseCondition(check);
  std::vector<BindProblem> warnings;
  return parsed && BindCondition(*parsed, catalog_, warnings) && InferEventTypes(*parsed);
}

std::string RandomConditions::Value(Choices& choices, FieldType type) const {
  static const std::vector<std::string> kNumbers = {"0",
                                                    "1",
                                                    "-1",
                                                    "7",
                                                    "+3",
                                                    "65535",
                                                    "9223372036854775807",
                                                    "18446744073709551615",
                                                    "99999999999999999999"};
  static const std::vector<std::string> kAddresses = {"10.0.0.1", "127.0.0.1", "::1", "fe80::1"};
  static const std::vector<std::string> kNetworks = {"10.0.0.0/8", "0.0.0.0/0", "::/0",
                                                     "fe80::/10"};
  static const std::vector<std::string> kTypes = {"open", "openat", "execve", "connect", "close"};
  static const std::vector<std::string> kPlain = {"a",  "b",    "/usr/bin/sh", "sh", "x.y",
                                                  "*a", "0",    "proc.name",   "/a", "\"x y\"",
                                                  "-1", "<NA>", "o=1"};
  static const std::vector<std::string> kOdd = {
      "''",         "'x y'",       "\"tab\\t\"",  "\"q\\\"q\"", "'it\\'s'",     "\"\\xff\\xfe\"",
      "\"(a, b)\"", "\"\\\\\"",    "[",           "a*b?[c-d]",  "\"\\x41\\n\"", "anyof",
      "'='",        "\"new\\nl\"", "'[:alpha:]'", "{",          "not",          "\xc3\xa9"};
  switch (type) {
    case FieldType::kBool:
      return choices.Maybe() ? "true" : "false";
    case FieldType::kInt:
    case FieldType::kUint:
    case FieldType::kDouble:
      return choices.From(kNumbers);
    case FieldType::kPort:
      return choices.Maybe() ? "ssh" : choices.From(kNumbers);
    case FieldType::kIp:
      return choices.From(kAddresses);
    case FieldType::kNet:
      return choices.From(kNetworks);
    case FieldType::kEventType:
      return choices.From(kTypes);
    default:
      break;
  }
  const std::string& plain = kPlain[choices.Below(kPlain.size() - (plain_values_ ? 1 : 0))];
  return !plain_values_ && choices.Maybe() ? choices.From(kOdd) : plain;
}

std::string RandomConditions::Left(Choices& choices, FieldType& type) const {
  const Spelling& field = choices.From(fields_);
  type = field.type;
  // Falco prints arguments that are text without quotes; those conditions don't read back.
  switch (choices.Below(plain_values_ ? 6 : 12)) {
    case 1:
      return "tolower(" + field.text + ")";
    case 2:
      return "toupper( " + field.text + " )";
    case 3:
      type = FieldType::kText;
      return "basename(" + field.text + ")";
    case 4:
      type = FieldType::kUint;
      return "len(" + field.text + ")";
    case 5:
      type = FieldType::kText;
      return "b64(" + field.text + ")";
    case 6:
      type = FieldType::kText;
      return "concat(" + field.text + ", \"a\", tolower(" + choices.From(fields_).text + "))";
    case 7:
      type = FieldType::kText;
      return "join(\",\", (" + field.text + ", \"x\"))";
    case 8:
      type = FieldType::kText;
      return "getopt((" + field.text + ", \"-a\"), \"ab:\")" + (choices.Maybe() ? "[a]" : "");
    default:
      return field.text;
  }
}

std::string RandomConditions::List(Choices& choices, FieldType type) const {
  std::string out = "(";
  for (size_t i = 0, count = choices.Below(12); i < count; ++i) {
    if (i > 0) out += choices.Maybe() ? "," : " , ";
    out += Value(choices, type);
  }
  return out + ")";
}

std::string RandomConditions::Right(Choices& choices, FieldType type) const {
  static const std::vector<std::string> kModifiers = {"anyof ", "oneof ", "allof "};
  switch (choices.Below(8)) {
    case 1:
    case 2:
      return List(choices, type);
    case 3:
    case 4:
      return choices.From(kModifiers) + List(choices, type);
    case 5:
      return "val(" + choices.From(fields_).text + ")";
    case 6:
      return "tolower(" + choices.From(fields_).text + ")";
    default:
      return Value(choices, type);
  }
}

std::string RandomConditions::Check(Choices& choices) const {
  FieldType type = FieldType::kText;
  const std::string left = Left(choices, type);
  const std::string op(Operators()[choices.Below(Operators().size())].text);
  // "glob" and the like are no words to end on; most other combinations exist.
  for (const std::string& right :
       {Right(choices, type), List(choices, type), Value(choices, type)}) {
    std::string check = left + " " + op + " " + right;
    if (op != "exists" && Binds(check)) return check;
  }
  std::string exists = left + " exists";
  return Binds(exists) ? exists : choices.From(fields_).text + " exists";
}

std::string RandomConditions::Condition(Choices& choices, const std::vector<std::string>& macros,
                                        size_t depth) const {
  const size_t kind = depth == 0 ? choices.Below(2) : choices.Below(8);
  if (kind == 1 && !macros.empty()) return choices.From(macros);
  if (kind < 3) return Check(choices);
  if (kind == 3) return "not " + Condition(choices, macros, 0);
  if (kind == 4) return "not(" + Condition(choices, macros, depth - 1) + ")";
  const std::string word = kind % 2 == 0 ? " and " : " or ";
  std::string out = "(" + Condition(choices, macros, depth - 1);
  for (size_t i = 0, count = 1 + choices.Below(3); i < count; ++i) {
    out += word + Condition(choices, macros, depth - 1);
  }
  return out + ")";
}

namespace {

// In single quotes, as YAML wants them.
std::string YamlQuoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string RandomConditions::RulesFile(Choices& choices) const {
  std::string out;
  std::vector<std::string> lists;
  std::vector<std::string> macros;
  for (size_t i = 0, count = choices.Below(4); i < count; ++i) {
    lists.push_back("list" + std::to_string(i));
    out += "- list: " + lists.back() + "\n  items: [";
    for (size_t j = 0, items = choices.Below(4); j < items; ++j) {
      const bool nested = choices.Below(4) == 3;
      out += YamlQuoted(nested ? choices.From(lists) : Value(choices, FieldType::kText)) + ", ";
    }
    out += "]\n";
  }
  for (size_t i = 0, count = choices.Below(4); i < count; ++i) {
    std::string condition = Condition(choices, macros, 2);
    if (!lists.empty() && choices.Maybe()) {
      condition += " or proc.name in (" + choices.From(lists) + ", zsh)";
    }
    macros.push_back("macro" + std::to_string(i));
    out += "- macro: " + macros.back() + "\n  condition: " + YamlQuoted(condition) + "\n";
  }
  for (size_t i = 0, count = 1 + choices.Below(3); i < count; ++i) {
    const std::string name = "rule" + std::to_string(i);
    out += "- rule: " + name + "\n  desc: d\n  condition: " +
           YamlQuoted("evt.type = " + Value(choices, FieldType::kEventType) + " and " +
                      Condition(choices, macros, 2)) +
           "\n  output: \"%proc.name %fd.name\"\n  priority: INFO\n";
    const bool has_exceptions = choices.Maybe();
    if (has_exceptions) {
      out +=
          "  exceptions:\n  - {name: e, fields: [proc.name, fd.num], comps: [in, '='], values: "
          "[[[" +
          YamlQuoted(Value(choices, FieldType::kText)) + ", b], " +
          Value(choices, FieldType::kInt) + "]]}\n  - {name: f, fields: proc.pname}\n";
    }
    if (choices.Maybe()) {
      out += "- rule: " + name +
             "\n  condition: " + YamlQuoted("or " + Condition(choices, macros, 1)) +
             "\n  override: {condition: append}\n";
    }
    if (has_exceptions && choices.Maybe()) {
      out += "- rule: " + name + "\n  exceptions: [{name: f, values: [" +
             YamlQuoted(lists.empty() ? "x" : choices.From(lists)) +
             "]}]\n  override: {exceptions: append}\n";
    }
  }
  return out;
}

namespace {

std::string TextCheck(Choices& choices, const std::string& field) {
  static const std::vector<std::string> kTexts = {
      "a",  "b",       "sh",  "x", "it", "/usr",   "YQ", "/usr/", "bin/sh",
      "SH", "/usr/b?", "s y", "/", "''", "/*/bin", "y",  "proc.", "/usr//bin"};
  static const std::vector<std::string> kOperators = {
      "=",        "startswith", "pmatch",    "glob",           "in",
      "endswith", "contains",   "icontains", "contains anyof", "endswith anyof"};
  const std::string& op = choices.From(kOperators);
  const auto text = [&] { return "\"" + choices.From(kTexts) + (op == "glob" ? "*\"" : "\""); };
  const bool list = op == "in" || op == "pmatch" || op.ends_with("anyof");
  std::string check = field + " " + op + (list ? " (" : " ") + text();
  if (!list) return check;
  for (size_t i = 0, more = choices.Below(6); i < more; ++i) check += ", " + text();
  return check + ")";
}

}  // namespace

std::string RandomTextRules(Choices& choices) {
  static const std::vector<std::string> kFields = {"fd.name", "proc.name", "fd.directory",
                                                   "proc.aname", "tolower(fd.name)"};
  std::string out;
  for (size_t i = 0, count = 4 + choices.Below(8); i < count; ++i) {
    std::string condition = "evt.type in (open, execve, close)";
    for (size_t part = 0, parts = 1 + choices.Below(3); part < parts; ++part) {
      condition += choices.Below(4) == 0 ? " or " : " and ";
      condition += choices.Below(4) == 0 ? "not (" : "(";
      const std::string& field = choices.From(kFields);
      condition += TextCheck(choices, field);
      for (size_t more = choices.Below(8); more > 0; --more) {
        condition +=
            " or " + TextCheck(choices, choices.Below(4) == 0 ? choices.From(kFields) : field);
      }
      condition += ")";
    }
    out += "- rule: texts " + std::to_string(i) +
           "\n  desc: d\n  condition: " + YamlQuoted(condition) +
           "\n  output: x\n  priority: INFO\n";
  }
  return out;
}

}  // namespace gyrfalcon
