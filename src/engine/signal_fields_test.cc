// What newer messages tell of programs, mappings, pipes and descriptors, on real recordings of
// attacks and their honest twins (tests/data/captures/attacks/README.md).
#include <algorithm>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "engine/test_replay.h"

namespace gyrfalcon {
namespace {

const std::filesystem::path kCaptures = std::filesystem::path(GYRFALCON_TEST_DATA) / "captures";

// One line an event of these types: the output.
std::multiset<std::string> Show(const std::string& capture, const std::string& condition,
                                const std::string& output) {
  const auto rules =
      testing::RulesFromText("- rule: r\n  desc: d\n  priority: INFO\n  condition: " + condition +
                             "\n  output: \"" + output + "\"\n");
  std::multiset<std::string> lines;
  for (const Alert& alert : testing::ReplayForTest(capture, rules).alerts) {
    if (alert.rule == "r") lines.insert(alert.message);
  }
  return lines;
}

std::string Attack(const std::string& name) {
  return kCaptures / "attacks" / (name + ".trace");
}

using Lines = std::multiset<std::string>;

constexpr const char* kExec = "evt.type in (execve, execveat) and evt.num > 1";
constexpr const char* kDrift =
    "%proc.exepath %gyrfalcon.exe.drift %gyrfalcon.exe.from_image %proc.is_exe_upper_layer "
    "%proc.is_exe_lower_layer";

TEST(SignalFields, TellHowAProgramsFileDiffersFromTheImage) {
  EXPECT_EQ(
      Show(Attack("new/drop-exec"), kExec, kDrift),
      (Lines{"/bin/attack none true false true", "/tmp/payload unknown false false false",
             "/tmp/payload unknown false false false", "/usr/bin/payload added false true false"}));
  EXPECT_EQ(Show(Attack("old/drop-exec"), kExec, kDrift),
            (Lines{"/bin/attack unknown <NA> false false", "/tmp/payload unknown <NA> false false",
                   "/tmp/payload unknown <NA> false false",
                   "/usr/bin/payload unknown <NA> false false"}));
  for (const std::string& line : Show(Attack("new/drop-exec-benign"), kExec, kDrift)) {
    EXPECT_TRUE(line.ends_with(" none true false true")) << line;
  }
}

TEST(SignalFields, TellTheFileItself) {
  const Lines lines =
      Show(Attack("new/drop-exec"), std::string(kExec) + " and proc.name = less",
           "%gyrfalcon.exe.sha256 %gyrfalcon.exe.sha1 %gyrfalcon.exe.size %gyrfalcon.exe.nlink "
           "%gyrfalcon.exe.execfn %gyrfalcon.exe.mode %gyrfalcon.exe.uid %proc.exe_ino");
  EXPECT_EQ(lines, (Lines{"ea9d672a222516eb0cc44f9664130697fbff9487ffb24f32ce8119124d38250f "
                          "adfcb8a10feeb93b5ee264e2417b51948839ed3b 789289 1 /usr/bin/less "
                          "100755 0 2"}));
}

TEST(SignalFields, TellAProgramOfMemory) {
  const Lines lines =
      Show(Attack("new/memfd-exec"), "proc.is_exe_from_memfd = true and " + std::string(kExec),
           "%gyrfalcon.exe.drift %gyrfalcon.exe.from_image");
  EXPECT_EQ(lines, (Lines{"added false", "added false"}));
  EXPECT_EQ(Show(Attack("new/memfd-exec-benign"), "proc.is_exe_from_memfd = true", "x").size(), 0u);
}

constexpr const char* kMapped = "evt.type = map_file";
constexpr const char* kMap =
    "%gyrfalcon.map.path %gyrfalcon.map.drift %gyrfalcon.map.from_image %gyrfalcon.map.exec "
    "%gyrfalcon.map.initial %gyrfalcon.map.ino %gyrfalcon.map.mode";

TEST(SignalFields, TellMappedFiles) {
  const std::string foreign = std::string(kMapped) + " and gyrfalcon.map.from_image = false";
  EXPECT_EQ(Show(Attack("new/ld-so"), foreign, kMap),
            (Lines{"/tmp/x unknown false true false 2 100755"}));
  EXPECT_EQ(Show(Attack("new/mmap-exec"), foreign, kMap),
            (Lines{"/tmp/plugin.bin unknown false true false 2 100755"}));
  EXPECT_TRUE(Show(Attack("new/ld-so"), kMapped, "%gyrfalcon.map.path %gyrfalcon.map.drift")
                  .contains("/lib/x86_64-linux-gnu/libc.so.6 none"));
  for (const char* twin : {"new/ld-so-benign", "new/mmap-exec-benign"}) {
    EXPECT_EQ(Show(Attack(twin), foreign, kMap), Lines{}) << twin;
    EXPECT_TRUE(Show(Attack(twin), kMapped, "%gyrfalcon.map.path").contains("/bin/bash")) << twin;
  }
}

TEST(SignalFields, TellTheProtectionOfMmap) {
  const Lines lines = Show(Attack("new/mmap-exec"), "evt.type = mmap and gyrfalcon.map.exec = true",
                           "%gyrfalcon.map.path %gyrfalcon.map.prot");
  EXPECT_TRUE(lines.contains("/tmp/plugin.bin PROT_READ|PROT_EXEC"))
      << ::testing::PrintToString(lines);
}

TEST(SignalFields, TellAShellsSocket) {
  for (const char* runsc : {"old", "new"}) {
    const std::string folder(runsc);
    const std::string shell = std::string(kExec) + " and proc.name = sh";
    const std::string std_fds = "%proc.stdin.type %proc.stdout.type %proc.stderr.type";
    EXPECT_TRUE(Show(Attack(folder + "/dup-socket"), shell, std_fds).contains("ipv4 ipv4 ipv4"))
        << runsc;
    EXPECT_FALSE(
        Show(Attack(folder + "/dup-socket-benign"), shell, std_fds).contains("ipv4 ipv4 ipv4"))
        << runsc;
  }
  const Lines named = Show(Attack("new/dup-socket"), std::string(kExec) + " and proc.name = attack",
                           "%proc.stdin.type %proc.stdin.name %proc.stdout.name");
  EXPECT_TRUE(named.contains("file host:[1] host:[2]")) << ::testing::PrintToString(named);
}

TEST(SignalFields, TellWhatIsPassedThroughASocket) {
  for (const char* runsc : {"old", "new"}) {
    const std::string folder(runsc);
    const std::string passed = "evt.type in (read, close) and gyrfalcon.fd.origin = passed";
    EXPECT_EQ(Show(Attack(folder + "/scm-rights"), passed, "%evt.type %fd.name"),
              (Lines{"close /etc/shadow", "read /etc/shadow"}))
        << runsc;
    // A session with no close but its enter.
    EXPECT_EQ(Show(Attack(folder + "/scm-rights.strict"), passed, "%evt.type %fd.name"),
              (Lines{"close /etc/shadow"}))
        << runsc;
    EXPECT_EQ(Show(Attack(folder + "/scm-rights-benign"), passed, "%fd.name"),
              (Lines{"/etc/passwd", "/etc/passwd"}))
        << runsc;
  }
}

// Every other capture hides or passes nothing of the kind.
TEST(SignalFields, NothingElseIsTakenForPassed) {
  for (const char* runsc : {"old", "new"}) {
    for (const auto& entry : std::filesystem::directory_iterator(kCaptures / "attacks" / runsc)) {
      const std::string name = entry.path().filename();
      if (!name.contains("-benign") || name.starts_with("scm-rights")) continue;
      EXPECT_EQ(Show(entry.path(), "gyrfalcon.fd.origin = passed", "%evt.type %fd.num %fd.name"),
                Lines{})
          << runsc << "/" << name;
    }
  }
}

TEST(SignalFields, AnHonestFdIsNotCorrectedIntoAnother) {
  const auto rules = testing::RulesFromText(
      "- rule: r\n  desc: d\n  priority: INFO\n  condition: evt.type = openat\n  output: x\n");
  for (const char* runsc : {"old", "new"}) {
    for (const char* name : {"/fd-tricks-benign", "/fd-tricks-benign.strict"}) {
      const auto result = testing::ReplayForTest(Attack(std::string(runsc) + name), rules);
      EXPECT_EQ(result.totals.state[StateCounter::kPathsCorrected], 0u) << runsc << name;
    }
  }
}

TEST(SignalFields, TellTheEndsOfAPipe) {
  const std::string capture = testing::SharedPath("captures/new/pipe-sh.trace");
  if (capture.empty()) GTEST_SKIP() << "no ../shared/captures/new/pipe-sh.trace";
  const Lines lines =
      Show(capture, kExec,
           "%proc.name < %gyrfalcon.pipe.in.name %gyrfalcon.pipe.in.pid %gyrfalcon.pipe.in.exepath "
           "%gyrfalcon.pipe.in.cmdline > %gyrfalcon.pipe.out.name %gyrfalcon.pipe.out.pid");
  EXPECT_TRUE(lines.contains("tr < cat 6 /usr/bin/cat cat /etc/hostname > <NA> <NA>"))
      << ::testing::PrintToString(lines);
  EXPECT_TRUE(lines.contains("cat < <NA> <NA> <NA> <NA> > bash 7"));
}

TEST(SignalFields, TellAnExecSession) {
  const std::string in_session = "proc.is_exec_session = true and " + std::string(kExec);
  EXPECT_GT(Show(Attack("new/exec-session"), in_session, "%proc.name").size(), 0u);
  EXPECT_EQ(Show(Attack("new/exec-session-benign"), in_session, "%proc.name").size(), 0u);
}

}  // namespace
}  // namespace gyrfalcon
