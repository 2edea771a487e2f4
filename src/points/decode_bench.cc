// What decoding one message costs, a good one and each kind of bad one; items are messages. A
// sandbox that sends bad ones must not cost more than one that sends good ones.
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "points/event.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::AsBytes;
using testing::Message;

// An open's exit with every context field, as a sandbox sends it.
std::string GoodMessage() {
  const Message credentials = Message().Number(1, 1000).Number(2, 1000).Number(3, 1000);
  const Message context = Message()
                              .Number(1, 1'767'225'600'123'456'789)
                              .Number(2, 4711)
                              .Number(3, 1'767'225'599'123'456'789)
                              .Number(4, 4711)
                              .Number(5, 1'767'225'599'123'456'789)
                              .Text(6, std::string(64, 'c'))
                              .Nested(7, credentials)
                              .Text(8, "/var/lib/app")
                              .Text(9, "server")
                              .Number(10, 1);
  return Message()
      .Nested(1, context)
      .Nested(2, Message().Number(1, 5))
      .Number(3, 257)
      .Number(4, -100)
      .Text(5, "/")
      .Text(6, "/var/lib/app/data.json")
      .Number(7, 0x8000)
      .bytes();
}

void Run(benchmark::State& state, const std::vector<std::string>& messages) {
  Event event;
  for (auto _ : state) {
    for (const std::string& message : messages) {
      benchmark::DoNotOptimize(
          Decode(static_cast<uint16_t>(MessageType::kOpen), AsBytes(message), event));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(messages.size()));
}

void BM_Good(benchmark::State& state) {
  Run(state, {GoodMessage()});
}
BENCHMARK(BM_Good);

void BM_Garbage(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<std::string> messages(1'000, GoodMessage());
  for (std::string& message : messages) {
    for (char& byte : message) byte = static_cast<char>(random());
  }
  Run(state, messages);
}
BENCHMARK(BM_Garbage);

// One byte of a good message is another.
void BM_OneByteChanged(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<std::string> messages(1'000, GoodMessage());
  for (std::string& message : messages) {
    message[random() % message.size()] ^= static_cast<char>(1 + random() % 255);
  }
  Run(state, messages);
}
BENCHMARK(BM_OneByteChanged);

void BM_Truncated(benchmark::State& state) {
  const std::string good = GoodMessage();
  std::vector<std::string> messages;
  for (size_t size = 1; size < good.size(); ++size) messages.push_back(good.substr(0, size));
  Run(state, messages);
}
BENCHMARK(BM_Truncated);

void BM_WrongWireType(benchmark::State& state) {
  Run(state, {GoodMessage() + Message().Text(7, "mode").bytes()});
}
BENCHMARK(BM_WrongWireType);

void BM_ListTooLong(benchmark::State& state) {
  Message message;
  for (size_t i = 0; i <= kListItemsMax; ++i) message.Text(3, "");
  Event event;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Decode(static_cast<uint16_t>(MessageType::kSentryExec), AsBytes(message.bytes()), event));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ListTooLong);

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
