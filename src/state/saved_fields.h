// The fields of the state's plain structs, as they are saved (state/saved_bytes.h). A field that is
// missing here is forgotten at a restart.
#pragma once

#include "points/schema.h"
#include "state/fd_table.h"
#include "state/process.h"
#include "state/saved_bytes.h"

namespace gyrfalcon {

template <>
struct EnumSize<Transport> {
  static constexpr uint64_t value = static_cast<uint64_t>(Transport::kRaw) + 1;
};
template <>
struct EnumSize<SocketRole> {
  static constexpr uint64_t value = static_cast<uint64_t>(SocketRole::kServer) + 1;
};
template <>
struct EnumSize<FromImage> {
  static constexpr uint64_t value = static_cast<uint64_t>(FromImage::kYes) + 1;
};

// One message at most: gVisor can't send a larger one.
inline constexpr size_t kSavedPayloadBytesMax = 1u << 20;

// What is always set.
template <class Visit, class T>
void VisitSet(Visit& visit, std::string_view name, Ref<T>& ref) {
  visit(name, ref);
  if (!ref) visit.archive().Fail();
}

// ---- the vocabulary of points/

template <class Visit>
void VisitFields(Visit& visit, EventType& type) {
  visit("index", type.index);
  if (type.index >= kEventTypeCount) visit.archive().Fail();
}

template <class Visit>
void VisitFields(Visit& visit, PointRef& ref) {
  const auto points = Points();
  uint64_t number = ref.point == nullptr ? 0 : static_cast<uint64_t>(ref.point - points.data()) + 1;
  visit("point", number);
  visit("event_type", ref.event_type);
  if (number > points.size()) return visit.archive().Fail();
  ref.point = number == 0 ? nullptr : &points[number - 1];
}

template <class Visit>
void VisitFields(Visit& visit, Credentials& ids) {
  visit("real_uid", ids.real_uid);
  visit("effective_uid", ids.effective_uid);
  visit("saved_uid", ids.saved_uid);
  visit("real_gid", ids.real_gid);
  visit("effective_gid", ids.effective_gid);
  visit("saved_gid", ids.saved_gid);
}

// Without texts: only a copy of a raw message has one that is saved.
template <class Visit>
void VisitFields(Visit& visit, Context& context) {
  visit("present", context.present);
  visit("time_ns", context.time_ns);
  visit("thread_id", context.thread_id);
  visit("thread_start_time_ns", context.thread_start_time_ns);
  visit("thread_group_id", context.thread_group_id);
  visit("thread_group_start_time_ns", context.thread_group_start_time_ns);
  visit("credentials", context.credentials);
  visit("parent_thread_group_id", context.parent_thread_group_id);
  visit("is_exec_session", context.is_exec_session);
}

// ---- who a process is

template <class Visit>
void VisitFields(Visit& visit, Container& container) {
  visit("id", container.id);
  visit("start_time_ns", container.start_time_ns);
  visit("init_tgid", container.init_tgid);
  visit("overlay_seen", container.overlay_seen);
}

template <class Visit>
void VisitFields(Visit& visit, Image& image) {
  visit("exe", image.exe);
  visit("exe_path", image.exe_path);
  visit("args", image.args);
  visit("env", image.env);
  visit("exec_name", image.exec_name);
  visit("argc", image.argc);
  visit("mode", image.mode);
  visit("owner_uid", image.owner_uid);
  visit("owner_gid", image.owner_gid);
  visit("inode", image.inode);
  visit("change_time_ns", image.change_time_ns);
  visit("exec_time_ns", image.exec_time_ns);
  visit("size", image.size);
  visit("links", image.links);
  visit("has_sha256", image.has_sha256);
  if (image.has_sha256) visit("sha256", image.sha256);
  visit("has_sha1", image.has_sha1);
  if (image.has_sha1) visit("sha1", image.sha1);
  visit("from_image", image.from_image);
  visit("has_binary_info", image.has_binary_info);
  visit("in_upper_layer", image.in_upper_layer);
  visit("in_lower_layer", image.in_lower_layer);
  visit("in_memfd", image.in_memfd);
  visit("written_before", image.written_before);
  visit("synthetic", image.synthetic);
  visit("synthetic_told", image.synthetic_told);
}

template <class Visit>
void VisitFields(Visit& visit, PipePeer& peer) {
  visit("tgid", peer.tgid);
  visit("name", peer.name);
  visit("started_as", peer.started_as);
  visit("image", peer.image);
}

template <class Visit>
void VisitFields(Visit& visit, PipePeers& peers) {
  visit("input", peers.input);
  visit("output", peers.output);
}

template <class Visit>
void VisitFields(Visit& visit, ProcessFacts& facts) {
  visit("tgid", facts.tgid);
  visit("start_time_ns", facts.start_time_ns);
  visit("container", facts.container);
  VisitSet(visit, "image", facts.image);
  visit("pipes", facts.pipes);
  visit("name", facts.name);
  visit("started_as", facts.started_as);
  visit("previous_name", facts.previous_name);
  visit("cwd", facts.cwd);
  visit("credentials", facts.credentials);
  visit("credentials_known", facts.credentials_known);
  visit("session_id", facts.session_id);
  visit("group_id", facts.group_id);
  visit("tty", facts.tty);
  visit("fd_limit", facts.fd_limit);
  visit("is_exec_session", facts.is_exec_session);
}

template <class Visit>
void VisitFields(Visit& visit, PastProcess& past) {
  visit("facts", static_cast<ProcessFacts&>(past));
  visit("version", past.version);
  visit("line_version", past.line_version);
}

template <class Visit>
void VisitFields(Visit& visit, Process& process) {
  visit("facts", static_cast<ProcessFacts&>(process));
  visit("line_below", process.line_below);
  visit("leader_exit_pending", process.leader_exit_pending);
  visit("parent", process.parent);
  VisitSet(visit, "fds", process.fds);
  visit("started_as_guess", process.started_as_guess);
  visit("live_threads", process.live_threads);
  visit("losses", process.losses);
  visit("version", process.version);
  visit("past", process.past);
  visit("exited", process.exited);
  visit("owes_synthetic_exec", process.owes_synthetic_exec);
}

// ---- what descriptors refer to

template <class Visit>
void VisitFields(Visit& visit, IpAddress& address) {
  visit("bytes", address.bytes);
  visit("is_v6", address.is_v6);
}

template <class Visit>
void VisitFields(Visit& visit, Endpoint& end) {
  visit("address", end.address);
  visit("port", end.port);
}

template <class Visit>
void VisitFields(Visit& visit, OpenRecord& record) {
  visit("payload", record.payload, kSavedPayloadBytesMax);
  visit("number", record.number);
  visit("time_ns", record.time_ns);
  VisitSet(visit, "opener", record.opener);
  visit("parent_tgid", record.parent_tgid);
  visit("parent_start_time_ns", record.parent_start_time_ns);
  visit("raced", record.raced);
  visit("raised", record.raised);
}

template <class Visit>
void VisitFields(Visit& visit, File& file) {
  visit("type", file.type);
  visit("transport", file.transport);
  visit("role", file.role);
  visit("connected", file.connected);
  visit("listening", file.listening);
  visit("open_flags", file.open_flags);
  visit("inode", file.inode);
  visit("name", file.name);
  visit("claimed", file.claimed);
  visit("name_raw", file.name_raw);
  visit("true_name", file.true_name);
  visit("raced", file.raced);
  visit("opened", file.opened);
  visit("local", file.local);
  visit("remote", file.remote);
}

template <class Visit>
void VisitFields(Visit& visit, FdTable::Entry& entry) {
  visit("fd", entry.fd);
  visit("close_on_exec", entry.close_on_exec);
  visit("origin", entry.origin);
  visit("file", entry.file);
}

}  // namespace gyrfalcon
