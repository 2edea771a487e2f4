// A coverage (runsc/coverage.h) as people and scripts read it. Names of rules are anybody's text:
// control characters and markup in them are escaped.
#pragma once

#include <string>

#include "runsc/coverage.h"

namespace gyrfalcon {

struct CoverageReport {
  const Coverage& coverage;
  std::string subject;  // "the session …, on runsc …": what it was asked about
};

// Blind rules first. `colour`: for a terminal.
std::string CoverageText(const CoverageReport& report, bool colour);

// {"rules":[{"rule","status","missing":[{"point"|"field","why",…}],"notes":[…]}],
// "summary":{"full","degraded","blind"},"subject"}, in order of loading.
std::string CoverageJson(const CoverageReport& report);

// One page that needs nothing else: the rules with their gaps, and rules × points as a picture.
std::string CoverageHtml(const CoverageReport& report);

// Printable, on one line: control characters and bytes that are no UTF-8 become '?'.
std::string OneLine(std::string_view text);

}  // namespace gyrfalcon
