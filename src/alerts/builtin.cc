#include "alerts/builtin.h"

#include <algorithm>

#include "base/text.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kPrefix = "gyrfalcon: ";

// In the order of Builtin.
constexpr std::array<BuiltinDef, kBuiltinCount> kBuiltins = {{
    {"gyrfalcon: path changed during syscall", Priority::kCritical, "gyrfalcon sensor_evasion",
     "A path or address changed while the system call that it was passed to was running",
     "A second thread writes to the memory that a call's path lies in, between the moments at "
     "which it is checked and used. Honest programs do not do that. Look at what the process "
     "opened: the rules have been asked about the true path as well where the session tells it."},
    {"gyrfalcon: event hidden by invalid UTF-8", Priority::kCritical, "gyrfalcon sensor_evasion",
     "A system call was hidden: one of its strings is not UTF-8, so gVisor did not tell it",
     "gVisor drops a message with such a string without counting it. Only the raw message of the "
     "same call, or its exit message, arrived: that it was made is known, what was hidden is not."},
    {"gyrfalcon: events lost", Priority::kError, "gyrfalcon sensor_loss",
     "Events of a sandbox were lost",
     "What happened between the two times is not known in full. With the cause \"queue full\": "
     "fewer points in the session, more retries, or a larger net.core.wmem_default help. With "
     "\"message too large\": a program was started with arguments that can't be sent, which hides "
     "it. With \"nobody listened\": gyrfalcon was not running, or its session was ended, and has "
     "been made again."},
    {"gyrfalcon: identity of another sandbox claimed", Priority::kCritical,
     "gyrfalcon sensor_evasion",
     "A sandbox sent events in the name of a container that belongs to another sandbox",
     "Honest sandboxes know their own containers only: take this one for compromised, Sentry "
     "included. Its events are kept, without that container's identity."},
    {"gyrfalcon: sandbox went silent", Priority::kError, "gyrfalcon sensor_loss",
     "A sandbox runs and has sent nothing since it connected: most likely its runsc refused the "
     "session config",
     "A runsc that does not know a point or a field of the session config, or takes another of its "
     "values for wrong, connects and then sends nothing; `runsc trace list` shows no session. "
     "`runsc trace create` with the same file says the reason: make the file anew (`gyrfalcon "
     "session generate`)."},
    {"gyrfalcon: sandbox not traced", Priority::kError, "gyrfalcon sensor_loss",
     "A sandbox runs that is not connected: nothing of it is seen",
     "It was started without --pod-init-config, or while nobody listened, and could not be "
     "attached, which the log has the reason of, or attaching is switched off. Attach it with "
     "`runsc trace create`, and see that runsc has the session config. Where there is a "
     "`gyrfalcon.sink.endpoint`, another listener has its events, and attaching takes them away "
     "from it."},
    {"gyrfalcon: connection ended while sandbox runs", Priority::kError, "gyrfalcon sensor_loss",
     "A sandbox's connection has ended, and the sandbox runs on: nothing of it is seen any more",
     "Somebody has deleted its trace session (`runsc trace delete`), or given it to a listener "
     "that "
     "is gone, or its Sentry is compromised. Attach it again with `runsc trace create`."},
    {"gyrfalcon: session taken over", Priority::kError, "gyrfalcon sensor_loss",
     "A sandbox sends its events to somebody else: its trace session was replaced",
     "A sandbox has one session only, and `runsc trace create --force` gives it to whoever asks. "
     "`gyrfalcon.sink.endpoint` is the socket that the events go to, where that can be seen; `ss "
     "-xlp` has who listens there. Take the session back with `runsc trace create`."},
    {"gyrfalcon: process flood", Priority::kWarning, "gyrfalcon sensor_load",
     "A sandbox made very many processes in a moment, and none of them has run a program",
     "250 that live at once, forked within five seconds: a fork bomb, or an attempt to push other "
     "events out. A server that really forks so many workers at once is the exception: switch the "
     "alert off there. The process named is the one that made the last of them."},
    {"gyrfalcon: event flood", Priority::kWarning, "gyrfalcon sensor_load",
     "A sandbox sends events faster than they are taken up",
     "Within a second its queue was found full 64 times. Other sandboxes have their turns in "
     "between and lose nothing; its own events may be lost (`gyrfalcon: events lost` says "
     "when), and its program is slowed down. Either it tries to push events out, or its session "
     "asks for more than the rules need: make one with `gyrfalcon session generate`."},
    {"gyrfalcon: overloaded", Priority::kWarning, "gyrfalcon sensor_load",
     "Messages of a sandbox are left out, because its worker can't keep up",
     "The least urgent goes first: messages that no rule of the priority `gyrfalcon.skipped.below` "
     "or above needs and that change no state, then rules below it are not asked. Sandboxes that "
     "send the most go first. Told when it begins, when more is left out, and when it ends, then "
     "with what was left out. Give it more processors (`workers`), ask for fewer points, or see "
     "what floods (docs/overload.md)."},
    {"gyrfalcon: alerts suppressed", Priority::kWarning, "gyrfalcon sensor_load",
     "A rule raised more alerts about a sandbox than its budget has; the others were not raised",
     "`gyrfalcon.suppressed` is their number, of the rule `gyrfalcon.rule`, between the two times. "
     "The first ones were raised, look at them: either the rule fits too much and needs an "
     "exception, or the sandbox does one thing very often. `alerts.per_rule_burst` and "
     "`alerts.per_rule_per_minute` are the budget."},
    {"gyrfalcon: channel failing", Priority::kError, "gyrfalcon sensor_delivery",
     "An output has taken no alert for a while, or takes them again",
     "`gyrfalcon.channel.state` says which: failing, refuses all, works again; "
     "`gyrfalcon.channel.problem` what the output said last. The others have their alerts; the "
     "store keeps those of this one until it can be "
     "reached, within its bounds (`gyrfalcon.channel.missed` says what was gone by then)."},
    {"gyrfalcon: alerts not spooled", Priority::kError, "gyrfalcon sensor_delivery",
     "Alerts could not be kept in the store, which can be written again now",
     "The disk was full, or the store's folder could not be written. The outputs that worked had "
     "them from memory; they are missing in `gyrfalcon alerts`, and an output that failed "
     "meanwhile never had them."},
    {"gyrfalcon: runtime no longer configured", Priority::kError, "gyrfalcon sensor_loss",
     "A runtime of this node no longer names the session config that `gyrfalcon install` gave it",
     "Sandboxes that start are not traced by themselves any more: they are attached where the "
     "daemon can, and not seen until then. `runsc install` and tools that write such files anew "
     "take the session config out. Or the session config itself was changed, and leads to another "
     "socket than the daemon's. `gyrfalcon.setup.file` and `gyrfalcon.setup.problem` say where "
     "and what, `gyrfalcon.setup.mend` is the command that puts it back; `--undo` with it ends "
     "the watch."},
}};

