#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/config.h"
#include "engine/counters.h"
#include "service/control.h"

namespace gyrfalcon {

int ShowStatus(std::vector<std::string> args) {
  const auto app = MakeApp("status");
  std::string socket;
  bool json = false;
  app->add_option("--socket", socket, "The daemon's socket (default: the daemon's default)");
  app->add_flag("--json", json, "Print JSON");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (socket.empty()) socket = DefaultSocketPath();
  const auto answer = AskDaemon(ControlSocketPath(socket), "/status");
  if (!answer) return Report(answer.error());
  if (json) {
    fmt::print("{}", *answer);
    return kExitOk;
  }
  const auto status = nlohmann::ordered_json::parse(*answer, nullptr, false);
  if (!status.is_object() || !status.contains("counters")) {
    return Report({"the daemon's answer makes no sense", Fault::kEnvironment});
  }
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
