// File descriptors: how they come, what they refer to, and how they go.
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/text.h"
#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

FileType SocketType(int64_t domain) {
  switch (domain) {
    case AF_INET:
      return FileType::kIpv4;
    case AF_INET6:
      return FileType::kIpv6;
    case AF_UNIX:
      return FileType::kUnix;
    case AF_NETLINK:
      return FileType::kNetlink;
    case AF_PACKET:
      return FileType::kPacket;
    default:
      return FileType::kUnknown;
  }
}

constexpr int64_t kSocketTypeMask = 0xf;  // the rest are SOCK_CLOEXEC and SOCK_NONBLOCK

Transport SocketTransport(int64_t domain, int64_t type, int64_t protocol) {
  if (domain != AF_INET && domain != AF_INET6) return Transport::kUnknown;
  switch (type & kSocketTypeMask) {
    case SOCK_STREAM:
      return Transport::kTcp;
    case SOCK_DGRAM:
      return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? Transport::kIcmp
                                                                    : Transport::kUdp;
    case SOCK_RAW:
      return Transport::kRaw;
    default:
      return Transport::kUnknown;
  }
}

struct PathPrefix {
  std::string_view prefix;
  FileType type;
};

// How gVisor names what is not a path.
constexpr PathPrefix kPathPrefixes[] = {
    {"pipe:[", FileType::kPipe},
    {"anon_inode:[eventfd]", FileType::kEvent},
    {"anon_inode:[eventpoll]", FileType::kEpoll},
    {"anon_inode:[signalfd]", FileType::kSignal},
    {"anon_inode:[timerfd]", FileType::kTimer},
    {"anon_inode:inotify", FileType::kInotify},
    {"/memfd:", FileType::kMemfd},
    {"socket:[", FileType::kUnknown},
    {"/", FileType::kFile},
};

// An end that is not known prints as Falco does, as the unspecified address of the family.
void AppendEndpoint(const std::optional<Endpoint>& end, FileType type, std::string& out) {
  if (!end) {
    out += type == FileType::kIpv6 ? ":::0" : "0.0.0.0:0";
    return;
  }
  end->address.AppendTo(out);
  out += ':';
  out += std::to_string(end->port);
}

}  // namespace

void Sandbox::SetFd(Process& process, int64_t fd, Ref<File> file, bool close_on_exec,
                    FdOrigin origin) {
  if (fd < 0 || fd > INT32_MAX) {
    counters_.Add(StateCounter::kImpossible);
    return;
  }
  FdTable& fds = *process.fds;
  NoteFdChanged(fds, fd);
  if (!MemoryLeft()) {
    fds.whole = false;
    return;
  }
  if (!fds.Set(fd, std::move(file), close_on_exec, origin, limits_.fds_per_process_max)) {
    counters_.Add(StateCounter::kFdsRefused);
    fds.whole = false;
  }
}

// Of a descriptor that no message gave. Those of a container's start are not told either, nor are
// all calls that make something else than a file.
FdOrigin Sandbox::OriginOfUntold(const Process& process, int64_t fd, const File& file) const {
  if (file.type != FileType::kFile && file.type != FileType::kDirectory) return FdOrigin::kUnknown;
  const FdTable& fds = *process.fds;
  const bool would_know = fds.whole && fds.losses == losses_ && has_open_ && has_close_;
  return would_know && fd > STDERR_FILENO ? FdOrigin::kPassed : FdOrigin::kUnknown;
}

Ref<File> Sandbox::FileFromPath(std::string_view path) {
  FileType type = FileType::kUnknown;
  for (const PathPrefix& row : kPathPrefixes) {
    if (path.starts_with(row.prefix)) {
      type = row.type;
      break;
    }
  }
  Ref<File> file = NewFile(type);
  if (path.starts_with('/')) Assign(file->name, Cut(path));
  return file;
}

Ref<File> Sandbox::FileFromInfo(std::string_view path, uint32_t mode) {
  Ref<File> file = FileFromPath(path);
  if (S_ISDIR(mode)) file->type = FileType::kDirectory;
  if (S_ISFIFO(mode)) file->type = FileType::kPipe;
  // What was given from outside has no path: "host:[N]".
  if (file->type == FileType::kUnknown && (S_ISREG(mode) || S_ISCHR(mode))) {
    file->type = FileType::kFile;
    Assign(file->name, Cut(path));
  }
  return file;
}

