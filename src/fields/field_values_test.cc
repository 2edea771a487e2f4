// Holds field values against Falco's own on the events of its unit tests: of those events that
// gVisor can tell, and of those fields that follow from the event itself. What is left out is
// counted by reason. The recordings lie beside the repository; where they are missing the test is
// skipped. Differences that are meant are in tests/conformance/deviations.json.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <time.h>

#include "fields/field.h"
#include "fields/flag_names.h"
#include "points/test_message.h"
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;
using testing::Message;

std::optional<Json> ReadJson(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return Json::parse(file);
}

std::string FromHex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return out;
}

// ---- Falco's event

struct FalcoEvent {
  explicit FalcoEvent(const Json& recorded) : json(recorded) {}

  const Json* Param(std::string_view name) const {
    for (const Json& param : json.at("params")) {
      if (param.at("name") == name) return &param;
    }
    return nullptr;
  }
  std::string Bytes(std::string_view name) const {
    const Json* param = Param(name);
    return param == nullptr ? std::string() : FromHex(param->value("hex", ""));
  }
  int64_t Number(std::string_view name) const {
    const std::string raw = Bytes(name);
    uint64_t value = 0;
    for (size_t i = raw.size(); i-- > 0;) {
      value = (value << 8) | static_cast<unsigned char>(raw[i]);
    }
    return static_cast<int64_t>(value);
  }
  std::string Text(std::string_view name) const {
    std::string raw = Bytes(name);
    return raw.substr(0, raw.find('\0'));
  }
  std::string Type() const { return json.at("type"); }
  int64_t TimeNs() const { return json.at("ts"); }

  const Json& json;
};

// Falco's address bytes (family, address, port in host order) as the kernel's sockaddr.
std::string Sockaddr(std::string_view falco) {
  const bool v4 = falco.size() == 7;
  if (!v4 && falco.size() != 19) return {};
  const std::string_view address = falco.substr(1, v4 ? 4 : 16);
  const std::string port = {falco[falco.size() - 1], falco[falco.size() - 2]};
  std::string out = {falco[0], '\0'};
  out += port;
  if (!v4) out += std::string(4, '\0');
  out += address;
  return out + std::string(v4 ? 8 : 4, '\0');
}

struct Ends {
  std::string source, target;  // as Sockaddr takes them
};

std::optional<Ends> TupleEnds(const std::string& raw) {
  const size_t size = raw.size() == 13 ? 6 : (raw.size() == 37 ? 18 : 0);
  if (size == 0) return std::nullopt;
  return Ends{raw.substr(0, 1) + raw.substr(1, size), raw.substr(0, 1) + raw.substr(1 + size)};
}

uint32_t KernelFlags(Vocabulary vocabulary, uint32_t falco) {
  uint32_t kernel = 0;
  const uint32_t none = FalcoNumber(vocabulary, 0);
  for (int bit = 2; bit < 32; ++bit) {
    const uint32_t number = FalcoNumber(vocabulary, uint64_t{1} << bit) & ~none;
    if (number != 0 && (falco & number) == number) kernel |= uint32_t{1} << bit;
  }
  if (vocabulary == Vocabulary::kOpenFlags) kernel |= (falco & 3) == 0 ? 0 : (falco & 3) - 1;
  return kernel;
}

// ---- the gVisor message that carries the same

enum class From : uint8_t { kNumber, kText, kOpenFlags, kFdFlags, kSockaddr, kTarget, kPeer };

struct Parameter {
  std::string_view falco;
  std::string_view gvisor;  // the message's field
  From from = From::kNumber;
};

struct Mapping {
  std::string_view event_type;
  MessageType message;
  int64_t sysno;
  std::vector<Parameter> parameters;
};

