// Sessions as bytes (engine/session_snapshot.h), when they are written, and how they are taken up
// again.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "base/checksum.h"
#include "base/clock.h"
#include "engine/pipeline.h"
#include "state/saved_bytes.h"
#include "wire/peer.h"

namespace gyrfalcon {
namespace {

// Ids, paths and names: of a command line, or a container's that a sandbox has told.
constexpr size_t kTextBytesMax = kCommandLineBytesMax;

constexpr std::array<char, 8> kMagic = {'G', 'Y', 'R', 'S', 'E', 'S', 'S', '1'};

enum Section : size_t { kIdentity, kSession, kSandbox, kSectionCount };

struct SectionHeader {
  uint64_t version = 0;
  uint64_t bytes = 0;
  uint64_t checksum = 0;
};

// As it lies in the bytes; the sections follow.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::array<SectionHeader, kSectionCount> sections;
  uint64_t checksum = 0;  // of what is before it
};
static_assert(sizeof(Header) == 8 + kSectionCount * 24 + 8);

uint64_t ChecksumOf(const Header& header) {
  return Checksum({reinterpret_cast<const char*>(&header), offsetof(Header, checksum)});
}

}  // namespace

template <class Visit>
void VisitFields(Visit& visit, SnapshotIdentity& identity) {
  constexpr size_t kBytesMax = kTextBytesMax;
  visit("sandbox_key", identity.sandbox_key, kBytesMax);
  visit("state_root", identity.place.state_root, kBytesMax);
  visit("sandbox_id", identity.place.sandbox_id, kBytesMax);
  visit("bundle", identity.place.bundle, kBytesMax);
  visit("runsc", identity.place.runsc, kBytesMax);
  visit("name", identity.name, kBytesMax);
  visit("owner", identity.owner, kBytesMax);
  visit("named", identity.named);
  visit("from_start", identity.from_start);
  visit("restored", identity.restored);
  visit("may_follow", identity.may_follow);
}

namespace {

uint64_t IdentityVersion() {
  static const uint64_t version = [] {
    SavedShape shape;
    FieldVisitor visit(shape);
    SnapshotIdentity identity;
    visit("identity", identity);
    return shape.version();
  }();
  return version;
}

Error Refused(std::string_view why) {
  return {"a session's snapshot can't be used: " + std::string(why), Fault::kInput};
}

// The sections of whole bytes; an error where they are cut or corrupt.
Result<Header> ReadHeader(std::string_view bytes) {
  Header header;
  if (bytes.empty()) return std::unexpected(Refused("there is none"));
  if (bytes.size() > kSessionSnapshotBytesMax) return std::unexpected(Refused("it is too large"));
  if (bytes.size() < sizeof header) return std::unexpected(Refused("it is cut"));
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic) return std::unexpected(Refused("it is none"));
  if (header.checksum != ChecksumOf(header)) return std::unexpected(Refused("it is corrupt"));
  bytes.remove_prefix(sizeof header);
  for (const SectionHeader& section : header.sections) {
    if (section.bytes > bytes.size()) return std::unexpected(Refused("it is cut"));
    if (Checksum(bytes.substr(0, section.bytes)) != section.checksum) {
      return std::unexpected(Refused("it is corrupt"));
    }
    bytes.remove_prefix(section.bytes);
  }
  if (!bytes.empty()) return std::unexpected(Refused("more follows than it says"));
  return header;
}

std::string_view BytesOf(const Header& header, Section which, std::string_view bytes) {
  size_t at = sizeof header;
  for (size_t i = 0; i < which; ++i) at += header.sections[i].bytes;
  return bytes.substr(at, header.sections[which].bytes);
}

Result<SnapshotIdentity> ReadIdentity(const Header& header, std::string_view bytes) {
  if (header.sections[kIdentity].version != IdentityVersion()) {
    return std::unexpected(Refused("it is another version's"));
  }
  SnapshotIdentity identity;
  SavedReader reader(BytesOf(header, kIdentity, bytes), 0);
  FieldVisitor visit(reader);
  visit("identity", identity);
  if (!reader.finished()) return std::unexpected(Refused("it makes no sense"));
  return identity;
}

}  // namespace

Result<SnapshotIdentity> ReadSnapshotIdentity(std::string_view bytes) {
  const auto header = ReadHeader(bytes);
  if (!header) return std::unexpected(header.error());
  return ReadIdentity(*header, bytes);
}

