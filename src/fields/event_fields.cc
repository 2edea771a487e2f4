#include <fcntl.h>
#include <fmt/format.h>

#include "base/host_name.h"
#include "fields/event_args.h"
#include "fields/flag_names.h"
#include "fields/rows.h"
#include "fields/time_text.h"

namespace gyrfalcon {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;
constexpr uint32_t kTmpfileBit = 020000000;  // __O_TMPFILE, asm-generic/fcntl.h

const Event* OpenOf(const Happening& h) {
  return h.event != nullptr && h.event->type() == MessageType::kOpen ? h.event : nullptr;
}

uint32_t OpenFlags(const Event& open) {
  return static_cast<uint32_t>(open.number(Slot::kFlags));
}

bool IsCreat(const Happening& h) {
  return h.point != nullptr && h.point->event_type == "creat";
}

// creat has no flags on the wire; the others' access mode is in the low bits.
bool OpensFor(const Happening& h, uint32_t access) {
  const Event* open = OpenOf(h);
  if (open == nullptr || IsCreat(h)) return false;
  const uint32_t mode = OpenFlags(*open) & O_ACCMODE;
  return mode == access || mode == O_RDWR;
}

Value TimeText(const Happening& h, Scratch& scratch, TimeStyle style) {
  return Value::Text(scratch.Copy(FormatTime(h.time_ns, style)));
}

template <TimeStyle style>
Value TimeField(const BoundField&, const Happening& h, Scratch& scratch) {
  return TimeText(h, scratch, style);
}

template <uint8_t flags>
Value HasTypeFlag(const BoundField&, const Happening& h, Scratch&) {
  return Value::Bool((Describe(h.type).flags & flags) != 0);
}

Value IsOpenExec(const BoundField&, const Happening& h, Scratch&) {
  const Event* open = OpenOf(h);
  if (open == nullptr) return Value::Bool(false);
  constexpr int64_t kAnyExec = 0111;
  const bool creates = IsCreat(h) || (OpenFlags(*open) & (O_CREAT | kTmpfileBit)) != 0;
  return Value::Bool(creates && (open->number(Slot::kMode) & kAnyExec) != 0);
}

// gVisor does not tell whether the file was made; these flags succeed only if it was.
Value IsOpenCreate(const BoundField&, const Happening& h, Scratch&) {
  const Event* open = OpenOf(h);
  if (open == nullptr || h.return_value < 0) return Value::Bool(false);
  const uint32_t flags = OpenFlags(*open);
  return Value::Bool((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ||
                     (flags & kTmpfileBit) != 0);
}

Value Hostname(const BoundField&, const Happening&, Scratch&) {
  return Value::Text(HostName());
}

Value ResultName(const BoundField&, const Happening& h, Scratch& scratch) {
  if (!h.has_return) return {};
  if (h.return_value >= 0) return Value::Text("SUCCESS");
  const std::string_view name = ErrnoOfReturn(h.return_value);
  if (!name.empty()) return Value::Text(name);
  return Value::Text(scratch.Copy(std::to_string(h.return_value)));
}

std::optional<std::string> ResolveArg(BoundField& field) {
  if (field.arg.index) return std::nullopt;  // evt.arg[N]
  const auto id = FindArgName(field.arg.text);
  if (!id) return "unknown event argument " + field.arg.text;
  field.arg.resolved = *id;
  return std::nullopt;
}

std::optional<std::string> ResolveRawArg(BoundField& field) {
  if (std::optional<std::string> message = ResolveArg(field)) return message;
  field.type = RawArgType(field.arg.resolved);
  if (field.arg.text == "mode") field.print = PrintFormat::kOctal;
  return std::nullopt;
}

std::optional<std::string> ResolveTypeIs(BoundField& field) {
  const auto type = FindEventType(field.arg.text);
  if (!type) return "unknown event type " + field.arg.text;
  field.arg.resolved = type->index;
  return std::nullopt;
}

Value BytesMoved(const BoundField&, const Happening& h, Scratch&) {
  const uint8_t flags = Describe(h.type).flags;
  if ((flags & (kReadsFd | kWritesFd)) == 0 || h.file == nullptr || h.return_value < 0) return {};
  return Value::Uint(static_cast<uint64_t>(h.return_value));
}

constexpr FieldDef kRows[] = {
    {.name = "evt.num",
     .type = FieldType::kUint,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(h.number); },
     .help = "Number of the message among those of its connection, from 1."},
    {.name = "evt.time",
     .type = FieldType::kText,
     .extract = TimeField<TimeStyle::kTimeOfDay>,
     .help = "Time of day, HH:MM:SS.nnnnnnnnn, in the daemon's time zone."},
    {.name = "evt.time.s",
     .type = FieldType::kText,
     .extract = TimeField<TimeStyle::kTimeOfDaySeconds>,
     .help = "Time of day, HH:MM:SS."},
    {.name = "evt.time.iso8601",
     .type = FieldType::kText,
     .extract = TimeField<TimeStyle::kIso8601>,
     .help = "UTC time, YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000."},
    {.name = "evt.datetime",
     .type = FieldType::kText,
     .extract = TimeField<TimeStyle::kDateTime>,
     .help = "Date and time of day with nanoseconds."},
    {.name = "evt.datetime.s",
     .type = FieldType::kText,
     .extract = TimeField<TimeStyle::kDateTimeSeconds>,
     .help = "Date and time of day."},
    {.name = "evt.rawtime",
     .type = FieldType::kUint,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(static_cast<uint64_t>(h.time_ns)); },
     .help = "Nanoseconds since the epoch."},
    {.name = "evt.rawtime.s",
     .type = FieldType::kUint,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(static_cast<uint64_t>(h.time_ns / kNsPerS)); },
     .help = "Seconds since the epoch."},
    {.name = "evt.rawtime.ns",
     .type = FieldType::kUint,
     .print = PrintFormat::kPaddedNanoseconds,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(static_cast<uint64_t>(h.time_ns % kNsPerS)); },
     .help = "The nanoseconds of the second."},
    {.name = "evt.outputtime",
     .type = FieldType::kText,
     .extract = TimeField<TimeStyle::kTimeOfDay>,
     .help = "Time as alerts print it."},
    {.name = "evt.source",
     .type = FieldType::kText,
     .availability = Availability::kConstant,
     .level = Level::kRuleset,
     .extract = [](const BoundField&, const Happening&,
                   Scratch&) { return Value::Text("syscall"); },
     .help = "Always \"syscall\"."},
    {.name = "evt.is_async",
     .type = FieldType::kBool,
     .availability = Availability::kConstant,
     .level = Level::kRuleset,
     .extract = [](const BoundField&, const Happening&, Scratch&) { return Value::Bool(false); },
     .help = "Always false: gVisor sends no such events."},
    {.name = "evt.asynctype",
     .type = FieldType::kText,
     .availability = Availability::kNever,
     .help = "Type of an asynchronous event; gVisor has none."},
    {.name = "evt.pluginname",
     .type = FieldType::kText,
     .availability = Availability::kNever,
     .help = "Name of the plugin that made the event; there are none here."},
    {.name = "evt.plugininfo",
     .type = FieldType::kText,
     .availability = Availability::kNever,
     .help = "A plugin's own summary; there are none here."},
    {.name = "evt.hostname",
     .type = FieldType::kText,
     .availability = Availability::kConstant,
     .level = Level::kRuleset,
     .extract = Hostname,
     .help = "Name of the host; the environment variable FALCO_HOSTNAME overrides it."},
    {.name = "evt.dir",
     .type = FieldType::kText,
     .flags = kDeprecated,
     .availability = Availability::kConstant,
     .level = Level::kRuleset,
     .extract = [](const BoundField&, const Happening&, Scratch&) { return Value::Text("<"); },
     .help = "Always \"<\": rules see what has happened, never what is about to."},
    {.name = "evt.type",
     .type = FieldType::kEventType,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Text(Describe(h.type).name); },
     .help = "Name of what happened, mostly a system call's."},
    {.name = "syscall.type",
     .type = FieldType::kEventType,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           const std::string_view name = Describe(h.type).name;
           return name == "procexit" ? Value() : Value::Text(name);
         },
     .help = "evt.type where it is a system call's."},
    {.name = "evt.type.is",
     .type = FieldType::kUint,
     .arg = ArgForm::kDottedRequired,
     .extract = [](const BoundField& f, const Happening& h,
                   Scratch&) { return Value::Uint(h.type.index == f.arg.resolved ? 1 : 0); },
     .help = "1 for events of the type that is the argument, else 0.",
     .resolve = ResolveTypeIs},
    {.name = "evt.arg",
     .type = FieldType::kText,
     .arg = ArgForm::kDottedOrIndex,
     .extract =
         [](const BoundField& f, const Happening& h, Scratch& s) {
           return f.arg.resolved < 0 ? Value() : ExtractArg(f.arg.resolved, true, h, s);
         },
     .help = "An argument of the event as text: evt.arg.flags.",
     .resolve = ResolveArg},
    {.name = "evt.rawarg",
     .type = FieldType::kText,
     .arg = ArgForm::kDottedRequired,
     .flags = kNoRhs | kNoTransformer,
     .extract = [](const BoundField& f, const Happening& h,
                   Scratch& s) { return ExtractArg(f.arg.resolved, false, h, s); },
     .help = "An argument of the event as it is: evt.rawarg.flags.",
     .resolve = ResolveRawArg},
    {.name = "evt.args",
     .type = FieldType::kText,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch& s) { return ExtractAllArgs(h, s); },
     .help = "All arguments, name=value."},
    {.name = "evt.info",
     .type = FieldType::kText,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch& s) { return ExtractAllArgs(h, s); },
     .help = "The same as evt.args."},
    {.name = "evt.buffer",
     .type = FieldType::kBytes,
     .availability = Availability::kNever,
     .help = "Data read or written; gVisor does not send it."},
    {.name = "evt.buflen",
     .type = FieldType::kUint,
     .extract = BytesMoved,
     .help = "Bytes read or written."},
    {.name = "evt.res",
     .type = FieldType::kText,
     .extract = ResultName,
     .help = "SUCCESS, or the name of the error."},
    {.name = "evt.rawres",
     .type = FieldType::kInt,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return h.has_return ? Value::Int(h.return_value) : Value(); },
     .help = "What the system call returned; the negative error number on failure."},
    {.name = "evt.failed",
     .type = FieldType::kBool,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Bool(h.has_return && h.return_value < 0); },
     .help = "Whether the system call failed."},
    {.name = "evt.count",
     .type = FieldType::kUint,
     .availability = Availability::kConstant,
     .level = Level::kRuleset,
     .extract = [](const BoundField&, const Happening&, Scratch&) { return Value::Uint(1); },
     .help = "Always 1."},
    {.name = "evt.is_io",
     .type = FieldType::kBool,
     .extract = HasTypeFlag < kReadsFd | kWritesFd >,
     .help = "Whether the event reads or writes an fd."},
    {.name = "evt.is_io_read",
     .type = FieldType::kBool,
     .extract = HasTypeFlag<kReadsFd>,
     .help = "Whether the event reads an fd."},
    {.name = "evt.is_io_write",
     .type = FieldType::kBool,
     .extract = HasTypeFlag<kWritesFd>,
     .help = "Whether the event writes an fd."},
    {.name = "evt.is_wait",
     .type = FieldType::kBool,
     .extract = HasTypeFlag<kWaits>,
     .help = "Whether the event waits."},
    {.name = "evt.io_dir",
     .type = FieldType::kText,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           const uint8_t flags = Describe(h.type).flags;
           if ((flags & kReadsFd) != 0) return Value::Text("read");
           return (flags & kWritesFd) != 0 ? Value::Text("write") : Value();
         },
     .help = "\"read\" or \"write\" for events that do so."},
    {.name = "evt.is_open_read",
     .type = FieldType::kBool,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Bool(OpensFor(h, O_RDONLY)); },
     .help = "Whether the event opens for reading."},
    {.name = "evt.is_open_write",
     .type = FieldType::kBool,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Bool(OpensFor(h, O_WRONLY)); },
     .help = "Whether the event opens for writing."},
    {.name = "evt.is_open_exec",
     .type = FieldType::kBool,
     .extract = IsOpenExec,
     .help = "Whether the event makes a file that can be executed."},
    {.name = "evt.is_open_create",
     .type = FieldType::kBool,
     .availability = Availability::kPartial,
     .extract = IsOpenCreate,
     .help = "Whether the event surely made a file: O_EXCL or O_TMPFILE that succeeded."},
    {.name = "evt.abspath",
     .type = FieldType::kText,
     .arg = ArgForm::kDottedAllowed,
     .availability = Availability::kPartial,
     .extract =
         [](const BoundField& f, const Happening& h, Scratch&) {
           return f.has_arg || h.point == nullptr || h.point->event_type != "openat"
                      ? Value()
                      : Value::Text(h.path);
         },
     .help = "Absolute path that openat works on; other calls carry none."},
    {.name = "evt.cpu",
     .type = FieldType::kInt,
     .availability = Availability::kNever,
     .help = "CPU number; gVisor does not send it."},
};

}  // namespace

std::span<const FieldDef> EventFields() {
  return kRows;
}

}  // namespace gyrfalcon
