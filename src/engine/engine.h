// The live pipeline put together: listener, handshakes, and workers that each own a share of the
// sandboxes.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "channels/dispatcher.h"
#include "engine/pipeline.h"
#include "engine/user_lookup.h"
#include "wire/handshake.h"
#include "wire/listener.h"
#include "wire/socket_source.h"

namespace gyrfalcon {

struct EngineOptions {
  std::string socket_path;
  size_t workers = 1;
  PipelineOptions pipeline;
  HandshakeOptions handshake;
  SocketSourceOptions source;
};

class Engine {
 public:
  using OnRejected = HandshakeService::OnRejected;

  // Listens when this returns. `dispatcher` must outlive the engine; `on_rejected` runs on the
  // handshake thread.
  static Result<std::unique_ptr<Engine>> Start(EngineOptions options,
                                               const std::shared_ptr<const RuleSet>& rules,
                                               Dispatcher& dispatcher, OnRejected on_rejected);
  ~Engine();  // as Stop

  // Stops accepting, takes up what sandboxes have sent by now, joins all threads. Sandboxes go on.
  void Stop();
  // Any thread; each worker takes them up between two messages.
  void SetRules(const std::shared_ptr<const RuleSet>& rules);

  // Of all workers; while running, at most a second old.
  Totals totals() const;
  size_t sandbox_count() const;

 private:
  struct Worker;

  Engine(EngineOptions options, Listener listener);
  Worker& WorkerFor(const AcceptedConnection& connection);

  EngineOptions options_;
  Listener listener_;
  ContainerRegistry containers_;
  UserLookupThread user_lookup_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<HandshakeService> handshakes_;
  bool stopped_ = false;
};

}  // namespace gyrfalcon
