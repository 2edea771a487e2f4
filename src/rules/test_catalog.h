// For tests: fields whose values a test sets, in place of the real ones, which read a sandbox's
// state.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fields/field.h"

namespace gyrfalcon {

// Values by the field's name as written ("proc.aname[2]"); what is not set is missing. One per
// thread.
class TestValues {
 public:
  static TestValues& Current();

  void Clear();
  void Set(std::string_view name, Value value) { values_[std::string(name)] = value; }
  void SetText(std::string_view name, std::string_view text);
  void SetIp(std::string_view name, const IpAddress& address);
  void SetList(std::string_view name, std::vector<Value> items);
  Value Text(std::string_view text);
  Value Ip(const IpAddress& address);
  Value Find(const BoundField& field) const;

 private:
  std::map<std::string, Value> values_;
  std::deque<std::string> texts_;
  std::deque<IpAddress> addresses_;
  std::deque<std::vector<Value>> lists_;
};

// Rows that own their names, sorted.
class TestCatalog {
 public:
  struct Row {
    FieldType type;
    std::string_view name;
    uint8_t flags = 0;
  };

  TestCatalog(std::initializer_list<Row> rows = {});
  void Add(FieldDef row, std::string_view name);
  void Add(FieldType type, std::string_view name);
  // Every row of the program's own catalogue.
  void AddReal();
  const FieldCatalog& catalog();

 private:
  std::deque<std::string> names_;
  std::vector<FieldDef> rows_;
  std::unique_ptr<FieldCatalog> catalog_;
};

}  // namespace gyrfalcon
