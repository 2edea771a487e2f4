#include "engine/limits.h"

#include "engine/alert_budget.h"
#include "engine/builtin_throttle.h"
#include "engine/held_messages.h"
#include "points/event.h"
#include "state/fork_flood.h"
#include "state/raised_rules.h"
#include "wire/handshake_message.h"
#include "wire/peer.h"

namespace gyrfalcon {
namespace {

template <auto member>
size_t& Of(Limits& limits) {
  return limits.*member;
}
template <auto member>
size_t& OfSandbox(Limits& limits) {
  return limits.sandbox.*member;
}
template <auto member>
size_t& OfSource(Limits& limits) {
  return limits.source.*member;
}

constexpr size_t kMillion = 1'000'000;
constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kGiB = size_t{1} << 30;

constexpr LimitRow kRows[] = {
    {"total_bytes_max", "Bytes of all sandboxes' states together; 0: no bound",
     "from seven eighths on each sandbox may keep an equal share; one that has more forgets what "
     "has been silent for longest, or all of its own where that is not enough",
     "threads_forgotten, state_forgotten", Of<&Limits::total_bytes_max>, 0, 0, 1024 * kGiB},
    {"sandbox_bytes_max", "Bytes of one sandbox's state, but for its tables of ids",
     "from three quarters on threads that have been silent for longest are forgotten, with their "
     "processes; where that does not help, children of clone, descriptors, arguments and "
     "environments are not remembered; at the whole, or where twice as much is held, the state is "
     "forgotten",
     "threads_forgotten, memory_refused, state_forgotten",
     OfSandbox<&SandboxLimits::sandbox_bytes_max>, 0, 64 * 1024, 16 * kGiB},
    {"processes_max", "Processes of a sandbox", "some process is forgotten for the new one",
     "processes_refused", OfSandbox<&SandboxLimits::processes_max>, 0, 1, 4 * kMillion},
    {"threads_max", "Threads of a sandbox", "some thread is forgotten for the new one",
     "threads_refused", OfSandbox<&SandboxLimits::threads_max>, 0, 1, 4 * kMillion},
    {"containers_max", "Containers of a sandbox, and of those that are others', told alerts about",
     "not remembered; its events have no container", "containers_refused, containers_disowned",
     OfSandbox<&SandboxLimits::containers_max>, 0, 1, kMillion},
    {"id_bytes_max", "Bytes of a container's id", "refused: its events have no container",
     "containers_refused", OfSandbox<&SandboxLimits::id_bytes_max>, 0, 64, 4096},
    {"fds_per_process_max", "Descriptors of a process", "not remembered", "fds_refused",
     OfSandbox<&SandboxLimits::fds_per_process_max>, 0, 1, kMillion},
    {"ancestors_max", "Processes in a line of ancestors", "the line is cut", "ancestors_cut",
     OfSandbox<&SandboxLimits::ancestors_max>, 0, 1, 1024},
    {"text_bytes_max", "Bytes of a path or folder", "cut", "texts_cut",
     OfSandbox<&SandboxLimits::text_bytes_max>, 0, 64, kMiB},
    {"argv_bytes_max", "Bytes of a program's arguments, and of its environment",
     "further ones are left out", "texts_cut", OfSandbox<&SandboxLimits::argv_bytes_max>, 0, 64,
     16 * kMiB},
    {"written_files_max", "Files of a sandbox remembered as opened for writing",
     "the oldest is forgotten", "written_files_forgotten",
     OfSandbox<&SandboxLimits::written_files_max>, 0, 1, kMillion},
    {"unjudged_raws_max", "Raw messages of which it is not known yet what they mean",
     "one more is left out", "raws_refused", OfSandbox<&SandboxLimits::unjudged_raws_max>, 0, 1,
     kMillion},
    {"awaiting_snapshot_max", "Processes of a sandbox about which runsc is to be asked",
     "one more is told as its messages say", "", OfSandbox<&SandboxLimits::awaiting_snapshot_max>,
     0, 1, kMillion},
    {"processes_seeded_max", "Processes learnt from one answer of runsc's",
     "the others become known when they speak", "snapshots_cut",
     OfSandbox<&SandboxLimits::processes_seeded_max>, 0, 1, kMillion},
    {"changes_since_question_max", "Changes noted while an answer of runsc's is on its way",
     "the answer's descriptors are not taken, its processes asked for anew", "",
     OfSandbox<&SandboxLimits::changes_since_question_max>, 0, 1, kMillion},
    {"message_bytes_max", "Bytes of a message", "the rest is cut off, and the message left out",
     "frames_truncated, truncated", OfSource<&SocketSourceOptions::message_bytes_max>, 0, 1024,
     ReceiveBatch::kMessageBytesMax},
    {"messages_per_turn", "Messages of one connection until it is the next one's turn",
     "the next connection's turn", "turns_cut", OfSource<&SocketSourceOptions::messages_per_turn>,
     0, 1, 65'536},
    {"handshake_ms", "Milliseconds until a client has shaken hands", "closed", "handshake_timeouts",
     Of<&Limits::handshake_ms>, 0, 1, 3'600'000},
    {"handshakes_waiting_max", "Clients that have not shaken hands yet", "the oldest is closed",
     "handshakes_evicted", Of<&Limits::handshakes_waiting_max>, 0, 1, kMillion},
    {"held_bytes_max", "Bytes of a sandbox's messages that wait for its container's metadata",
     "they are taken up without it", "metadata_waits_cut", Of<&Limits::held_bytes_max>, 0, 0, kGiB},
    {"held_total_bytes_max", "The same of all sandboxes of one worker",
     "the sandbox's that has the next message are taken up without it", "metadata_waits_cut",
     Of<&Limits::held_total_bytes_max>, 0, 0, 16 * kGiB},

    {"metadata_lookups_at_once",
     "Containers of a sandbox that are looked up at once; then four more a second",
     "its container's fields are missing until it is looked up", "metadata_lookups_refused",
     nullptr, kLookupsAtOnce},
    {"handshake_bytes", "Bytes of a handshake", "closed", "handshakes_rejected", nullptr,
     kHandshakeBytesMax},
    {"command_line_bytes", "Bytes of the command line of a client that are looked at", "cut", "",
     nullptr, kCommandLineBytesMax},
    {"list_items", "Elements of a list in a message", "the message is left out",
     "undecodable_too_long", nullptr, kListItemsMax},
    {"drain_messages", "Messages of a connection that are read at a stop",
     "what is left is not read", "drain_cut_short", nullptr, SocketSource::kStopMessagesMax},
    {"builtin_burst", "Alerts of one built-in and sandbox at once",
     "then one a second; the others are told by their number", "alerts_held_back", nullptr,
     BuiltinThrottle::kBurst},
    {"raised_rules", "Rules that an event which may be told again has raised",
     "one more may be raised again", "", nullptr, RaisedRules::kMax},
    {"forks_remembered", "Forks that a process flood is seen by",
     "the oldest does not count any more", "", nullptr, ForkFlood::kRemembered},
    {"budgeted_rules", "Rules whose alerts about a sandbox are counted",
     "alerts of one more are all raised", "", nullptr, AlertBudget::kRulesMax},
};

}  // namespace

size_t LimitRow::default_value() const {
  if (in == nullptr) return fixed;
  Limits limits;
  return in(limits);
}

std::span<const LimitRow> LimitRows() {
  return kRows;
}

}  // namespace gyrfalcon
