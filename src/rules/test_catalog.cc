#include "rules/test_catalog.h"

#include <algorithm>

namespace gyrfalcon {
namespace {

Value ExtractTestValue(const BoundField& field, const Happening&, Scratch&) {
  return TestValues::Current().Find(field);
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

TestCatalog::TestCatalog(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    FieldDef field{};
    field.type = row.type;
    field.flags = row.flags;
    Add(field, row.name);
  }
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

void TestCatalog::AddReal() {
  for (FieldDef row : AllFields().rows()) {
    row.extract_printed = nullptr;
    Add(row, row.name);
  }
}

const FieldCatalog& TestCatalog::catalog() {
  if (catalog_ == nullptr) {
    std::ranges::sort(rows_, {}, &FieldDef::name);
    catalog_ = std::make_unique<FieldCatalog>(rows_);
  }
  return *catalog_;
}

}  // namespace gyrfalcon
