// Coverage's verdicts against what happens: where it says full, a rule tells in the lesser session
// what it tells with everything; where it says blind, nothing; where it says degraded, a recording
// shows it, or what the verdict names is so.
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "engine/rule_deeds.h"
#include "points/schema.h"
#include "runsc/coverage.h"
#include "runsc/known_runsc.h"
#include "runsc/session_points.h"

namespace gyrfalcon {
namespace {

using testing::AllRuleDeeds;
using testing::Deed;
using testing::Experiment;
using testing::RuleDeeds;
using testing::ToldTexts;

using Variants = std::map<std::string, SentPoints>;

const SentPoints& KnownTo(const std::string& runsc) {
  return PointsOf(runsc == "old" ? KnownRunscs().front() : KnownRunscs().back());
}

void Remove(SentPoint& point, const std::string& field) {
  point.context.erase(field);
  point.optional.erase(field);
}

// Several points that one would leave out together.
constexpr std::string_view kFamilies[] = {
    "syscall/open",   "syscall/execve",   "syscall/close",  "syscall/chdir", "syscall/dup",
    "syscall/accept", "syscall/connect",  "syscall/socket", "syscall/clone", "syscall/fork",
    "syscall/setuid", "syscall/sysno/",   "syscall/",       "sentry/",       "container/",
    "syscall/creat",  "syscall/prlimit64"};

using Names = std::set<std::string, std::less<>>;

// `session` and, of it, all that lacks one thing; single fields only of `recorded` points.
void AddLesser(const std::string& name, const SentPoints& session, const Names& recorded,
               Variants& out) {
  out[name] = session;
  std::set<std::string> fields;
  for (const auto& [point, entry] : session) {
    SentPoints& without = out[fmt::format("{} without {}", name, point)] = session;
    without.erase(point);
    std::set<std::string> own(entry.context.begin(), entry.context.end());
    own.insert(entry.optional.begin(), entry.optional.end());
    for (const std::string& field : own) {
      if (!recorded.contains(point)) break;
      Remove((out[fmt::format("{} without {} of {}", name, field, point)] = session)[point], field);
    }
    fields.merge(own);
  }
  for (const std::string& field : fields) {
    SentPoints& without = out[fmt::format("{} without any {}", name, field)] = session;
    for (auto& [point, entry] : without) Remove(entry, field);
  }
  for (const std::string_view family : kFamilies) {
    SentPoints& without = out[fmt::format("{} without {}*", name, family)] = session;
    std::erase_if(without, [&](const auto& point) { return point.first.starts_with(family); });
  }
  for (const std::string_view side : {"/enter", "/exit"}) {
    SentPoints& without = out[fmt::format("{} without any {}", name, side)] = session;
    std::erase_if(without, [&](const auto& point) { return point.first.ends_with(side); });
  }
}

Variants VariantsOf(const RuleSet& rules, const std::string& runsc, const Names& recorded) {
  const SentPoints& known = KnownTo(runsc);
  Variants out;
  out["everything"] = known;
  for (const SessionProfile profile : {SessionProfile::kLean, SessionProfile::kStrict}) {
    out[std::string(Name(profile))] = Intersect(Sent(PointsFor(rules, profile)), known);
  }
  AddLesser("standard", Intersect(Sent(PointsFor(rules, SessionProfile::kStandard)), known),
            recorded, out);
  if (runsc == "new") {
    out["standard on Debian's"] =
        Intersect(Sent(PointsFor(rules, SessionProfile::kStandard)), KnownTo("old"));
    out["everything of Debian's"] = KnownTo("old");
  }
  if (const std::string falco = testing::SharedPath("spec/falco-session-97.json"); !falco.empty()) {
    std::ifstream in(falco);
    std::stringstream text;
    text << in.rdbuf();
    const auto session = ReadSessionPoints(falco, text.str());
    EXPECT_TRUE(session) << session.error().message;
    if (session) out["Falco's 97"] = Intersect(*session, known);
  } else {
    std::cout << "SKIPPED: no ../shared/spec/falco-session-97.json\n";
  }
  out["nothing"] = {};
  return out;
}

bool PrintsNothing(const std::vector<Alert>& alerts, const std::string& field) {
  for (const Alert& alert : alerts) {
    for (const AlertField& shown : alert.fields) {
      if (shown.name != field) continue;
      const auto* text = std::get_if<std::string>(&shown.value);
      if (std::holds_alternative<std::monostate>(shown.value) || (text && text->empty()))
        return true;
    }
  }
  return false;
}

// Whether what a gap names is so, where no alert of these is lost by it.
bool HoldsByName(const Gap& gap, const SentPoints& sent, const std::vector<Alert>& alerts) {
  // Other messages that tell a part of it, which are indeed not sent.
  const bool unsent = std::ranges::any_of(gap.mend, [&](const Mend& mend) {
    const auto found = sent.find(mend.point);
    return found == sent.end() ||
           !std::ranges::includes(found->second.context, mend.entry.context) ||
           !std::ranges::includes(found->second.optional, mend.entry.optional);
  });
  if (unsent) return true;
  if (!gap.field.empty()) return PrintsNothing(alerts, gap.field);
  return gap.point.empty() || !sent.contains(gap.point);
}

// Calls that a rule names and the deed at hand does not make, and what only a host knows: there is
// none in a replay.
bool IsOfNoDeed(const RuleCoverage& verdict) {
  return std::ranges::any_of(verdict.missing, [](const Gap& gap) {
    return gap.why.contains("openat2") || gap.why.contains("docs/metadata.md");
  });
}

// What is known not to fit, and why.
bool IsKnown(const std::string& rule, const std::string& variant) {
  // Whose an exec session is, is read off its first message, whichever that is.
  return rule == "Interactive session in a container" &&
         variant == "standard without container_id of syscall/openat/enter";
}

struct Tally {
  int full = 0;     // and tells the same
  int blind = 0;    // and tells nothing
  int shown = 0;    // degraded, and tells otherwise
  int by_name = 0;  // degraded, and what the verdict names is so
  int open = 0;     // degraded, and no recording at hand shows it
};

class CoverageVerdict : public testing::RuleExperiments {
 protected:
  // The gaps of a verdict with what would mend each.
  const std::vector<Gap>& WithMends(const std::string& runsc, const std::string& name,
                                    const SentPoints& sent) {
    const auto [entry, is_new] = mended_.try_emplace(runsc + name);
    if (is_new) {
      auto coverage = CoverageOf(*rules_, sent, KnownTo(runsc), &NewestPoints());
      entry->second = std::move(coverage.rules.at(0).missing);
    }
    return entry->second;
  }

