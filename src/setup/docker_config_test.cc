#include "setup/docker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

namespace gyrfalcon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Json = nlohmann::json;

const std::string kSession = "/etc/gyrfalcon/pod-init.json";
const std::string kFlag = "--pod-init-config=" + kSession;

DockerWish Wish() {
  return {.session_file = kSession, .new_path = "/usr/bin/runsc"};
}

std::string Add(const std::string& text, const DockerWish& wish = Wish()) {
  const auto added = AddToDockerConfig("f", text, wish);
  EXPECT_TRUE(added) << added.error().message;
  return added ? *added : "";
}

std::string Remove(const std::string& text, const std::optional<ConfigChange>& change) {
  const auto removed = RemoveFromDockerConfig("f", text, kSession, change);
  EXPECT_TRUE(removed) << removed.error().message;
  return removed ? *removed : "";
}

TEST(DockerConfig, OrderLayoutAndEverythingElseStay) {
  const std::string before = R"({
    "log-driver":   "json-file",
    "runtimes": {
        "runc": {"path": "runc"},
        "runsc": {
            "path": "/usr/local/bin/runsc",
            "runtimeArgs": [
                "--platform=systrap",
                "--network=none"
            ]
        },
        "debug": {"path": "/opt/runsc-debug", "runtimeArgs": []}
    },

    "live-restore": true
})";
  const std::string after = R"({
    "log-driver":   "json-file",
    "runtimes": {
        "runc": {"path": "runc"},
        "runsc": {
            "path": "/usr/local/bin/runsc",
            "runtimeArgs": [
                "--platform=systrap",
                "--network=none",
                "--pod-init-config=/etc/gyrfalcon/pod-init.json"
            ]
        },
        "debug": {"path": "/opt/runsc-debug", "runtimeArgs": ["--pod-init-config=/etc/gyrfalcon/pod-init.json"]}
    },

    "live-restore": true
})";
  EXPECT_EQ(Add(before), after);
  EXPECT_EQ(Add(after), after);
  EXPECT_EQ(Remove(after, ConfigChange{before, after}), before);
}

TEST(DockerConfig, ARuntimeIsAddedWhereThereIsNone) {
  const std::string made = R"({
  "runtimes": {
    "runsc": {
      "path": "/usr/bin/runsc",
      "runtimeArgs": [
        "--pod-init-config=/etc/gyrfalcon/pod-init.json"
      ]
    }
  }
}
)";
  EXPECT_EQ(Add(""), made);
  EXPECT_EQ(Add("{}\n"), made);
  EXPECT_EQ(Remove(made, ConfigChange{std::nullopt, made}), "");
  EXPECT_EQ(Add("{\"debug\":true}"),
            "{\"debug\":true,\"runtimes\":{\"runsc\":{\"path\":\"/usr/bin/runsc\",\"runtimeArgs\":["
            "\"--pod-init-config=/etc/gyrfalcon/pod-init.json\"]}}}");
}

TEST(DockerConfig, SomebodyElsesEditInBetweenSurvives) {
  const std::string before = R"({"runtimes": {"runsc": {"path": "runsc"}}})";
  const std::string after = Add(before);
  Json edited = Json::parse(after);
  edited["live-restore"] = true;
  edited["runtimes"]["runsc"]["runtimeArgs"].push_back("--debug");
  edited["runtimes"]["kata"]["path"] = "kata";
  const Json undone = Json::parse(Remove(edited.dump(3), ConfigChange{before, after}));
  EXPECT_EQ(undone, Json::parse(R"({"live-restore": true, "runtimes": {
    "kata": {"path": "kata"}, "runsc": {"path": "runsc", "runtimeArgs": ["--debug"]}}})"));
}

TEST(DockerConfig, ARuntimeOfOursThatSomebodyChangedIsKeptWithoutTheSession) {
  const std::string after = Add("");
  Json edited = Json::parse(after);
  edited["runtimes"]["runsc"]["runtimeArgs"].push_back("--debug");
  EXPECT_EQ(
      Json::parse(Remove(edited.dump(), ConfigChange{std::nullopt, after})),
      Json::parse(R"({"runtimes":{"runsc":{"path":"/usr/bin/runsc","runtimeArgs":["--debug"]}}})"));
}

