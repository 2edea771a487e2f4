#include <fcntl.h>
#include <fmt/format.h>

#include "base/host_name.h"
#include "fields/event_args.h"
#include "fields/event_categories.h"
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
  const RawArg arg = DescribeRawArg(field.arg.resolved);
  field.type = arg.type;
  field.falco_type = arg.falco_type;
  field.print = arg.print;
  return std::nullopt;
}

std::optional<std::string> ResolveAbspath(BoundField& field) {
  if (!field.has_arg || field.arg.text == "src" || field.arg.text == "dst") return std::nullopt;
  return "filter_check called with nonexistent field evt.abspath." + field.arg.text;
}

std::optional<std::string> ResolveTypeIs(BoundField& field) {
  const auto type = FindEventType(field.arg.text);
  if (!type) return "unknown event type " + field.arg.text;
  field.arg.resolved = type->index;
  return std::nullopt;
}

// ---- bytes moved

constexpr uint8_t kEitherWay = kReadsFd | kWritesFd;
enum class FdKind : uint8_t { kAny, kFile, kSocket };

bool IsOfKind(const Happening& h, FdKind kind) {
  if (kind == FdKind::kAny) return true;
  return FdCategory(h) == (kind == FdKind::kFile ? "file" : "net");
}

template <uint8_t direction, FdKind kind>
Value BytesMoved(const BoundField&, const Happening& h, Scratch&) {
  const bool moves = (Describe(h.type).flags & direction) != 0;
  if (!moves || h.file == nullptr || h.return_value < 0 || !IsOfKind(h, kind)) return {};
  return Value::Uint(static_cast<uint64_t>(h.return_value));
}

// ---- counts of one event

enum class ErrorFamily : uint8_t { kAny, kFile, kNet, kMemory, kOther };

ErrorFamily FamilyOf(const Happening& h) {
  const std::string_view category = EventCategory(h);
  if (category == "file" || FdCategory(h) == "file") return ErrorFamily::kFile;
  if (category == "net" || FdCategory(h) == "net") return ErrorFamily::kNet;
  return category == "memory" ? ErrorFamily::kMemory : ErrorFamily::kOther;
}

template <ErrorFamily family>
Value CountError(const BoundField&, const Happening& h, Scratch&) {
  if (!h.has_return) return {};
  if (family != ErrorFamily::kAny && FamilyOf(h) != family) return {};
  return Value::Uint(h.return_value < 0 ? 1 : 0);
}

template <uint64_t number>
Value Always(const BoundField&, const Happening&, Scratch&) {
  return Value::Uint(number);
}

// ---- times

constexpr uint64_t AbsoluteNs(int64_t ns) {
  return static_cast<uint64_t>(ns < 0 ? 0 : ns);
}

uint64_t SinceFirstNs(const Happening& h) {
  return AbsoluteNs(Since(h.first_time_ns, h.time_ns));
}

// Nanoseconds since this very check was evaluated before; 0 the first time.
uint64_t SinceLastAskedNs(const BoundField& field, const Happening& h, Scratch& scratch) {
  int64_t& last_ns = scratch.Remembered(&field);
  const int64_t before_ns = std::exchange(last_ns, h.time_ns);
  return before_ns == 0 ? 0 : AbsoluteNs(Since(before_ns, h.time_ns));
}

enum class TimePart : uint8_t { kAll, kSeconds, kNanoseconds };

constexpr uint64_t PartOf(uint64_t ns, TimePart part) {
  constexpr uint64_t kNsInS = kNsPerS;
  switch (part) {
    case TimePart::kSeconds:
      return ns / kNsInS;
    case TimePart::kNanoseconds:
      return ns % kNsInS;
    default:
      return ns;
  }
}

template <TimePart part>
Value RelativeTime(const BoundField&, const Happening& h, Scratch&) {
  return Value::Uint(PartOf(SinceFirstNs(h), part));
}