// What an fd refers to; learnt from the message's fd_path where the table does not have it.
File* Sandbox::KnownFile(Moment& moment, int64_t fd) {
  File* file = moment.process->fds->Find(fd);
  if (file != nullptr || !moment.event.has(Slot::kFdPath) || fd < 0) return file;
  Ref<File> untold = FileFromPath(moment.event.text(Slot::kFdPath));
  const FdOrigin origin = OriginOfUntold(*moment.process, fd, *untold);
  SetFd(*moment.process, fd, std::move(untold), false, origin);
  return moment.process->fds->Find(fd);
}

void Sandbox::OnFdUse(Moment& moment) {
  const int64_t fd = moment.event.number(Slot::kFd);
  TellFd(moment, fd, KnownFile(moment, fd));
}

namespace {

uint64_t FileHash(const Process& process, std::string_view path) {
  const Container* container = process.container.get();
  // The same in the next process, which may have this one's.
  return Checksum(path, container == nullptr ? 0 : Checksum(container->id));
}

}  // namespace

void Sandbox::RememberWritten(const Process& process, std::string_view path) {
  const uint64_t hash = FileHash(process, path);
  if (!written_files_.insert(hash).second) return;
  written_order_.push_back(hash);
  if (written_order_.size() <= limits_.written_files_max) return;
  counters_.Add(StateCounter::kWrittenFilesForgotten);
  written_files_.erase(written_order_.front());
  written_order_.pop_front();
}

bool Sandbox::WasWritten(const Process& process, std::string_view path) const {
  return !path.empty() && written_files_.contains(FileHash(process, path));
}

void Sandbox::OnOpen(Moment& moment) {
  const Event& event = moment.event;
  const Context& context = event.context();
  Process& process = *moment.process;
  const std::string_view raw = event.text(Slot::kPathname);
  std::string_view base =
      context.has(ContextField::kCwd) ? context.cwd : std::string_view(process.cwd);
  const bool at_directory = event.has(Slot::kFd) && event.number(Slot::kFd) != AT_FDCWD;
  if (at_directory) {
    const File* directory = process.fds->Find(event.number(Slot::kFd));
    base = event.has(Slot::kFdPath) ? event.text(Slot::kFdPath)
           : directory != nullptr   ? std::string_view(directory->name)
                                    : std::string_view{};
  }
  NormalizePath(base, raw, path_);
  const auto flags = static_cast<uint32_t>(event.number(Slot::kFlags));
  const int64_t result = event.return_value();
  Ref<File> file;
  if (result >= 0) {
    file = NewFile((flags & O_DIRECTORY) != 0 ? FileType::kDirectory : FileType::kFile);
    const bool is_creat =
        moment.point.point != nullptr && moment.point.point->event_type == "creat";
    file->open_flags = is_creat ? O_CREAT | O_WRONLY | O_TRUNC : flags;
    Assign(file->name, Cut(path_));
    file->raced = moment.raced;
    Assign(file->name_raw, Cut(raw));
    SetFd(process, result, file, (flags & O_CLOEXEC) != 0, FdOrigin::kOpen);
    if (file->for_writing()) RememberWritten(process, path_);
  }
  has_open_ = true;
  RaisedRules raised;
  Happening happening = Describe(moment);
  happening.has_return = true;
  happening.return_value = result;
  happening.has_fd = true;
  happening.fd = result >= 0 ? result : -1;
  happening.file = file.get();
  happening.fd_origin = file ? FdOrigin::kOpen : FdOrigin::kUnknown;
  happening.path = path_;
  happening.path_raw = raw;
  happening.raised = &raised;
  moment.sink.OnHappening(happening);
  if (file) KeepOpenRecord(moment, *file, raised);
}

