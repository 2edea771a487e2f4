#include <fstream>

#include <sys/socket.h>

#include "base/unix_socket.h"
#include "cli/test_doctor.h"

namespace gyrfalcon {
namespace {

class DoctorSocket : public DoctorTest {
 protected:
  // Outside of /tmp, where a socket is a warning; short, for it has to fit.
  DoctorSocket() {
    run_ = "/dev/shm/gyrfalcon-doctor." + OwnPid();
    std::filesystem::create_directories(run_);
    ::chmod(run_.c_str(), 0700);
    world_.socket_path = run_ + "/g.sock";
  }
  ~DoctorSocket() override { std::filesystem::remove_all(run_); }

  // A socket of that type that nobody reads.
  UniqueFd Bind(int type, bool listens) {
    UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    const auto address = UnixAddress(world_.socket_path);
    EXPECT_EQ(bind(fd.get(), Generic(*address), sizeof *address), 0);
    if (listens) {
      EXPECT_EQ(listen(fd.get(), 8), 0);
    }
    ::chmod(world_.socket_path.c_str(), 0600);
    return fd;
  }
  void Sees(Tracing tracing, const std::string& problem = {}) {
    TracedSandbox sandbox;
    sandbox.id = "box";
    sandbox.call = {.program = "/usr/bin/runsc", .root = "/run/r", .limits = {}};
    sandbox.tracing = tracing;
    sandbox.problem = problem;
    if (tracing == Tracing::kOther) sandbox.endpoints = {"/run/falco.sock"};
    sandboxes_.sandboxes = {sandbox};
  }

