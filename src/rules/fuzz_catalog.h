// A few fields of every kind for the fuzz targets.
#pragma once

#include "fields/field.h"

namespace gyrfalcon {

inline Value FuzzText(const BoundField&, const Happening&, Scratch&) {
  return Value::Text("/usr/bin/some name");
}
inline Value FuzzNumber(const BoundField&, const Happening&, Scratch&) {
  return Value::Int(-7);
}
inline Value FuzzMissing(const BoundField&, const Happening&, Scratch&) {
  return {};
}

inline FieldDef FuzzField(std::string_view name, FieldType type, ArgForm arg, Extractor extract) {
  FieldDef row{};
  row.name = name;
  row.type = type;
  row.arg = arg;
  row.extract = extract;
  return row;
}

inline const FieldCatalog& FuzzCatalog() {
  static const FieldDef kRows[] = {
      FuzzField("evt.arg", FieldType::kText, ArgForm::kDottedOrIndex, FuzzText),
      FuzzField("evt.num", FieldType::kUint, ArgForm::kNone, FuzzNumber),
      FuzzField("evt.type", FieldType::kEventType, ArgForm::kNone, FuzzText),
      FuzzField("fd.name", FieldType::kText, ArgForm::kNone, FuzzText),
      FuzzField("fd.net", FieldType::kNet, ArgForm::kNone, FuzzMissing),
      FuzzField("fd.num", FieldType::kInt, ArgForm::kNone, FuzzNumber),
      FuzzField("fd.sip", FieldType::kIp, ArgForm::kNone, FuzzMissing),
      FuzzField("proc.aname", FieldType::kText, ArgForm::kIndexAllowed, FuzzText),
      FuzzField("proc.name", FieldType::kText, ArgForm::kNone, FuzzText),
  };
  static const FieldCatalog catalog(kRows);
  return catalog;
}

}  // namespace gyrfalcon