// Linux frees the number before the call returns, also when it reports an error: another thread may
// have it anew before this one's exit is told.
void Sandbox::OnCloseEnter(Moment& moment) {
  const int64_t fd = moment.event.number(Slot::kFd);
  FdTable& fds = *moment.process->fds;
  Ref<File> file(KnownFile(moment, fd));
  moment.thread->closing = PendingClose{.fd = fd,
                                        .file = std::move(file),
                                        .origin = fds.OriginOf(fd),
                                        .type = moment.point.event_type.value_or(EventType{}),
                                        .number = messages_,
                                        .time_ns = moment.time_ns};
  NoteFdChanged(fds, fd);
  fds.Remove(fd);
}

void Sandbox::OnClose(Moment& moment) {
  const int64_t fd = moment.event.number(Slot::kFd);
  const auto closing = std::exchange(moment.thread->closing, std::nullopt);
  if (closing && closing->fd == fd) {
    TellFd(moment, fd, closing->file.get(), closing->origin);
    return;
  }
  TellFd(moment, fd, moment.process->fds->Find(fd));
  // A number that was never open stays what it was.
  if (moment.event.error_number() == EBADF) return;
  NoteFdChanged(*moment.process->fds, fd);
  moment.process->fds->Remove(fd);
}

void Sandbox::SettleClose(Moment& moment) {
  if (!moment.thread->closing) return;
  if (moment.event.type() == MessageType::kClose && moment.event.is_exit()) return;
  // The close's own tripwire comes before its exit.
  if (moment.event.type() == MessageType::kRaw && moment.point.event_type &&
      moment.point.event_type->index == moment.thread->closing->type.index) {
    return;
  }
  TellPendingClose(moment.event.context().thread_id, *moment.thread);
}

void Sandbox::TellPendingClose(int32_t tid, Thread& thread) {
  if (!thread.closing) return;
  const PendingClose closing = *std::exchange(thread.closing, std::nullopt);
  Happening happening;
  happening.type = closing.type;
  happening.number = closing.number;
  happening.time_ns = closing.time_ns;
  happening.first_time_ns = first_time_ns_;
  happening.process = thread.process.get();
  happening.container = thread.process->container.get();
  happening.tid = tid;
  happening.has_fd = true;
  happening.fd = closing.fd;
  happening.file = closing.file.get();
  happening.fd_origin = closing.origin;
  happening.line_version = line_version_;
  sink_->OnHappening(happening);
}

void Sandbox::OnSocket(Moment& moment) {
  const Event& event = moment.event;
  const int64_t fd = event.return_value();
  Ref<File> file;
  if (fd >= 0) {
    const int64_t domain = event.number(Slot::kDomain);
    const int64_t type = event.number(Slot::kType);
    file = NewFile(SocketType(domain));
    file->transport = SocketTransport(domain, type, event.number(Slot::kProtocol));
    SetFd(*moment.process, fd, file, (type & SOCK_CLOEXEC) != 0, FdOrigin::kSocket);
  }
  TellFd(moment, fd >= 0 ? fd : -1, file.get());
}

void Sandbox::OnSocketPair(Moment& moment) {
  const Event& event = moment.event;
  if (event.error_number() == 0) {
    const bool close_on_exec = (event.number(Slot::kType) & SOCK_CLOEXEC) != 0;
    for (const Slot slot : {Slot::kSocket1, Slot::kSocket2}) {
      Ref<File> file = NewFile(FileType::kUnix);
      file->connected = true;
      SetFd(*moment.process, event.number(slot), std::move(file), close_on_exec, FdOrigin::kSocket);
    }
  }
  TellReturn(moment);
}

void Sandbox::SetEndpoint(File& file, const SocketAddress& address, std::optional<Endpoint>& side) {
  if (address.endpoint) {
    side = address.endpoint;
    if (!file.is_ip_socket()) {
      file.type = address.family == AF_INET6 ? FileType::kIpv6 : FileType::kIpv4;
    }
  } else if (address.family == AF_UNIX) {
    file.type = FileType::kUnix;
    Assign(file.name, Cut(address.unix_path));
  }
  NameSocket(file);
}

// Falco's form: client->server, or the address alone of a listening socket.
void Sandbox::NameSocket(File& file) {
  if (!file.is_ip_socket()) return;
  path_.clear();
  if (file.listening || (file.role == SocketRole::kServer && !file.remote)) {
    AppendEndpoint(file.local, file.type, path_);
  } else {
    const bool server = file.role == SocketRole::kServer;
    AppendEndpoint(server ? file.remote : file.local, file.type, path_);
    path_ += "->";
    AppendEndpoint(server ? file.local : file.remote, file.type, path_);
  }
  Assign(file.name, path_);
}

