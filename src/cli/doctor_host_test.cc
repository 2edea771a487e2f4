#include "cli/test_doctor.h"

namespace gyrfalcon {
namespace {

class DoctorHost : public DoctorTest {
 protected:
  void PutLimit(const std::string& files) {
    PutProc(OwnPid(), "limits",
            "Limit                     Soft Limit           Hard Limit           Units     \n"
            "Max open files            1024                 " +
                files + "               files\n");
  }
  void PutProcess(const std::string& pid, const std::string& name, const std::string& line) {
    PutProc(pid, "comm", name + "\n");
    PutProc(pid, "cmdline", line);
  }
  void PutNamespaces(const std::string& pid, const std::string& net, const std::string& pids) {
    const std::string folder = folder_ / ("proc/" + pid + "/ns");
    std::filesystem::create_directories(folder);
    std::filesystem::create_symlink("net:[" + net + "]", folder + "/net");
    std::filesystem::create_symlink("pid:[" + pids + "]", folder + "/pid");
  }
};

TEST_F(DoctorHost, TheKernelsOwnQueueIsWell) {
  ExpectSkipped(CheckQueue, "can't be read");
  Put("/proc/sys/net/core/wmem_default", "212992\n");
  ExpectWell(CheckQueue);
}

TEST_F(DoctorHost, AQueueThatIsSmallOrWasOverrun) {
  Put("/proc/sys/net/core/wmem_default", "16384\n");
  ExpectFound(CheckQueue, "queue-small", "is 16384: some 21 small messages",
              "sysctl -w net.core.wmem_default=212992");
  Put("/proc/sys/net/core/wmem_default", "212992\n");
  status_.totals.engine.Add(EngineCounter::kDroppedBySandboxes, 5);
  Serve();
  ExpectFound(CheckQueue, "queue-overrun", "dropped 5", "sysctl -w net.core.wmem_default=4194304");
}

TEST_F(DoctorHost, ABacklogThatIsSmall) {
  ExpectSkipped(CheckBacklog, "can't be read");
  Put("/proc/sys/net/core/somaxconn", "128\n");
  ExpectFound(CheckBacklog, "backlog-small", "is 128", "sysctl -w net.core.somaxconn=512");
  Put("/proc/sys/net/core/somaxconn", "4096\n");
  ExpectWell(CheckBacklog);
}

TEST_F(DoctorHost, DescriptorsOfTheDaemon) {
  ExpectSkipped(CheckDescriptors, "no daemon");
  Serve();
  ExpectSkipped(CheckDescriptors, "can't be read");
  PutLimit("1024");
  ExpectFound(CheckDescriptors, "descriptors-few", "may have 1024", "LimitNOFILE=40960");
  PutLimit("40960");
  ExpectWell(CheckDescriptors);
  PutLimit("unlimited");
  ExpectWell(CheckDescriptors);
}

TEST_F(DoctorHost, WhoElseWantsTheSandboxes) {
  ExpectSkipped(CheckOthers, "no /proc");
  Serve();
  PutProcess("77", "falco", std::string("/usr/bin/falco\0-c\0falco.yaml", 27));
  PutProcess(OwnPid(), "gyrfalcon", std::string("gyrfalcon\0run", 13));
  PutProcess("79", "gyrfalcon", std::string("gyrfalcon\0status", 16));
  ExpectWell(CheckOthers);
  PutProcess("77", "falco", std::string("/usr/bin/falco\0-g\0/etc/falco/pod-init.json", 42));
  ExpectFound(CheckOthers, "falco-runs", "(pid 77)", "kill 77");
  PutProcess("78", "gyrfalcon", std::string("gyrfalcon\0-r\0rules.yaml", 23));
  ExpectFound(CheckOthers, "second-daemon", "(pid 78)", "ps -fp " + OwnPid() + ",78");
}

TEST_F(DoctorHost, NamespacesOfTheDaemon) {
  ExpectSkipped(CheckNamespaces, "no daemon");
  Serve();
  ExpectSkipped(CheckNamespaces, "can't be read");
  PutNamespaces("1", "10", "20");
  PutNamespaces(OwnPid(), "10", "20");
  ExpectWell(CheckNamespaces);
  Remove("/proc/" + OwnPid());
  PutNamespaces(OwnPid(), "11", "20");
  ExpectFound(CheckNamespaces, "namespace-other", "network namespace", "hostNetwork=true");
  Remove("/proc/" + OwnPid());
  PutNamespaces(OwnPid(), "10", "21");
  ExpectFound(CheckNamespaces, "namespace-other", "PID namespace", "hostPID=true");
}

// The table's rows are named by number.
TEST(DoctorTable, EachMistakeHasTheNameThatItsRowHas) {
  EXPECT_EQ(Describe(Mistake::kConfigInvalid).name, "config-invalid");
  EXPECT_EQ(Describe(Mistake::kKvmMissing).name, "kvm-missing");
  EXPECT_EQ(Describe(Mistake::kSessionOpen).name, "session-open");
  EXPECT_EQ(Describe(Mistake::kUnitPrivateTmp).name, "unit-private-tmp");
  EXPECT_EQ(Describe(Mistake::kNamespaceOther).name, "namespace-other");
  EXPECT_EQ(Describe(Mistake::kRuleBlind).name, "rule-blind");
}

TEST(DoctorTable, EveryCheckFindsSomethingAndEveryRowSaysWhatIsSeenAndWhatMendsIt) {
  for (const MistakeDef& def : Mistakes()) {
    EXPECT_NE(def.symptom, "") << def.name;
    EXPECT_NE(def.mend, "") << def.name;
    EXPECT_GT(def.health, Health::kSkipped) << def.name;
  }
  for (const DoctorCheck& check : DoctorChecks()) {
    EXPECT_NE(std::ranges::find(Mistakes(), check.id, &MistakeDef::check), Mistakes().end())
        << check.id;
  }
}

}  // namespace
}  // namespace gyrfalcon
