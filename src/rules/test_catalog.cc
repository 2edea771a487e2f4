#include "rules/test_catalog.h"

#include <algorithm>
#include <fstream>

#include "base/text.h"

namespace gyrfalcon {
namespace {

Value ExtractTestValue(const BoundField& field, const Happening&, Scratch&) {
  return TestValues::Current().Find(field);
}

std::vector<std::string> CutCsvLine(std::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[i++];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else if (line[i] != '\r') {
      cells.back() += line[i];
    }
  }
  return cells;
}

FieldType TypeFrom(std::string_view pt) {
  const std::pair<std::string_view, FieldType> kTypes[] = {
      {"PT_BOOL", FieldType::kBool},     {"PT_UINT", FieldType::kUint},
      {"PT_INT", FieldType::kInt},       {"PT_RELTIME", FieldType::kUint},
      {"PT_ABSTIME", FieldType::kUint},  {"PT_PORT", FieldType::kPort},
      {"PT_IPADDR", FieldType::kIp},     {"PT_IPNET", FieldType::kNet},
      {"PT_DOUBLE", FieldType::kDouble}, {"PT_BYTEBUF", FieldType::kBytes},
      {"PT_CHARBUF", FieldType::kText},
  };
  for (const auto& [prefix, type] : kTypes) {
    if (pt.starts_with(prefix)) return type;
  }
  return FieldType::kText;
}

ArgForm ArgFormFrom(std::string_view arg, std::string_view form) {
  if (arg == "none") return ArgForm::kNone;
  if (form == ".NAME or [INDEX]") return ArgForm::kDottedOrIndex;
  if (form.contains(".src")) return ArgForm::kDottedAllowed;
  if (form.starts_with('.')) return ArgForm::kDottedRequired;
  const bool index = form == "[INDEX]" || form == "[TIMESTAMP_NS]" || form == "[FD]";
  if (arg == "required") return index ? ArgForm::kIndexRequired : ArgForm::kKeyRequired;
  return index ? ArgForm::kIndexAllowed : ArgForm::kKeyAllowed;
}

std::optional<std::string> ResolveArgument(BoundField& field) {
  // An output cuts an unknown name from its end: its beginnings are unknown as well.
  const bool unknown = field.arg.text.starts_with("nosuch") ||
                       std::string_view("nosuch").starts_with(field.arg.text);
  if (unknown) return "unknown event argument " + field.arg.text;
  const auto& types = TestValues::Current().raw_types;
  const auto found = types.find(field.Name());
  if (found != types.end()) field.type = found->second;
  return std::nullopt;
}

}  // namespace

TestValues& TestValues::Current() {
  static thread_local TestValues values;
  return values;
}

void TestValues::Clear() {
  values_.clear();
  texts_.clear();
  addresses_.clear();
  lists_.clear();
}

Value TestValues::Text(std::string_view text) {
  return Value::Text(texts_.emplace_back(text));
}

Value TestValues::Ip(const IpAddress& address) {
  return Value::Ip(addresses_.emplace_back(address));
}

void TestValues::SetText(std::string_view name, std::string_view text) {
  Set(name, Text(text));
}

void TestValues::SetIp(std::string_view name, const IpAddress& address) {
  Set(name, Ip(address));
}

void TestValues::SetList(std::string_view name, std::vector<Value> items) {
  Set(name, Value::List(lists_.emplace_back(std::move(items))));
}

Value TestValues::Find(const BoundField& field) const {
  const auto found = values_.find(field.Name());
  return found == values_.end() ? Value() : found->second;
}

void TestCatalog::Add(FieldType type, std::string_view name) {
  FieldDef row{};
  row.type = type;
  Add(row, name);
}

void TestCatalog::Add(FieldDef row, std::string_view name) {
  row.name = names_.emplace_back(name);
  row.extract = ExtractTestValue;
  rows_.push_back(row);
  catalog_.reset();
}

bool TestCatalog::AddCsv(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return false;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = CutCsvLine(line);
    if (cells.size() < 8) continue;
    FieldDef row{};
    row.type = TypeFrom(cells[2]);
    row.arg = ArgFormFrom(cells[4], cells[5]);
    const std::string& name = cells[0];
    const std::string& flags = cells[6];
    if (cells[3] == "yes") row.flags |= kIsList;
    if (flags.contains("FILTER_ONLY")) row.flags |= kFilterOnly;
    if (flags.contains("NO_RHS")) row.flags |= kNoRhs;
    if (flags.contains("NO_TRANSFORMER")) row.flags |= kNoTransformer;
    if (name == "fd.ip" || name == "fd.port" || name == "fd.net" || name == "fd.proto") {
      row.flags |= kEitherSide;
    }
    const bool ancestors = name == "proc.aname" || name == "proc.apid" || name == "proc.aexe" ||
                           name == "proc.aexepath" || name == "proc.acmdline" ||
                           name == "proc.aargs" || name == "proc.aenv";
    if (ancestors) row.flags |= kAnyAncestor;
    if (name == "evt.type" || name == "syscall.type") row.type = FieldType::kEventType;
    if (name == "evt.arg" || name == "evt.rawarg") row.resolve = ResolveArgument;
    if (cells.back() == "na") row.availability = Availability::kNever;
    Add(row, name);
  }
  return true;
}

const FieldCatalog& TestCatalog::catalog() {
  if (catalog_ == nullptr) {
    std::ranges::sort(rows_, {}, &FieldDef::name);
    catalog_ = std::make_unique<FieldCatalog>(rows_);
  }
  return *catalog_;
}

}  // namespace gyrfalcon