void Sandbox::OnConnect(Moment& moment) {
  const Event& event = moment.event;
  const int64_t fd = event.number(Slot::kFd);
  File* file = KnownFile(moment, fd);
  if (file == nullptr && fd >= 0) {
    SetFd(*moment.process, fd, NewFile(FileType::kUnknown), false, FdOrigin::kUnknown);
    file = moment.process->fds->Find(fd);
  }
  bool name_changed = false;
  const auto address = ParseSockaddr(event.text(Slot::kAddress));
  if (file != nullptr && address) {
    const std::optional<Endpoint> before = file->remote;
    // An attempt that failed is told with the address it was for.
    file->role = SocketRole::kClient;
    SetEndpoint(*file, *address, file->remote);
    file->connected = event.error_number() == 0 || event.error_number() == EINPROGRESS;
    name_changed = file->remote != before;
  }
  Happening happening = Describe(moment);
  happening.has_return = true;
  happening.return_value = event.return_value();
  happening.has_fd = true;
  happening.fd = fd;
  happening.file = file;
  happening.fd_origin = moment.process->fds->OriginOf(fd);
  happening.name_changed = name_changed;
  moment.sink.OnHappening(happening);
}

void Sandbox::OnBind(Moment& moment) {
  const int64_t fd = moment.event.number(Slot::kFd);
  File* file = KnownFile(moment, fd);
  const auto address = ParseSockaddr(moment.event.text(Slot::kAddress));
  if (file != nullptr && address && moment.event.error_number() == 0) {
    if (address->endpoint && address->endpoint->port != 0) file->role = SocketRole::kServer;
    SetEndpoint(*file, *address, file->local);
  }
  TellFd(moment, fd, file);
}

void Sandbox::OnListen(Moment& moment) {
  const int64_t fd = moment.event.number(Slot::kFd);
  File* file = KnownFile(moment, fd);
  if (file != nullptr && moment.event.error_number() == 0) {
    file->role = SocketRole::kServer;
    file->listening = true;
    if (file->transport == Transport::kUnknown) {
      file->transport = SocketTransport(moment.event.number(Slot::kSocketFamily),
                                        moment.event.number(Slot::kSocketType), 0);
    }
    if (const auto address = ParseSockaddr(moment.event.text(Slot::kAddress))) {
      SetEndpoint(*file, *address, file->local);
    }
  }
  TellFd(moment, fd, file);
}

void Sandbox::OnAccept(Moment& moment) {
  const Event& event = moment.event;
  const int64_t fd = event.return_value();
  Ref<File> file;
  if (fd >= 0) {
    const File* listening = moment.process->fds->Find(event.number(Slot::kFd));
    file = NewFile(listening != nullptr ? listening->type : FileType::kUnknown);
    file->role = SocketRole::kServer;
    file->connected = true;
    if (listening != nullptr) {
      file->transport = listening->transport;
      file->local = listening->local;
      file->name = listening->name;
    }
    // Only there when the program asked for the peer's address.
    if (const auto address = ParseSockaddr(event.text(Slot::kAddress))) {
      SetEndpoint(*file, *address, file->remote);
    }
    SetFd(*moment.process, fd, file, (event.number(Slot::kFlags) & SOCK_CLOEXEC) != 0,
          FdOrigin::kAccept);
  }
  TellFd(moment, fd >= 0 ? fd : -1, file.get());
}

void Sandbox::CopyFd(Moment& moment, int64_t from, int64_t to, bool close_on_exec) {
  if (from < 0) counters_.Add(StateCounter::kImpossible);  // and yet it succeeded
  if (File* file = KnownFile(moment, from); file != nullptr) {
    const bool passed = moment.process->fds->OriginOf(from) == FdOrigin::kPassed;
    SetFd(*moment.process, to, Ref(file), close_on_exec,
          passed ? FdOrigin::kPassed : FdOrigin::kDup);
  } else {
    NoteFdChanged(*moment.process->fds, to);
    moment.process->fds->Remove(to);  // what it was before is gone, what it is now not known
  }
}