  std::string run_;
};

TEST_F(DoctorSocket, ADaemonThatServesIsWell) {
  Serve();
  ExpectWell(CheckSocket);
  ExpectWell(CheckHandshake);
  ExpectWell(CheckDaemon);
}

TEST_F(DoctorSocket, APathThatNoSocketCanHave) {
  world_.socket_path = "/run/" + std::string(150, 'x');
  ExpectFound(CheckSocket, "socket-invalid", "155 bytes", "gvisor.socket");
}

TEST_F(DoctorSocket, NoSocketAndWhatFollows) {
  ExpectFound(CheckSocket, "socket-absent", "not watched", "gyrfalcon run");
  ExpectSkipped(CheckHandshake, "no socket");
  std::string closed = Session(world_.socket_path);
  const std::string open = "\"ignore_setup_error\": true";
  closed.replace(closed.find(open), open.size(), "\"ignore_setup_error\": false");
  Put(kSession, closed);
  ExpectFound(CheckSocket, "socket-absent", "fail (on-failure is closed)", "gyrfalcon run");
  world_.socket_path = run_ + "/no/g.sock";
  ExpectFound(CheckSocket, "socket-absent", "nor its folder", "gyrfalcon run");
}

TEST_F(DoctorSocket, UnderSystemdItIsStartedByIt) {
  std::filesystem::create_directories(folder_ / "run/systemd/system");
  ExpectFound(CheckSocket, "socket-absent", "there is no", "gyrfalcon install systemd");
  Put("/lib/systemd/system/gyrfalcon.service", "");
  ExpectFound(CheckSocket, "socket-absent", "there is no",
              "systemctl start gyrfalcon.socket gyrfalcon.service");
}

TEST_F(DoctorSocket, AFileThatIsNoSocket) {
  std::ofstream(world_.socket_path) << "x";
  ExpectFound(CheckSocket, "socket-foreign", "no socket", "ls -l ");
}

TEST_F(DoctorSocket, ModesThatLetOthersIn) {
  const UniqueFd fd = Bind(SOCK_SEQPACKET, true);
  ExpectWell(CheckSocket);
  ::chmod(world_.socket_path.c_str(), 0666);
  ExpectFound(CheckSocket, "socket-open", "mode 666", "chmod 600 " + world_.socket_path);
  ::chmod(world_.socket_path.c_str(), 0600);
  ::chmod(run_.c_str(), 0777);
  ExpectFound(CheckSocket, "socket-open", "others may write to " + run_, "chmod go-w " + run_);
  ::chmod(run_.c_str(), 0700);
  if (geteuid() != 0) return;
  ASSERT_EQ(::chown(run_.c_str(), 65'534, 0), 0);
  ExpectFound(CheckSocket, "socket-open", "is user 65534's", "chown 0 " + run_);
}

TEST_F(DoctorSocket, ASocketInTmp) {
  world_.socket_path = folder_ / "sock/g.sock";
  const UniqueFd fd = Bind(SOCK_SEQPACKET, true);
  ExpectFound(CheckSocket, "socket-in-tmp", "PrivateTmp", "gvisor.socket");
}

TEST_F(DoctorSocket, AFileWhoseListenerHasGone) {
  Bind(SOCK_SEQPACKET, true).reset();
  ExpectFound(CheckHandshake, "nobody-listens", "not watched", "gyrfalcon run");
  ExpectSkipped(CheckDaemon, "nobody");
}

TEST_F(DoctorSocket, ASocketOfAnotherKind) {
  const UniqueFd fd = Bind(SOCK_STREAM, true);
  ExpectFound(CheckHandshake, "socket-foreign", world_.socket_path, "ss -xlp");
}

TEST_F(DoctorSocket, AListenerThatDoesNotAnswer) {
  const UniqueFd fd = Bind(SOCK_SEQPACKET, true);
  ExpectFound(CheckHandshake, "no-handshake", "no answer in time", "ss -xlp");
  ExpectFound(CheckDaemon, "daemon-silent", "no gyrfalcon answers", "ss -xlp");
}

TEST_F(DoctorSocket, ADaemonThatIsNotReady) {
  status_.reload.refused = 1;
  status_.reload.error = "rules.yaml:3: no such field\nrules.yaml:5: no such list";
  world_.flags.rules.config_file = "/etc/g.yaml";
  Serve();
  const auto findings = Run(CheckDaemon);
  ASSERT_EQ(findings.size(), 1u) << AllOf(findings);
  EXPECT_EQ(findings.front().mistake, "daemon-not-ready");
  EXPECT_THAT(findings.front().text, ::testing::EndsWith("rules.yaml:3: no such field …"));
  EXPECT_EQ(findings.front().mend, "gyrfalcon run --dry-run -c /etc/g.yaml");
}

TEST_F(DoctorSocket, AnOutputThatFails) {
  ChannelFigures good, bad;
  good.name = "file";
  bad.name = "http";
  bad.failing = true;
  bad.waiting = 7;
  status_.delivery.channels = {good, bad};
  Serve();
  ExpectFound(CheckDaemon, "output-failing", "the output \"http\" takes no alerts: 7 wait",
              "/status");
  EXPECT_EQ(Run(CheckDaemon).size(), 1u);
}

TEST_F(DoctorSocket, AProgramThatWasReplacedSinceItsStart) {
  Serve();
  std::filesystem::create_directories(folder_ / ("proc/" + OwnPid()));
  std::filesystem::create_symlink("/usr/bin/gyrfalcon (deleted)",
                                  folder_ / ("proc/" + OwnPid() + "/exe"));
  ExpectFound(CheckDaemon, "daemon-replaced", "replaced since it started",
              "gyrfalcon run --takeover");
}

TEST_F(DoctorSocket, SandboxesThatAreOursAreWell) {
  ExpectWell(CheckSandboxes);
  Sees(Tracing::kOurs);
  ExpectWell(CheckSandboxes);
}

TEST_F(DoctorSocket, SandboxesThatAreNot) {
  Sees(Tracing::kNone);
  ExpectFound(
      CheckSandboxes, "sandbox-untraced", "sandbox box below /run/r",
      "gyrfalcon session attach --root=/run/r -g " + (folder_ / "etc/gyrfalcon/pod-init.json box"));
  Sees(Tracing::kNobody);
  ExpectFound(CheckSandboxes, "sandbox-unheard", "nobody listens", "gyrfalcon session attach");
  Sees(Tracing::kOther);
  ExpectFound(
      CheckSandboxes, "sandbox-others", "at /run/falco.sock",
      "/usr/bin/runsc --root=/run/r trace delete --name Default box && gyrfalcon session attach");
  Sees(Tracing::kUnknown, "connection refused");
  ExpectFound(CheckSandboxes, "sandbox-unknown", "connection refused",
              "/usr/bin/runsc --root=/run/r trace list box");
  Sees(Tracing::kOurs);
  sandboxes_.sandboxes.front().dropped = 7;
  ExpectFound(CheckSandboxes, "sandbox-drops", "dropped 7 messages", "trace list box");
}

TEST_F(DoctorSocket, WithoutASessionConfigTheDaemonsOwnIsGiven) {
  world_.session_file = "";
  Sees(Tracing::kNone);
  ExpectFound(CheckSandboxes, "sandbox-untraced", "box",
              "gyrfalcon session generate --socket " + world_.socket_path + " > " + run_ +
                  "/attach.json && gyrfalcon session attach");
  std::ofstream(run_ + "/attach.json") << "{}";
  const auto findings = Run(CheckSandboxes);
  EXPECT_EQ(findings.front().mend,
            "gyrfalcon session attach --root=/run/r -g " + run_ + "/attach.json box");
}

TEST_F(DoctorSocket, ManySandboxesAreNotAllNamed) {
  Sees(Tracing::kNone);
  sandboxes_.sandboxes.resize(100, sandboxes_.sandboxes.front());
  const auto findings = Run(CheckSandboxes);
  EXPECT_EQ(findings.size(), kFindingsMax);
  EXPECT_THAT(findings.back().text, ::testing::HasSubstr("and 80 sandboxes more"));
}

TEST_F(DoctorSocket, ARootThatCantBeListed) {
  sandboxes_.problems.push_back({"/run/r: runsc list: no answer", Fault::kEnvironment});
  ExpectFound(CheckSandboxes, "root-unlistable", "no answer",
              "for root in " + folder_.path() + "; do " + runsc_ + " --root=");
}

TEST_F(DoctorSocket, ARootThatIsNoFolder) {
  world_.runsc_roots.push_back("/no/such/folder");
  ExpectFound(CheckSandboxes, "root-unlistable", "/no/such/folder: no such folder", "--root=");
}

TEST_F(DoctorSocket, SandboxesOfWhichOnlyTheDaemonKnows) {
  status_.sandboxes = 1;
  Serve();
  ExpectSkipped(CheckSandboxes, "the daemon has a sandbox connected");
  Sees(Tracing::kOurs);
  ExpectWell(CheckSandboxes);
}

TEST_F(DoctorSocket, TheRootsOfADockerThatKeepsItsStateElsewhere) {
  docker_ = DockerDaemon{.exec_root = folder_ / "exec"};
  std::filesystem::create_directories(folder_ / "exec/runtime-runc/moby");
  world_.runsc_roots.clear();
  std::vector<std::string> asked;
  world_.look_at_sandboxes = [&asked](const SandboxesAsked& whom) {
    asked = whom.roots;
    return TracedSandboxes{};
  };
  Run(CheckSandboxes);
  EXPECT_THAT(asked, ::testing::Contains(folder_ / "exec/runtime-runc/moby"));
}

TEST_F(DoctorSocket, WhoIsNotRootHearsWhatCantBeSeen) {
  world_.is_root = false;
  ExpectSkipped(CheckSandboxes, "only root");
}

}  // namespace
}  // namespace gyrfalcon