 private:
  std::map<std::string, std::vector<Gap>> mended_;
};

TEST_P(CoverageVerdict, IsWhatHappens) {
  Tally tally;
  std::map<std::string, Variants> variants;
  Names recorded;
  ForEach([&](const Deed&, Experiment& experiment) {
    recorded.insert(experiment.capture().points().begin(), experiment.capture().points().end());
  });
  for (const std::string runsc : {"old", "new"}) {
    variants[runsc] = VariantsOf(*rules_, runsc, recorded);
    // A sanitizer looks at how it is found out, not at what: one in eight will do.
    size_t count = 0;
    if (!AllocationsAreCounted()) {
      std::erase_if(variants[runsc], [&count](const auto&) { return count++ % 8 != 0; });
    }
  }
  std::map<std::string, std::map<std::string, RuleCoverage>> verdicts;
  for (const auto& [runsc, of_runsc] : variants) {
    for (const auto& [name, sent] : of_runsc) {
      verdicts[runsc][name] = CoverageOf(*rules_, sent, KnownTo(runsc), nullptr).rules.at(0);
    }
  }
  std::set<std::string> wrong;
  ForEach([&](const Deed& deed, Experiment& experiment) {
    const auto& capture = experiment.capture();
    const ToldTexts all = experiment.Told(capture.All(), true);
    for (const auto& [name, sent] : variants[deed.runsc]) {
      const RuleCoverage& verdict = verdicts[deed.runsc][name];
      const auto messages = capture.Reduce(sent);
      const ToldTexts told = experiment.Told(messages, true);
      const auto complain = [&](std::string_view what) {
        if (IsKnown(GetParam().rule, name)) return;
        wrong.insert(fmt::format("{} | {} | {} | {}", deed.runsc, deed.name, name, what));
      };
      if (verdict.status == CoverageStatus::kFull) {
        ++tally.full;
        if (told != all) complain(told.empty() ? "full, but silent" : "full, but tells otherwise");
        if (!deed.fires && name == "everything") complain("full, but nothing can tell the deed");
      } else if (verdict.status == CoverageStatus::kBlind) {
        ++tally.blind;
        if (!told.empty()) complain(told == all ? "blind, but tells the same" : "blind, but tells");
      } else if (told != all) {
        ++tally.shown;
      } else if (all.empty()) {
        continue;  // nothing that could be told less
      } else if (std::ranges::any_of(WithMends(deed.runsc, name, sent), [&](const Gap& gap) {
                   return HoldsByName(gap, sent, experiment.Replay(messages));
                 })) {
        ++tally.by_name;
      } else {
        ++tally.open;
        if (!IsOfNoDeed(verdict)) complain("degraded, but tells the same, and has what it lacks");
      }
    }
  });
  std::string complaints;
  size_t count = 0;
  for (const std::string& text : wrong) {
    if (++count <= 20) complaints += text + "\n";
  }
  EXPECT_EQ(complaints, "") << wrong.size() << " disagreements";
  std::cout << fmt::format("TALLY {}: full {}, blind {}, degraded shown {}, by name {}, open {}\n",
                           GetParam().rule, tally.full, tally.blind, tally.shown, tally.by_name,
                           tally.open);
}

// Current gVisor has openat2, and tells it in numbers alone: the file is read, and no rule about
// opens fires.
TEST(CoverageVerdictDeeds, AnOpenByOpenat2SucceedsAndIsNotToldAsOne) {
  const testing::RecordedCapture capture(std::string(GYRFALCON_TEST_DATA) +
                                         "/coverage/new/second-call.trace");
  EXPECT_TRUE(capture.points().contains("syscall/sysno/437/exit"));
  const auto rules = testing::RulesFromText(R"(
- rule: by openat2
  desc: d
  condition: evt.type = openat2 and evt.rawres >= 0
  output: "%proc.name"
  priority: INFO
- rule: the file
  desc: d
  condition: evt.type in (open, openat, openat2) and fd.name = /etc/shadow
  output: "%fd.name"
  priority: INFO
)");
  const auto alerts = capture.Replay(rules, capture.All());
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].message, "deed");
}

INSTANTIATE_TEST_SUITE_P(Rules, CoverageVerdict, ::testing::ValuesIn(AllRuleDeeds()),
                         testing::TestName);

}  // namespace
}  // namespace gyrfalcon