const std::vector<Mapping>& Mappings() {
  using enum MessageType;
  static const std::vector<Mapping> kMappings = {
      {"open",
       kOpen,
       2,
       {{"name", "pathname", From::kText}, {"flags", "flags", From::kOpenFlags}, {"mode", "mode"}}},
      {"openat",
       kOpen,
       257,
       {{"dirfd", "fd"},
        {"name", "pathname", From::kText},
        {"flags", "flags", From::kOpenFlags},
        {"mode", "mode"}}},
      {"creat", kOpen, 85, {{"name", "pathname", From::kText}, {"mode", "mode"}}},
      {"dup", kDup, 32, {{"oldfd", "old_fd"}}},
      {"dup2", kDup, 33, {{"oldfd", "old_fd"}, {"newfd", "new_fd"}}},
      {"dup3",
       kDup,
       292,
       {{"oldfd", "old_fd"}, {"newfd", "new_fd"}, {"flags", "flags", From::kFdFlags}}},
      {"signalfd", kSignalfd, 282, {{"fd", "fd"}, {"mask", "sigset"}}},
      {"signalfd4",
       kSignalfd,
       289,
       {{"fd", "fd"}, {"mask", "sigset"}, {"flags", "flags", From::kFdFlags}}},
      {"eventfd", kEventfd, 284, {{"initval", "val"}, {"flags", "flags"}}},
      {"eventfd2", kEventfd, 290, {{"initval", "val"}, {"flags", "flags", From::kFdFlags}}},
      {"timerfd_create", kTimerfdCreate, 283, {{"clockid", "clock_id"}, {"flags", "flags"}}},
      {"inotify_init", kInotifyInit, 253, {{"flags", "flags"}}},
      {"inotify_init1", kInotifyInit, 294, {{"flags", "flags", From::kFdFlags}}},
      {"pipe", kPipe, 22, {{"fd1", "reader"}, {"fd2", "writer"}}},
      {"pipe2",
       kPipe,
       293,
       {{"fd1", "reader"}, {"fd2", "writer"}, {"flags", "flags", From::kFdFlags}}},
      {"socket", kSocket, 41, {{"domain", "domain"}, {"type", "type"}, {"proto", "protocol"}}},
      {"connect", kConnect, 42, {{"fd", "fd"}, {"tuple", "address", From::kTarget}}},
      {"bind", kBind, 49, {{"fd", "fd"}, {"addr", "address", From::kSockaddr}}},
      {"accept", kAccept, 43, {{"tuple", "address", From::kPeer}}},
      {"setuid", kSetid, 105, {{"uid", "id"}}},
      {"setgid", kSetid, 106, {{"gid", "id"}}},
      {"setresuid", kSetresid, 117, {{"ruid", "rid"}, {"euid", "eid"}, {"suid", "sid"}}},
      {"setresgid", kSetresid, 119, {{"rgid", "rid"}, {"egid", "eid"}, {"sgid", "sid"}}},
      {"chdir", kChdir, 80, {{"path", "pathname", From::kText}}},
      {"epoll_create", kRaw, 213, {{"size", "arg1"}}},
      {"epoll_create1", kRaw, 291, {{"flags", "arg1"}}},
      {"userfaultfd", kRaw, 323, {}},
      {"umount2", kRaw, 166, {{"flags", "arg2"}}},
      {"fchmod", kRaw, 91, {{"fd", "arg1"}, {"mode", "arg2"}}},
      {"chmod", kRaw, 90, {{"mode", "arg2"}}},
      {"fchown", kRaw, 93, {{"fd", "arg1"}, {"uid", "arg2"}, {"gid", "arg3"}}},
      {"bpf", kRaw, 321, {{"cmd", "arg1"}}},
  };
  return kMappings;
}

uint32_t FieldNumber(MessageType type, std::string_view name) {
  for (const FieldSpec& field : FindMessage(static_cast<uint16_t>(type))->fields) {
    if (field.name == name) return field.number;
  }
  ADD_FAILURE() << "no message field " << name;
  return 1;
}

class Replayed : private HappeningSink {
 public:
  // Everything that the event needs to be there first, then the event. False: gVisor has no such
  // message.
  explicit Replayed(const FalcoEvent& event) : event_(event) {}

  bool Ask(const BoundField& field, std::string& answer) {
    std::optional<std::pair<MessageType, Message>> message = Build();
    if (!message) return false;
    Prepare();
    asked_ = &field;
    answer_ = &answer;
    answer = "(no event)";
    Send(message->first, message->second);
    return true;
  }

