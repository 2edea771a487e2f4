#include "runsc/attach.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/text.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kSessionName = "Default";
constexpr size_t kListBytesMax = 64 * 1024;  // of `trace list`

// What runsc says, and what it means. The first that fits counts.
struct Complaint {
  std::string_view words;
  std::string_view mend;
  bool refuses_config = false;
};
constexpr Complaint kComplaints[] = {
    {"already exists",
     "it is traced already: `gyrfalcon session list` says by whom; `--update` replaces a session "
     "that is gyrfalcon's"},
    {"deleting trace session", "it is not traced"},
    {"loading sandbox",
     "no such sandbox below this root: `runsc --root=ROOT list` has those that are"},
    {"connecting to control server",
     "runsc can't reach the sandbox from here: run this in the network namespace that its runsc "
     "was started in"},
    {"bad file descriptor",
     "does anybody listen at the session config's endpoint? Start gyrfalcon first"},
    {"took too long", "its Sentry does not answer, or who listens does not shake hands"},
    {.words = "loading config file",
     .mend = "mend the session config: `gyrfalcon session generate` makes one",
     .refuses_config = true},
    {.words = "creating trace session",
     .mend =
         "the session config is not for this runsc: `gyrfalcon session generate` makes one that "
         "each one takes",
     .refuses_config = true},
};

struct RunscFailure {
  Error error;
  const Complaint* complaint;  // nullptr: none that is known
};

std::string ByHand(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + ShellWord(word);
  return line;
}

// `words`: runsc's arguments after --root, the sandbox's id last.
std::expected<std::string, RunscFailure> CallRunsc(const RunscCall& call,
                                                   const std::vector<std::string>& words) {
  const std::string& id = words.back();
  // An id comes from runsc's own list or a person; one that looks like a flag is none.
  if (id.empty() || id.starts_with('-')) {
    return std::unexpected(
        RunscFailure{{fmt::format("`{}` is no sandbox's id", id), Fault::kUsage}, nullptr});
  }
  std::vector<std::string> all = {call.program, "--root=" + call.root};
  all.insert(all.end(), words.begin(), words.end());
  auto output = RunChild(all, call.limits);
  if (output) return std::move(*output);
  const std::string& said = output.error().message;
  const auto known = std::ranges::find_if(
      kComplaints, [&said](const Complaint& row) { return said.contains(row.words); });
  const Complaint* complaint = known == std::end(kComplaints) ? nullptr : known;
  const std::string mend =
      complaint != nullptr ? std::string(complaint->mend) : "try it by hand: " + ByHand(all);
  return std::unexpected(RunscFailure{
      {fmt::format("sandbox {} below {}: {}; {}", id, call.root, said, mend), Fault::kEnvironment},
      complaint});
}

std::optional<uint64_t> NumberBehind(std::string_view line, std::string_view label) {
  const size_t at = line.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + label.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  return error == std::errc() && end != line.data() ? std::optional(number) : std::nullopt;
}

}  // namespace

Result<TraceSession> ParseTraceList(std::string_view text) {
  const auto count = NumberBehind(text.substr(0, text.find('\n')), "SESSIONS (");
  if (!text.starts_with("SESSIONS (") || !count) {
    return Fail(Fault::kEnvironment, "`runsc trace list` printed something else than sessions");
  }
  TraceSession session{.exists = *count > 0};
  for (const std::string_view line : Split(text, '\n')) {
    session.dropped += NumberBehind(line, ", dropped: ").value_or(0);
  }
  return session;
}

Result<TraceSession> ReadTraceSession(const RunscCall& call, const std::string& sandbox_id) {
  RunscCall bounded = call;
  bounded.limits.output_bytes_max = kListBytesMax;
  const auto output = CallRunsc(bounded, {"trace", "list", sandbox_id});
  if (!output) return std::unexpected(output.error().error);
  auto session = ParseTraceList(*output);
  if (!session) {
    session.error().message =
        fmt::format("sandbox {} below {}: {}", sandbox_id, call.root, session.error().message);
  }
  return session;
}

std::expected<AttachOutcome, AttachFailure> Attach(const RunscCall& call,
                                                   const std::string& sandbox_id,
                                                   const std::string& session_path, bool force) {
  const auto before = ReadTraceSession(call, sandbox_id);
  std::vector<std::string> words = {"trace", "create"};
  if (force) words.emplace_back("--force");
  words.insert(words.end(), {"--config", session_path, sandbox_id});
  const int64_t began_ns = SteadyNs();
  const auto made = CallRunsc(call, words);
  AttachOutcome outcome;
  outcome.window_ns = SteadyNs() - began_ns;
  outcome.replaced = before && before->exists;
  if (outcome.replaced) outcome.dropped_before = before->dropped;
  if (made) return outcome;

  AttachFailure failure{.error = made.error().error};
  const Complaint* complaint = made.error().complaint;
  failure.config_refused = complaint != nullptr && complaint->refuses_config;
  if (force && outcome.replaced) {
    const auto after = ReadTraceSession(call, sandbox_id);
    failure.session_lost = after && !after->exists;
  }
  if (failure.session_lost) {
    failure.error.message +=
        ". The session that it had is gone: nobody watches it until it is attached with another "
        "session config";
  }
  return std::unexpected(std::move(failure));
}

Result<TraceSession> Detach(const RunscCall& call, const std::string& sandbox_id) {
  const auto before = ReadTraceSession(call, sandbox_id);
  const auto ended =
      CallRunsc(call, {"trace", "delete", "--name", std::string(kSessionName), sandbox_id});
  if (!ended) return std::unexpected(ended.error().error);
  return before ? *before : TraceSession{.exists = true};
}

std::string ShellWord(std::string_view text) {
  const auto is_plain = [](char c) {
    return std::string_view("_-./:=@%+,").contains(c) || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

}  // namespace gyrfalcon
