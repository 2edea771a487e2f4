#include "store/spool_syncer.h"

#include <chrono>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "store/sqlite.h"

namespace gyrfalcon {

SpoolSyncer::SpoolSyncer(std::string path, int interval_ms)
    : path_(std::move(path)),
      interval_ms_(interval_ms),
      checkpoint_ns_(SteadyNs()),
      thread_([this] { Run(); }) {}

SpoolSyncer::~SpoolSyncer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SpoolSyncer::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, std::chrono::milliseconds(interval_ms_), [this] { return stopping_; });
    lock.unlock();
    Sync();
    lock.lock();
  }
}

// The log alone, at each interval; the database too once the log is large or old. After a
// checkpoint the next commit waits for the disk, so it is not done each time. What fails here is
// tried again, and shows where it matters: at the writer.
void SpoolSyncer::Sync() {
  constexpr int64_t kCheckpointNs = 60'000'000'000;
  constexpr off_t kCheckpointBytes = off_t{8} << 20;
  if (dirty_.exchange(false, std::memory_order_relaxed)) {
    since_checkpoint_ = true;
    // SQLite locks by other files, so that closing this one takes no lock away.
    const UniqueFd log(open((path_ + "-wal").c_str(), O_RDONLY | O_CLOEXEC));
    if (log.get() >= 0) fdatasync(log.get());
  }
  if (!since_checkpoint_) return;
  struct stat status{};
  if (stat((path_ + "-wal").c_str(), &status) != 0) return;
  if (status.st_size < kCheckpointBytes && SteadyNs() - checkpoint_ns_ < kCheckpointNs) return;
  checkpoint_ns_ = SteadyNs();
  since_checkpoint_ = false;
  constexpr int kBusyMs = 100;
  auto database = Database::Open(path_, Database::Mode::kWrite, kBusyMs);
  if (database) static_cast<void>(database->Checkpoint(false));
}

}  // namespace gyrfalcon