// What of a session is not one of its members, or has another form there.
struct Pipeline::SavedParts {
  std::vector<std::string> own;  // containers
  std::vector<std::string> told_claims;
  std::optional<std::pair<std::string, std::string>> claim;  // doubtful: container, owner
  int64_t claim_received_ns = 0;
  int64_t claim_due_in_ns = 0;
  bool claim_had_it = false;
  bool speaks = false;  // for its sandbox, of all connections that do
  uint64_t questions = 0;
};

// What is left out: what the session makes anew (contexts, answers that are under way), and what
// the identity has.
template <class Visit>
void Pipeline::VisitSession(Visit& visit, Session& session, SavedParts& parts) {
  constexpr size_t kContainersMax = 1u << 20;
  visit("spoke", session.spoke);
  visit("identified", session.identified);
  visit("follows", session.follows);
  visit("clock", session.clock);
  visit("throttle", session.throttle);
  visit("losses", session.losses);
  visit("flood", session.flood);
  visit("clone_ns", session.clone_ns);
  visit("messages", session.messages);
  visit("frames", session.frames);
  visit("untold_drops", session.untold_drops);
  visit("details_told", session.limits_hit.details);
  visit("dropped_count", session.dropped_count);
  visit("has_dropped_count", session.has_dropped_count);
  visit("own", parts.own, kContainersMax);
  visit("told_claims", parts.told_claims, kContainersMax);
  visit("claim", parts.claim);
  visit("claim_received_ns", parts.claim_received_ns);
  visit("claim_due_in_ns", parts.claim_due_in_ns);
  visit("claim_had_it", parts.claim_had_it);
  visit("speaks", parts.speaks);
  visit("questions", parts.questions);
}

uint64_t SessionSnapshotVersion() {
  static const uint64_t version = [] {
    SavedShape shape;
    FieldVisitor visit(shape);
    Pipeline::Session session;
    Pipeline::SavedParts parts;
    Pipeline::VisitSession(visit, session, parts);
    for (size_t i = 0; i < kBuiltinCount; ++i) shape.Name(Describe(static_cast<Builtin>(i)).rule);
    return shape.version() ^ Sandbox::SavedVersion();
  }();
  return version;
}

// ---- saving

SnapshotIdentity Pipeline::IdentityOf(const Session& session) {
  return {.sandbox_key = session.sandbox_key,
          .place = session.place,
          .name = session.name,
          .owner = session.named ? session.identity.owner : "",
          .named = session.named,
          .from_start = session.from_start,
          .restored = session.restored,
          .may_follow = session.may_follow};
}

bool Pipeline::Save(uint64_t connection, Session& session, std::string& out) {
  SavedParts parts;
  for (const auto& [container, is_own] : session.containers) {
    if (is_own) parts.own.push_back(container);
  }
  parts.told_claims.assign(session.told_claims.begin(), session.told_claims.end());
  if (const auto& claim = session.doubtful_claim) {
    parts.claim = {claim->container, claim->owner};
    parts.claim_received_ns = claim->received_ns;
    parts.claim_due_in_ns = claim->due_ns - clock_.now_ns();
    parts.claim_had_it = claim->had_it;
  }
  const auto speaks = connection_by_sandbox_.find(session.sandbox_key);
  parts.speaks = speaks != connection_by_sandbox_.end() && speaks->second == connection;
  parts.questions = questions_;

  Header header;
  out.assign(sizeof header, '\0');
  const auto append = [&](Section which, uint64_t version) {
    header.sections[which] = {version, saved_part_.size(), Checksum(saved_part_)};
    out += saved_part_;
  };
  {
    SavedWriter writer(saved_part_);
    FieldVisitor visit(writer);
    SnapshotIdentity identity = IdentityOf(session);
    visit("identity", identity);
    append(kIdentity, IdentityVersion());
  }
  {
    SavedWriter writer(saved_part_);
    FieldVisitor visit(writer);
    VisitSession(visit, session, parts);
    append(kSession, SessionSnapshotVersion());
  }
  saved_part_.clear();
  if (session.sandbox) session.sandbox->Save(saved_part_);
  append(kSandbox, Sandbox::SavedVersion());
  header.checksum = ChecksumOf(header);
  std::memcpy(out.data(), &header, sizeof header);
  return out.size() <= kSessionSnapshotBytesMax;
}