 private:
  Message Context(int64_t time_ns) const {
    Message context;
    context.Number(1, time_ns).Number(2, Tid()).Number(4, Tid()).Text(8, "/root");
    return context;
  }
  int32_t Tid() const { return event_.json.at("tid").get<int32_t>(); }

  void Send(MessageType type, const Message& message) {
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), testing::AsBytes(message.bytes()), event));
    sandbox_.Apply(event, 0, *this);
  }

  Message Call(MessageType type, int64_t sysno, int64_t result, int64_t time_ns) const {
    Message message;
    message.Nested(FieldNumber(type, "context_data"), Context(time_ns));
    message.Nested(FieldNumber(type, "exit"), result < 0 ? Message().Number(1, 0).Number(2, -result)
                                                         : Message().Number(1, result));
    if (sysno > 0) message.Number(FieldNumber(type, "sysno"), sysno);
    return message;
  }

  void Open(int64_t fd, std::string_view path) {
    Message open = Call(MessageType::kOpen, 2, fd, event_.TimeNs() - 1);
    open.Number(4, AT_FDCWD).Text(6, path);
    Send(MessageType::kOpen, open);
  }

  void Socket(int64_t fd, bool v6, int type) {
    Message socket = Call(MessageType::kSocket, 41, fd, event_.TimeNs() - 1);
    socket.Number(4, v6 ? 10 : 2).Number(5, type);
    Send(MessageType::kSocket, socket);
  }

  // The files and sockets that Falco knew for the event's fds.
  void Prepare() {
    for (const Json& param : event_.json.at("params")) {
      const std::string known = param.value("resolved", "");
      if (param.at("type") != "FD" || !known.starts_with('<')) continue;
      const int64_t fd = event_.Number(param.at("name").get<std::string>());
      const std::string name = known.substr(known.find('>') + 1);
      if (known.starts_with("<f>") || known.starts_with("<d>")) Open(fd, name);
      if (known.starts_with("<4") || known.starts_with("<6")) {
        Socket(fd, known[1] == '6', known[2] == 'u' ? 2 : 1);
      }
    }
    if (event_.Type() != "accept") return;
    constexpr int64_t kListening = 90;
    const auto ends = TupleEnds(event_.Bytes("tuple"));
    Socket(kListening, ends && ends->target.size() > 7, 1);
    if (!ends) return;
    Message listen = Call(MessageType::kListen, 50, 0, event_.TimeNs() - 1);
    listen.Number(FieldNumber(MessageType::kListen, "fd"), kListening)
        .Text(FieldNumber(MessageType::kListen, "address"), Sockaddr(ends->target));
    Send(MessageType::kListen, listen);
  }

  std::optional<std::pair<MessageType, Message>> Build() const {
    if (event_.Type() == "execve") return BuildExec();
    if (event_.Type() == "procexit") {
      Message exit;
      exit.Nested(FieldNumber(MessageType::kSentryTaskExit, "context_data"),
                  Context(event_.TimeNs()));
      return std::pair(MessageType::kSentryTaskExit, exit);
    }
    const auto mapping = std::ranges::find(Mappings(), event_.Type(), &Mapping::event_type);
    if (mapping == Mappings().end()) return std::nullopt;
    const bool by_fd = event_.Param("res") == nullptr;
    Message message = Call(mapping->message, mapping->sysno, event_.Number(by_fd ? "fd" : "res"),
                           event_.TimeNs());
    if (event_.Type() == "open") message.Number(4, AT_FDCWD);
    if (event_.Type() == "accept") message.Number(FieldNumber(mapping->message, "fd"), 90);
    for (const Parameter& parameter : mapping->parameters) {
      Add(parameter, mapping->message, message);
    }
    return std::pair(mapping->message, message);
  }

  void Add(const Parameter& parameter, MessageType type, Message& message) const {
    const uint32_t field = FieldNumber(type, parameter.gvisor);
    const auto flags = [&](Vocabulary vocabulary) {
      message.Number(
          field, KernelFlags(vocabulary, static_cast<uint32_t>(event_.Number(parameter.falco))));
    };
    switch (parameter.from) {
      case From::kNumber:
        message.Number(field, event_.Number(parameter.falco));
        break;
      case From::kText:
        message.Text(field, event_.Text(parameter.falco));
        break;
      case From::kOpenFlags:
        flags(Vocabulary::kOpenFlags);
        break;
      case From::kFdFlags:
        flags(Vocabulary::kFdFlags);
        break;
      case From::kSockaddr:
        message.Text(field, Sockaddr(event_.Bytes(parameter.falco)));
        break;
      case From::kTarget:
        if (const auto ends = TupleEnds(event_.Bytes(parameter.falco))) {
          message.Text(field, Sockaddr(ends->target));
        }
        break;
      case From::kPeer:
        if (const auto ends = TupleEnds(event_.Bytes(parameter.falco))) {
          message.Text(field, Sockaddr(ends->source));
        }
        break;
    }
  }

  static void AddList(const std::string& items, uint32_t field, Message& message) {
    for (size_t at = 0; at < items.size();) {
      const size_t end = std::min(items.find('\0', at), items.size());
      message.Text(field, items.substr(at, end - at));
      at = end + 1;
    }
  }

  std::pair<MessageType, Message> BuildExec() const {
    const int64_t result = event_.Number("res");
    const auto type = result < 0 ? MessageType::kExecve : MessageType::kSentryExec;
    Message message;
    message.Nested(FieldNumber(type, "context_data"), Context(event_.TimeNs()));
    if (result < 0) {
      message.Nested(FieldNumber(type, "exit"), Message().Number(2, -result))
          .Number(FieldNumber(type, "sysno"), 59)
          .Text(FieldNumber(type, "pathname"), event_.Text("filename"));
    } else {
      message.Text(FieldNumber(type, "binary_path"), event_.Text("trusted_exepath"))
          .Text(FieldNumber(type, "execfn"), event_.Text("filename"));
    }
    message.Text(FieldNumber(type, "argv"), event_.Text("exe"));
    AddList(event_.Bytes("args"), FieldNumber(type, "argv"), message);
    AddList(event_.Bytes("env"), FieldNumber(type, result < 0 ? "envv" : "env"), message);
    return {type, message};
  }

  void OnHappening(const Happening& happening) override {
    if (asked_ == nullptr) return;
    scratch_.Reset();
    const bool filter_only = (asked_->flags & kFilterOnly) != 0;
    const Value value = filter_only ? Value() : asked_->ExtractPrinted(happening, scratch_);
    answer_->clear();
    if (value.kind() == ValueKind::kList && QuantifiesOverItems(asked_->flags)) {
      for (const Value& item : value.items()) {
        if (!answer_->empty()) *answer_ += ' ';
        AppendPrinted(item, asked_->print, *answer_);
      }
    } else {
      AppendPrinted(value, asked_->print, *answer_);
    }
  }

  const FalcoEvent& event_;
  Sandbox sandbox_{SandboxLimits{}, Arch::kX86_64};
  Scratch scratch_;
  const BoundField* asked_ = nullptr;
  std::string* answer_ = nullptr;
};

