#include "cli/prove_session.h"

#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "cli/file.h"
#include "cli/scratch_folder.h"
#include "runsc/child.h"
#include "wire/handshake.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

// Answers the sandbox and counts what it sends, on threads of its own.
class Counter {
 public:
  Result<void> Start(const std::string& socket) {
    auto listener = Listener::Open(socket);
    if (!listener) return std::unexpected(listener.error());
    listener_ = std::make_unique<Listener>(std::move(*listener));
    auto handshakes = HandshakeService::Start(
        *listener_, {},
        [this](AcceptedConnection connection) {
          const std::scoped_lock lock(mutex_);
          connections_.push_back(std::move(connection.fd));
          ++connected_;
        },
        nullptr);
    if (!handshakes) return std::unexpected(handshakes.error());
    handshakes_ = std::move(*handshakes);
    reader_ = std::jthread([this](const std::stop_token& stop) {
      constexpr std::chrono::milliseconds kPause{5};
      while (!stop.stop_requested()) {
        ReadAll();
        std::this_thread::sleep_for(kPause);
      }
      ReadAll();
    });
    return {};
  }

  void Stop() {
    handshakes_.reset();
    reader_ = {};
  }
  uint64_t connected() const { return connected_; }
  uint64_t messages() const { return messages_; }

 private:
  void ReadAll() {
    const std::scoped_lock lock(mutex_);
    char byte = 0;
    for (const UniqueFd& fd : connections_) {
      // Messages are packets: one byte of each is enough, the rest is thrown away.
      while (recv(fd.get(), &byte, 1, MSG_DONTWAIT) > 0) ++messages_;
    }
  }

  std::mutex mutex_;
  std::vector<UniqueFd> connections_;
  std::atomic<uint64_t> connected_ = 0, messages_ = 0;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<HandshakeService> handshakes_;
  std::jthread reader_;
};

// The same session, sent elsewhere.
std::string SentTo(const std::string& session, const std::string& socket) {
  Json json = Json::parse(session, nullptr, false);
  if (!json.is_object() || !json.contains("trace_session")) return session;
  Json& trace = json["trace_session"];
  if (!trace.is_object() || !trace.contains("sinks") || !trace["sinks"].is_array()) return session;
  for (Json& sink : trace["sinks"]) {
    if (sink.is_object()) sink["config"]["endpoint"] = socket;
  }
  return json.dump();
}

}  // namespace

Result<uint64_t> ProveSession(const std::string& runsc, const std::vector<std::string>& args,
                              const std::string& session) {
  // Below /run: another place may be mounted otherwise where runsc runs.
  const auto scratch = ScratchFolder::Make("/run");
  if (!scratch) {
    return Fail(Fault::kEnvironment, scratch.error().message + "; --prove needs root on a host");
  }
  const std::string socket = scratch->path() + "/s.sock";
  const std::string file = scratch->path() + "/session.json";
  if (const auto written = ReplaceFile(file, SentTo(session, socket)); !written) {
    return std::unexpected(written.error());
  }
  Counter counter;
  if (const auto started = counter.Start(socket); !started) return std::unexpected(started.error());
  std::vector<std::string> words{runsc};
  words.insert(words.end(), args.begin(), args.end());
  // The last one of a flag counts.
  for (const std::string& word :
       {"--root=" + scratch->path() + "/root", std::string("--network=none"),
        "--pod-init-config=" + file, std::string("do"), std::string("true")}) {
    words.push_back(word);
  }
  constexpr std::chrono::seconds kPatience{30};
  const auto ran = RunChild(words, {.patience = kPatience});
  counter.Stop();
  if (!ran) {
    return Fail(Fault::kEnvironment,
                fmt::format("--prove: no sandbox starts with this session config: {}; nothing was "
                            "changed",
                            ran.error().message));
  }
  if (counter.messages() > 0) return counter.messages();
  return Fail(Fault::kEnvironment,
              fmt::format("--prove: a sandbox of {} ran, but {}; nothing was changed", runsc,
                          counter.connected() == 0
                              ? "did not connect: it does not have the session config"
                              : "sent nothing: runsc did not take the session config"));
}

}  // namespace gyrfalcon