std::string Pipeline::SaveSession(uint64_t connection) {
  const auto found = sessions_.find(connection);
  std::string out;
  if (found == sessions_.end() || !Save(connection, found->second, out)) out.clear();
  return out;
}

namespace {

// A session that has changed is written so much later, not all of them at the same time.
int64_t SaveDelayNs(uint64_t connection, int64_t cost_ns) {
  constexpr int64_t kDelayNs = 500'000'000;
  constexpr int64_t kStepNs = 40'000'000;
  constexpr uint64_t kSteps = 9;
  // One that takes long takes no more than a fiftieth of the worker's time.
  constexpr int64_t kShare = 50;
  return std::max(kDelayNs + static_cast<int64_t>(connection % kSteps) * kStepNs, cost_ns * kShare);
}

constexpr int64_t kSaveLateNs = 1'000'000'000;

}  // namespace

int64_t Pipeline::SaveDue(int64_t now_ns) {
  int64_t next_ns = std::numeric_limits<int64_t>::max();
  std::vector<std::pair<int64_t, uint64_t>> due;
  for (auto& [connection, session] : sessions_) {
    Saving& saving = session.saving;
    if (saving.version == SessionVersion(session) || session.held) continue;
    if (saving.since_ns == 0) saving.since_ns = now_ns;
    const int64_t due_ns = saving.since_ns + SaveDelayNs(connection, saving.cost_ns);
    if (due_ns <= now_ns) {
      due.emplace_back(due_ns, connection);
    } else {
      next_ns = std::min(next_ns, due_ns);
    }
  }
  std::ranges::sort(due);
  int64_t at_ns = now_ns;
  for (const auto& [due_ns, connection] : due) {
    if (at_ns - now_ns >= kSaveBudgetNs) return now_ns + kSaveEveryNs;
    Session& session = sessions_.find(connection)->second;
    const int64_t before_ns = at_ns;
    WriteSnapshot(connection, session, before_ns);
    at_ns = SteadyNs();
    session.saving.cost_ns = at_ns - before_ns;
  }
  return next_ns;
}

void Pipeline::SaveAll() {
  if (options_.snapshots == nullptr) return;
  for (auto& [connection, session] : sessions_) {
    if (session.saving.version == SessionVersion(session)) continue;
    if (session.saving.since_ns == 0) session.saving.since_ns = SteadyNs();
    WriteSnapshot(connection, session, SteadyNs());
  }
}

void Pipeline::WriteSnapshot(uint64_t connection, Session& session, int64_t now_ns) {
  if (now_ns - session.saving.since_ns > kSaveLateNs) {
    totals_.engine.Add(EngineCounter::kSnapshotsLate);
  }
  const bool written =
      Save(connection, session, saved_) &&
      options_.snapshots->Put(SnapshotKind::kSession, connection, saved_).has_value();
  totals_.engine.Add(written ? EngineCounter::kSnapshotsWritten
                             : EngineCounter::kSnapshotsNotWritten);
  session.saving.version = SessionVersion(session);
  session.saving.since_ns = 0;
}

// ---- taking up again

void Pipeline::RejoinContainers(Session& session, const SavedParts& parts) {
  if (options_.containers == nullptr) return;
  session.containers_as_of = options_.containers->generation();
  std::string other;
  for (const std::string& container : parts.own) {
    if (session.containers.size() >= options_.limits.containers_max) return;
    const bool is_own = options_.containers->Claim(session.identity, container, other);
    session.containers.emplace(container, is_own);
  }
}

// More cannot be known: what they were the dead process has taken with it.
void Pipeline::NoteUnsaved(Session& session, uint64_t frames_read) {
  if (frames_read > session.frames) {
    const uint64_t unsaved = frames_read - std::exchange(session.frames, frames_read);
    totals_.engine.Add(EngineCounter::kMessagesUnsaved, unsaved);
    session.losses.Note(LossKind::kUnsaved, unsaved, session.losses.last_ns());
  }
  // What came before this process is no load on it.
  session.frames_of_load = session.frames_of_tick = session.frames;
}