// ---- which cases follow from the event alone

bool IsAmong(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// Why a case can't be asked of one message of gVisor's; "" when it can.
std::string_view Reason(const FalcoEvent& event, std::string_view field, const BoundField& bound) {
  const std::string type = event.Type();
  const std::string_view row = bound.def->name;
  if (IsAmong(row, {"evt.num", "evt.reltime", "fd.types", "evt.hostname"})) {
    return "depends on earlier events, or on the host";
  }
  if (bound.def->availability == Availability::kNever) return "gVisor never tells the field";
  if (IsAmong(field,
              {"evt.arg.dev", "evt.arg.ino", "evt.arg.pgft_maj", "evt.arg.vm_size", "fd.ino"})) {
    return "gVisor does not tell the argument";
  }
  const bool of_process = row.starts_with("proc.") || row.starts_with("thread.") ||
                          row.starts_with("user.") || row.starts_with("group.");
  const bool of_exec =
      type == "execve" && IsAmong(row, {"proc.exe", "proc.args", "proc.exeline", "proc.cmdnargs",
                                        "proc.cmdlenargs", "proc.env", "proc.exepath"});
  const bool of_setid = type.starts_with("set") && event.Number("res") == 0 &&
                        IsAmong(row, {"user.uid", "group.gid"});
  if (of_process && !of_exec && !of_setid) return "depends on the recorder's process tree";
  if (IsAmong(field, {"evt.arg.tid", "evt.arg.pid", "evt.arg.ptid", "evt.arg.loginuid",
                      "evt.arg.pgid", "evt.arg.uid", "evt.arg.cwd", "evt.arg.exe_ino"}) &&
      type == "execve") {
    return "depends on the recorder's process tree";
  }
  if (row == "container.id") return "depends on the recorder's process tree";
  if (type == "connect" && event.Param("tuple") != nullptr &&
      !event.Param("fd")->value("resolved", "").ends_with(event.Param("tuple")->value("str", ""))) {
    return "depends on earlier events, or on the host";
  }
  const bool local_end = IsAmong(row, {"fd.cip", "fd.cport", "fd.name", "fd.lip", "fd.rip",
                                       "fd.lport", "fd.rport", "fd.containername"}) ||
                         IsAmong(field, {"evt.args", "evt.info"});
  if (type == "connect" && local_end) return "gVisor does not tell the local end of a connect";
  if (IsAmong(type, {"bpf", "userfaultfd"}) && IsAmong(row, {"fd.type", "fd.typechar"})) {
    return "gVisor has no such fds";
  }
  const auto mapping = std::ranges::find(Mappings(), type, &Mapping::event_type);
  const bool raw = mapping != Mappings().end() && mapping->message == MessageType::kRaw;
  if (raw && (field == "evt.arg.name" || row.starts_with("fs.path"))) {
    return "gVisor's raw messages have no strings";
  }
  return {};
}

TEST(FieldValues, AreFalcosOnEventsThatGvisorCanTell) {
  const auto data = ReadJson(std::string(GYRFALCON_SHARED) + "/conformance/field-values.json");
  if (!data) GTEST_SKIP() << "no recordings beside the repository";
  const auto tests = std::filesystem::path(GYRFALCON_TEST_DATA).parent_path();
  const auto listed = ReadJson((tests / "conformance" / "deviations.json").string());
  ASSERT_TRUE(listed);
  std::set<std::string> deviations;
  for (const Json& entry : *listed) {
    if (entry.at("file") == "field-values") {
      deviations.insert(entry.at("case").get<std::string>());
    }
  }
  setenv("TZ", "UTC", 1);  // where they were recorded
  tzset();
  std::map<std::string, size_t> left_out;
  size_t agree = 0;
  size_t asked = 0;
  for (const Json& test : data->at("cases")) {
    const FalcoEvent event(data->at("events").at(test.at("event").get<size_t>()));
    const std::string name = test.at("field");
    const size_t bracket = name.find('[');
    const auto bound =
        AllFields().Bind(name.substr(0, bracket),
                         bracket == std::string::npos
                             ? std::nullopt
                             : std::optional<std::string_view>(std::string_view(name).substr(
                                   bracket + 1, name.size() - bracket - 2)));
    if (!bound) {
      EXPECT_TRUE(test.value("value", Json()).is_null()) << name;
      ++left_out["the field does not load, in Falco neither"];
      continue;
    }
    const std::string_view reason = Reason(event, name, *bound);
    std::string ours;
    if (!reason.empty()) {
      ++left_out[std::string(reason)];
      continue;
    }
    if (!Replayed(event).Ask(*bound, ours)) {
      ++left_out["gVisor has no such message"];
      continue;
    }
    ++asked;
    const Json value = test.value("value", Json());
    const std::string falcos = value.is_null() ? "<NA>" : value.get<std::string>();
    const std::string id =
        name + " of " + event.Type() + " in " + test.at("src").at("test").get<std::string>();
    if (ours == falcos) {
      ++agree;
    } else if (!deviations.contains(id)) {
      ADD_FAILURE() << id << "\n  ours:  " << ours.substr(0, 400)
                    << "\n  Falco: " << falcos.substr(0, 400);
    }
  }
  std::printf("field-values: %zu of %zu agree; of %zu recorded, left out:\n", agree, asked,
              data->at("cases").size());
  for (const auto& [reason, count] : left_out) std::printf("  %zu: %s\n", count, reason.c_str());
  EXPECT_GT(asked, 100u);
}

}  // namespace
}  // namespace gyrfalcon
