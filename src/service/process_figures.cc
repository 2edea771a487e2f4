#include "service/process_figures.h"

#include <cstdio>
#include <filesystem>

#include <sys/resource.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

double Seconds(const timeval& time) {
  constexpr double kUsPerSecond = 1e6;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / kUsPerSecond;
}

}  // namespace

ProcessFigures ReadProcessFigures() {
  ProcessFigures figures;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  }
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    unsigned long pages = 0;
    unsigned long resident = 0;
    const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    if (std::fscanf(file, "%lu %lu", &pages, &resident) == 2) {
      figures.virtual_bytes = pages * page_bytes;
      figures.resident_bytes = resident * page_bytes;
    }
    std::fclose(file);
  }
  std::error_code error;
  for (std::filesystem::directory_iterator fd("/proc/self/fd", error), end; !error && fd != end;
       fd.increment(error)) {
    ++figures.open_fds;
  }
  return figures;
}

}  // namespace gyrfalcon