void AppendText(const AlertField& field, std::string& out) {
  struct Printer {
    std::string& out;
    void operator()(std::monostate) const { out += "<NA>"; }
    void operator()(bool value) const { out += value ? "true" : "false"; }
    void operator()(const std::string& value) const { out += value; }
    void operator()(double value) const { out += std::to_string(value); }
    void operator()(int64_t value) const { out += std::to_string(value); }
    void operator()(uint64_t value) const { out += std::to_string(value); }
  };
  std::visit(Printer{out}, field.value);
}

}  // namespace

const BuiltinDef& Describe(Builtin builtin) {
  return kBuiltins[static_cast<size_t>(builtin)];
}

std::optional<Builtin> FindBuiltin(std::string_view name) {
  for (size_t i = 0; i < kBuiltins.size(); ++i) {
    const std::string_view rule = kBuiltins[i].rule;
    if (name == rule || name == rule.substr(kPrefix.size())) return static_cast<Builtin>(i);
  }
  return std::nullopt;
}

std::optional<std::string_view> NearestBuiltin(std::string_view name) {
  std::vector<std::string_view> names;
  for (const BuiltinDef& def : kBuiltins) {
    names.push_back(name.starts_with(kPrefix) ? def.rule : def.rule.substr(kPrefix.size()));
  }
  return NearestWord(name, names);
}

BuiltinSettings::BuiltinSettings() {
  enabled_.set();
  for (size_t i = 0; i < kBuiltinCount; ++i) priorities_[i] = kBuiltins[i].priority;
}

Alert MakeBuiltinAlert(Builtin builtin, Priority priority, int64_t time_ns,
                       std::vector<AlertField> fields) {
  const BuiltinDef& def = Describe(builtin);
  Alert alert{.rule = std::string(def.rule),
              .priority = priority,
              .source = "syscall",
              .tags = {},
              .time_ns = time_ns,
              .message = std::string(def.rule) + ": " + std::string(def.headline),
              .fields = {}};
  for (const std::string_view tag : Split(def.tags, ' ')) alert.tags.emplace_back(tag);
  alert.message += " |";
  for (const AlertField& field : fields) {
    std::string key = field.name;
    std::ranges::replace(key, '.', '_');
    alert.message += ' ';
    alert.message += key;
    alert.message += '=';
    AppendText(field, alert.message);
    const auto* text = std::get_if<std::string>(&field.value);
    if (field.name == "gyrfalcon.sandbox" && text != nullptr) alert.sandbox = *text;
  }
  alert.fields.push_back({"evt.time", time_ns});
  std::ranges::move(fields, std::back_inserter(alert.fields));
  return alert;
}

}  // namespace gyrfalcon
