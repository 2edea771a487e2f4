// The cases of Falco's old gVisor engine: its messages, as JSON, made into what runsc sends and put
// through decoding and state; then the event's type and its arguments by name. Where we differ on
// purpose, tests/conformance/deviations.json says why.
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/test_replay.h"
#include "fields/field.h"
#include "points/test_message.h"
#include "runsc/process_list.h"
#include "runsc/session.h"
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

using nlohmann::json;
using testing::Message;

json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return json::parse(file);
}

MessageType TypeOf(const std::string& name) {
  static const std::map<std::string, MessageType> kTypes = {
      {"MESSAGE_CONTAINER_START", MessageType::kContainerStart},
      {"MESSAGE_SYSCALL_RAW", MessageType::kRaw},
      {"MESSAGE_SYSCALL_EXECVE", MessageType::kExecve},
      {"MESSAGE_SYSCALL_CLONE", MessageType::kClone},
      {"MESSAGE_SYSCALL_FORK", MessageType::kFork},
      {"MESSAGE_SYSCALL_SOCKETPAIR", MessageType::kSocketPair},
  };
  const auto found = kTypes.find(name);
  EXPECT_NE(found, kTypes.end()) << name << ": add it to the table";
  return found == kTypes.end() ? MessageType::kUnknown : found->second;
}

// Fields that the recorder's JSON leaves out, as runsc never does: the system call's number.
Message Encode(const MessageSpec& spec, json fields, uint64_t sysno) {
  Message out;
  for (const FieldSpec& field : spec.fields) {
    const std::string name(field.name);
    if (name == "sysno" && !(fields.contains(name) && fields[name].is_number())) {
      fields[name] = sysno;
    }
    if (!fields.contains(name)) continue;
    const json& value = fields[name];
    if (field.nested != nullptr) {
      out.Nested(field.number, Encode(*field.nested, value, sysno));
    } else if (value.is_array()) {
      for (const json& item : value) out.Text(field.number, item.get<std::string>());
    } else if (value.is_string()) {
      out.Text(field.number, value.get<std::string>());
    } else if (value != 0) {  // proto3 sends no zeros
      out.Number(field.number, value.get<int64_t>());
    }
    fields.erase(name);
  }
  EXPECT_TRUE(fields.empty()) << "unknown fields of " << spec.name << ": " << fields;
  return out;
}

uint64_t SysnoOf(MessageType type) {
  for (const PointDef& point : Points()) {
    if (point.message == type && point.is_syscall()) {
      return static_cast<uint64_t>(point.sysno_x86_64);
    }
  }
  return 0;
}

class GvisorParsers : public ::testing::Test, private HappeningSink {
 protected:
  void SetUp() override {
    const std::string path = testing::SharedPath("conformance/gvisor-parsers.json");
    if (path.empty()) GTEST_SKIP() << "no ../shared/conformance/gvisor-parsers.json";
    cases_ = ReadJson(path)["cases"];
    const json listed =
        ReadJson(std::string(GYRFALCON_TEST_DATA) + "/../conformance/deviations.json");
    for (const json& entry : listed) {
      if (entry["file"] == "gvisor-parsers") deviations_.insert(entry["case"].get<std::string>());
    }
  }
  void TearDown() override {
    if (IsSkipped()) return;
    for (const std::string& name : used_) deviations_.erase(name);
    for (const std::string& name : deviations_) {
      // Each kind of case is a test of its own: what it has not met is another's.
      const auto is_it = [&](const json& c) {
        return name.starts_with(c["name"].get<std::string>()) && c["kind"] == kind_;
      };
      EXPECT_TRUE(std::ranges::none_of(cases_, is_it)) << name << ": listed, but does not differ";
    }
  }

  template <class Check>
  void ForEach(const std::string& kind, Check&& check) {
    kind_ = kind;
    size_t count = 0;
    for (const json& c : cases_) {
      if (c["kind"] != kind) continue;
      SCOPED_TRACE(c.dump());
      ++count;
      if (!Listed(c["name"])) check(c);
    }
    EXPECT_GT(count, 0u);
  }
  bool Listed(const std::string& name) {
    if (!deviations_.contains(name)) return false;
    used_.insert(name);
    return true;
  }

  // A happening's type, direction and arguments, printed.
  struct Told {
    std::string type, dir, container;
    std::map<std::string, std::string> args;
  };

  // All that one case's message tells, with what settles it: a further message of the thread.
  std::vector<Told> Send(const json& c) {
    told_.clear();
    asked_.clear();
    const json events = c["expect"].value("events", json::array());
    for (const json& event : events) {
      const json params = event.value("params", json::object());
      for (const auto& [name, value] : params.items()) asked_.insert(name);
    }
    const MessageType type = TypeOf(c["message_type"]);
    const MessageSpec& spec = *FindMessage(static_cast<uint16_t>(type));
    Sandbox sandbox({}, Arch::kX86_64);
    SendTo(sandbox, type, Encode(spec, c["message"], SysnoOf(type)));
    containers_ = sandbox.TakeNewContainers();
    const size_t count = told_.size();
    if (type == MessageType::kExecve) {
      SendTo(sandbox, MessageType::kClose, Message().Nested(2, Message()).Number(3, 3));
      if (!told_.empty()) told_.pop_back();  // the close itself
      EXPECT_GE(told_.size(), count);
    }
    return told_;
  }