template <TimePart part>
Value DeltaTime(const BoundField& field, const Happening& h, Scratch& scratch) {
  return Value::Uint(PartOf(SinceLastAskedNs(field, h, scratch), part));
}

// Whole milliseconds from evt.around's argument, rounded up so that `= N` means "at most N".
Value Distance(const BoundField& field, const Happening& h, Scratch&) {
  constexpr uint64_t kNsPerMs = 1'000'000;
  const auto now = static_cast<uint64_t>(h.time_ns);
  const uint64_t then = *field.arg.index;
  const uint64_t apart = now > then ? now - then : then - now;
  return Value::Uint(apart / kNsPerMs + (apart % kNsPerMs != 0 ? 1 : 0));
}

Value IsSyslog(const BoundField&, const Happening& h, Scratch&) {
  const bool writes = (Describe(h.type).flags & kWritesFd) != 0;
  return Value::Bool(writes && h.file != nullptr &&
                     std::string_view(h.file->name).contains("/dev/log"));
}

constexpr FieldDef TimeNumber(std::string_view name, Extractor extract, std::string_view help,
                              PrintFormat print = PrintFormat::kPlain,
                              Availability availability = Availability::kYes, uint8_t flags = 0) {
  return {.name = name,
          .type = FieldType::kUint,
          .flags = flags,
          .print = print,
          .availability = availability,
          .extract = extract,
          .help = help,
          .falco_type = "RELTIME"};
}

constexpr FieldDef NoLatency(std::string_view name, PrintFormat print = PrintFormat::kPlain) {
  return TimeNumber(name, Always<0>, "Always 0: there are no enter events to measure from.", print,
                    Availability::kConstant, kDeprecated);
}

constexpr FieldDef Count(std::string_view name, Extractor extract, std::string_view help,
                         Availability availability = Availability::kYes) {
  return {.name = name,
          .type = FieldType::kUint,
          .availability = availability,
          .extract = extract,
          .help = help,
          .falco_type = "UINT32"};
}

constexpr FieldDef Bytes(std::string_view name, Extractor extract, std::string_view help) {
  return {.name = name, .type = FieldType::kUint, .extract = extract, .help = help};
}

constexpr auto kPadded = PrintFormat::kPaddedNanoseconds;

