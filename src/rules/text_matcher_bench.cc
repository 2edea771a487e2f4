// Many texts sought in one: together (TextMatcher), by RE2::Set, and one after the other. The
// argument is how many; none is found. Items are texts.
#include <benchmark/benchmark.h>
#include <re2/set.h>

#include "rules/interpreter.h"
#include "rules/text_matcher.h"

namespace gyrfalcon {
namespace {

const std::string kCommandLine =
    "python3 -m http.server --directory /srv/data --bind 127.0.0.1 8080 --protocol HTTP/1.1";

std::vector<std::string> Parts(int64_t count) {
  constexpr std::string_view kWords[] = {"stratum+tcp://", "/dev/tcp/", "--donate-level", "xmrig",
                                         "base64 -d",      ".onion",    "nc -e",          "id_rsa"};
  std::vector<std::string> parts;
  for (int64_t i = 0; i < count; ++i) {
    parts.push_back(std::string(kWords[static_cast<size_t>(i) % std::size(kWords)]));
    if (i >= 8) parts.back() += std::to_string(i);
  }
  return parts;
}

void BM_Together(benchmark::State& state) {
  TextMatcher matcher;
  for (const std::string& part : Parts(state.range(0))) matcher.Add(Operator::kContains, part);
  matcher.Seal();
  for (auto _ : state) benchmark::DoNotOptimize(matcher.Matches(kCommandLine));
}
BENCHMARK(BM_Together)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(64)->Arg(256);

void BM_Automaton(benchmark::State& state) {
  const std::vector<std::string> parts = Parts(state.range(0));
  const std::vector<std::string_view> views(parts.begin(), parts.end());
  ContainsMatcher matcher;
  matcher.Make(views, false);
  for (auto _ : state) benchmark::DoNotOptimize(matcher.Matches(kCommandLine));
}
BENCHMARK(BM_Automaton)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(64)->Arg(256);

void BM_Re2Set(benchmark::State& state) {
  re2::RE2::Set set(re2::RE2::Quiet, re2::RE2::UNANCHORED);
  for (const std::string& part : Parts(state.range(0))) {
    set.Add(re2::RE2::QuoteMeta(part), nullptr);
  }
  set.Compile();
  for (auto _ : state) benchmark::DoNotOptimize(set.Match(kCommandLine, nullptr));
}
BENCHMARK(BM_Re2Set)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(64)->Arg(256);

void BM_EachByItself(benchmark::State& state) {
  const std::vector<std::string> parts = Parts(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::ranges::any_of(parts, [](const std::string& part) {
      return CompareTexts(Operator::kContains, kCommandLine, part);
    }));
  }
}
BENCHMARK(BM_EachByItself)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(64)->Arg(256);

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
