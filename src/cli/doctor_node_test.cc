#include "cli/test_doctor.h"

namespace gyrfalcon {
namespace {

class DoctorNode : public DoctorTest {
 protected:
  static constexpr const char* kConfigToml = "/etc/containerd/config.toml";

  void RunDocker() {
    docker_ = DockerDaemon{.socket = world_.docker_socket, .pid = 4711, .config_file = kDaemonJson};
    dockers_session_ = kSession;
  }
  static std::string ConfigToml(const std::string& options) {
    return "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runsc]\n"
           "  runtime_type = \"io.containerd.runsc.v1\"\n" +
           options;
  }
  static std::string WithToml() {
    return ConfigToml(
        "  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runsc.options]\n"
        "    TypeUrl = \"io.containerd.runsc.v1.options\"\n    ConfigPath = \"" +
        std::string(kToml) + "\"\n");
  }
  void PutUnits() {
    Put("/lib/systemd/system/docker.service", "[Unit]\n");
    Put("/lib/systemd/system/gyrfalcon.service", "[Service]\nPrivateTmp=yes\n");
    Put("/lib/systemd/system/gyrfalcon.socket",
        "[Unit]\nBefore=docker.service containerd.service\n[Socket]\nListenSequentialPacket=" +
            world_.socket_path + "\n");
    Put("/etc/systemd/system/sockets.target.wants/gyrfalcon.socket", "");
    Put("/etc/systemd/system/multi-user.target.wants/gyrfalcon.service", "");
  }
};

TEST_F(DoctorNode, RuntimesWithTheSessionAreWell) {
  ExpectWell(CheckDocker);
  RunDocker();
  ExpectWell(CheckDocker);
}

TEST_F(DoctorNode, ADaemonJsonThatIsNone) {
  Put(kDaemonJson, "{\n  \"runtimes\": {,}\n}");
  ExpectFound(CheckDocker, "docker-config-invalid", "daemon.json:2:", "${EDITOR:-vi} +2 ");
}

TEST_F(DoctorNode, OneOfSeveralRuntimesWithoutTheSession) {
  Put(kDaemonJson,
      "{\"runtimes\": {\n\"runsc\": {\"path\": \"runsc\", \"runtimeArgs\": "
      "[\"--pod-init-config=/etc/gyrfalcon/pod-init.json\"]},\n\"runsc-kvm\": {\"path\": "
      "\"runsc\"},\n\"crun\": {\"path\": \"crun\"}}}");
  ExpectFound(CheckDocker, "docker-unconfigured",
              "daemon.json:3:1: the runtime \"runsc-kvm\" names no session config",
              "gyrfalcon install docker");
  EXPECT_EQ(Run(CheckDocker).size(), 1u);
}

TEST_F(DoctorNode, ADockerWithoutAnyRuntimeOfGvisor) {
  Put(kDaemonJson, "{}");
  ExpectSkipped(CheckDocker, "no Docker daemon answers");
  RunDocker();
  ExpectFound(CheckDocker, "docker-unconfigured", "no gVisor runtime", "gyrfalcon install docker");
}

TEST_F(DoctorNode, AnotherDockerThanTheUsualOneIsMended) {
  Put(kDaemonJson, DaemonJson(""));
  ExpectFound(CheckDocker, "docker-unconfigured", "names no session config",
              " --docker-socket=" + world_.docker_socket);
}

TEST_F(DoctorNode, ADockerThatWasNotReloaded) {
  RunDocker();
  dockers_session_ = "";
  ExpectFound(CheckDocker, "docker-not-reloaded", "(pid 4711) has not taken up the runtime runsc",
              "kill -HUP 4711");
  dockers_session_ = std::nullopt;  // it has no such runtime
  ExpectFound(CheckDocker, "docker-not-reloaded", "runsc", "kill -HUP 4711");
}

TEST_F(DoctorNode, AShimOfDockersWithoutTheSession) {
  const std::string shim =
      "{\"runtimes\": {\"gvisor\": {\"runtimeType\": \"io.containerd.runsc.v1\"";
  Put(kDaemonJson, shim + "}}}");
  ExpectFound(CheckDocker, "docker-unconfigured", "give it a ConfigPath", "${EDITOR:-vi} +1 ");
  Put(kDaemonJson, shim +
                       ", \"options\": {\"TypeUrl\": \"io.containerd.runsc.v1.options\", "
                       "\"ConfigPath\": \"/etc/containerd/runsc.toml\"}}}}");
  Put(kToml, "[runsc_config]\n");
  ExpectFound(CheckDocker, "docker-unconfigured", kToml, "gyrfalcon install docker");
  Put(kToml, "[runsc_config]\npod-init-config = \"/etc/gyrfalcon/pod-init.json\"\n");
  ExpectWell(CheckDocker);
}

TEST_F(DoctorNode, AContainerdWithTheSessionIsWell) {
  ExpectSkipped(CheckContainerd, "no gVisor runtime");
  Put(kConfigToml, WithToml());
  Put(kToml, "[runsc_config]\npod-init-config = \"/etc/gyrfalcon/pod-init.json\"\n");
  ExpectWell(CheckContainerd);
}

TEST_F(DoctorNode, AContainerdConfigThatIsNone) {
  Put(kConfigToml, "version = 2\n[plugins\n");
  ExpectFound(CheckContainerd, "containerd-config-invalid", "config.toml:2:", "${EDITOR:-vi} +2 ");
}

TEST_F(DoctorNode, ARuntimeOfContainerdThatNamesNoToml) {
  Put(kConfigToml, ConfigToml(""));
  ExpectFound(CheckContainerd, "containerd-unconfigured", "names no TOML",
              "gyrfalcon install containerd");
}

TEST_F(DoctorNode, ATomlWithoutTheSessionOrNotThere) {
  Put(kConfigToml, WithToml());
  ExpectFound(CheckContainerd, "shim-unconfigured", "runsc.toml: no pod-init-config",
              "gyrfalcon install containerd");
  Put(kToml, "[runsc_config]\nplatform = \"systrap\"\n");
  ExpectFound(CheckContainerd, "shim-unconfigured", "runsc.toml: no pod-init-config",
              "gyrfalcon install containerd");
}

TEST_F(DoctorNode, WhatContainerdImports) {
  Put(kConfigToml, "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
  Put("/etc/containerd/conf.d/gvisor.toml", WithToml());
  ExpectFound(CheckContainerd, "shim-unconfigured", "runsc.toml", "gyrfalcon install containerd");
}

TEST_F(DoctorNode, TheTomlOfGkesNodes) {
  Put("/run/containerd/runsc/config.toml", "[runsc_config]\n");
  ExpectFound(CheckContainerd, "shim-unconfigured", "/run/containerd/runsc/config.toml",
              "--runsc-config=/run/containerd/runsc/config.toml");
}

TEST_F(DoctorNode, UnitsAsTheyAreShippedAreWell) {
  ExpectSkipped(CheckUnits, "no units of gyrfalcon");
  PutUnits();
  ExpectWell(CheckUnits);
}

TEST_F(DoctorNode, AServiceWithoutItsSocketUnit) {
  PutUnits();
  Remove("/lib/systemd/system/gyrfalcon.socket");
  ExpectFound(CheckUnits, "units-partial", "gyrfalcon.socket is not", "gyrfalcon install systemd");
}

TEST_F(DoctorNode, UnitsThatAreNotEnabled) {
  PutUnits();
  Remove("/etc/systemd/system/sockets.target.wants");
  ExpectFound(CheckUnits, "unit-disabled", "gyrfalcon.socket",
              "systemctl enable --now gyrfalcon.socket");
  PutUnits();
  Remove("/etc/systemd/system/multi-user.target.wants");
  ExpectFound(CheckUnits, "unit-disabled", "gyrfalcon.service",
              "systemctl enable --now gyrfalcon.service");
}

TEST_F(DoctorNode, ASocketUnitThatComesAfterDocker) {
  PutUnits();
  Put("/lib/systemd/system/gyrfalcon.socket",
      "[Socket]\nListenSequentialPacket=" + world_.socket_path + "\n");
  ExpectFound(CheckUnits, "unit-order", "no Before=docker.service", "Before=docker.service");
  Put("/etc/systemd/system/gyrfalcon.socket.d/x.conf", "[Unit]\nBefore=docker.service\n");
  ExpectWell(CheckUnits);
}

TEST_F(DoctorNode, ASocketUnitThatListensElsewhere) {
  PutUnits();
  Put("/etc/systemd/system/gyrfalcon.socket.d/x.conf",
      "[Socket]\nListenSequentialPacket=\nListenSequentialPacket=/run/other.sock\n");
  ExpectFound(CheckUnits, "unit-elsewhere", "listens at /run/other.sock",
              "ListenSequentialPacket=" + world_.socket_path);
}

TEST_F(DoctorNode, ASocketInTheTmpOfTheService) {
  PutUnits();
  Remove("/lib/systemd/system/gyrfalcon.socket");
  world_.socket_path = "/tmp/g.sock";
  ExpectFound(CheckUnits, "unit-private-tmp", "PrivateTmp", "gvisor.socket");
}

}  // namespace
}  // namespace gyrfalcon
