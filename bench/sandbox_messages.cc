#include "sandbox_messages.h"

#include <cstring>
#include <string_view>

#include <protozero/pbf_writer.hpp>

#include "base/clock.h"
#include "points/schema.h"

namespace gyrfalcon {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int kOpenatSysno = 257;

struct Actor {
  std::string_view container_id;
  int32_t tgid;
  std::string_view name;
};

// Fields of a message beside its context are numbered as in points/schema.cc.
class Message {
 public:
  explicit Message(MessageType type) {
    const std::string head{8, 0, static_cast<char>(type), 0, 0, 0, 0, 0};
    bytes_ = head;
  }

  // Started one second ago, plus its number.
  Message& From(const Actor& actor) {
    const int64_t now = RealTimeNs();
    const int64_t started = StartOf(actor.tgid);
    std::string context;
    protozero::pbf_writer writer(context);
    writer.add_int64(1, now);
    writer.add_int32(2, actor.tgid);
    writer.add_int64(3, started);
    writer.add_int32(4, actor.tgid);
    writer.add_int64(5, started);
    writer.add_string(6, actor.container_id.data(), actor.container_id.size());
    writer.add_message(7, std::string());  // root
    writer.add_string(8, "/srv/app");
    writer.add_string(9, actor.name.data(), actor.name.size());
    if (actor.tgid != 1) writer.add_int32(10, 1);
    protozero::pbf_writer(bytes_).add_message(1, context);
    return *this;
  }
  Message& Text(uint32_t field, std::string_view text) {
    protozero::pbf_writer(bytes_).add_string(field, text.data(), text.size());
    return *this;
  }
  Message& Number(uint32_t field, int64_t value) {
    protozero::pbf_writer(bytes_).add_int64(field, value);
    return *this;
  }
  Message& Exit(uint32_t field, int64_t result) {
    std::string exit;
    protozero::pbf_writer(exit).add_int64(1, result);
    protozero::pbf_writer(bytes_).add_message(field, exit);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

  static int64_t StartOf(int32_t tgid) {
    static const int64_t begin = RealTimeNs() - kSecond;
    return begin + tgid;
  }

 private:
  std::string bytes_;
};

void AddProgram(Message& message, uint32_t args_field, std::string_view name, int32_t number) {
  message.Text(args_field, name).Text(args_field, "--config=/srv/app/conf/worker.yaml");
  message.Text(args_field, "--worker=" + std::to_string(number));
  for (const std::string_view variable :
       {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
        "LANG=C.UTF-8", "HOSTNAME=app-7f9c6d5b4-x2x9q", "KUBERNETES_SERVICE_HOST=10.96.0.1",
        "KUBERNETES_SERVICE_PORT=443", "APP_ENV=production", "APP_CACHE=/var/cache/app"}) {
    message.Text(args_field + 1, variable);
  }
}

std::string Opened(const Actor& actor, int64_t fd, std::string_view path) {
  return Message(MessageType::kOpen)
      .From(actor)
      .Exit(2, fd)
      .Number(3, kOpenatSysno)
      .Number(4, -100)
      .Text(6, path)
      .bytes();
}

}  // namespace

std::vector<std::string> SandboxThatRuns(const std::string& container_id, int processes,
                                         int files) {
  const Actor init{container_id, 1, "init"};
  std::vector<std::string> out;
  Message start(MessageType::kContainerStart);
  start.From(init).Text(2, container_id).Text(3, "/srv/app");
  AddProgram(start, 4, "/srv/app/bin/init", 1);
  out.push_back(start.bytes());
  for (int32_t tgid = 2; tgid <= processes; ++tgid) {
    out.push_back(Message(MessageType::kSentryClone)
                      .From(init)
                      .Number(3, tgid)
                      .Number(4, tgid)
                      .Number(5, Message::StartOf(tgid))
                      .bytes());
    const Actor child{container_id, tgid, "worker"};
    Message exec(MessageType::kSentryExec);
    exec.From(child).Text(2, "/srv/app/bin/worker");
    AddProgram(exec, 3, "/srv/app/bin/worker", tgid);
    out.push_back(exec.bytes());
    for (int fd = 3; fd < 3 + files; ++fd) {
      out.push_back(Opened(child, fd, "/srv/app/data/file-" + std::to_string(fd) + ".db"));
    }
  }
  return out;
}

std::string OpenedFile(const std::string& container_id, const std::string& path) {
  return Opened({container_id, 1, "init"}, 3, path);
}

}  // namespace gyrfalcon
