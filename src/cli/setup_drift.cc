#include "cli/setup_drift.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/file.h"
#include "cli/file_watch.h"
#include "cli/setup_files.h"
#include "engine/sandbox_sessions.h"
#include "runsc/attach.h"
#include "runsc/session.h"
#include "setup/containerd_config.h"
#include "setup/docker_config.h"
#include "setup/runsc_config.h"
#include "setup/undo_record.h"

namespace gyrfalcon {
namespace {

constexpr size_t kFileBytesMax = size_t{4} << 20;
constexpr const char* kTargets[] = {"docker", "containerd"};

// The runtimes of daemon.json that have the session config.
Result<std::vector<std::string>> DockersWith(const UndoRecord& record, const std::string& path,
                                             const std::string& text) {
  const auto runtimes = ReadDockerRuntimes(path, text, record.runtimes);
  if (!runtimes) return std::unexpected(runtimes.error());
  std::vector<std::string> names;
  for (const DockerRuntime& runtime : *runtimes) {
    if (runtime.session_file == record.session_file) names.push_back(runtime.name);
  }
  return names;
}

// The runtimes of containerd that have the TOML.
Result<std::vector<std::string>> ContainerdsWith(const UndoRecord& record, const std::string& path,
                                                 const std::string& text) {
  constexpr int kAnyVersion = 2;
  const auto config = ReadContainerdConfig(path, text, record.runtimes, kAnyVersion);
  if (!config) return std::unexpected(config.error());
  std::vector<std::string> names;
  for (const ContainerdRuntime& runtime : config->runtimes) {
    if (runtime.config_path == record.config_path) names.push_back(runtime.name);
  }
  return names;
}

// The names that are in the file for us.
Result<std::vector<std::string>> Configured(const UndoRecord& record, const RecordedFile& file,
                                            const std::string& text) {
  switch (file.kind) {
    case SetupFile::kDocker:
      return DockersWith(record, file.path, text);
    case SetupFile::kContainerd:
      return ContainerdsWith(record, file.path, text);
    case SetupFile::kRunsc: {
      const auto config = ReadRunscConfig(file.path, text);
      if (!config) return std::unexpected(config.error());
      const bool is_ours = config->session_file == record.session_file;
      return is_ours ? std::vector<std::string>{"runsc_config"} : std::vector<std::string>{};
    }
    case SetupFile::kOwn:
      break;
  }
  return std::vector<std::string>{};
}

// "": it is as it was left.
std::string ProblemOf(const UndoRecord& record, const RecordedFile& file) {
  const auto wanted = Configured(record, file, file.after);
  if (!wanted || wanted->empty()) return "";
  const auto now = ReadIfThere(file.path, kFileBytesMax);
  if (!now) return now.error().message;
  if (!*now) return "the file is gone";
  const auto there = Configured(record, file, **now);
  if (!there) return there.error().message;
  std::vector<std::string> lost;
  std::ranges::copy_if(*wanted, std::back_inserter(lost), [&there](const std::string& name) {
    return std::ranges::find(*there, name) == there->end();
  });
  if (lost.empty()) return "";
  if (file.kind == SetupFile::kRunsc) return "pod-init-config is gone from [runsc_config]";
  return fmt::format("{} {} without {}", lost.size() == 1 ? "runtime" : "runtimes",
                     Join(lost, ", "),
                     file.kind == SetupFile::kDocker ? "--pod-init-config=" + record.session_file
                                                     : "ConfigPath " + record.config_path);
}

// What makes it anew, for our socket. Moved away, it is kept, and `install` may write another.
std::string SessionMendOf(const std::string& record_folder, const std::string& file,
                          const std::string& socket_path) {
  for (const char* target : kTargets) {
    const auto text = ReadIfThere(record_folder + "/" + target + ".json", kUndoRecordBytesMax);
    const auto record =
        text && *text ? ReadUndoRecord(target, **text) : Fail(Fault::kInput, "none");
    if (!record || record->session_file != file) continue;
    return fmt::format(
        "mv {0} {0}.other && gyrfalcon install {1} --session-config={0} --socket={2}",
        ShellWord(file), target, ShellWord(socket_path));
  }
  return fmt::format("gyrfalcon session generate --socket {} > {}", ShellWord(socket_path),
                     ShellWord(file));
}

// Changes when another program lies there.
std::string FileMark(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return "";
  return fmt::format("{} {} {} {}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

}  // namespace

void SetupDriftCheck::Look() {
  files_.clear();
  for (const char* target : kTargets) {
    files_.push_back(options_.record_folder + "/" + target + ".json");
  }
  files_.push_back(options_.record_folder + "/session.json");
  std::vector<Problem> problems;
  LookAtRuntimes(problems);
  LookAtEndpoints(problems);
  TellNew(problems);
  LookAtSession();
}

void SetupDriftCheck::Tell(const Problem& problem) {
  options_.on_warning(fmt::format(
      "{}: {}; sandboxes that start are not traced, or only when they are attached: `{}`",
      problem.file, problem.text, problem.mend));
  constexpr Builtin kBuiltin = Builtin::kRuntimeUnconfigured;
  if (!options_.builtins.enabled(kBuiltin)) return;
  options_.on_alert(MakeBuiltinAlert(kBuiltin, options_.builtins.priority(kBuiltin), RealTimeNs(),
                                     {{"gyrfalcon.setup.file", problem.file},
                                      {"gyrfalcon.setup.problem", problem.text},
                                      {"gyrfalcon.setup.mend", problem.mend}}));
}

void SetupDriftCheck::LookAtRuntimes(std::vector<Problem>& problems) {
  for (const char* target : kTargets) {
    const auto text =
        ReadIfThere(options_.record_folder + "/" + target + ".json", kUndoRecordBytesMax);
    if (!text || !*text) continue;
    const auto record = ReadUndoRecord(target, **text);
    if (!record) continue;  // `install` says so
    for (const RecordedFile& file : record->files) {
      if (file.kind == SetupFile::kOwn) continue;
      files_.push_back(file.path);
      problems.push_back({.file = file.path,
                          .text = ProblemOf(*record, file),
                          .mend = fmt::format("gyrfalcon install {}", target),
                          .mended = file.path + " is as `gyrfalcon install` left it again"});
    }
  }
}

// Somebody else's socket in a session config that led to ours blinds us, and nothing else shows it.
void SetupDriftCheck::LookAtEndpoints(std::vector<Problem>& problems) {
  if (options_.socket_path.empty()) return;
  const auto leads_here = [this](const Result<SessionConfig>& session) {
    return session && CanonicalPath(session->endpoint) == CanonicalPath(options_.socket_path);
  };
  std::set<std::string> sessions;
  if (!options_.session_file.empty()) sessions.insert(options_.session_file);
  const auto record = ReadSessionRecord(options_.record_folder);
  if (record && !record->path.empty()) {
    sessions.insert(record->path);
    if (leads_here(ParseSessionConfig(record->path, record->text))) led_here_.insert(record->path);
  }
  for (const std::string& file : sessions) {
    files_.push_back(file);
    const auto text = ReadIfThere(file, kFileBytesMax);
    if (!text || !*text || IsEmptySession(**text)) continue;
    const auto session = ParseSessionConfig(file, **text);
    const bool is_well = leads_here(session);
    if (is_well) led_here_.insert(file);
    if (!led_here_.contains(file)) continue;
    std::string problem;
    if (!session) problem = session.error().message;
    if (session && !is_well) {
      problem = fmt::format("it sends to {}, and gyrfalcon listens at {}", session->endpoint,
                            options_.socket_path);
    }
    problems.push_back({.file = file,
                        .text = std::move(problem),
                        .mend = SessionMendOf(options_.record_folder, file, options_.socket_path),
                        .mended = file + " leads to gyrfalcon again"});
  }
}

void SetupDriftCheck::TellNew(const std::vector<Problem>& problems) {
  const Time now = std::chrono::steady_clock::now();
  std::map<std::string, Wrong> wrong;
  for (const Problem& problem : problems) {
    const auto known = wrong_.find(problem.file);
    const bool is_known = known != wrong_.end();
    if (problem.text.empty()) {
      if (is_known && known->second.is_told) options_.on_note(problem.mended);
      continue;
    }
    Wrong& state = wrong[problem.file] = is_known ? known->second : Wrong{.since = now};
    if (state.is_told || now - state.since < options_.settle) continue;
    state.is_told = true;
    Tell(problem);
  }
  wrong_ = std::move(wrong);
}

std::optional<std::chrono::milliseconds> SetupDriftCheck::next() const {
  std::optional<std::chrono::milliseconds> next;
  const Time now = std::chrono::steady_clock::now();
  for (const auto& [file, state] : wrong_) {
    if (state.is_told) continue;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(state.since + options_.settle - now);
    next = std::max(std::min(left, next.value_or(left)), std::chrono::milliseconds(0));
  }
  return next;
}

void SetupDriftCheck::LookAtSession() {
  auto record = ReadSessionRecord(options_.record_folder);
  if (!record || record->path.empty() || !options_.remake) return;
  files_.push_back(record->path);
  const auto now = ReadIfThere(record->path, kFileBytesMax);
  if (now && !*now) {
    // A runtime that names it starts no sandbox.
    if (const auto written = ReplaceFile(record->path, record->text); written) {
      options_.on_warning(record->path +
                          " was gone, and is written again: a runtime that names it could start no "
                          "sandbox; `gyrfalcon install … --undo` ends that");
    } else if (trouble_told_.insert(record->path).second) {
      options_.on_warning(written.error().message);
    }
  }
  LookAtRunsc(*record);
}

void SetupDriftCheck::LookAtRunsc(SessionRecord& record) {
  bool differs = false;
  for (size_t i = 0; i < record.runscs.size() && i < record.metadata.size(); ++i) {
    const std::string& runsc = record.runscs[i];
    files_.push_back(runsc);
    const std::string mark = FileMark(runsc);
    if (mark.empty() || seen_[runsc] == mark) continue;
    const auto metadata = AskMetadata(runsc);
    if (!metadata) {
      // It may be half written yet; asked again at the next look, told once.
      if (trouble_told_.insert(runsc).second) options_.on_warning(metadata.error().message);
      continue;
    }
    trouble_told_.erase(runsc);
    seen_[runsc] = mark;
    if (*metadata == record.metadata[i]) continue;
    options_.on_warning(
        fmt::format("{} is another one than the session config was made for: it "
                    "knows {}, instead of {}",
                    runsc, *metadata, record.metadata[i]));
    record.metadata[i] = *metadata;
    differs = true;
  }
  if (differs) Remake(record);
}

void SetupDriftCheck::Remake(SessionRecord& record) {
  const auto now = ReadIfThere(record.path, kFileBytesMax);
  const bool is_ours = now && *now && **now == record.text;
  if (!is_ours) {
    options_.on_warning(record.path + " is not as `gyrfalcon install` left it, and stays");
  } else if (auto made = options_.remake(record); !made) {
    options_.on_warning("the session config could not be made anew: " + made.error().message);
    return;
  } else if (made->text == record.text) {
    options_.on_note(record.path + " is right for it as it is");
  } else if (const auto written = ReplaceFile(record.path, made->text); !written) {
    options_.on_warning(written.error().message);
    return;
  } else {
    record.text = std::move(made->text);
    record.metadata = std::move(made->metadata);
    options_.on_warning(
        fmt::format("{} was made anew for it: {} points", record.path, made->points));
    options_.on_new_session();
  }
  if (const auto kept = KeepSessionRecord(options_.record_folder, record); !kept) {
    options_.on_warning(kept.error().message);
  }
}

SetupDrift::SetupDrift(SetupDriftOptions options)
    : interval_(options.interval),
      record_folder_(options.record_folder),
      check_(std::move(options)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

SetupDrift::~SetupDrift() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void SetupDrift::Run() {
  std::vector<std::string> watched;
  FileWatch watch;
  for (;;) {
    check_.Look();
    if (check_.files() != watched) {
      watched = check_.files();
      watch = FileWatch(watched, {});
      // What changed between look and watch.
      check_.Look();
    }
    std::array<pollfd, 2> waiting = {{{stop_.get(), POLLIN, 0}, {watch.fd(), POLLIN, 0}}};
    const auto pause = std::min(interval_, check_.next().value_or(interval_));
    const int ready = poll(waiting.data(), waiting.size(), static_cast<int>(pause.count()));
    if (waiting[0].revents != 0) return;
    if (ready > 0) {
      watch.TakeChange();
    } else {
      watched.clear();  // folders that were not there before
    }
  }
}

}  // namespace gyrfalcon
