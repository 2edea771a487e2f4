// What ReduceMessage takes out of a message, and that it takes out nothing else.
#include "engine/reduced_capture.h"

#include <filesystem>
#include <map>
#include <span>

#include <gtest/gtest.h>

#include "points/render.h"
#include "wire/message_header.h"

namespace gyrfalcon::testing {
namespace {

namespace fs = std::filesystem;

// Every point, schematised and raw, with every field.
SentPoints Everything() {
  SentPoints out;
  const auto put = [&out](const std::string& name, std::span<const std::string_view> context,
                          std::string_view optional) {
    SentPoint& point = out[name];
    point.context.insert(context.begin(), context.end());
    while (!optional.empty()) {
      const size_t end = std::min(optional.find('|'), optional.size());
      point.optional.emplace(optional.substr(0, end));
      optional.remove_prefix(std::min(end + 1, optional.size()));
    }
  };
  for (const PointDef& point : Points()) {
    for (const char* side : {"/enter", "/exit"}) {
      const std::string name = std::string(point.name) + (point.is_syscall() ? side : "");
      put(name, ContextFields(point), point.optional_fields);
    }
  }
  for (int sysno = 0; sysno < 512; ++sysno) {
    for (const char* side : {"/enter", "/exit"}) {
      put("syscall/sysno/" + std::to_string(sysno) + side, AllContextFields(), {});
    }
  }
  return out;
}

// The fields of a message as they lie on the wire: path and value, in order.
class Fields final : public FieldVisitor {
 public:
  explicit Fields(std::string_view datagram) {
    const auto message = ReadMessage(std::as_bytes(std::span(datagram)));
    EXPECT_TRUE(message && VisitFields(message->type, message->payload, *this));
  }
  void OnNumber(const FieldSpec& field, int64_t value) override {
    Put(field, std::to_string(value));
  }
  void OnText(const FieldSpec& field, std::string_view text) override {
    Put(field, std::string(text));
  }
  void OnMessageBegin(const FieldSpec& field) override { path_ += std::string(field.name) + "."; }
  void OnMessageEnd() override { path_.erase(path_.rfind('.', path_.size() - 2) + 1); }
  void OnUnknown(uint32_t number) override { ADD_FAILURE() << "unknown field " << number; }

  // Outermost field that each belongs to is not counted: a message that is emptied stays.
  std::vector<std::pair<std::string, std::string>> all;

