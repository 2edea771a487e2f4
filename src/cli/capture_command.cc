#include <filesystem>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "cli/arguments.h"
#include "cli/config.h"
#include "wire/capture_file.h"
#include "wire/handshake.h"
#include "wire/listener.h"
#include "wire/socket_source.h"

namespace gyrfalcon {
namespace {

// Writes each connection's messages to a file of its own.
class Recorder {
 public:
  Recorder(std::string folder, uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}

  // False when no file can be made: then nothing is recorded, and the caller stops.
  bool Take(const Record& record) {
    switch (record.kind) {
      case RecordKind::kOpened:
        return Open(record.connection);
      case RecordKind::kClosed:
        files_.erase(record.connection.value);
        return true;
      case RecordKind::kFrame:
        return Append(record);
    }
    return true;
  }

  uint64_t not_recorded() const { return not_recorded_; }

 private:
  bool Open(ConnectionId connection) {
    // A folder may hold the captures of earlier runs: the first free number is taken.
    std::error_code error;
    std::string path;
    do {
      path = fmt::format("{}/{:06}.trace", folder_, ++number_);
    } while (std::filesystem::exists(path, error));
    CaptureWriterOptions options;
    options.max_bytes = bytes_max_;
    auto writer = CaptureWriter::Create(path, std::move(options));
    if (!writer) {
      Report(writer.error());
      return false;
    }
    files_.emplace(connection.value, std::move(*writer));
    fmt::print("{}\n", path);
    std::fflush(stdout);
    return true;
  }

  bool Append(const Record& record) {
    const auto file = files_.find(record.connection.value);
    if (file == files_.end()) return true;
    const auto appended = file->second.Append(record.frame);
    if (!appended) {
      Report(appended.error());
      return false;
    }
    if (*appended != CaptureAppend::kWritten) ++not_recorded_;
    return true;
  }

  const std::string folder_;
  const uint64_t bytes_max_;
  uint64_t number_ = 0;
  uint64_t not_recorded_ = 0;
  std::map<uint64_t, CaptureWriter> files_;
};

UniqueFd StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

}  // namespace

int RecordCaptures(std::vector<std::string> args) {
  const auto app = MakeApp("capture");
  std::string socket;
  std::string folder = ".";
  uint64_t bytes_max = 0;
  app->add_option("--listen", socket, "Socket to listen on (default: the daemon's)");
  app->add_option("--dir", folder, "Folder for the files (default: this one)");
  app->add_option("--max-bytes", bytes_max, "Size limit of each file; 0 (default) is none");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (socket.empty()) socket = DefaultSocketPath();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return Report({fmt::format("cannot make the folder {}: {}", folder, error.message()),
                   Fault::kEnvironment});
  }

  const UniqueFd signals = StopSignals();
  auto listener = Listener::Open(socket);
  if (!listener) return Report(listener.error());
  auto source = SocketSource::Create({});
  if (!source) return Report(source.error());
  SocketSource& connections = **source;
  auto handshakes = HandshakeService::Start(
      *listener, {}, [&](AcceptedConnection connection) { connections.Add(std::move(connection)); },
      nullptr);
  if (!handshakes) return Report(handshakes.error());
  fmt::print(stderr, "gyrfalcon: recording connections to {} in {}; end with Ctrl-C\n", socket,
             folder);

  std::thread stopper([&signals, &handshakes, &connections] {
    pollfd waiting{signals.get(), POLLIN, 0};
    while (poll(&waiting, 1, -1) < 0) {
    }
    (*handshakes)->Stop();
    connections.Stop();
  });
  Recorder recorder(folder, bytes_max);
  Record record;
  bool recording = true;
  for (;;) {
    const SourceStatus status = connections.Next(record);
    if (status == SourceStatus::kEnd) break;
    if (status == SourceStatus::kRecord && recording && !recorder.Take(record)) {
      recording = false;
      kill(getpid(), SIGTERM);
    }
  }
  stopper.join();
  if (recorder.not_recorded() != 0) {
    fmt::print(stderr, "gyrfalcon: {} messages left out: their files have reached --max-bytes\n",
               recorder.not_recorded());
  }
  return recording ? kExitOk : kExitEnvironment;
}

}  // namespace gyrfalcon