void Sandbox::OnDup(Moment& moment) {
  const Event& event = moment.event;
  const int64_t fd = event.return_value();
  if (fd >= 0) {
    CopyFd(moment, event.number(Slot::kOldFd), fd, (event.number(Slot::kFlags) & O_CLOEXEC) != 0);
  }
  TellFd(moment, fd >= 0 ? fd : event.number(Slot::kOldFd),
         moment.process->fds->Find(fd >= 0 ? fd : event.number(Slot::kOldFd)));
}

void Sandbox::OnFcntl(Moment& moment) {
  const Event& event = moment.event;
  const int64_t fd = event.number(Slot::kFd);
  const int64_t command = event.number(Slot::kCmd);
  const int64_t result = event.return_value();
  if (result >= 0) {
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
      CopyFd(moment, fd, result, command == F_DUPFD_CLOEXEC);
    } else if (command == F_SETFD) {
      moment.process->fds->SetCloseOnExec(fd, (event.number(Slot::kArg) & FD_CLOEXEC) != 0);
    }
  }
  TellFd(moment, fd, KnownFile(moment, fd));
}

// A raw message has its registers only, but the event type says whether they name an fd.
void Sandbox::TellRaw(Moment& moment) {
  const EventTypeDef& type = gyrfalcon::Describe(*moment.point.event_type);
  const int64_t result = moment.event.return_value();
  // Registers have 64 bits, an fd has 32.
  const int64_t argument = static_cast<int32_t>(moment.event.number(Slot::kArg1));
  if ((type.flags & (kUsesFd | kCreatesFd)) == 0) {
    TellReturn(moment);
  } else if ((type.flags & kCreatesFd) == 0) {
    TellFd(moment, argument, moment.process->fds->Find(argument));
  } else if (result < 0) {
    TellFd(moment, -1, nullptr);
  } else {
    if ((type.flags & kUsesFd) != 0) {
      CopyFd(moment, argument, result, false);  // dup and its kin
    } else {
      const bool is_memfd = type.name == "memfd_create";
      const bool is_epoll = type.name.starts_with("epoll_create");
      SetFd(*moment.process, result,
            NewFile(is_memfd   ? FileType::kMemfd
                    : is_epoll ? FileType::kEpoll
                               : FileType::kUnknown),
            false, FdOrigin::kAnonymous);
    }
    TellFd(moment, result, moment.process->fds->Find(result));
  }
}

void Sandbox::OnPipe(Moment& moment) {
  const Event& event = moment.event;
  if (event.error_number() == 0) {
    const bool close_on_exec = (event.number(Slot::kFlags) & O_CLOEXEC) != 0;
    for (const Slot slot : {Slot::kReader, Slot::kWriter}) {
      SetFd(*moment.process, event.number(slot), NewFile(FileType::kPipe), close_on_exec,
            FdOrigin::kPipe);
    }
    // Of the two, Falco's fd.* fields are about the last.
    const int64_t writer = event.number(Slot::kWriter);
    TellFd(moment, writer, moment.process->fds->Find(writer));
    return;
  }
  TellReturn(moment);
}

void Sandbox::OnAnonymousFd(Moment& moment) {
  const Event& event = moment.event;
  const int64_t fd = event.return_value();
  FileType type = FileType::kUnknown;
  if (event.type() == MessageType::kSignalfd) type = FileType::kSignal;
  if (event.type() == MessageType::kEventfd) type = FileType::kEvent;
  if (event.type() == MessageType::kTimerfdCreate) type = FileType::kTimer;
  if (event.type() == MessageType::kInotifyInit) type = FileType::kInotify;
  Ref<File> file;
  if (fd >= 0) {
    file = NewFile(type);
    // EFD_CLOEXEC, SFD_CLOEXEC, TFD_CLOEXEC and IN_CLOEXEC all are O_CLOEXEC.
    SetFd(*moment.process, fd, file, (event.number(Slot::kFlags) & O_CLOEXEC) != 0,
          FdOrigin::kAnonymous);
  }
  TellFd(moment, fd >= 0 ? fd : -1, file.get());
}

}  // namespace gyrfalcon
