// Alerts a second of the outputs that speak with somebody: HTTP to a receiver that answers at once,
// or after a while as one far away does, the program, syslog.
#include <chrono>
#include <csignal>
#include <thread>

#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "channels/http_channel.h"
#include "channels/program_channel.h"
#include "channels/syslog_channel.h"
#include "channels/test_alerts.h"
#include "channels/test_http_server.h"

namespace gyrfalcon {
namespace {

void DeliverAgainAndAgain(benchmark::State& state, Channel& channel, size_t count) {
  const TestAlerts alerts = TestAlerts::Many(count);
  for (auto _ : state) {
    const Delivery delivery = channel.Deliver(alerts.batch());
    if (delivery.done != count) state.SkipWithError("not delivered");
  }
  state.SetItemsProcessed(static_cast<int64_t>(count) * static_cast<int64_t>(state.iterations()));
}

void Http(benchmark::State& state) {
  const std::chrono::milliseconds delay(state.range(0));
  TestHttpServer server([delay](const TestRequest&) {
    if (delay.count() != 0) std::this_thread::sleep_for(delay);
    return TestHttpServer::Answer(200, "ok", "");
  });
  HttpOptions options;
  options.url = server.url();
  options.parallel = static_cast<uint64_t>(state.range(1));
  options.batch_max = static_cast<uint64_t>(state.range(2));
  const auto channel = MakeHttpChannel(options, {.hostname = "node"}, nullptr);
  DeliverAgainAndAgain(state, **channel, 256);
}
BENCHMARK(Http)
    ->ArgNames({"delay_ms", "parallel", "batch_max"})
    ->Args({0, 1, 1})
    ->Args({0, 8, 1})
    ->Args({0, 1, 100})
    ->Args({10, 1, 1})
    ->Args({10, 8, 1})
    ->Args({10, 32, 1})
    ->Args({10, 1, 100})
    ->UseRealTime();

void Program(benchmark::State& state) {
  std::signal(SIGPIPE, SIG_IGN);
  const bool keep_alive = state.range(0) != 0;
  const auto channel = MakeProgramChannel(
      {.program = "sh -c 'exec cat >/dev/null'", .keep_alive = keep_alive}, {.hostname = "node"});
  DeliverAgainAndAgain(state, **channel, 64);
}
BENCHMARK(Program)->ArgName("keep_alive")->Arg(0)->Arg(1)->UseRealTime();

void Syslog(benchmark::State& state) {
  const UniqueFd log(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string path = "/tmp/gyrfalcon-bench-log-" + std::to_string(getpid());
  const sockaddr_un address = UnixAddress(path).value();
  if (bind(log.get(), Generic(address), sizeof address) != 0) return;
  std::jthread reader([&log] {
    char packet[4096];
    while (recv(log.get(), packet, sizeof packet, 0) > 1) {
    }
  });
  const auto channel = MakeSyslogChannel({.socket = path}, {.hostname = "node"});
  DeliverAgainAndAgain(state, **channel, 256);
  const UniqueFd end(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sendto(end.get(), "x", 1, 0, Generic(address), sizeof address);
  reader.join();
  unlink(path.c_str());
}
BENCHMARK(Syslog)->UseRealTime();

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
