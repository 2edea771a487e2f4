#include <fstream>

#include "cli/config.h"
#include "cli/test_doctor.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class DoctorConfig : public DoctorTest {
 protected:
  void Load(const std::string& text) {
    folder_.Write("c.yaml", text);
    world_.flags.rules.config_file = folder_ / "c.yaml";
    world_.loaded = ReadDaemonConfig(world_.flags);
    world_.config = world_.loaded ? world_.loaded->config : Config();
  }
  void LoadRulesText(const std::string& text) {
    folder_.Write("r.yaml", text);
    world_.config.rules_files = {folder_ / "r.yaml"};
  }
  static std::string Rule(const std::string& condition) {
    return "- rule: R\n  desc: d\n  condition: " + condition +
           "\n  output: o\n  priority: WARNING\n";
  }
};

TEST_F(DoctorConfig, AValidConfigIsWell) {
  ExpectWell(CheckConfig);
  Load("priority: debug\n");
  ExpectWell(CheckConfig);
}

TEST_F(DoctorConfig, EachProblemOfAnInvalidOneHasItsLine) {
  Load("json_output: true\npriorty: debug\nlog_levl: info\n");
  ExpectFound(CheckConfig, "config-invalid", "c.yaml:2:1: unknown key `priorty`",
              "${EDITOR:-vi} +2 " + (folder_ / "c.yaml") + " && gyrfalcon run --dry-run -c ");
  EXPECT_EQ(Run(CheckConfig).size(), 2u);
  ExpectSkipped(CheckRulesLoad, "not valid");
  ExpectSkipped(CheckCoverage, "not valid");
}

TEST_F(DoctorConfig, KeysWithoutAnEffectAreAWarning) {
  Load("grpc:\n  enabled: false\n");
  ExpectFound(CheckConfig, "config-warning", "grpc", "${EDITOR:-vi} ");
}

TEST_F(DoctorConfig, AnOutputThatCantBeWritten) {
  Load("file_output: {enabled: true, filename: " + (folder_ / "no/such/file") + "}\n");
  ExpectFound(CheckConfig, "output-unusable", "no/such/file", "--dry-run");
}

TEST_F(DoctorConfig, RulesThatLoadAreWell) {
  ExpectWell(CheckRulesLoad);
  LoadRulesText(Rule("evt.type = execve"));
  ExpectWell(CheckRulesLoad);
}

TEST_F(DoctorConfig, RulesThatDoNotLoadHaveTheirLine) {
  LoadRulesText(Rule("proc.nmae = sh"));
  ExpectFound(CheckRulesLoad, "rules-invalid", "r.yaml:3:",
              "${EDITOR:-vi} +3 " + (folder_ / "r.yaml") + " && gyrfalcon rules check ");
  ExpectSkipped(CheckCoverage, "do not load");
}

TEST_F(DoctorConfig, RulesThatCantDoWhatTheySayAreAWarning) {
  LoadRulesText(Rule("evt.type = execve and thread.cap_effective contains CAP_SYS_ADMIN"));
  ExpectFound(CheckRulesLoad, "rules-warning", "thread.cap_effective", "${EDITOR:-vi} ");
}

TEST_F(DoctorConfig, NoRuleIsEnabled) {
  LoadRulesText(Rule("evt.type = execve") + "  enabled: false\n");
  ExpectFound(CheckRulesLoad, "rules-none", "none of the 1 rules", "${EDITOR:-vi} ");
}

TEST_F(DoctorConfig, RulesFilesThatTheConfigNamesAndThatAreNotThere) {
  folder_.Write("r.yaml", Rule("evt.type = execve"));
  Load("rules_files: [" + (folder_ / "r.yaml") + ", " + (folder_ / "gone.yaml") + "]\n");
  ExpectFound(CheckRulesLoad, "rules-missing", "gone.yaml", "${EDITOR:-vi} ");
}

TEST_F(DoctorConfig, AStoreThatCanBeWrittenIsWell) {
  ExpectWell(CheckStore);
  world_.config.store_enabled = false;
  ExpectWell(CheckStore);
}

TEST_F(DoctorConfig, AStoreThatIsSomebodyElsesFile) {
  folder_.Write("alerts.db", "a letter");
  ExpectFound(CheckStore, "store-foreign", "no store of gyrfalcon's", "store.path");
}

TEST_F(DoctorConfig, AStoreThatIsDamaged) {
  folder_.Write("alerts.db", std::string("SQLite format 3\0", 16) + std::string(4'096, 'x'));
  ExpectFound(CheckStore, "store-damaged", "alerts.db",
              "mv " + world_.config.store_path + " " + world_.config.store_path + ".damaged");
}

TEST_F(DoctorConfig, AStoreOnADiskThatCantBeWritten) {
  disk_.read_only = true;
  ExpectFound(CheckStore, "store-unwritable", "read-only", "mount -o remount,rw ");
}

TEST_F(DoctorConfig, AStoreOnADiskThatIsFullSoon) {
  disk_.free_bytes = uint64_t{10} << 20;
  ExpectFound(CheckStore, "store-disk-low", "10 MiB left", "du -xh ");
}

TEST_F(DoctorConfig, AStoreOnANetworkDiskOrInMemory) {
  disk_.type = kNfs;
  ExpectFound(CheckStore, "store-on-network", "NFS", "store.path");
  disk_.type = kTmpfs;
  ExpectFound(CheckStore, "store-volatile", "memory", "store.path");
}

TEST_F(DoctorConfig, ARuleThatTheSessionMakesBlind) {
  ASSERT_EQ(Run(CheckCoverage).back().health, Health::kOk);
  LoadRulesText(Rule("evt.type = timerfd_create"));
  SessionOptions options;
  options.socket_path = world_.socket_path;
  Put(kSession, GenerateSession(options, std::vector<AskedPoint>{}));
  ExpectFound(CheckCoverage, "rule-blind-by-session", "rule \"R\" is blind by", "gyrfalcon ");
  // As it would be made for it.
  const auto rules = LoadRules(world_.config.rules_files, {});
  Put(kSession, GenerateSession(options, *rules->rules));
  ExpectWell(CheckCoverage);
}

TEST_F(DoctorConfig, ARuleThatIsBlindWhateverIsAskedFor) {
  LoadRulesText(Rule("evt.type = execve and thread.cap_effective contains CAP_SYS_ADMIN"));
  ExpectFound(CheckCoverage, "rule-blind", "rule \"R\" is blind", "gyrfalcon rules coverage");
}

TEST_F(DoctorConfig, AUserWhoMayNotReadItHearsSo) {
  if (geteuid() != 0) GTEST_SKIP() << "root alone can become another user";
  world_.is_root = false;
  ::chmod(folder_.path().c_str(), 0711);
  ASSERT_EQ(seteuid(65'534), 0);
  ExpectSkipped(CheckStore, world_.config.store_path + ": only its owner");
  ASSERT_EQ(seteuid(0), 0);
}

}  // namespace
}  // namespace gyrfalcon
