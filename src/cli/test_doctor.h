// A whole node in a folder, for tests of the doctor: what is not broken by a test is well.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "cli/doctor.h"
#include "cli/load_rules.h"
#include "runsc/known_runsc.h"
#include "runsc/session.h"
#include "service/control.h"
#include "wire/handshake.h"
#include "wire/listener.h"

namespace gyrfalcon {

class DoctorTest : public ::testing::Test {
 protected:
  static constexpr const char* kSession = "/etc/gyrfalcon/pod-init.json";
  static constexpr const char* kDaemonJson = "/etc/docker/daemon.json";
  static constexpr const char* kToml = "/etc/containerd/runsc.toml";
  static constexpr uint64_t kExt4 = 0xef53, kTmpfs = 0x01021994, kNfs = 0x6969;

  DoctorTest() {
    std::filesystem::create_directories(folder_ / "sock");
    ::chmod((folder_ / "sock").c_str(), 0700);
    world_.node = NodeFiles(folder_.path());
    world_.loaded = LoadedConfig{};
    world_.config.stdout_enabled = true;
    world_.config.store_path = folder_ / "alerts.db";
    world_.socket_path = folder_ / "sock/g.sock";
    world_.session_file = kSession;
    world_.docker_socket = folder_ / "docker.sock";
    world_.patience = std::chrono::milliseconds(200);
    world_.run_program = [](const std::vector<std::string>&) {
      return Result<std::string>("runsc version release-1\nspec: 1.1.0\n");
    };
    world_.ask_runsc = [](const std::string&) { return Result<SentPoints>(NewestPoints()); };
    world_.disk_of = [this](const std::string&) { return std::optional(disk_); };
    world_.find_docker = [this](const std::string&) { return docker_; };
    world_.dockers_session = [this](const DockerDaemon&, const std::string&) {
      return Result<std::optional<std::string>>(dockers_session_);
    };
    world_.look_at_sandboxes = [this](const SandboxesAsked&) { return sandboxes_; };
    world_.runsc_roots = {folder_.path()};
    Put(kSession, Session(world_.socket_path));
    Put(kDaemonJson, DaemonJson(kSession));
    PutRunsc("echo 'loading sandbox: file does not exist' >&2; exit 128");
  }

  // Of the node's tree.
  void Put(const std::string& path, const std::string& text) {
    const std::string place = folder_ / path.substr(1);
    std::filesystem::create_directories(std::filesystem::path(place).parent_path());
    folder_.Write(path.substr(1), text);
    ::chmod(place.c_str(), 0644);
  }
  void Remove(const std::string& path) { std::filesystem::remove_all(folder_ / path.substr(1)); }
  // What it does for `trace create`.
  void PutRunsc(const std::string& commands) {
    std::filesystem::create_directories(folder_ / "usr/bin");
    runsc_ = folder_.WriteScript("usr/bin/runsc", commands);
  }
  std::string Session(const std::string& socket, bool ignore_missing = true) const {
    SessionOptions options;
    options.socket_path = socket;
    options.ignore_missing = ignore_missing;
    return GenerateSession(options, *LoadRules({}, {})->rules);
  }
  static std::string DaemonJson(const std::string& session) {
    const std::string args = session.empty() ? "" : "\"--pod-init-config=" + session + "\"";
    return "{\n  \"runtimes\": {\n    \"runsc\": {\"path\": \"runsc\", \"runtimeArgs\": [" + args +
           "]}\n  }\n}\n";
  }

  // A daemon of this process: listens, answers handshakes and questions.
  void Serve() {
    auto listener = Listener::Open(world_.socket_path);
    ASSERT_TRUE(listener) << listener.error().message;
    listener_ = std::make_unique<Listener>(std::move(*listener));
    auto handshakes = HandshakeService::Start(*listener_, {}, [](AcceptedConnection) {}, nullptr);
    ASSERT_TRUE(handshakes);
    handshakes_ = std::move(*handshakes);
    auto control =
        ControlServer::Start(ControlSocketPath(world_.socket_path), [this] { return status_; });
    ASSERT_TRUE(control) << control.error().message;
    control_ = std::move(*control);
  }
  // A file of a process, as /proc has it.
  void PutProc(const std::string& process, const std::string& file, const std::string& text) {
    Put("/proc/" + process + "/" + file, text);
  }
  static std::string OwnPid() { return std::to_string(getpid()); }

  // Runs the check as a command does that begins anew.
  std::vector<Finding> Run(CheckFunction check) {
    world_.runtimes.reset();
    world_.docker.reset();
    world_.docker_troubles.clear();
    world_.containerd_troubles.clear();
    world_.known_points.clear();
    world_.rules.clear();
    world_.daemon.reset();
    return check(world_);
  }
  // Whether it finds that mistake, with these words in text and mend.
  void ExpectFound(CheckFunction check, const std::string& mistake, const std::string& text,
                   const std::string& mend) {
    const auto findings = Run(check);
    const auto found = std::ranges::find(findings, mistake, &Finding::mistake);
    ASSERT_NE(found, findings.end()) << "not found: " << mistake << AllOf(findings);
    EXPECT_THAT(found->text, ::testing::HasSubstr(text));
    EXPECT_THAT(found->mend, ::testing::HasSubstr(mend));
    EXPECT_NE(found->mend, "");
  }
  // All is well, and said.
  void ExpectWell(CheckFunction check) {
    const auto findings = Run(check);
    ASSERT_FALSE(findings.empty());
    for (const Finding& finding : findings) {
      EXPECT_EQ(finding.health, Health::kOk) << finding.mistake << ": " << finding.text;
      EXPECT_NE(finding.text, "");
    }
  }
  // Nothing could be seen, and why.
  void ExpectSkipped(CheckFunction check, const std::string& why) {
    const auto findings = Run(check);
    ASSERT_EQ(findings.size(), 1u) << AllOf(findings);
    EXPECT_EQ(findings.front().health, Health::kSkipped) << AllOf(findings);
    EXPECT_THAT(findings.front().text, ::testing::HasSubstr(why));
  }
  static std::string AllOf(const std::vector<Finding>& findings) {
    std::string all;
    for (const Finding& finding : findings) {
      all += "\n" + std::string(Name(finding.health)) + " " + std::string(finding.mistake) + ": " +
             finding.text;
    }
    return all;
  }

  const TestFolder folder_;
  DoctorWorld world_;
  DiskFacts disk_{.type = kExt4, .free_bytes = uint64_t{100} << 30, .read_only = false};
  std::optional<DockerDaemon> docker_;
  std::optional<std::string> dockers_session_;
  TracedSandboxes sandboxes_;
  DaemonStatus status_;
  std::string runsc_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<HandshakeService> handshakes_;
  std::unique_ptr<ControlServer> control_;
};

}  // namespace gyrfalcon
