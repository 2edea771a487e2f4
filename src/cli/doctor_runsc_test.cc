#include "cli/install_session.h"
#include "cli/test_doctor.h"

namespace gyrfalcon {
namespace {

using DoctorRunsc = DoctorTest;

TEST_F(DoctorRunsc, OneThatAnswersIsWell) {
  ExpectWell(CheckRunsc);
  EXPECT_THAT(Run(CheckRunsc).front().text, ::testing::HasSubstr("(release-1) knows "));
}

TEST_F(DoctorRunsc, OneThatIsNotThere) {
  Put(kDaemonJson, "{\"runtimes\": {\"g\": {\"path\": \"/opt/runsc-x\"}}}");
  ExpectFound(CheckRunsc, "runsc-missing",
              "no program /opt/runsc-x, which " + std::string(kDaemonJson),
              "apt-get install runsc");
  std::filesystem::permissions(runsc_, std::filesystem::perms::owner_read);
  Put(kDaemonJson, "{}");
  ExpectFound(CheckRunsc, "runsc-missing", "no program runsc", "apt-get install runsc");
}

TEST_F(DoctorRunsc, OneThatOnlyTheConfigNames) {
  world_.config.runsc_path = "/opt/runsc-x";
  ExpectFound(CheckRunsc, "runsc-unnamed", "no program /opt/runsc-x", "gvisor.runsc");
}

TEST_F(DoctorRunsc, OneThatHangs) {
  PutRunsc("sleep 60");
  world_.ask_runsc = [](const std::string& program) -> Result<SentPoints> {
    const auto said =
        RunChild({program, "trace", "metadata"}, {.patience = std::chrono::milliseconds(100)});
    return std::unexpected(said.error());
  };
  ExpectFound(CheckRunsc, "runsc-unusable", runsc_, "timeout 20 " + runsc_ + " trace metadata");
  ExpectSkipped(CheckSandboxes, "does not answer");
}

TEST_F(DoctorRunsc, OneFromBeforeTracePoints) {
  PutRunsc("echo 'Subcommand trace not understood' >&2; exit 2");
  world_.ask_runsc = AskRunsc;
  ExpectFound(CheckRunsc, "runsc-too-old", "not understood", "apt-get install --only-upgrade");
  PutRunsc("echo hello");
  ExpectFound(CheckRunsc, "runsc-too-old", "no runsc", "apt-get install --only-upgrade");
}

TEST_F(DoctorRunsc, KvmWithoutItsDevice) {
  Put(kDaemonJson,
      "{\"runtimes\":\n{\"runsc\": {\"path\": \"runsc\", \"runtimeArgs\": "
      "[\"--platform=kvm\"]}}}");
  ExpectFound(CheckPlatform, "kvm-missing", "daemon.json:2:2", "${EDITOR:-vi} +2 ");
  Put("/dev/kvm", "");
  ExpectSkipped(CheckPlatform, "--prove");
}

TEST_F(DoctorRunsc, AProofThatFails) {
  if (geteuid() != 0) GTEST_SKIP() << "--prove makes a folder below /run";
  world_.prove = true;
  ExpectFound(CheckPlatform, "proof-failed", "loading sandbox", runsc_ + " --pod-init-config=");
}

TEST_F(DoctorRunsc, TheSessionThatInstallMakesIsWell) {
  ExpectWell(CheckSessions);
}

TEST_F(DoctorRunsc, ASessionThatIsNotThere) {
  Remove(kSession);
  ExpectFound(CheckSessions, "session-absent", "daemon.json:3:5 names it",
              "gyrfalcon install docker");
  Put(kDaemonJson, "{}");
  ExpectFound(CheckSessions, "session-absent", kSession, "gyrfalcon session generate");
}

TEST_F(DoctorRunsc, ASessionThatIsNone) {
  Put(kSession, "{\n  oops");
  ExpectFound(CheckSessions, "session-invalid", "pod-init.json", "gyrfalcon session generate");
  std::string text = Session(world_.socket_path);
  text.insert(text.find("\"trace_session\""), "\"no_such_key\": 1, ");
  Put(kSession, text);
  ExpectFound(CheckSessions, "session-invalid", "no_such_key", "> " + (folder_ / "etc/gyrfalcon/"));
}

TEST_F(DoctorRunsc, ASessionThatARebootTakesAway) {
  Put("/run/g/s.json", Session(world_.socket_path));
  world_.session_file = "/run/g/s.json";
  ExpectWell(CheckSessions);  // nobody's runtime names it
  Put(kDaemonJson, DaemonJson("/run/g/s.json"));
  ExpectFound(CheckSessions, "session-volatile", "/run/g/s.json does not outlive a reboot",
              "gyrfalcon install docker");
  world_.session_file = kSession;
  Put(kDaemonJson, DaemonJson(kSession));
  disk_.type = kTmpfs;
  ExpectFound(CheckSessions, "session-volatile", kSession, "--replace");
}

TEST_F(DoctorRunsc, TheEmptyOneThatAnUndoLeaves) {
  Put(kSession, EmptySession());
  ExpectFound(CheckSessions, "session-empty", "asks for nothing", "gyrfalcon install docker");
}

TEST_F(DoctorRunsc, ASessionThatLeadsElsewhere) {
  Put(kSession, Session("/run/elsewhere.sock"));
  ExpectFound(CheckSessions, "session-elsewhere", "sends to /run/elsewhere.sock",
              "--socket " + world_.socket_path + " > ");
  Put(kSession, Session(world_.socket_path));
  Put("/etc/falco/pod-init.json", Session("/run/falco/gvisor.sock"));
  Put(kDaemonJson, DaemonJson("/etc/falco/pod-init.json"));
  ExpectFound(CheckSessions, "session-elsewhere", "which is Falco's", "install docker");
}

TEST_F(DoctorRunsc, TheSocketIsNotWhatAnAlteredSessionSays) {
  const std::string ours = world_.socket_path;
  Put(kSession, Session("/run/falco/gvisor.sock"));
  EXPECT_EQ(DaemonsSocket(world_), "/run/falco/gvisor.sock") << "nothing else is known";
  ASSERT_TRUE(
      KeepSessionRecord(world_.node.RecordFolder(), {kSession, Session(ours), "standard", {}, {}}));
  EXPECT_EQ(DaemonsSocket(world_), ours);
  ExpectFound(CheckSessions, "session-elsewhere",
              "sends to /run/falco/gvisor.sock, which is Falco's", "--socket " + ours + " > ");
  EXPECT_THAT(StartMend(world_), ::testing::HasSubstr("-o gvisor.socket=" + ours));
  world_.flags.session_file = kSession;
  EXPECT_EQ(DaemonsSocket(world_), "/run/falco/gvisor.sock") << "given by hand";
  world_.config.socket_path = "/run/config.sock";
  EXPECT_EQ(DaemonsSocket(world_), "/run/config.sock");
}

TEST_F(DoctorRunsc, WithoutARecordADaemonAtTheUsualPlaceCounts) {
  Put(kSession, Session("/run/falco/gvisor.sock"));
  world_.usual_socket = folder_ / "sock/usual.sock";
  EXPECT_EQ(DaemonsSocket(world_), "/run/falco/gvisor.sock");
  world_.socket_path = world_.usual_socket;
  Serve();
  EXPECT_EQ(DaemonsSocket(world_), world_.usual_socket);
}

TEST_F(DoctorRunsc, ASocketThatNobodyCanHave) {
  Put(kSession, Session("/run/" + std::string(120, 'x')));
  ExpectFound(CheckSessions, "session-unhostable", "125 bytes", "gyrfalcon session generate");
}

TEST_F(DoctorRunsc, ASessionThatThisRunscRefuses) {
  PutRunsc("echo 'unknown field \"ignore_missing\"' >&2; exit 128");
  ExpectFound(CheckSessions, "session-refused", "ignore_missing", "gyrfalcon session generate");
}

TEST_F(DoctorRunsc, PointsThatThisRunscDoesNotKnow) {
  world_.ask_runsc = [](const std::string&) -> Result<SentPoints> {
    SentPoints known = NewestPoints();
    known.erase("sentry/execve");
    return known;
  };
  ExpectFound(CheckSessions, "session-too-new", "1 of its points", "gyrfalcon session generate");
  Put(kSession, Session(world_.socket_path, false));
  ExpectFound(CheckSessions, "session-silent", "sentry/execve", "gyrfalcon session generate");
}

TEST_F(DoctorRunsc, ASessionOfAnotherName) {
  std::string text = Session(world_.socket_path);
  text.replace(text.find("\"Default\""), 9, "\"Mine\"");
  Put(kSession, text);
  ExpectFound(CheckSessions, "session-invalid", "another name", "gyrfalcon session generate");
}

TEST_F(DoctorRunsc, ASessionThatAsksForMoreThanAnyRuleNeeds) {
  SessionOptions options;
  options.socket_path = world_.socket_path;
  Put(kSession, GenerateFullSession(options));
  ExpectFound(CheckSessions, "session-wide", "no rule needs", "gyrfalcon session generate");
}

TEST_F(DoctorRunsc, ASessionThatOthersMayWrite) {
  ::chmod((folder_ / "etc/gyrfalcon/pod-init.json").c_str(), 0666);
  ExpectFound(CheckSessions, "session-open", "mode 666",
              "chmod go-w " + (folder_ / "etc/gyrfalcon/pod-init.json"));
}

}  // namespace
}  // namespace gyrfalcon
