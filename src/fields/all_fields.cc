#include <algorithm>
#include <vector>

#include "fields/rows.h"

namespace gyrfalcon {
namespace {

std::vector<FieldDef> Merge() {
  std::vector<FieldDef> rows;
  for (const std::span<const FieldDef> part :
       {EventFields(), ProcessFields(), FdFields(), ContainerFields(), UserFields(), PathFields(),
        ExeFields(), MapFields(), PipeFields()}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  std::ranges::sort(rows, {}, &FieldDef::name);
  return rows;
}

}  // namespace

const FieldCatalog& AllFields() {
  static const std::vector<FieldDef> rows = Merge();
  static const FieldCatalog catalog(rows);
  return catalog;
}

}  // namespace gyrfalcon
