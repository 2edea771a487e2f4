#include "runsc/session_points.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "points/schema.h"
#include "rules/test_rules.h"

namespace gyrfalcon {
namespace {

using enum SessionProfile;
using ::testing::Contains;
using ::testing::HasSubstr;

std::vector<AskedPoint> Points(const std::string& condition, SessionProfile profile = kLean) {
  return PointsFor(*RuleWith(condition), profile);
}

const AskedPoint* Find(const std::vector<AskedPoint>& points, std::string_view name) {
  const auto found = std::ranges::find(points, name, &AskedPoint::name);
  return found == points.end() ? nullptr : &*found;
}

bool HasField(const AskedPoint& point, std::string_view field) {
  return std::ranges::find(point.fields, field, &AskedField::name) != point.fields.end();
}

bool HasField(const std::vector<AskedPoint>& points, std::string_view point,
              std::string_view field) {
  const AskedPoint* found = Find(points, point);
  EXPECT_NE(found, nullptr) << point;
  return found != nullptr && HasField(*found, field);
}

bool AnyHas(const std::vector<AskedPoint>& points, std::string_view field) {
  return std::ranges::any_of(points,
                             [&](const AskedPoint& point) { return HasField(point, field); });
}

TEST(SessionPoints, CredentialsAreAskedForWhereARuleReadsThem) {
  EXPECT_FALSE(AnyHas(Points("evt.type = connect and proc.name = sh"), "credentials"));
  const auto points = Points("evt.type = connect and user.name = root");
  EXPECT_TRUE(HasField(points, "syscall/connect/exit", "credentials"));
  EXPECT_FALSE(HasField(points, "sentry/clone", "credentials"));
}

TEST(SessionPoints, TheOrderOfRulesDoesNotMatter) {
  const std::string folder = RuleText("evt.type = chdir and fs.path.name = /x");
  const std::string raced = RuleText("evt.type = openat and gyrfalcon.path.raced = true", "o", "s");
  const auto names = [](const std::vector<AskedPoint>& points) {
    std::string out;
    for (const AskedPoint& point : points) {
      out += '\n' + point.name;
      for (const AskedField& field : point.fields) out += ' ' + std::string(field.name);
    }
    return out;
  };
  EXPECT_EQ(names(PointsFor(*LoadTestRules(folder + raced), kLean)),
            names(PointsFor(*LoadTestRules(raced + folder), kLean)));
}

TEST(SessionPoints, AnExecsFieldsAreAskedForEverywhere) {
  // The first message of an exec session may be any: its exec is made up from it.
  const auto points = Points("evt.type = execve and user.name = root");
  for (const AskedPoint& point : points) {
    EXPECT_TRUE(HasField(points, point.name, "credentials")) << point.name;
  }
}

TEST(SessionPoints, ReadsAndWritesAreAskedForByRulesAlone) {
  for (const SessionProfile profile : {kLean, kStandard, kStrict}) {
    const auto points = Points("evt.type in (open, connect, dup2) and fd.name = x", profile);
    for (const AskedPoint& point : points) {
      EXPECT_THAT(point.name, ::testing::Not(HasSubstr("read"))) << point.name;
      EXPECT_THAT(point.name, ::testing::Not(HasSubstr("write"))) << point.name;
    }
  }
  EXPECT_NE(Find(Points("evt.type = read"), "syscall/read/exit"), nullptr);
  EXPECT_EQ(Find(Points("evt.type = read"), "syscall/read/enter"), nullptr);
}

TEST(SessionPoints, ClosesAreAskedForWhereTheyDecide) {
  EXPECT_EQ(Find(Points("evt.type = openat and fd.name = x"), "syscall/close/exit"), nullptr);
  EXPECT_EQ(Find(Points("evt.type = dup2 and fd.type = ipv4"), "syscall/close/exit"), nullptr);
  EXPECT_NE(Find(Points("evt.type = dup2 and gyrfalcon.fd.origin = passed"), "syscall/close/exit"),
            nullptr);
  EXPECT_NE(Find(Points("evt.type = execve and proc.stdin.type = ipv4"), "syscall/close/exit"),
            nullptr);
  EXPECT_TRUE(HasField(Points("evt.type = openat and gyrfalcon.path.true = x"),
                       "syscall/close/enter", "fd_path"));
  EXPECT_TRUE(HasField(Points("evt.type = openat", kStandard), "syscall/close/enter", "fd_path"));
}

TEST(SessionPoints, DescriptorsAreFollowedOnlyForRulesThatUseThem) {
  EXPECT_EQ(Find(Points("evt.type = openat and fd.name = x"), "syscall/socket/exit"), nullptr);
  EXPECT_NE(Find(Points("evt.type = connect and fd.sport = 22"), "syscall/socket/exit"), nullptr);
}

TEST(SessionPoints, OptionalFieldsAreThoseOfTheFieldsRead) {
  struct Case {
    const char *condition, *point, *field;
  };
  for (const Case& c :
       {Case{"evt.type = execve and proc.is_exe_upper_layer = true", "sentry/execve",
             "binary_info"},
        Case{"evt.type = execve and gyrfalcon.exe.sha256 = x", "sentry/execve", "binary_sha256"},
        Case{"evt.type = execve and gyrfalcon.pipe.in.pid = 1", "sentry/execve", "pipe_proc_info"},
        Case{"evt.type = execve and proc.tty != 0", "sentry/execve", "fd_info"},
        Case{"evt.type = execve and proc.env contains x", "container/start", "env"}}) {
    EXPECT_TRUE(HasField(Points(c.condition), c.point, c.field)) << c.condition;
    EXPECT_FALSE(HasField(Points("evt.type = execve"), c.point, c.field)) << c.field;
  }
}

TEST(SessionPoints, FailedExecsAreAskedForWhereARuleCanHoldForThem) {
  EXPECT_NE(Find(Points("evt.type = execve"), "syscall/execve/exit"), nullptr);
  EXPECT_EQ(Find(Points("evt.type = execve and evt.res = SUCCESS"), "syscall/execve/exit"),
            nullptr);
}

TEST(SessionPoints, ForksAreTakenFromTheirCallsWhereARuleIsAboutThem) {
  EXPECT_EQ(Find(Points("evt.type = execve"), "syscall/vfork/exit"), nullptr);
  const auto points = Points("evt.type = clone");
  for (const char* name : {"syscall/clone/enter", "syscall/clone/exit", "syscall/vfork/exit"}) {
    EXPECT_NE(Find(points, name), nullptr) << name;
  }
}

TEST(SessionPoints, DisabledRulesAskForNothing) {
  const auto rules = LoadTestRules(RuleText("evt.type = read and user.name = root") +
                                   "  enabled: false\n" + RuleText("evt.type = open", "o", "s"));
  const auto points = PointsFor(*rules, kLean);
  EXPECT_EQ(Find(points, "syscall/read/exit"), nullptr);
  EXPECT_FALSE(AnyHas(points, "credentials"));
}

TEST(SessionPoints, EachPointAndFieldSaysWhy) {
  for (const SessionProfile profile : {kLean, kStandard, kStrict}) {
    const auto points = Points("evt.type in (openat, unlink) and user.name = root", profile);
    for (const AskedPoint& point : points) {
      EXPECT_FALSE(point.reasons.empty()) << point.name;
      for (const AskedField& field : point.fields) {
        EXPECT_FALSE(field.reasons.empty()) << point.name << " " << field.name;
      }
    }
    EXPECT_THAT(Find(points, "syscall/sysno/87/exit")->reasons, Contains("rule \"r\""));
    EXPECT_THAT(Find(points, "sentry/clone")->reasons, Contains(HasSubstr("state: ")));
  }
}

// A name in a table that gVisor does not know would be left out in silence.
TEST(SessionPoints, HaveOnlyFieldsAndSidesThatTheirPointsHave) {
  const auto points = PointsFor(*RuleWith("proc.name = x and evt.args contains y"), kStrict);
  for (const AskedPoint& asked : points) {
    if (asked.name.starts_with("syscall/sysno/")) continue;
    const auto def = std::ranges::find_if(gyrfalcon::Points(), [&](const PointDef& point) {
      const std::string name(point.name);
      return point.is_syscall() ? asked.name == name + "/enter" || asked.name == name + "/exit"
                                : asked.name == name;
    });
    ASSERT_NE(def, gyrfalcon::Points().end()) << asked.name;
  }
}

// The point names of a session, one a line; changed by hand with what it means in mind.
std::string Golden(const std::string& rules_path, SessionProfile profile) {
  std::ifstream file(rules_path);
  std::stringstream text;
  text << file.rdbuf();
  std::string out;
  for (const AskedPoint& point : PointsFor(*LoadTestRules(text.str()), profile)) {
    out += point.name;
    for (const AskedField& field : point.fields) {
      if (field.optional) out += " +" + std::string(field.name);
    }
    for (const char* field : {"credentials", "cwd", "process_name"}) {
      if (HasField(point, field)) out += " " + std::string(field);
    }
    out += '\n';
  }
  return out;
}

void ExpectGolden(const std::string& name, const std::string& rules_path) {
  for (const SessionProfile profile : {kLean, kStandard, kStrict}) {
    const std::string path = std::string(GYRFALCON_TEST_DATA) + "/sessions/" + name + "." +
                             std::string(Name(profile)) + ".txt";
    const std::string golden = Golden(rules_path, profile);
    if (std::getenv("GYRFALCON_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << golden;
    std::ifstream file(path);
    std::stringstream expected;
    expected << file.rdbuf();
    EXPECT_EQ(golden, expected.str()) << path << "; to write it anew: GYRFALCON_UPDATE_GOLDENS=1";
  }
}

TEST(SessionPoints, GoldenOfOurRules) {
  ExpectGolden("ours", std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml");
}

TEST(SessionPoints, GoldenOfFalcosStableRules) {
  const std::string path = std::string(GYRFALCON_SHARED) + "/falco-rules/falco_rules.yaml";
  if (!std::ifstream(path)) GTEST_SKIP() << "no ../shared/falco-rules/falco_rules.yaml";
  ExpectGolden("falco-stable", path);
}

}  // namespace
}  // namespace gyrfalcon