 private:
  void Put(const FieldSpec& field, std::string value) {
    all.emplace_back(path_ + std::string(field.name), std::move(value));
  }
  std::string path_;
};

std::vector<std::string> CapturePaths() {
  std::vector<std::string> out;
  for (const char* folder : {"/captures/old", "/captures/new", "/coverage/old", "/coverage/new"}) {
    std::error_code error;
    for (const auto& entry :
         fs::directory_iterator(std::string(GYRFALCON_TEST_DATA) + folder, error)) {
      if (entry.file_size() > 100) out.push_back(entry.path());
    }
  }
  return out;
}

// Of every point one message that has the most to lose.
const std::map<std::string, std::string>& RichestMessages() {
  static const auto messages = [] {
    std::map<std::string, std::string> out;
    for (const std::string& path : CapturePaths()) {
      for (const auto& message : RecordedCapture(path).All()) {
        std::string& richest = out[PointOf(*message)];
        if (message->size() > richest.size()) richest = *message;
      }
    }
    return out;
  }();
  return messages;
}

TEST(ReduceMessage, ChangesNothingWhereEverythingIsSent) {
  const SentPoints everything = Everything();
  for (const std::string& path : CapturePaths()) {
    const RecordedCapture capture(path);
    EXPECT_EQ(capture.Reduce(everything), capture.All()) << path;
  }
}

TEST(ReduceMessage, LeavesOutWhatIsNotSent) {
  const SentPoints everything = Everything();
  for (const auto& [point, message] : RichestMessages()) {
    SentPoints sent = everything;
    sent.erase(point);
    EXPECT_EQ(ReduceMessage(message, sent), std::nullopt) << point;
  }
}

TEST(ReduceMessage, NamesEverySideOfEveryPointThatWasRecorded) {
  const SentPoints everything = Everything();
  EXPECT_GT(RichestMessages().size(), 90u);
  for (const auto& [point, message] : RichestMessages()) {
    EXPECT_TRUE(everything.contains(point)) << point;
  }
}

// The names of context fields are not always those of the message.
std::string WireName(const std::string& context_field) {
  static const std::map<std::string, std::string> names = {
      {"time", "time_ns"},
      {"task_start_time", "thread_start_time_ns"},
      {"group_id", "thread_group_id"},
      {"thread_group_start_time", "thread_group_start_time_ns"}};
  const auto found = names.find(context_field);
  return "context_data." + (found == names.end() ? context_field : found->second);
}

// By its own names, not by the code that is tested.
bool BelongsTo(const std::string& optional_field, const std::string& wire_name) {
  const std::string first = wire_name.substr(0, wire_name.find('.'));
  if (optional_field == "fd_info")
    return first == "stdin" || first == "stdout" || first == "stderr";
  if (optional_field == "pipe_proc_info") {
    return first == "pipe_input_proc" || first == "pipe_output_proc";
  }
  if (optional_field == "binary_info") {
    static const std::set<std::string> kOfFile = {
        "binary_mode",  "binary_uid",     "binary_gid",  "binary_overlayfs_upper",
        "binary_ino",   "binary_ctime",   "binary_size", "binary_overlayfs_lower",
        "binary_nlink", "binary_in_memfd"};
    return kOfFile.contains(first);
  }
  return first == optional_field;
}

// Reduced by one field, a message has all others, in order and unchanged.
void ExpectJustThisGone(const std::string& point, const std::string& message,
                        const SentPoints& sent, const std::function<bool(std::string)>& goes,
                        size_t& gone) {
  const auto reduced = ReduceMessage(message, sent);
  ASSERT_TRUE(reduced) << point;
  auto expected = Fields(message).all;
  gone += std::erase_if(expected, [&](const auto& field) { return goes(field.first); });
  EXPECT_EQ(Fields(*reduced).all, expected) << point;
}

TEST(ReduceMessage, TakesOutAContextFieldAndNothingElse) {
  std::map<std::string, size_t> gone;
  const SentPoints everything = Everything();
  for (const auto& [point, message] : RichestMessages()) {
    // A raw exit's fields stand at the enter.
    std::string entry = point;
    if (point.starts_with("syscall/sysno/") && point.ends_with("/exit")) {
      entry.replace(entry.size() - 4, 4, "enter");
    }
    for (const std::string_view field : AllContextFields()) {
      SentPoints sent = {{point, everything.at(point)}, {entry, everything.at(entry)}};
      sent[entry].context.erase(std::string(field));
      const std::string wire = WireName(std::string(field));
      ExpectJustThisGone(
          point, message, sent,
          [&](const std::string& name) { return name == wire || name.starts_with(wire + "."); },
          gone[std::string(field)]);
    }
  }
  for (const std::string_view field : AllContextFields()) {
    EXPECT_GT(gone[std::string(field)], 0u) << field;
  }
}

TEST(ReduceMessage, TakesOutAnOptionalFieldAndNothingElse) {
  std::map<std::string, size_t> gone;
  const SentPoints everything = Everything();
  for (const auto& [point, message] : RichestMessages()) {
    for (const std::string& field : everything.find(point)->second.optional) {
      SentPoints sent = {{point, everything.at(point)}};
      sent[point].optional.erase(field);
      ExpectJustThisGone(
          point, message, sent, [&](const std::string& name) { return BelongsTo(field, name); },
          gone[field]);
    }
  }
  EXPECT_EQ(gone.size(), 8u) << "fd_path, envv, env and five of sentry/execve";
  for (const auto& [field, count] : gone) {
    // No recording has a program at the other end of a pipe.
    if (field == "pipe_proc_info") continue;
    EXPECT_GT(count, 0u) << field;
  }
}

TEST(ReduceMessage, ARawExitHasTheContextOfTheEntersEntry) {
  const auto found = RichestMessages().find("syscall/sysno/308/exit");
  ASSERT_NE(found, RichestMessages().end());
  const auto context_fields = [&](const SentPoints& sent) {
    const auto reduced = ReduceMessage(found->second, sent);
    EXPECT_TRUE(reduced);
    const auto all = Fields(*reduced).all;
    return std::ranges::count_if(
        all, [](const auto& field) { return field.first.starts_with("context_data."); });
  };
  SentPoints sent;
  sent["syscall/sysno/308/exit"].context = {"time", "thread_id"};
  EXPECT_EQ(context_fields(sent), 0) << "nobody asks for the enter";
  sent["syscall/sysno/308/exit"].context.clear();
  sent["syscall/sysno/308/enter"].context = {"time", "thread_id"};
  EXPECT_EQ(context_fields(sent), 2);
}

TEST(ReduceMessage, KeepsWhatCanNotBeRead) {
  EXPECT_EQ(ReduceMessage("", {}), "");
  EXPECT_EQ(ReduceMessage("no message", {}), "no message");
}

}  // namespace
}  // namespace gyrfalcon::testing