TEST(DockerConfig, WithoutARecordOnlyTheArgumentGoes) {
  EXPECT_EQ(Remove(R"({"runtimes":{"runsc":{"path":"runsc","runtimeArgs":[")" + kFlag + R"("]}}})",
                   std::nullopt),
            R"({"runtimes":{"runsc":{"path":"runsc","runtimeArgs":[]}}})");
  EXPECT_EQ(Remove(R"({"runtimes":{"runsc":{"path":"runsc","runtimeArgs":["--pod-init-config", ")" +
                       kSession + R"(", "--debug"]}}})",
                   std::nullopt),
            R"({"runtimes":{"runsc":{"path":"runsc","runtimeArgs":["--debug"]}}})");
}

TEST(DockerConfig, AnothersSessionIsReplacedOnlyWhenAsked) {
  for (const std::string old :
       {R"("--pod-init-config=/etc/falco/p.json")", R"("-pod-init-config", "/etc/falco/p.json")"}) {
    const std::string before =
        "{\"runtimes\": {\"runsc\": {\"path\": \"runsc\", \"runtimeArgs\": [" + old +
        ", \"--x\"]}}}";
    const auto refused = AddToDockerConfig("f", before, Wish());
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, StartsWith("f:1:"));
    EXPECT_THAT(refused.error().message, HasSubstr("--replace"));
    DockerWish wish = Wish();
    wish.replace = true;
    const std::string after = Add(before, wish);
    EXPECT_EQ((*ReadDockerRuntimes("f", after))[0].session_file, kSession);
    EXPECT_EQ(Remove(after, ConfigChange{before, after}), before);
    // Also where somebody has written the file anew since.
    EXPECT_EQ(Json::parse(Remove(Json::parse(after).dump(7), ConfigChange{before, after})),
              Json::parse(before));
  }
}

TEST(DockerConfig, KnowsGvisorsRuntimes) {
  const auto runtimes = ReadDockerRuntimes("f", R"({"runtimes": {
    "a": {"path": "/opt/runsc", "runtimeArgs": ["-pod-init-config=/x", "--pod-init-config", "/y"]},
    "runsc": {"path": "/usr/bin/crun"},
    "c": {"runtimeType": "io.containerd.runsc.v1", "options": {"ConfigPath": "/etc/r.toml"}},
    "d": {"path": "/opt/sandbox"}}})",
                                           {"d"});
  ASSERT_TRUE(runtimes) << runtimes.error().message;
  std::vector<std::string> names;
  for (const DockerRuntime& runtime : *runtimes) names.push_back(runtime.name);
  EXPECT_THAT(names, ElementsAre("a", "c", "d"));
  EXPECT_EQ((*runtimes)[0].session_file, "/y");
  EXPECT_EQ((*runtimes)[1].config_path, "/etc/r.toml");
}

TEST(DockerConfig, AProgramOfAnyNameIsKnownByItsSessionConfig) {
  const DockerWish wish{.session_file = kSession, .new_path = "/opt/sandbox"};
  const std::string after = Add("{}", wish);
  const auto runtimes = ReadDockerRuntimes("f", after);
  ASSERT_TRUE(runtimes);
  ASSERT_EQ(runtimes->size(), 1u);
  EXPECT_EQ(Add(after, wish), after);
}

TEST(DockerConfig, ARuntimeThatWasAddedAndIsDockersDefaultSinceStaysWithoutTheFlag) {
  const std::string before = R"({"debug": true})";
  const std::string after = Add(before, Wish());
  Json now = Json::parse(after);
  now["default-runtime"] = "runsc";
  const auto undone =
      RemoveFromDockerConfig("f", now.dump(), kSession, ConfigChange{before, after});
  ASSERT_TRUE(undone) << undone.error().message;
  const Json left = Json::parse(*undone);
  EXPECT_EQ(left["runtimes"]["runsc"]["path"], now["runtimes"]["runsc"]["path"]);
  EXPECT_THAT(*undone, Not(HasSubstr("pod-init-config")));
  // Another one's name keeps nothing.
  now["default-runtime"] = "runc";
  const auto gone = RemoveFromDockerConfig("f", now.dump(), kSession, ConfigChange{before, after});
  ASSERT_TRUE(gone);
  EXPECT_FALSE(Json::parse(*gone).contains("runtimes"));
}

TEST(DockerConfig, WhatIsWrongHasItsPlace) {
  const struct {
    std::string_view text, error;
  } kCases[] = {
      {"[1]", "f:1:1: not an object"},
      {"{\"runtimes\": []}", "f:1:14: `runtimes` is no object"},
      {"{\"runtimes\": {\"r\": {\"path\": \"runsc\", \"runtimeArgs\": \"x\"}}}",
       "f:1:53: the runtimeArgs of the runtime \"r\" are no list of strings"},
      {"{\"runtimes\": {\"runsc\": {\"path\": \"crun\"}}}",
       "f:1:24: the runtime \"runsc\" does not look like gVisor's"},
      {"{ // hi\n}", "f:1:3: not JSON: a comment"},
  };
  for (const auto& c : kCases) {
    const auto added = AddToDockerConfig("f", c.text, Wish());
    ASSERT_FALSE(added) << c.text;
    EXPECT_THAT(added.error().message, StartsWith(std::string(c.error)));
  }
  const auto none = AddToDockerConfig("f", "{}", {.session_file = kSession});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("--runsc"));
}

