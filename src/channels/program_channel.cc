#include "channels/program_channel.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "base/text.h"
#include "channels/fed_process.h"
#include "channels/give_up.h"
#include "channels/program_line.h"
#include "channels/stuck_head.h"

namespace gyrfalcon {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kStopped =
    "was not done by the end of gyrfalcon; what it has not had, it gets after the next start, if "
    "the store is on";

class ProgramChannel : public Channel {
 public:
  ProgramChannel(std::vector<std::string> words, milliseconds timeout, AlertFormatOptions format)
      : words_(std::move(words)), timeout_(timeout), format_(std::move(format)) {}

  std::string_view name() const override { return "program_output"; }
  void GiveUp() override { give_up_.Raise(); }

 protected:
  std::string LineOf(const OutgoingAlert& alert) const {
    return FormatAlert(*alert.alert, format_, alert.stamp()) + '\n';
  }
  Error ProblemOf(std::string_view what) const {
    return {fmt::format("program_output: {} {}", words_.front(), what), Fault::kEnvironment};
  }
  std::string TookTooLong() const {
    return give_up_.raised()
               ? std::string(kStopped)
               : fmt::format("took longer than {} ms, and was killed", timeout_.count());
  }

  const std::vector<std::string> words_;
  const milliseconds timeout_;
  const AlertFormatOptions format_;
  GiveUpSignal give_up_;
};

// One process for each alert.
class ProgramForEach final : public ProgramChannel {
 public:
  using ProgramChannel::ProgramChannel;

  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    if (!batch.empty() && stuck_.IsSuspect(batch.front()) && batch.size() > 1) {
      return DeliverAroundHead(batch);
    }
    Delivery delivery;
    for (const OutgoingAlert& alert : batch) {
      delivery.problem = Run(alert);
      if (delivery.problem) break;
      ++delivery.done;
    }
    if (delivery.problem && delivery.done == 0) stuck_.NoteFailure(batch.front());
    return delivery;
  }

 private:
  // The second first. Where that goes well, the first has its last chance.
  Delivery DeliverAroundHead(std::span<const OutgoingAlert> batch) {
    if (auto problem = Run(batch[1]))
      return {.done = 0, .refused = 0, .problem = std::move(problem)};
    const auto problem = Run(batch[0]);
    Delivery delivery{.done = 2, .refused = problem ? size_t{1} : 0, .problem = std::nullopt};
    if (problem) delivery.refusal = problem->message;
    return delivery;
  }

  std::optional<Error> Run(const OutgoingAlert& alert) {
    if (give_up_.raised()) return ProblemOf(kStopped);
    auto process = FedProcess::Start(words_);
    if (!process) return ProblemOf("does not start: " + process.error().message);
    const auto end = Clock::now() + timeout_;
    const std::string line = LineOf(alert);
    std::string_view rest = line;
    while (!rest.empty()) {
      const auto written = process->Write(rest);
      if (!written) break;  // it wants no more; whether it is content, its end says
      rest.remove_prefix(*written);
      if (*written == 0 &&
          give_up_.WaitFor(process->input(), POLLOUT, end - Clock::now()) != Waited::kReady) {
        return ProblemOf(TookTooLong());
      }
    }
    process->CloseInput();
    const auto ended = process->WaitForEnd(end - Clock::now(), give_up_);
    if (!ended) return ProblemOf(TookTooLong());
    if (!ended->empty()) {
      return ProblemOf(*ended +
                       ", so it has not taken the alert, which it gets again; what it has "
                       "printed is beside this");
    }
    return std::nullopt;
  }

  StuckHead stuck_;
};

// One process for all.
class KeptProgram final : public ProgramChannel {
 public:
  using ProgramChannel::ProgramChannel;

  // What it has not read it may read yet: it has the end of its input, and a while.
  ~KeptProgram() override {
    if (!process_) return;
    process_->CloseInput();
    constexpr milliseconds kPatience{2'000};
    constexpr milliseconds kPatienceWhenGivenUp{200};
    process_->WaitForEnd(give_up_.raised() ? kPatienceWhenGivenUp : kPatience, GiveUpSignal());
  }

  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    Delivery delivery;
    while (delivery.done < batch.size() && !delivery.problem) {
      const size_t count = std::min(batch.size() - delivery.done, kTogetherMax);
      delivery.problem = Feed(batch.subspan(delivery.done, count), delivery.done);
    }
    return delivery;
  }