  json cases_;
  std::vector<std::string> containers_;

 private:
  void SendTo(Sandbox& sandbox, MessageType type, const Message& message) {
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), testing::AsBytes(message.bytes()), event));
    sandbox.Apply(event, 1, *this);
  }
  std::string Ask(const std::string& field, const Happening& happening) {
    const auto bound = AllFields().Bind(field, std::nullopt);
    if (!bound) return "(no such field)";
    std::string out;
    AppendPrinted(bound->Extract(happening, scratch_), bound->print, out);
    return out;
  }
  void OnHappening(const Happening& happening) override {
    scratch_.Reset();
    Told told{.type = Ask("evt.type", happening),
              .dir = Ask("evt.dir", happening),
              .container = Ask("container.full_id", happening),
              .args = {}};
    for (const std::string& name : asked_) told.args[name] = Ask("evt.rawarg." + name, happening);
    told_.push_back(std::move(told));
  }

  std::set<std::string> deviations_, used_, asked_;
  std::string kind_;
  std::vector<Told> told_;
  Scratch scratch_;
};

TEST_F(GvisorParsers, ContainerIds) {
  ForEach("container_id", [this](const json& c) {
    Send(c);
    EXPECT_EQ(containers_, std::vector<std::string>{c["expect"]["container_id"]});
  });
}

// A list is its items, each with a NUL behind it.
std::string Printed(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const json& item : value) out += item.get<std::string>() + '\0';
  return out;
}

TEST_F(GvisorParsers, Events) {
  ForEach("event", [this](const json& c) {
    std::vector<Told> told = Send(c);
    // The process is met for the first time: its program's start is told before what it does.
    std::erase_if(told, [&](const Told& t) {
      return t.type == "execve" && c["message_type"] != "MESSAGE_SYSCALL_EXECVE" &&
             c["message_type"] != "MESSAGE_CONTAINER_START";
    });
    const json& expected = c["expect"];
    if (!expected.contains("events")) {
      EXPECT_TRUE(told.empty() || expected["status"] != "not_supported");
      return;
    }
    ASSERT_EQ(told.size(), expected["events"].size());
    for (size_t i = 0; i < told.size(); ++i) {
      const json& event = expected["events"][i];
      const std::string type = event.value("type", "");
      EXPECT_TRUE(type.empty() || told[i].type == type) << told[i].type;
      EXPECT_EQ(told[i].dir, "<");
      const json params = event.value("params", json::object());
      for (const auto& [name, value] : params.items()) {
        if (Listed(c["name"].get<std::string>() + "." + name)) continue;
        EXPECT_EQ(told[i].args.at(name), value.empty() ? "" : Printed(value)) << name;
      }
    }
  });
}

TEST_F(GvisorParsers, Configs) {
  ForEach("config", [](const json& c) {
    const std::string socket = "/tmp/gvisor.sock";
    if (c.contains("json_value")) {
      const auto config = ParseSessionConfig("session.json", c["json_value"].dump());
      ASSERT_TRUE(config);
      EXPECT_EQ(config->endpoint, c["expect"]["endpoint"].get<std::string>());
      return;
    }
    const json made = json::parse(GenerateFullSession({.socket_path = socket}));
    EXPECT_EQ(made["trace_session"]["sinks"][0]["config"]["endpoint"], socket);
  });
}

bool Contains(const std::vector<std::string>& texts, const std::string& text) {
  return std::ranges::find(texts, text) != texts.end();
}

TEST_F(GvisorParsers, Procfs) {
  std::map<std::string, json> values;
  for (const json& c : cases_) {
    if (c.contains("json_value")) values[c["name"]] = c["json_value"];
  }
  ForEach("procfs", [&](const json& c) {
    json value = c.value("json_value", json());
    if (c.contains("json_value_patch")) {
      value = values.at(c["json_value_patch"]["of"]);
      value.update(c["json_value_patch"]["set"]);
    }
    const auto process =
        ParseProcess(c.contains("json") ? c["json"].get<std::string>() : value.dump());
    const json& expected = c["expect"];
    if (expected["status"] != "ok") {
      ASSERT_FALSE(process);
      EXPECT_EQ(process.error().message, expected.value("error", process.error().message));
      return;
    }
    ASSERT_TRUE(process) << process.error().message;
    EXPECT_EQ(process->tgid, expected["vtid"].get<int32_t>());
    EXPECT_EQ(process->name, expected["comm"].get<std::string>());
    EXPECT_EQ(process->exe_path, expected["exepath"].get<std::string>());
    EXPECT_TRUE(Contains(process->argv, expected["args_contains"]));
    for (const json& variable : expected["env_contains"]) {
      EXPECT_TRUE(Contains(process->env, variable)) << variable;
    }
  });
}

// Falco's ids of sandboxes: we have none.
TEST_F(GvisorParsers, OthersAreListed) {
  ForEach("platform", [](const json& c) { ADD_FAILURE() << c["name"] << " is not listed"; });
}

}  // namespace
}  // namespace gyrfalcon
