#include "base/clock.h"
#include "base/fd_limit.h"
#include "cli/daemon.h"
#include "cli/log.h"
#include "rules/plan.h"
#include "service/socket_unit.h"

namespace gyrfalcon {
namespace {

// More than engine, outputs, store and sockets open at a start; each worker has a few.
constexpr size_t kFdsOfAStart = 128;

}  // namespace

Result<Inheritance> Daemon::TakeFromSystemd() {
  Inheritance inherited;
  auto received = ReceivedFds();
  if (!received) return std::unexpected(received.error());
  auto listener = TakeListener(*received, socket_path_);
  if (!listener) return std::unexpected(listener.error());
  if (auto stored = TakeFromStore(*received, inherited); !stored) {
    return std::unexpected(stored.error());
  }
  for (const ReceivedFd& unknown : *received) {
    spdlog::warn("systemd hands over a descriptor \"{}\" that is not known here: closed",
                 unknown.name);
  }
  if (!*listener) return inherited;
  spdlog::info("the socket is systemd's: it goes on listening when this process ends");
  if (const std::string problem = SocketFileProblem(**listener); !problem.empty()) {
    spdlog::error("{}", problem);
  }
  inherited.listener = std::move(**listener);
  return inherited;
}

Result<void> Daemon::TakeFromStore(std::vector<ReceivedFd>& received, Inheritance& inherited) {
  const size_t capacity = FdStore::Capacity();
  if (capacity == 0) return {};
  auto store = FdStore::Start(capacity, received,
                              [](const Error& error) { spdlog::error("{}", error.message); });
  if (!store) return std::unexpected(store.error());
  store_ = std::move(*store);
  inherited.connections = store_->TakeConnections();
  inherited.next_connection = store_->next_connection();
  inherited.state = store_->state_before();
  spdlog::info("systemd keeps up to {} connections over a restart, {} were kept", capacity,
               inherited.connections.size());
  return {};
}

Result<std::optional<Inheritance>> Daemon::TakeOverIfAsked(const RuleSet& rules) {
  if (!flags_.takeover) return std::nullopt;
  if (store_) {
    spdlog::warn("--takeover: systemd keeps the connections here, nobody is asked for them");
    return std::nullopt;
  }
  rules.plan();  // compiled before sandboxes wait for it
  // What is taken must not leave too few to start with.
  const auto reserve = FdReserve::Make(kFdsOfAStart);
  if (!reserve) return std::unexpected(reserve.error());
  auto taken = TakeOver({.socket_path = socket_path_,
                         .state_version = SessionSnapshotVersion(),
                         .instance = instance_});
  if (!taken) return std::unexpected(taken.error());
  if (!*taken) {
    spdlog::info("nobody to take over from at {}", TakeoverSocketPath(socket_path_));
    return std::nullopt;
  }
  if (!(*taken)->is_done) {
    spdlog::warn("the process that ran before reads no more, but does not end");
  }
  const Inheritance& inherited = (*taken)->inherited;
  spdlog::info("took over {} connections, and {} clients that have not said anything",
               inherited.connections.size(), inherited.silent.size());
  OpenTakenState(**taken);
  return std::move((*taken)->inherited);
}

void Daemon::OpenTakenState(TakenOver& taken) {
  auto state = taken.state ? SnapshotFile::Open(std::move(taken.state), {})
                           : Fail(Fault::kInput, "the other process has another version");
  if (state) {
    taken_state_ = std::move(*state);
    taken.inherited.state = taken_state_.get();
  } else {
    spdlog::warn("what was known of their sandboxes can't be taken over: {}",
                 state.error().message);
  }
}

void Daemon::LogPause(int64_t stopped_ns) {
  constexpr double kNsPerMs = 1e6;
  spdlog::info("sandboxes were not read for {:.1f} ms",
               static_cast<double>(SteadyNs() - stopped_ns) / kNsPerMs);
}

std::optional<Daemon::End> Daemon::HandOver() {
  auto client = takeover_->Accept();
  if (!client) return std::nullopt;
  const auto ask = client->ReadAsk();
  if (!ask) {
    spdlog::warn("asked to hand over, but: {}", ask.error().message);
    return std::nullopt;
  }
  const auto waiting = client->AnswerWaiting(*ask, instance_);
  if (waiting == TakeoverClient::Waiting::kBehindUs) KeepWaiting(std::move(*client));
  if (waiting != TakeoverClient::Waiting::kNo) return std::nullopt;
  if (store_) {
    client->Refuse("systemd keeps its connections: systemctl restart gyrfalcon loses none");
    return std::nullopt;
  }
  const std::unique_ptr<SnapshotFile> state = MakeStateFor(*ask);
  watchdog_.reset();  // of the threads that end now
  drift_.reset();     // it asks the engine
  Inheritance left =
      engine_->Release(state ? Engine::HeldBack::kKept : Engine::HeldBack::kTold, state.get());
  if (const auto given = client->Give(left, state ? state->fd() : -1); !given) {
    spdlog::error("not handed over, going on: {}", given.error().message);
    const auto on = GoOn(std::move(left));
    if (on) {
      StartWatchdog();
      StartDrift();
      return std::nullopt;
    }
    spdlog::error("{}", on.error().message);
    return End::kFailed;
  }
  left.listener->Disown();
  spdlog::info("handed over {} connections; another process goes on", left.connections.size());
  engine_->Stop();
  CloseWhatTwoCannotHave();
  client->SayDone();
  return End::kHandedOver;
}

Result<void> Daemon::GoOn(Inheritance left) {
  const std::scoped_lock lock(engine_mutex_);
  return engine_->GoOn(std::move(left));
}

std::unique_ptr<SnapshotFile> Daemon::MakeStateFor(const TakeoverAsk& ask) {
  if (ask.state_version != SessionSnapshotVersion()) {
    spdlog::warn("handing over to another version: what is known of sandboxes is not for it");
    return nullptr;
  }
  auto state = SnapshotFile::Create({});
  if (state) return std::move(*state);
  spdlog::error("{}", state.error().message);
  return nullptr;
}

void Daemon::CloseWhatTwoCannotHave() {
  control_.reset();
  snapshots_.reset();
  web_.reset();  // the other one tries the port again and again
  takeover_.reset();
  standing_by_.clear();
  // No sandbox is read meanwhile. What an output does not take by then, the store has for the
  // next process; without it, it is lost.
  constexpr int kPatienceMs = 100;
  constexpr int kPatienceWithoutStoreMs = 1'000;
  dispatcher_->Stop(dispatcher_->figures().spooling ? kPatienceMs : kPatienceWithoutStoreMs);
}

}  // namespace gyrfalcon