 private:
  static constexpr size_t kTogetherMax = 64;  // lines in the pipe, unread

  // Adds to `done` those that were read.
  std::optional<Error> Feed(std::span<const OutgoingAlert> alerts, size_t& done) {
    if (give_up_.raised()) return ProblemOf(kStopped);
    if (process_ && HasEnded())
      process_.reset();  // of itself, between two alerts: it is started anew
    if (!process_) {
      auto started = FedProcess::Start(words_);
      if (!started) return ProblemOf("does not start: " + started.error().message);
      process_.emplace(std::move(*started));
    }
    std::string lines;
    std::vector<size_t> ends;
    for (const OutgoingAlert& alert : alerts) {
      lines += LineOf(alert);
      ends.push_back(lines.size());
    }
    size_t read = 0;
    auto problem = WriteUntilRead(lines, read);
    done += static_cast<size_t>(std::ranges::upper_bound(ends, read) - ends.begin());
    if (problem) process_.reset();
    return problem;
  }

  bool HasEnded() { return process_->WaitForEnd(milliseconds(0), GiveUpSignal()).has_value(); }

  // `read`: how many bytes the program has had.
  std::optional<Error> WriteUntilRead(std::string_view lines, size_t& read) {
    size_t written = 0;
    auto last_progress = Clock::now();
    std::chrono::microseconds pause = kPauseMin;
    for (;;) {
      const auto piece = process_->Write(lines.substr(written));
      written += piece.value_or(0);
      const size_t now_read = written - std::min(written, process_->UnreadBytes());
      if (now_read == lines.size()) {
        read = now_read;
        return std::nullopt;
      }
      if (now_read > std::exchange(read, now_read)) {
        last_progress = Clock::now();
        pause = kPauseMin;
      }
      if (const auto ended = process_->WaitForEnd(pause, give_up_)) {
        return EndOf(*ended, lines.size(), written, read);
      }
      if (give_up_.raised() || Clock::now() - last_progress > timeout_) {
        return ProblemOf(TookTooLong());
      }
      pause = std::min(pause * 2, kPauseMax);
    }
  }

  std::optional<Error> EndOf(const std::string& how, size_t bytes, size_t written, size_t& read) {
    read = written - std::min(written, process_->UnreadBytes());
    if (read == bytes) return std::nullopt;  // the next alert finds it ended
    return ProblemOf(fmt::format("{}, and had not read all", how.empty() ? "ended with 0" : how));
  }

  // A pipe does not say when it is empty.
  static constexpr std::chrono::microseconds kPauseMin{20};
  static constexpr std::chrono::microseconds kPauseMax{20'000};

  std::optional<FedProcess> process_;
};

bool IsExecutable(const std::string& path) {
  return access(path.c_str(), X_OK) == 0;
}

// As posix_spawnp looks for it.
bool IsThere(const std::string& program) {
  if (program.contains('/')) return IsExecutable(program);
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : Split(path == nullptr ? "/bin:/usr/bin" : path, ':')) {
    if (IsExecutable(std::string(folder.empty() ? "." : folder) + '/' + program)) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Channel>> MakeProgramChannel(const ProgramOptions& options,
                                                    AlertFormatOptions format) {
  auto words = SplitProgramLine(options.program);
  if (!words) return std::unexpected(words.error());
  if (!IsThere(words->front())) {
    return Fail(Fault::kEnvironment,
                fmt::format("program_output.program: there is no program {} that can be run",
                            words->front()));
  }
  const milliseconds timeout(options.timeout_ms);
  if (options.keep_alive) {
    return std::make_unique<KeptProgram>(std::move(*words), timeout, std::move(format));
  }
  return std::make_unique<ProgramForEach>(std::move(*words), timeout, std::move(format));
}

}  // namespace gyrfalcon
