#include <array>
#include <string>

#include "base/text.h"
#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

bool IsOpen(const Happening& h) {
  return h.event != nullptr && h.event->type() == MessageType::kOpen;
}

// Falco's letter where nothing is known of the fd but the event that should have made it; plain
// open is not among those that have one.
char TypeCharOfEvent(const Happening& h) {
  constexpr struct {
    std::string_view event_type;
    char type_char;
  } kDefaults[] = {{"openat", 'f'},       {"creat", 'f'},        {"socket", '4'},
                   {"accept", '4'},       {"accept4", '4'},      {"pipe", 'p'},
                   {"pipe2", 'p'},        {"eventfd", 'e'},      {"eventfd2", 'e'},
                   {"signalfd", 's'},     {"signalfd4", 's'},    {"timerfd_create", 't'},
                   {"inotify_init", 'i'}, {"inotify_init1", 'i'}};
  const std::string_view type = Describe(h.type).name;
  for (const auto& row : kDefaults) {
    if (row.event_type == type) return row.type_char;
  }
  return 'o';
}

Value TypeChar(const BoundField&, const Happening& h, Scratch& scratch) {
  if (!h.has_fd) return {};
  const char letter = h.file != nullptr ? Describe(h.file->type).type_char : TypeCharOfEvent(h);
  const std::span<char> out = scratch.Chars(1);
  out[0] = letter;
  return Value::Text({out.data(), 1});
}

// Without an fd the path of the attempt; "" for events that have neither.
std::string_view NameOf(const Happening& h) {
  if (h.file != nullptr) return h.file->name;
  return IsOpen(h) ? h.path : std::string_view{};
}

Value Name(const BoundField&, const Happening& h, Scratch&) {
  return h.has_fd ? Value::Text(NameOf(h)) : Value();
}

Value Origin(const BoundField&, const Happening& h, Scratch&) {
  return h.has_fd && h.fd >= 0 ? Value::Text(gyrfalcon::Name(h.fd_origin)) : Value();
}

bool NamesPath(const Happening& h) {
  if (h.file == nullptr) return IsOpen(h);
  return h.file->type == FileType::kFile || h.file->type == FileType::kDirectory;
}

std::string_view DirectoryOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash == 0 ? "/" : path.substr(0, slash);
}

Value Directory(const BoundField&, const Happening& h, Scratch&) {
  return h.has_fd && NamesPath(h) ? Value::Text(DirectoryOf(NameOf(h))) : Value();
}

std::string_view WithSingleSlashes(std::string_view path, Scratch& scratch) {
  if (!path.contains("//")) return path;
  const std::span<char> out = scratch.Chars(path.size());
  size_t used = 0;
  for (const char c : path) {
    if (c != '/' || used == 0 || out[used - 1] != '/') out[used++] = c;
  }
  return {out.data(), used};
}

// ---- sockets

const File* IpSocket(const Happening& h) {
  return h.file != nullptr && h.file->is_ip_socket() ? h.file : nullptr;
}

using End = const Endpoint* (*)(const File&);

// A bound socket has a server's address, but "local" and "remote" are said of a connection only.
bool IsConnection(const File& file) {
  return file.connected || file.remote;
}

const Endpoint* LocalEnd(const File& file) {
  return file.local ? &*file.local : nullptr;
}
const Endpoint* Local(const File& file) {
  return IsConnection(file) ? LocalEnd(file) : nullptr;
}
const Endpoint* Remote(const File& file) {
  return file.remote ? &*file.remote : nullptr;
}
const Endpoint* Client(const File& file) {
  switch (file.role) {
    case SocketRole::kClient:
      return LocalEnd(file);
    case SocketRole::kServer:
      return Remote(file);
    default:
      return nullptr;
  }
}
const Endpoint* Server(const File& file) {
  switch (file.role) {
    case SocketRole::kClient:
      return Remote(file);
    case SocketRole::kServer:
      return LocalEnd(file);
    default:
      return nullptr;
  }
}

// That end of the happening's connection; nullptr when there is none, or it is not known.
template <End end>
const Endpoint* EndOf(const Happening& h) {
  const File* file = IpSocket(h);
  return file == nullptr ? nullptr : end(*file);
}

template <End end>
Value Ip(const BoundField&, const Happening& h, Scratch&) {
  const Endpoint* found = EndOf<end>(h);
  return found == nullptr ? Value() : Value::Ip(found->address);
}

