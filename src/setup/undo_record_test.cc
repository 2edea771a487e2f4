#include "setup/undo_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "setup/containerd_config.h"
#include "setup/docker_config.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

const std::string kSession = "/etc/gyrfalcon/pod-init.json";

UndoRecord RecordOf(SetupFile kind, std::optional<std::string> before, std::string after) {
  UndoRecord record;
  record.session_file = kSession;
  record.files.push_back({kind, "/f", std::move(before), std::move(after)});
  return record;
}

std::optional<std::string> Undo(const UndoRecord& record, const std::optional<std::string>& now) {
  const auto undone = UndoneText(record, record.files[0], now);
  EXPECT_TRUE(undone) << undone.error().message;
  return undone ? *undone : std::nullopt;
}

TEST(UndoRecord, IsReadAsItWasWritten) {
  UndoRecord record = RecordOf(SetupFile::kRunsc, "b\n\"ü", "a");
  record.files.push_back({SetupFile::kOwn, "/g", std::nullopt, "x"});
  record.config_path = "/c";
  record.new_runtime = "runsc";
  record.runtimes = {"gv", "other"};
  record.queue_bytes_before = 212'992;
  record.queue_bytes = 4'194'304;
  const auto read = ReadUndoRecord("r", WriteUndoRecord(record));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->session_file, kSession);
  EXPECT_EQ(read->config_path, "/c");
  EXPECT_EQ(read->new_runtime, "runsc");
  EXPECT_EQ(read->runtimes, record.runtimes);
  EXPECT_EQ(read->queue_bytes_before, 212'992u);
  EXPECT_EQ(read->queue_bytes, 4'194'304u);
  ASSERT_EQ(read->files.size(), 2u);
  EXPECT_EQ(read->files[0].kind, SetupFile::kRunsc);
  EXPECT_EQ(read->files[0].before, "b\n\"ü");
  EXPECT_EQ(read->files[1].before, std::nullopt);
  EXPECT_EQ(read->files[1].after, "x");
}

TEST(UndoRecord, ARuntimeThatHadToBeNamedIsFoundAgain) {
  const std::string before =
      "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.gv]\n"
      "runtime_type = 'io.containerd.gv.v1'\n";
  const auto after = AddToContainerdConfig("f", before, {.config_path = "/c", .also = {"gv"}});
  ASSERT_TRUE(after) << after.error().message;
  ASSERT_NE(*after, before);
  UndoRecord record = RecordOf(SetupFile::kContainerd, before, *after);
  record.config_path = "/c";
  record.runtimes = {"gv"};
  const auto undone = UndoneText(record, record.files[0], *after + "# somebody's\n");
  ASSERT_TRUE(undone) << undone.error().message;
  EXPECT_EQ(*undone, before + "# somebody's\n");
}

TEST(UndoRecord, WhatIsNoneIsRefused) {
  for (const std::string text :
       {"", "[]", "{}", R"({"version":2,"files":[]})", R"({"version":1})",
        R"({"version":1,"files":[{"kind":"x","path":"/a"}]})",
        R"({"version":1,"files":[{"kind":"own"}]})", R"({"version":1,"files":[7]})"}) {
    const auto read = ReadUndoRecord("r", text);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, testing::StartsWith("r: "));
  }
}

TEST(UndoRecord, ByteForByteWhereNobodyElseChangedIt) {
  const std::string before = "{ \"runtimes\" : {\"runsc\":{\"path\":\"runsc\"}}}  ";
  const std::string after = *AddToDockerConfig("/f", before, {.session_file = kSession});
  const UndoRecord record = RecordOf(SetupFile::kDocker, before, after);
  EXPECT_EQ(Undo(record, after), before);
  EXPECT_EQ(Undo(record, before), before);
  EXPECT_EQ(Undo(record, std::nullopt), std::nullopt);
  std::string edited = after;
  edited.insert(1, "\"debug\":true,");
  EXPECT_EQ(Undo(record, edited),
            "{\"debug\":true, \"runtimes\" : {\"runsc\":{\"path\":\"runsc\"}}}  ");
}

TEST(UndoRecord, AFileThatWasNotThereGoes) {
  const std::string after =
      *AddToDockerConfig("/f", "", {.session_file = kSession, .new_path = "/usr/bin/runsc"});
  const UndoRecord record = RecordOf(SetupFile::kDocker, std::nullopt, after);
  EXPECT_EQ(Undo(record, after), std::nullopt);
  EXPECT_EQ(Undo(record, " " + after), std::nullopt);
}

TEST(UndoRecord, RunscsTomlStaysAsACommentForContainerdMayNameItStill) {
  const std::string after = *AddToRunscConfig("/f", "", kSession, false);
  const UndoRecord record = RecordOf(SetupFile::kRunsc, std::nullopt, after);
  for (const std::string& now : {after, "\n" + after}) {
    const auto left = Undo(record, now);
    ASSERT_TRUE(left);
    EXPECT_THAT(*left, testing::StartsWith("# Empty on purpose"));
    EXPECT_TRUE(ReadRunscConfig("/f", *left));
  }
}

TEST(UndoRecord, AFileOfOursThatSomebodyChangedStays) {
  const UndoRecord record = RecordOf(SetupFile::kOwn, std::nullopt, "ours");
  EXPECT_EQ(Undo(record, "ours"), std::nullopt);
  EXPECT_EQ(Undo(record, "ours, changed"), "ours, changed");
}

}  // namespace
}  // namespace gyrfalcon
