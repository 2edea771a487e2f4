#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "cli/arguments.h"
#include "cli/config.h"
#include "engine/counters.h"
#include "service/control.h"
#include "service/instance.h"

namespace gyrfalcon {

namespace {

// For a probe of one of several instances on a machine. Well is who listens and answers, and who
// stands by while a newer one does; not, who has not taken over yet.
int JudgeInstance(const std::string& socket, const std::string& name, bool json,
                  const nlohmann::ordered_json& status) {
  const auto own = FindInstance(socket, name);
  if (!own) return Report(own.error());
  const auto number = status.find("instance");
  const bool is_numbered = number != status.end() && number->is_number_unsigned();
  const uint64_t listening = is_numbered ? number->get<uint64_t>() : 0;
  const auto say = [json](std::string_view verdict, int code) {
    if (json) {
      fmt::print("{}\n", nlohmann::json{{"instance", verdict}}.dump());
    } else {
      fmt::print("{}\n", verdict);
    }
    return code;
  };
  if (*own != 0 && *own < listening) return say("stands by", kExitOk);
  if (*own == 0 || *own != listening) return say("has not taken over yet", kExitNotWell);
  const auto health = AskDaemon(ControlSocketPath(socket), "/healthz");
  return health ? say("listens", kExitOk) : Report(health.error());
}

}  // namespace

int ShowStatus(std::vector<std::string> args) {
  const auto app = MakeApp("status");
  std::string socket;
  bool json = false;
  app->add_option("--socket", socket, "The daemon's socket (default: the daemon's default)");
  std::string instance;
  app->add_flag("--json", json, "Print JSON");
  auto* judged = app->add_option("--instance", instance,
                                 "Whether all is well with that instance of `run --takeover "
                                 "--instance` (default: $GYRFALCON_INSTANCE); 1: not");
  judged->expected(0, 1);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (judged->count() != 0 && instance.empty()) instance = Environment("GYRFALCON_INSTANCE");
  if (judged->count() != 0 && !IsInstanceName(instance)) {
    return Report({"--instance: no name, and GYRFALCON_INSTANCE has none", Fault::kUsage});
  }
  if (socket.empty()) socket = DefaultSocketPath();
  const auto answer = AskDaemon(ControlSocketPath(socket), "/status");
  if (!answer) return Report(answer.error());
  if (json && instance.empty()) {
    fmt::print("{}", *answer);
    return kExitOk;
  }
  const auto status = nlohmann::ordered_json::parse(*answer, nullptr, false);
  if (!status.is_object() || !status.contains("counters")) {
    return Report({"the daemon's answer makes no sense", Fault::kEnvironment});
  }
  if (!instance.empty()) return JudgeInstance(socket, instance, json, status);
  fmt::print("{:<28} {}\n", "sandboxes", status["sandboxes"].dump());
  for (const auto& [name, value] : status["counters"].items()) {
    fmt::print("{:<28} {}\n", name, value.dump());
  }
  const auto store = status.value("store", nlohmann::ordered_json::object());
  for (const auto& [name, value] : store.items()) {
    fmt::print("{:<28} {}\n", "store_" + name, value.dump());
  }
  const auto outputs = status.value("outputs", nlohmann::ordered_json::array());
  for (const auto& output : outputs) {
    fmt::print("output {}:", output.value("name", ""));
    for (const auto& [name, value] : output.items()) {
      if (name != "name") fmt::print(" {} {}", name, value.dump());
    }
    fmt::print("\n");
  }
  return kExitOk;
}

}  // namespace gyrfalcon