Result<void> Pipeline::RestoreSession(const RestoredConnection& connection,
                                      std::string_view bytes) {
  received_ns_ = connection.receive_time_ns;
  if (received_ns_ != 0) clock_.Receive(received_ns_);
  totals_.engine.Add(EngineCounter::kSessionsRestored);
  SnapshotIdentity identity = IdentityFromPeer(connection.peer.get());
  // Without its state it is as one that was attached late.
  identity.from_start = false;
  Session restored;
  SavedParts parts;
  const auto read = [&]() -> Result<void> {
    const auto header = ReadHeader(bytes);
    if (!header) return std::unexpected(header.error());
    auto saved = ReadIdentity(*header, bytes);
    if (!saved) return std::unexpected(saved.error());
    // Nobody's state goes to somebody else, whoever has mixed them up.
    if (!identity.sandbox_key.empty() && identity.sandbox_key != saved->sandbox_key) {
      return std::unexpected(Refused("it is another sandbox's"));
    }
    const bool from_start = saved->from_start;
    identity = std::move(*saved);
    identity.from_start = false;
    if (header->sections[kSession].version != SessionSnapshotVersion() ||
        header->sections[kSandbox].version != Sandbox::SavedVersion()) {
      return std::unexpected(Refused("it is another version's"));
    }
    SavedReader reader(BytesOf(*header, kSession, bytes), kTextBytesMax);
    FieldVisitor visit(reader);
    VisitSession(visit, restored, parts);
    if (!reader.finished()) return std::unexpected(Refused("it makes no sense"));
    if (const auto state = BytesOf(*header, kSandbox, bytes); !state.empty()) {
      auto sandbox = Sandbox::Restore(options_.limits, options_.arch, state);
      if (!sandbox) return std::unexpected(sandbox.error());
      restored.sandbox = std::move(*sandbox);
    }
    identity.from_start = from_start;
    return {};
  }();

  Session& session = OpenSession(connection.connection, identity);
  speaking_ = &session;
  if (!read) {
    totals_.engine.Add(EngineCounter::kSnapshotsRefused);
    session.spoke = true;  // to the process before
    session.drops_were_told = true;
    if (options_.observer != nullptr) options_.observer->OnSpoke(connection.connection);
    AskForUsers(connection.connection, session, session.place.sandbox_id);
    if (session.place.known()) {
      AskForContainer(connection.connection, session, session.place.sandbox_id);
    }
    NoteUnsaved(session, std::max<uint64_t>(connection.frames_read, 1));
    TellDue(session);
    return read;
  }
  // What OpenSession has found out of the identity, and what is of this process.
  restored.sandbox_key = session.sandbox_key;
  restored.place = session.place;
  restored.from_start = session.from_start;
  restored.may_follow = session.may_follow;
  restored.restored = session.restored;
  restored.name = session.name;
  restored.named = session.named;
  restored.identity = session.identity;
  restored.read_mark = session.read_mark;
  restored.memory_noted = session.memory_noted;
  restored.told_claims = {parts.told_claims.begin(), parts.told_claims.end()};
  session = std::move(restored);
  questions_ = std::max(questions_, parts.questions);
  if (identity.named && !session.named)
    NameAnonymous(connection.connection, session, identity.name);
  RejoinContainers(session, parts);
  if (parts.claim) {
    const int64_t due_ns =
        clock_.now_ns() + std::clamp<int64_t>(parts.claim_due_in_ns, 0, kSaveLateNs * 2);
    session.doubtful_claim = {parts.claim->first, parts.claim->second, parts.claim_received_ns,
                              due_ns, parts.claim_had_it};
    doubtful_claims_due_ns_ = std::min(doubtful_claims_due_ns_, due_ns);
  }
  if (!session.sandbox_key.empty()) {
    if (parts.speaks)
      connection_by_sandbox_.insert_or_assign(session.sandbox_key, connection.connection);
    if (session.may_follow && !session.identified) {
      uint64_t& newest = successor_by_sandbox_[session.sandbox_key];
      newest = std::max(newest, connection.connection);
    }
  }
  if (session.spoke && options_.observer != nullptr) {
    options_.observer->OnSpoke(connection.connection);
  }
  NoteUnsaved(session, connection.frames_read);
  NoteMemory(session);
  AskForUsers(connection.connection, session, session.place.sandbox_id);
  if (session.place.known()) {
    AskForContainer(connection.connection, session, session.place.sandbox_id);
  }
  if (!session.sandbox) return {};
  session.sandbox->ResumeSnapshots(lookups_ != nullptr && lookups_->CanAskProcesses(session.place));
  for (const std::string& container : session.sandbox->TakeNewContainers()) {
    if (container == session.place.sandbox_id) continue;
    AskForUsers(connection.connection, session, container);
    AskForContainer(connection.connection, session, container);
  }
  TellDue(session);
  return {};
}

}  // namespace gyrfalcon