constexpr FieldDef kRows[] = {
    TimeNumber("evt.reltime", RelativeTime<TimePart::kAll>,
               "Nanoseconds since the first message of the sandbox.", kPadded),
    TimeNumber("evt.reltime.s", RelativeTime<TimePart::kSeconds>,
               "Seconds since the first message of the sandbox."),
    TimeNumber("evt.reltime.ns", RelativeTime<TimePart::kNanoseconds>,
               "The nanoseconds of evt.reltime's second.", kPadded),
    TimeNumber("evt.deltatime", DeltaTime<TimePart::kAll>,
               "Nanoseconds since the event for which this check was evaluated before."),
    TimeNumber("evt.deltatime.s", DeltaTime<TimePart::kSeconds>, "Seconds of evt.deltatime."),
    TimeNumber("evt.deltatime.ns", DeltaTime<TimePart::kNanoseconds>,
               "The nanoseconds of evt.deltatime's second.", kPadded),
    NoLatency("evt.latency"),
    NoLatency("evt.latency.s"),
    NoLatency("evt.latency.ns", kPadded),
    NoLatency("evt.wait_latency"),
    {.name = "evt.latency.quantized",
     .type = FieldType::kUint,
     .flags = kDeprecated,
     .availability = Availability::kConstant,
     .extract = Always<0>,
     .help = "Always 0: there are no enter events to measure from."},
    {.name = "evt.latency.human",
     .type = FieldType::kText,
     .flags = kDeprecated,
     .availability = Availability::kConstant,
     .extract = [](const BoundField&, const Happening&, Scratch&) { return Value::Text("0ns"); },
     .help = "Always \"0ns\": there are no enter events to measure from."},
    {.name = "evt.category",
     .type = FieldType::kText,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Text(EventCategory(h)); },
     .help = "Kind of event: file, net, memory, process and so on; of reads, writes and the like "
             "the kind of their fd."},
    {.name = "evt.is_syslog",
     .type = FieldType::kBool,
     .availability = Availability::kPartial,
     .extract = IsSyslog,
     .help = "Whether the event writes to /dev/log."},
    Count("evt.count.error", CountError<ErrorFamily::kAny>, "1 if the event failed, else 0."),
    Count("evt.count.error.file", CountError<ErrorFamily::kFile>,
          "The same for events on files; others have none."),
    Count("evt.count.error.net", CountError<ErrorFamily::kNet>,
          "The same for events on sockets; others have none."),
    Count("evt.count.error.memory", CountError<ErrorFamily::kMemory>,
          "The same for events on memory; others have none."),
    Count("evt.count.error.other", CountError<ErrorFamily::kOther>,
          "The same for events that are of none of those kinds."),
    Count("evt.count.exit", Always<1>, "Always 1: rules see exits only.", Availability::kConstant),
    Count("evt.count.procinfo", Always<0>, "Always 0: gVisor has no such events.",
          Availability::kConstant),
    Count("evt.count.threadinfo", Always<0>, "Always 0: gVisor has no such events.",
          Availability::kConstant),
    {.name = "evt.around",
     .type = FieldType::kDistance,
     .arg = ArgForm::kIndexRequired,
     .flags = kFilterOnly | kNoRhs | kNoTransformer,
     .extract = Distance,
     .help = "evt.around[T] = N holds for events at most N milliseconds from T, which is in "
             "nanoseconds since the epoch."},
    Bytes("evt.buflen.in", BytesMoved<kReadsFd, FdKind::kAny>, "Bytes read."),
    Bytes("evt.buflen.out", BytesMoved<kWritesFd, FdKind::kAny>, "Bytes written."),
    Bytes("evt.buflen.file", BytesMoved<kEitherWay, FdKind::kFile>,
          "Bytes read from or written to a file."),
    Bytes("evt.buflen.file.in", BytesMoved<kReadsFd, FdKind::kFile>, "Bytes read from a file."),
    Bytes("evt.buflen.file.out", BytesMoved<kWritesFd, FdKind::kFile>, "Bytes written to a file."),
    Bytes("evt.buflen.net", BytesMoved<kEitherWay, FdKind::kSocket>,
          "Bytes read from or written to a socket."),
    Bytes("evt.buflen.net.in", BytesMoved<kReadsFd, FdKind::kSocket>, "Bytes read from a socket."),
    Bytes("evt.buflen.net.out", BytesMoved<kWritesFd, FdKind::kSocket>,
          "Bytes written to a socket."),
    NeverField("evt.infra.docker.name", FieldType::kText, "Docker's own events; gVisor has none."),
    NeverField("evt.infra.docker.container.id", FieldType::kText,
               "Docker's own events; gVisor has none."),
    NeverField("evt.infra.docker.container.name", FieldType::kText,
               "Docker's own events; gVisor has none."),
    NeverField("evt.infra.docker.container.image", FieldType::kText,
               "Docker's own events; gVisor has none."),
    {.name = "util.cnt",
     .type = FieldType::kUint,
     .invalidated_by = kByHistory,
     .extract = [](const BoundField& f, const Happening&,
                   Scratch& s) { return Value::Uint(static_cast<uint64_t>(++s.Remembered(&f))); },
     .help = "How often this check was evaluated."},
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
     .help = "Nanoseconds since the epoch.",
     .falco_type = "ABSTIME"},
    {.name = "evt.rawtime.s",
     .type = FieldType::kUint,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(static_cast<uint64_t>(h.time_ns / kNsPerS)); },
     .help = "Seconds since the epoch.",
     .falco_type = "ABSTIME"},
    {.name = "evt.rawtime.ns",
     .type = FieldType::kUint,
     .print = PrintFormat::kPaddedNanoseconds,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(static_cast<uint64_t>(h.time_ns % kNsPerS)); },
     .help = "The nanoseconds of the second.",
     .falco_type = "ABSTIME"},
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
     .level = Level::kEventType,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           return Value::Text(Describe(h.type).name == "procexit" ? ">" : "<");
         },
     .help =
         "\"<\": rules see what has happened, never what is about to; \">\" of procexit only, as "
         "Falco numbers it."},
    {.name = "evt.type",
     .type = FieldType::kEventType,
     .level = Level::kEventType,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Text(Describe(h.type).name); },
     .help = "Name of what happened, mostly a system call's."},
    {.name = "syscall.type",
     .type = FieldType::kEventType,
     .level = Level::kEventType,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           const std::string_view name = Describe(h.type).name;
           return name == "procexit" ? Value() : Value::Text(name);
         },
     .help = "evt.type where it is a system call's."},
    {.name = "evt.type.is",
     .type = FieldType::kUint,
     .arg = ArgForm::kDottedRequired,
     .level = Level::kEventType,
     .extract = [](const BoundField& f, const Happening& h,
                   Scratch&) { return Value::Uint(h.type.index == f.arg.resolved ? 1 : 0); },
     .help = "1 for events of the type that is the argument, else 0.",
     .resolve = ResolveTypeIs,
     .falco_type = "UINT32"},
    {.name = "evt.arg",
     .type = FieldType::kText,
     .arg = ArgForm::kDottedOrIndex,
     .extract =
         [](const BoundField& f, const Happening& h, Scratch& s) {
           return f.arg.index ? ExtractArgAt(*f.arg.index, h, s)
                              : ExtractArg(f.arg.resolved, true, h, s);
         },
     .help = "An argument of the event as text: evt.arg.flags, or by its place: evt.arg[0].",
     .resolve = ResolveArg},
    {.name = "evt.rawarg",
     .type = FieldType::kText,
     .arg = ArgForm::kDottedRequired,
     .flags = kNoRhs | kNoTransformer,
     .extract = [](const BoundField& f, const Happening& h,
                   Scratch& s) { return ExtractArg(f.arg.resolved, false, h, s); },
     .help = "An argument of the event as it is: evt.rawarg.flags.",
     .resolve = ResolveRawArg,
     .falco_type = "DYN"},
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
     .extract = BytesMoved<kEitherWay, FdKind::kAny>,
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
     .help = "Always 1.",
     .falco_type = "UINT32"},
    {.name = "evt.is_io",
     .type = FieldType::kBool,
     .level = Level::kEventType,
     .extract = HasTypeFlag < kReadsFd | kWritesFd >,
     .help = "Whether the event reads or writes an fd."},
    {.name = "evt.is_io_read",
     .type = FieldType::kBool,
     .level = Level::kEventType,
     .extract = HasTypeFlag<kReadsFd>,
     .help = "Whether the event reads an fd."},
    {.name = "evt.is_io_write",
     .type = FieldType::kBool,
     .level = Level::kEventType,
     .extract = HasTypeFlag<kWritesFd>,
     .help = "Whether the event writes an fd."},
    {.name = "evt.is_wait",
     .type = FieldType::kBool,
     .level = Level::kEventType,
     .extract = HasTypeFlag<kWaits>,
     .help = "Whether the event waits."},
    {.name = "evt.io_dir",
     .type = FieldType::kText,
     .level = Level::kEventType,
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
     .help = "Absolute path that openat works on; other calls carry none.",
     .resolve = ResolveAbspath},
    {.name = "evt.cpu",
     .type = FieldType::kInt,
     .availability = Availability::kNever,
     .help = "CPU number; gVisor does not send it.",
     .falco_type = "INT16"},
};

}  // namespace

std::span<const FieldDef> EventFields() {
  return kRows;
}

}  // namespace gyrfalcon