// A daemon.json in any layout: `layout` is asked for the blanks between its tokens.
std::string RandomConfig() {
  const auto blank = [] {
    return *rc::gen::element<std::string>("", "", " ", "\n", "\n  ", "\n\t\t", "  ", "\r\n ");
  };
  const auto args = [&] {
    std::string out = "[" + blank();
    const int count = *rc::gen::inRange(0, 4);
    for (int i = 0; i < count; ++i) {
      out += (i == 0 ? "" : "," + blank()) +
             *rc::gen::element<std::string>("\"--debug\"", "\"a\\u0062\"", "\"\"", "\"ü\"",
                                            "\"--pod-init-config=/other\"", "\"-pod-init-config\"",
                                            "\"--pod-init-configx\"", "\"--\"") +
             blank();
    }
    return out + "]";
  };
  const auto runtime = [&] {
    std::vector<std::string> members;
    members.push_back(
        "\"path\":" + blank() +
        *rc::gen::element<std::string>("\"/usr/bin/runsc\"", "\"runc\"", "\"runsc-x\""));
    if (*rc::gen::arbitrary<bool>()) members.push_back("\"runtimeArgs\"" + blank() + ":" + args());
    if (*rc::gen::inRange(0, 6) == 0) members.push_back("\"runtimeArgs2\": null");
    std::string out = "{" + blank();
    for (size_t i = 0; i < members.size(); ++i) {
      out += (i == 0 ? "" : blank() + "," + blank()) + members[i];
    }
    return out + blank() + "}";
  };
  const int form = *rc::gen::inRange(0, 12);
  if (form == 0) return blank();
  std::string out = blank() + "{" + blank();
  std::vector<std::string> members;
  if (*rc::gen::arbitrary<bool>()) members.push_back("\"debug\": true");
  if (form > 2) {
    std::string runtimes = "\"runtimes\":" + blank() + "{" + blank();
    const int count = *rc::gen::inRange(0, 4);
    for (int i = 0; i < count; ++i) {
      runtimes +=
          (i == 0 ? "" : "," + blank()) + "\"r" + std::to_string(i) + "\":" + runtime() + blank();
    }
    members.push_back(runtimes + "}");
  } else if (form == 1) {
    members.push_back("\"runtimes\": null");
  }
  if (*rc::gen::arbitrary<bool>()) members.push_back("\"labels\":[ ]");
  for (size_t i = 0; i < members.size(); ++i) {
    out += (i == 0 ? "" : blank() + "," + blank()) + members[i];
  }
  return out + blank() + "}" + blank();
}

RC_GTEST_PROP(DockerConfig, UndoneIsWhatItWas, ()) {
  const std::string before = RandomConfig();
  DockerWish wish = Wish();
  wish.replace = true;
  const auto after = AddToDockerConfig("f", before, wish);
  if (!after) {
    RC_DISCARD("nothing to add to");
  }
  RC_ASSERT(*AddToDockerConfig("f", *after, wish) == *after);
  const auto runtimes = ReadDockerRuntimes("f", *after);
  RC_ASSERT(runtimes.has_value() && !runtimes->empty());
  for (const DockerRuntime& runtime : *runtimes) RC_ASSERT(runtime.session_file == kSession);
  const auto undone = RemoveFromDockerConfig("f", *after, kSession, ConfigChange{before, *after});
  RC_ASSERT(undone.has_value());
  RC_ASSERT(*undone == before);
  // Written anew by somebody else: the same in meaning.
  const std::string rewritten = Json::parse(*after).dump(1);
  const auto of_rewritten =
      RemoveFromDockerConfig("f", rewritten, kSession, ConfigChange{before, *after});
  RC_ASSERT(of_rewritten.has_value());
  const bool was_blank = before.find_first_not_of(" \t\r\n") == std::string::npos;
  const bool is_as_it_was =
      was_blank ? *of_rewritten == before : Json::parse(*of_rewritten) == Json::parse(before);
  RC_ASSERT(is_as_it_was);
}

}  // namespace
}  // namespace gyrfalcon
