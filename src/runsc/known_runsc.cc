#include "runsc/known_runsc.h"

#include <algorithm>
#include <array>

namespace gyrfalcon {

extern const std::string_view kDebianRunscMetadata;
extern const std::string_view kCurrentRunscMetadata;

namespace {

const std::array<KnownRunsc, 2>& Rows() {
  static const std::array<KnownRunsc, 2> rows = {{
      {"debian", "0.0~20221219, Debian 12", kDebianRunscMetadata},
      {"current", "v0.0.0-20260905035102-160fafc42237", kCurrentRunscMetadata},
  }};
  return rows;
}

const std::array<SentPoints, 2>& Read() {
  static const std::array<SentPoints, 2> points = [] {
    std::array<SentPoints, 2> out;
    for (size_t i = 0; i < out.size(); ++i) {
      const KnownRunsc& runsc = Rows()[i];
      out[i] = ReadRunscMetadata(std::string(runsc.name), std::string(runsc.metadata))
                   .value_or(SentPoints());
    }
    return out;
  }();
  return points;
}

}  // namespace

std::span<const KnownRunsc> KnownRunscs() {
  return Rows();
}

const SentPoints& PointsOf(const KnownRunsc& runsc) {
  return Read()[static_cast<size_t>(&runsc - Rows().data())];
}

const SentPoints& NewestPoints() {
  return Read().back();
}

const KnownRunsc* FirstWith(std::string_view point, std::string_view field) {
  for (const KnownRunsc& runsc : Rows()) {
    const auto found = PointsOf(runsc).find(point);
    if (found == PointsOf(runsc).end()) continue;
    const SentPoint& fields = found->second;
    if (field.empty() || fields.context.contains(field) || fields.optional.contains(field)) {
      return &runsc;
    }
  }
  return nullptr;
}

}  // namespace gyrfalcon