template <End end>
Value Port(const BoundField&, const Happening& h, Scratch&) {
  const Endpoint* found = EndOf<end>(h);
  return found == nullptr ? Value() : Value::Uint(found->port);
}

// Both sides of a connection, as far as they are known: an unknown side is absent, not 0.0.0.0.
template <bool ports>
Value EitherSide(const BoundField&, const Happening& h, Scratch& scratch) {
  const File* file = IpSocket(h);
  if (file == nullptr) return {};
  const std::span<Value> sides = scratch.Values(2);
  size_t count = 0;
  for (const Endpoint* end : {LocalEnd(*file), Remote(*file)}) {
    if (end == nullptr) continue;
    sides[count++] = ports ? Value::Uint(end->port) : Value::Ip(end->address);
  }
  return count == 0 ? Value() : Value::List(sides.first(count));
}

std::string_view TransportName(Transport transport) {
  constexpr std::array<std::string_view, 5> kNames = {"<NA>", "tcp", "udp", "icmp", "raw"};
  return kNames[static_cast<size_t>(transport)];
}

// The number: Falco names services only when it is told to.
template <End end>
Value Service(const BoundField&, const Happening& h, Scratch& scratch) {
  const Endpoint* found = EndOf<end>(h);
  return found == nullptr ? Value() : Value::Text(scratch.Copy(std::to_string(found->port)));
}

Value SocketFamily(const BoundField&, const Happening& h, Scratch&) {
  if (h.file == nullptr) return {};
  if (h.file->is_ip_socket()) return Value::Text("ip");
  return h.file->type == FileType::kUnix ? Value::Text("unix") : Value();
}

// ---- others

Value Inode(const BoundField&, const Happening& h, Scratch&) {
  if (h.file == nullptr) return {};
  const FileType type = h.file->type;
  const bool has_inode = type == FileType::kFile || type == FileType::kDirectory ||
                         type == FileType::kPipe || type == FileType::kUnknown;
  return h.file->inode == 0 && has_inode ? Value()
                                         : Value::Int(static_cast<int64_t>(h.file->inode));
}

Value OpenTypes(const BoundField& field, const Happening& h, Scratch& scratch) {
  const FdTable& fds = *h.process->fds;
  if (field.arg.index) {
    const File* file = fds.Find(static_cast<int64_t>(*field.arg.index));
    return file == nullptr ? Value() : Value::Text(Describe(file->type).name);
  }
  if (fds.size() == 0) return {};
  const std::span<Value> items = scratch.Values(static_cast<size_t>(FileType::kCount));
  std::array<bool, static_cast<size_t>(FileType::kCount)> seen{};
  size_t count = 0;
  for (const FdTable::Entry& entry : fds.entries()) {
    const auto type = static_cast<size_t>(entry.file->type);
    if (std::exchange(seen[type], true)) continue;
    items[count++] = Value::Text(Describe(entry.file->type).name);
  }
  return Value::List(items.first(count));
}

Value Joined(std::initializer_list<std::string_view> parts, Scratch& scratch) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return Value::Text(scratch.Copy(text));
}

Value WithContainer(const Happening& h, std::string_view text, Scratch& scratch) {
  const std::string_view id = h.container == nullptr ? "" : h.container->short_id();
  return Joined({id, ":", text}, scratch);
}

// fs.path: opens only; every other call that takes a path is raw in gVisor, without its strings.
Value FsPath(const BoundField&, const Happening& h, Scratch&) {
  return IsOpen(h) && h.return_value != -1 ? Value::Text(h.path) : Value();
}
Value FsPathRaw(const BoundField&, const Happening& h, Scratch&) {
  return IsOpen(h) && h.return_value != -1 ? Value::Text(h.path_raw) : Value();
}

using enum FieldType;

constexpr FieldDef FdField(std::string_view name, FieldType type, Extractor extract,
                           std::string_view help, Availability availability = Availability::kYes,
                           uint8_t flags = 0) {
  return {.name = name,
          .type = type,
          .flags = flags,
          .availability = availability,
          .level = Level::kFd,
          .extract = extract,
          .help = help};
}

constexpr uint8_t kFilter = kFilterOnly | kNoRhs | kNoTransformer;
constexpr auto kPartial = Availability::kPartial;

