// Puts the results of several measures together: bench_table OUT.json GROUP=FILE…. Each file is one
// JSON object, of Google Benchmark or of keys and numbers; the table goes to standard output, all
// of it to OUT.json.
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

struct Row {
  std::string measure;
  std::string value;
};

std::string Number(double value) {
  if (value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, std::abs(value) >= 100 ? 0 : std::abs(value) >= 1 ? 2 : 5);
}

// Where items are counted, the time of one, else of the whole.
Row GoogleRow(const Json& benchmark) {
  const std::string name = benchmark.value("name", "");
  if (benchmark.contains("error_message")) {
    return {name, "not measured: " + benchmark.value("error_message", "")};
  }
  if (benchmark.contains("items_per_second")) {
    return {name + ", ns an item", Number(1e9 / benchmark.value("items_per_second", 1.0))};
  }
  return {name + ", " + benchmark.value("time_unit", "ns"),
          Number(benchmark.value("cpu_time", 0.0))};
}

std::vector<Row> RowsOf(const Json& result) {
  std::vector<Row> rows;
  if (result.contains("benchmarks")) {
    for (const Json& benchmark : result["benchmarks"]) {
      if (benchmark.value("run_type", "") != "aggregate") rows.push_back(GoogleRow(benchmark));
    }
    return rows;
  }
  for (const auto& [key, value] : result.items()) {
    if (value.is_number()) rows.push_back({key, Number(value.get<double>())});
  }
  return rows;
}

int Main(const std::vector<std::string>& args) {
  if (args.size() < 2) {
    fmt::print(stderr, "usage: bench_table OUT.json GROUP=FILE…\n");
    return 2;
  }
  Json all = Json::object();
  for (size_t i = 1; i < args.size(); ++i) {
    const size_t equals = args[i].find('=');
    const std::string group = args[i].substr(0, equals);
    const std::string path = equals == std::string::npos ? "" : args[i].substr(equals + 1);
    std::ifstream file(path);
    Json result = Json::parse(file, nullptr, false);
    if (!result.is_object()) {
      fmt::print(stderr, "bench_table: {}: no JSON object\n", path);
      return 1;
    }
    for (const Row& row : RowsOf(result)) {
      fmt::print("{:<22} {:<44} {:>14}\n", group, row.measure, row.value);
    }
    all[group] = std::move(result);
  }
  std::ofstream out(args[0]);
  out << all.dump(1) << '\n';
  return out.flush() ? 0 : 1;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::Main({argv + 1, argv + argc});
}
