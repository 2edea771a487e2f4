// Keeps the parts of the tree that are made from tables: gyrfalcon_docs --check|--write
// SOURCE_ROOT. Not installed; scripts/update-docs.sh runs it, and a test runs it with --check.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "alerts/builtin.h"
#include "base/text.h"
#include "cli/config_schema.h"
#include "cli/doctor.h"
#include "cli/falco_flags.h"
#include "cli/file.h"
#include "engine/limits.h"
#include "fields/field.h"

namespace gyrfalcon {
namespace {

constexpr size_t kBytesMax = size_t{16} << 20;
constexpr std::string_view kEnd = "<!-- end of made part -->\n";

// A markdown file has "<!-- made part: NAME … -->" before, and kEnd behind, each made part.
struct Part {
  std::string_view file;
  std::string_view name;  // "": the whole file
  Result<std::string> (*make)(const std::string& root);
};

Result<std::string> FieldsNeverTold(const std::string& /*root*/) {
  std::string out = "| field | |\n|---|---|\n";
  for (const FieldDef& field : AllFields().rows()) {
    if (field.availability != Availability::kNever) continue;
    out += fmt::format("| `{}` | {} |\n", field.name, MarkdownCell(field.help));
  }
  return out;
}

Result<nlohmann::json> ReadList(const std::string& path) {
  const auto text = ReadWholeFile(path, kBytesMax);
  if (!text) return std::unexpected(text.error());
  auto list = nlohmann::json::parse(*text, nullptr, false);
  if (!list.is_array()) return Fail(Fault::kInput, path + ": not a JSON list");
  return list;
}

Result<std::string> Deviations(const std::string& root) {
  const auto list = ReadList(root + "/tests/conformance/deviations.json");
  if (!list) return std::unexpected(list.error());
  std::string out = "| recording | case | why |\n|---|---|---|\n";
  for (const auto& item : *list) {
    out +=
        fmt::format("| {} | `{}` | {} |\n", item.value("file", ""),
                    MarkdownCell(item.value("case", "")), MarkdownCell(item.value("reason", "")));
  }
  return out;
}

// Where our alerts on the recordings are not Falco's, and why.
Result<std::string> AlertDeviations(const std::string& root) {
  const auto list = ReadList(root + "/tests/conformance/alert-deviations.json");
  if (!list) return std::unexpected(list.error());
  std::string out = "| rule | what | recordings | why |\n|---|---|---|---|\n";
  for (const auto& item : *list) {
    std::string captures;
    const auto counts = item.value("captures", nlohmann::json::object());
    for (const auto& [name, count] : counts.items()) {
      captures += (captures.empty() ? "" : ", ") + name;
    }
    std::string what = item.value("what", "");
    if (what == "field") what = fmt::format("`{}`", item.value("field", ""));
    out += fmt::format("| {} | {} | {} | {} |\n", MarkdownCell(item.value("rule", "")), what,
                       captures, MarkdownCell(item.value("reason", "")));
  }
  return out;
}

Result<std::string> BuiltinAlerts(const std::string& /*root*/) {
  std::string out = "| name | priority | what it means, and what to do |\n|---|---|---|\n";
  for (size_t i = 0; i < kBuiltinCount; ++i) {
    const BuiltinDef& def = Describe(static_cast<Builtin>(i));
    out += fmt::format("| `{}` | {} | {}. {} |\n", def.rule, PriorityName(def.priority),
                       MarkdownCell(def.headline), MarkdownCell(def.help));
  }
  return out;
}

Result<std::string> LimitsTable(const std::string& /*root*/) {
  std::string out =
      "| what is bounded | default | config key | at the limit | counters |\n"
      "|---|---|---|---|---|\n";
  for (const LimitRow& row : LimitRows()) {
    const std::string key =
        row.is_configurable() ? fmt::format("`limits.{}`", row.name) : std::string("–");
    std::string counters;
    for (const std::string_view name : Split(row.counters, ' ')) {
      if (name.empty()) continue;
      const bool has_more = name.ends_with(',');
      counters += fmt::format("`{}`{}", name.substr(0, name.size() - (has_more ? 1 : 0)),
                              has_more ? ", " : "");
    }
    out += fmt::format("| {} | {} | {} | {} | {} |\n", MarkdownCell(row.what), row.default_value(),
                       key, MarkdownCell(row.at_limit), counters.empty() ? "–" : counters);
  }
  return out;
}

constexpr Part kParts[] = {
    {"docs/overload.md", "limits", LimitsTable},
    {"docs/troubleshooting.md", "checks",
     [](const std::string&) { return Result<std::string>(DoctorChecksMarkdown()); }},
    {"docs/troubleshooting.md", "mistakes",
     [](const std::string&) { return Result<std::string>(MistakesMarkdown()); }},
    {"docs/sensor.md", "built-in alerts", BuiltinAlerts},
    {"config/gyrfalcon.yaml", "",
     [](const std::string&) { return Result<std::string>(DefaultConfigYaml()); }},
    {"docs/operating.md", "config keys",
     [](const std::string&) { return Result<std::string>(ConfigKeysMarkdown()); }},
    {"docs/moving-from-falco.md", "config keys without effect",
     [](const std::string&) { return Result<std::string>(IgnoredKeysMarkdown()); }},
    {"docs/moving-from-falco.md", "flags",
     [](const std::string&) { return Result<std::string>(FalcoFlagsMarkdown()); }},
    {"docs/moving-from-falco.md", "fields", FieldsNeverTold},
    {"docs/moving-from-falco.md", "deviations", Deviations},
    {"docs/moving-from-falco.md", "alerts", AlertDeviations},
};

// `text` with the named part made anew.
Result<std::string> Replaced(const std::string& path, std::string text, std::string_view name,
                             const std::string& made) {
  if (name.empty()) return made;
  const std::string mark = fmt::format("<!-- made part: {}; scripts/update-docs.sh -->\n", name);
  const size_t begin = text.find(mark);
  const size_t end = begin == std::string::npos ? begin : text.find(kEnd, begin);
  if (end == std::string::npos) {
    return Fail(Fault::kInput, fmt::format("{}: no line {}and {}behind it", path, mark, kEnd));
  }
  text.replace(begin + mark.size(), end - begin - mark.size(), made);
  return text;
}

Result<bool> Update(const std::string& root, const Part& part, bool write) {
  const std::string path = root + "/" + std::string(part.file);
  std::string text;
  if (std::filesystem::exists(path)) {
    auto read = ReadWholeFile(path, kBytesMax);
    if (!read) return std::unexpected(read.error());
    text = std::move(*read);
  }
  const auto made = part.make(root);
  if (!made) return std::unexpected(made.error());
  const auto wanted = Replaced(path, text, part.name, *made);
  if (!wanted) return std::unexpected(wanted.error());
  if (*wanted == text) return false;
  if (write) std::ofstream(path, std::ios::binary) << *wanted;
  return true;
}

int Main(const std::vector<std::string>& args) {
  if (args.size() != 2 || (args[0] != "--check" && args[0] != "--write")) {
    fmt::print(stderr, "usage: gyrfalcon_docs --check|--write SOURCE_ROOT\n");
    return 2;
  }
  const bool write = args[0] == "--write";
  int out_of_date = 0;
  for (const Part& part : kParts) {
    const auto updated = Update(args[1], part, write);
    if (!updated) {
      fmt::print(stderr, "gyrfalcon_docs: {}\n", updated.error().message);
      return 1;
    }
    if (!*updated) continue;
    ++out_of_date;
    fmt::print("{} {}{}{}\n", write ? "made anew:" : "out of date:", part.file,
               part.name.empty() ? "" : ", ", part.name);
  }
  if (out_of_date == 0 || write) return 0;
  fmt::print("the tables have changed: run scripts/update-docs.sh and commit what it writes\n");
  return 1;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::Main({argv + 1, argv + argc});
}