constexpr FieldDef kRows[] = {
    {.name = "fd.num",
     .type = kInt,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return h.has_fd ? Value::Int(h.fd) : Value(); },
     .help = "Number of the fd; the new one where one is made, -1 when that failed."},
    FdField(
        "fd.type", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          return h.file == nullptr ? Value() : Value::Text(Describe(h.file->type).name);
        },
        "file, directory, ipv4, ipv6, unix, pipe, event and so on."),
    FdField("fd.typechar", kText, TypeChar, "The same as one letter."),
    FdField("fd.name", kText, Name, "Absolute path, or client->server of a connection."),
    FdField(
        "fd.nameraw", kText,
        [](const BoundField&, const Happening& h, Scratch& s) {
          if (IsOpen(h)) return Value::Text(WithSingleSlashes(h.path_raw, s));
          return h.file == nullptr ? Value() : Value::Text(WithSingleSlashes(h.file->name_raw, s));
        },
        "The path as the program passed it, but for doubled slashes."),
    FdField("fd.directory", kText, Directory, "The directory of fd.name."),
    FdField(
        "fd.filename", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          if (h.file == nullptr || h.file->type != FileType::kFile) return Value();
          return Value::Text(PathBasename(h.file->name));
        },
        "The last component of fd.name."),
    FdField("fd.ip", kIp, EitherSide<false>, "Either address of a connection.", kPartial,
            kFilter | kEitherSide),
    FdField("fd.port", kPort, EitherSide<true>, "Either port of a connection.", kPartial,
            kFilter | kEitherSide),
    FdField("fd.net", kNet, EitherSide<false>, "Either address, compared with networks.", kPartial,
            kFilter | kEitherSide),
    FdField("fd.proto", kPort, EitherSide<true>, "Either port, as a service.", kPartial,
            kFilter | kEitherSide),
    FdField("fd.cip", kIp, Ip<Client>, "Address of the client.", kPartial),
    FdField("fd.sip", kIp, Ip<Server>, "Address of the server.", kPartial),
    FdField("fd.lip", kIp, Ip<Local>, "Local address; gVisor does not tell it for connect.",
            kPartial),
    FdField("fd.rip", kIp, Ip<Remote>, "Remote address.", kPartial),
    FdField("fd.cport", kPort, Port<Client>, "Port of the client.", kPartial),
    FdField("fd.sport", kPort, Port<Server>, "Port of the server.", kPartial),
    FdField("fd.lport", kPort, Port<Local>, "Local port.", kPartial),
    FdField("fd.rport", kPort, Port<Remote>, "Remote port.", kPartial),
    FdField("fd.cnet", kNet, Ip<Client>, "Address of the client, compared with networks.", kPartial,
            kFilter),
    FdField("fd.snet", kNet, Ip<Server>, "Address of the server, compared with networks.", kPartial,
            kFilter),
    FdField("fd.lnet", kNet, Ip<Local>, "Local address, compared with networks.", kPartial,
            kFilter),
    FdField("fd.rnet", kNet, Ip<Remote>, "Remote address, compared with networks.", kPartial,
            kFilter),
    FdField("fd.cproto", kText, Service<Client>, "The client's port as a text.", kPartial),
    FdField("fd.sproto", kText, Service<Server>, "The server's port as a text.", kPartial),
    FdField("fd.lproto", kText, Service<Local>, "The local port as a text.", kPartial),
    FdField("fd.rproto", kText, Service<Remote>, "The remote port as a text.", kPartial),
    FdField(
        "fd.l4proto", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          return h.file == nullptr ? Value() : Value::Text(TransportName(h.file->transport));
        },
        "tcp, udp, icmp or raw."),
    FdField("fd.sockfamily", kText, SocketFamily, "\"ip\" or \"unix\"."),
    FdField(
        "fd.is_server", kBool,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Bool(h.file != nullptr && h.file->role == SocketRole::kServer);
        },
        "Whether the process is the server of the connection.", kPartial),
    FdField(
        "fd.connected", kBool,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Bool(h.file != nullptr && h.file->connected);
        },
        "Whether the socket is connected, or about to be."),
    {.name = "fd.name_changed",
     .type = kBool,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Bool(h.name_changed); },
     .help = "Whether this event changed fd.name (connect)."},
    {.name = "fd.uid",
     .type = kText,
     .extract =
         [](const BoundField&, const Happening& h, Scratch& s) {
           if (!h.has_fd) return Value();
           return Joined({std::to_string(h.tid), std::to_string(h.fd)}, s);
         },
     .help = "Thread id and fd number, put together."},
    FdField(
        "fd.containername", kText,
        [](const BoundField&, const Happening& h, Scratch& s) {
          return h.has_fd ? WithContainer(h, NameOf(h), s) : Value();
        },
        "container.id, a colon and fd.name."),
    FdField(
        "fd.containerdirectory", kText,
        [](const BoundField&, const Happening& h, Scratch& s) {
          return h.has_fd && NamesPath(h) ? WithContainer(h, DirectoryOf(NameOf(h)), s) : Value();
        },
        "container.id, a colon and fd.directory."),
    {.name = "fd.types",
     .type = kText,
     .arg = ArgForm::kIndexAllowed,
     .flags = kIsList | kNoRhs,
     .availability = kPartial,
     .extract = OpenTypes,
     .help = "Types of all open fds that were seen, or of one: fd.types[0]."},
    FdField("fd.ino", kInt, Inode,
            "Inode of a standard fd that was open when its program started; 0 of sockets and other "
            "fds without a file.",
            kPartial),
    {.name = "fd.dev",
     .type = kInt,
     .print = PrintFormat::kHex,
     .availability = Availability::kNever,
     .help = "Device; gVisor does not send it.",
     .falco_type = "INT32"},
    NeverField("fd.dev.major", kInt, "Device; gVisor does not send it.", ArgForm::kNone, 0,
               "INT32"),
    NeverField("fd.dev.minor", kInt, "Device; gVisor does not send it.", ArgForm::kNone, 0,
               "INT32"),
    NeverField("fd.is_upper_layer", kBool,
               "Overlay layer of the file; gVisor tells it for programs only."),
    NeverField("fd.is_lower_layer", kBool,
               "Overlay layer of the file; gVisor tells it for programs only."),
    NeverField("fd.cip.name", kText, "Host name of the client's address; names are not looked up.",
               ArgForm::kNone, kNoRhs | kNoTransformer),
    NeverField("fd.sip.name", kText, "Host name of the server's address; names are not looked up.",
               ArgForm::kNone, kNoRhs | kNoTransformer),
    NeverField("fd.lip.name", kText, "Host name of the local address; names are not looked up.",
               ArgForm::kNone, kNoRhs | kNoTransformer),
    NeverField("fd.rip.name", kText, "Host name of the remote address; names are not looked up.",
               ArgForm::kNone, kNoRhs | kNoTransformer),
    {.name = "fs.path.name",
     .type = kText,
     .availability = kPartial,
     .extract = FsPath,
     .help = "Absolute path that the call works on; opens only."},
    {.name = "fs.path.nameraw",
     .type = kText,
     .availability = kPartial,
     .extract = FsPathRaw,
     .help = "The path as passed; opens only."},
    NeverField("fs.path.source", kText,
               "Source of rename, link, mount: gVisor sends no path for them."),
    NeverField("fs.path.sourceraw", kText,
               "Source of rename, link, mount: gVisor sends no path for them."),
    NeverField("fs.path.target", kText,
               "Target of rename, link, mount: gVisor sends no path for them."),
    NeverField("fs.path.targetraw", kText,
               "Target of rename, link, mount: gVisor sends no path for them."),
    {.name = "gyrfalcon.fd.origin",
     .type = kText,
     .availability = Availability::kPartial,
     .extract = Origin,
     .help =
         "How the process came by the fd: open, socket (socketpair, too), accept, pipe, "
         "anonymous (eventfd, timerfd and the like), dup, inherited (from its parent), exec (a "
         "standard fd, first told when a program was started), passed, or unknown. passed: a file "
         "that no message gave, though the process and all its fds were told from the container's "
         "start on; it came through a Unix socket (SCM_RIGHTS) or from a call that was hidden, "
         "and stays passed through dup and fork. Not in Falco."},
    NeverField("fdlist.nums", kText, "fds of poll; gVisor does not send them."),
    NeverField("fdlist.names", kText, "fds of poll; gVisor does not send them."),
    NeverField("fdlist.cips", kText, "fds of poll; gVisor does not send them."),
    NeverField("fdlist.sips", kText, "fds of poll; gVisor does not send them."),
    NeverField("fdlist.cports", kText, "fds of poll; gVisor does not send them."),
    NeverField("fdlist.sports", kText, "fds of poll; gVisor does not send them."),
};

}  // namespace

std::span<const FieldDef> FdFields() {
  return kRows;
}

}  // namespace gyrfalcon
