// A real daemon with its web server, metrics snapshots and reloads, as a probe, Prometheus, kubelet
// and an editor see them.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "channels/test_http_server.h"
#include "points/test_sandbox.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

bool WaitUntil(const std::function<bool()>& is_so) {
  for (int i = 0; i < 400; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

std::string Rule(const std::string& name, const std::string& output = "start of %proc.name") {
  return "- rule: " + name + "\n  desc: d\n  condition: evt.type = execve\n  output: " + output +
         "\n  priority: NOTICE\n  tags: [b, a]\n";
}

class DaemonServes : public ::testing::Test {
 protected:
  void TearDown() override {
    if (daemon_ > 0) {
      kill(daemon_, SIGKILL);
      waitpid(daemon_, nullptr, 0);
    }
    if (HasFailure()) std::fprintf(stderr, "--- the log\n%s", Log().c_str());
  }

  std::string File(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(File(name)) << text;
  }
  std::string Log() const { return folder_.Read("log"); }

  // With the rules at `rules`; the web server on any port.
  void Start(const std::string& config, const std::string& rules,
             const std::vector<std::string>& more = {}) {
    Write("gyrfalcon.yaml",
          config + "gvisor: {socket: " + File("g.sock") + ", runsc: '', clock_skew_ms: 0}\n" +
              "store: {path: " + File("alerts.db") + "}\n" + "rules_files: [" + rules + "]\n");
    daemon_ = fork();
    if (daemon_ == 0) {
      const auto send_to = [this](const char* name, int fd) {
        dup2(open(File(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), fd);
      };
      send_to("out", STDOUT_FILENO);
      send_to("log", STDERR_FILENO);
      const std::string program = std::getenv("GYRFALCON");
      const std::string file = File("gyrfalcon.yaml");
      std::vector<std::string> words = {program, "-c", file};
      words.insert(words.end(), more.begin(), more.end());
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      execv(program.c_str(), arguments.data());
      _exit(127);
    }
    ASSERT_TRUE(WaitUntil([this] { return Log().contains("event collection"); }));
  }
  void StartServing(const std::string& config, const std::string& rules) {
    Start("webserver: {enabled: true, listen_port: 0}\n" + config, rules);
    std::smatch port;
    const std::regex listens(R"(web server listens on http://127\.0\.0\.1:([0-9]+))");
    ASSERT_TRUE(WaitUntil([&] {
      const std::string log = Log();
      if (!std::regex_search(log, port, listens)) return false;
      client_ = std::make_unique<httplib::Client>("127.0.0.1", std::stoi(port[1]));
      return true;
    }));
  }

  int StatusOf(const std::string& path) const {
    const auto answer = client_->Get(path);
    return answer ? answer->status : 0;
  }
  std::string BodyOf(const std::string& path) const {
    const auto answer = client_->Get(path);
    return answer ? answer->body : "";
  }
  bool HasMetric(const std::string& line) const {
    return ("\n" + BodyOf("/metrics")).contains("\n" + line + "\n");
  }

  const TestFolder folder_;
  pid_t daemon_ = 0;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(DaemonServes, HealthVersionsAndMetrics) {
  Write("rules.yaml", Rule("A start"));
  StartServing("", File("rules.yaml"));
  const auto health = client_->Get("/healthz");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->body, "{\"status\": \"ok\"}");
  EXPECT_EQ(health->get_header_value("Content-Type"), "application/json");
  EXPECT_TRUE(HasMetric("gyrfalcon_probes_total 1")) << "its handshake is no sandbox's";
  EXPECT_TRUE(HasMetric("gyrfalcon_connections_accepted_total 0"));
  EXPECT_EQ(StatusOf("/readyz"), 200);
  const Json versions = Json::parse(BodyOf("/versions"));
  for (const char* name : {"falco_version", "engine_version", "engine_version_semver",
                           "libs_version", "plugin_api_version", "driver_api_version",
                           "driver_schema_version", "default_driver_version"}) {
    EXPECT_TRUE(versions.contains(name)) << name;
  }

  const UniqueFd sandbox(testing::ConnectSandbox(File("g.sock")));
  ASSERT_TRUE(sandbox);
  for (const std::string& message : testing::Family()) {
    ASSERT_TRUE(testing::SendDatagram(sandbox.get(), message));
  }
  EXPECT_TRUE(WaitUntil([this] {
    return BodyOf("/metrics").contains("gyrfalcon_sandbox_coverage_ratio{sandbox=");
  })) << BodyOf("/metrics");
  EXPECT_TRUE(WaitUntil([this] {
    return BodyOf("/metrics")
        .contains("gyrfalcon_rule_alerts_total{rule=\"A start\",priority=\"Notice\"} ");
  }));
  const std::string metrics = BodyOf("/metrics");
  EXPECT_THAT(metrics, HasSubstr("\ngyrfalcon_rules_enabled 1\n"));
  EXPECT_THAT(metrics, HasSubstr("gyrfalcon_alert_latency_seconds_count "));
  EXPECT_THAT(metrics, HasSubstr("gyrfalcon_build_info{version=\""));
  EXPECT_EQ(StatusOf("/nothing"), 404);

  kill(daemon_, SIGTERM);
  int status = 0;
  waitpid(std::exchange(daemon_, 0), &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(DaemonServes, NothingUnlessItIsAsked) {
  Write("rules.yaml", Rule("A start"));
  Start("", File("rules.yaml"));
  EXPECT_FALSE(Log().contains("web server"));
}

// The whole life of a mounted ConfigMap: a good version, a bad one, and back.
TEST_F(DaemonServes, AConfigMapThatIsSwappedIsTakenUpAndABadOneRefused) {
  const auto make = [this](const std::string& version, const std::string& text) {
    fs::create_directories(File("map/" + version));
    Write("map/" + version + "/rules.yaml", text);
  };
  const auto swap = [this](const std::string& version) {
    fs::create_symlink(version, File("map/..data_tmp"));
    fs::rename(File("map/..data_tmp"), File("map/..data"));
  };
  make("..v1", Rule("One"));
  swap("..v1");
  fs::create_symlink("..data/rules.yaml", File("map/rules.yaml"));
  StartServing("", File("map"));
  EXPECT_TRUE(HasMetric("gyrfalcon_rules_enabled 1"));

  make("..v2", Rule("One") + Rule("Two"));
  swap("..v2");
  fs::remove_all(File("map/..v1"));
  EXPECT_TRUE(WaitUntil([this] { return HasMetric("gyrfalcon_rules_enabled 2"); }));
  EXPECT_TRUE(HasMetric("gyrfalcon_reloads_succeeded_total 1"));

  make("..v3", Rule("Three") + "- rule: [\n");
  swap("..v3");
  fs::remove_all(File("map/..v2"));
  EXPECT_TRUE(WaitUntil([this] { return StatusOf("/readyz") == 503; }));
  const Json answer = Json::parse(BodyOf("/readyz"));
  EXPECT_THAT(answer["problems"][0].get<std::string>(), HasSubstr("rules.yaml"));
  EXPECT_THAT(Log(), HasSubstr("reload refused, the rules in force stay"));
  EXPECT_TRUE(HasMetric("gyrfalcon_reloads_refused_total 1"));
  EXPECT_TRUE(HasMetric("gyrfalcon_reload_last_refused 1"));
  EXPECT_TRUE(HasMetric("gyrfalcon_rules_enabled 2")) << "the old ones stay";
  EXPECT_EQ(StatusOf("/healthz"), 200) << "it lives all the same";

  make("..v4", Rule("One") + Rule("Two"));
  swap("..v4");
  EXPECT_TRUE(WaitUntil([this] { return StatusOf("/readyz") == 200; }));
  EXPECT_TRUE(HasMetric("gyrfalcon_reload_last_refused 0"));
}

TEST_F(DaemonServes, AnEditorsRenameIsTakenUpAndTheSameContentIsNot) {
  Write("rules.yaml", Rule("One"));
  StartServing("", File("rules.yaml"));
  Write("rules.yaml~", Rule("One"));
  fs::rename(File("rules.yaml~"), File("rules.yaml"));
  EXPECT_TRUE(WaitUntil([this] { return HasMetric("gyrfalcon_reloads_unchanged_total 1"); }));
  EXPECT_TRUE(HasMetric("gyrfalcon_reloads_succeeded_total 0"));

  // Many writes within the quiet time are one reload.
  for (int i = 0; i < 20; ++i) {
    Write("rules.yaml~", Rule("One") + Rule("Two " + std::to_string(i)));
    fs::rename(File("rules.yaml~"), File("rules.yaml"));
  }
  EXPECT_TRUE(WaitUntil([this] { return HasMetric("gyrfalcon_rules_enabled 2"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const std::string metrics = BodyOf("/metrics");
  std::smatch count;
  ASSERT_TRUE(
      std::regex_search(metrics, count, std::regex("gyrfalcon_reloads_succeeded_total ([0-9]+)")));
  EXPECT_LE(std::stoi(count[1]), 5);

  // SIGHUP asks for it whatever is there.
  kill(daemon_, SIGHUP);
  const std::string next =
      "gyrfalcon_reloads_succeeded_total " + std::to_string(std::stoi(count[1]) + 1);
  EXPECT_TRUE(WaitUntil([&] { return HasMetric(next); }));
}

TEST_F(DaemonServes, TheConfigIsWatchedTooAndABadOneChangesNothing) {
  Write("rules.yaml", Rule("One"));
  StartServing("", File("rules.yaml"));
  const std::string good = folder_.Read("gyrfalcon.yaml");
  Write("gyrfalcon.yaml", good + "priorty: error\n");
  EXPECT_TRUE(WaitUntil([this] { return StatusOf("/readyz") == 503; }));
  EXPECT_THAT(BodyOf("/readyz"), HasSubstr("did you mean `priority`?"));
  Write("gyrfalcon.yaml", good + "log_format: json\npriority: error\n");
  EXPECT_TRUE(WaitUntil([this] { return HasMetric("gyrfalcon_rules_enabled 0"); }));
  EXPECT_EQ(StatusOf("/readyz"), 200);
  kill(daemon_, SIGUSR1);
  ASSERT_TRUE(WaitUntil([this] { return Log().contains("SIGUSR1"); }));
  const std::string log = Log();
  const size_t line = log.rfind('\n', log.find("SIGUSR1")) + 1;
  const Json told = Json::parse(log.substr(line, log.find('\n', line) - line));
  EXPECT_EQ(told["level"], "info");
  EXPECT_THAT(told["message"].get<std::string>(), HasSubstr("SIGUSR1 received"));
  EXPECT_TRUE(std::regex_match(told["time"].get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
}

TEST_F(DaemonServes, SnapshotsGoToTheOutputsAndToTheFile) {
  Write("rules.yaml", Rule("One"));
  Start("json_output: true\nmetrics: {enabled: true, interval: 200ms, output_file: " +
            File("metrics.jsonl") + "}\n",
        File("rules.yaml"));
  ASSERT_TRUE(WaitUntil([this] {
    return folder_.Read("out").contains("Falco internal: metrics snapshot") &&
           folder_.Read("metrics.jsonl").contains("\"sample\":2");
  }));
  const std::string out = folder_.Read("out");
  const Json alert = Json::parse(out.substr(0, out.find('\n')));
  EXPECT_EQ(alert["source"], "internal");
  EXPECT_EQ(alert["output_fields"]["falco.rules.matches_total"], 0);
}

// What falcosidekick decodes a POST into, and what it refuses (its types.FalcoPayload and Check()):
// `output` a text that is not empty, `priority` one of eight names in any case, `rule` not empty,
// `time` as RFC 3339, `output_fields` a mapping that is not empty, `source` and `hostname` texts,
// `tags` a list of texts. `k8s.ns.name` and `k8s.pod.name` are texts or null: it takes any other
// value down with it. `uuid` is its own.
void ExpectTakenByFalcosidekick(const Json& body) {
  ASSERT_TRUE(body.is_object());
  for (const char* name : {"output", "priority", "rule", "time", "source", "hostname"}) {
    ASSERT_TRUE(body.contains(name) && body[name].is_string()) << name;
    EXPECT_NE(body[name], "") << name;
  }
  EXPECT_TRUE(std::regex_match(body["priority"].get<std::string>(),
                               std::regex("emergency|alert|critical|error|warning|notice|"
                                          "informational|debug",
                                          std::regex::icase)));
  EXPECT_TRUE(std::regex_match(
      body["time"].get<std::string>(),
      std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))")));
  ASSERT_TRUE(body["output_fields"].is_object());
  EXPECT_FALSE(body["output_fields"].empty());
  for (const char* name : {"k8s.ns.name", "k8s.pod.name"}) {
    const Json value = body["output_fields"].value(name, Json());
    EXPECT_TRUE(value.is_null() || value.is_string()) << name;
  }
  ASSERT_TRUE(body["tags"].is_array());
  for (const Json& tag : body["tags"]) EXPECT_TRUE(tag.is_string());
}

TEST_F(DaemonServes, WhatIsPostedFalcosidekickTakesFieldByField) {
  TestHttpServer sidekick([](const TestRequest&) { return TestHttpServer::Answer(200, "ok", ""); });
  // Without any field in the output; with Kubernetes' fields; a snapshot of metrics.
  Write("rules.yaml",
        Rule("Plain", "plain") + Rule("Pod", "pod %k8s.ns.name %k8s.pod.name %proc.name %evt.num"));
  // As -o overrides: http_output is on by the command line alone, and the program gets each too.
  Start(
      "http_output: {enabled: false, url: 'http://127.0.0.1:9/'}\nprogram_output: {enabled: "
      "true, program: \"sh -c 'cat >>\\\"$0\\\"' " +
          File("program") + "\"}\nrule_matching: all\n",
      File("rules.yaml"),
      {"-o", "http_output.enabled=true", "-o", "http_output.url=" + sidekick.url(), "-o",
       "json_output=true", "-o", "metrics.enabled=true", "-o", "metrics.interval=300ms"});
  const UniqueFd sandbox(testing::ConnectSandbox(File("g.sock")));
  ASSERT_TRUE(sandbox);
  for (const std::string& message : testing::Family()) {
    ASSERT_TRUE(testing::SendDatagram(sandbox.get(), message));
  }
  std::set<std::string> rules;
  ASSERT_TRUE(WaitUntil([&] {
    for (const TestRequest& request : sidekick.requests()) {
      rules.insert(Json::parse(request.body)["rule"].get<std::string>());
    }
    return rules.contains("Plain") && rules.contains("Pod") &&
           rules.contains("Falco internal: metrics snapshot");
  }));
  for (const TestRequest& request : sidekick.requests()) {
    EXPECT_EQ(request.Header("Content-Type"), "application/json");
    const Json body = Json::parse(request.body);
    ExpectTakenByFalcosidekick(body);
    if (body["rule"] == "Plain") {
      EXPECT_EQ(body["priority"], "Notice");
      EXPECT_EQ(body["source"], "syscall");
      EXPECT_EQ(body["tags"], Json({"a", "b"}));
      EXPECT_THAT(body["output"].get<std::string>(), ::testing::HasSubstr("Notice plain"));
    }
  }
  ASSERT_TRUE(WaitUntil([this] { return folder_.Read("program").contains("\"Pod\""); }));
  const std::string program = folder_.Read("program");
  ExpectTakenByFalcosidekick(Json::parse(program.substr(0, program.find('\n'))));
}

}  // namespace
}  // namespace gyrfalcon
