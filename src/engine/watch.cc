#include "engine/watch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "runsc/attach.h"

namespace gyrfalcon {

struct SandboxWatch::View {
  bool heard = false;  // some live connection speaks, or need not
  // One that should and never did. A runsc that refuses the session config keeps it open or, newer
  // ones, closes it.
  std::optional<int64_t> silent_since;
  bool silent_one_lives = false;
  std::optional<int64_t> ended_at;  // the last that spoke and ended
};

void SandboxWatch::Note(const WatchedConnection& connection) {
  const auto known = connections_.find(connection.connection);
  const bool accepted = known != connections_.end() && known->second.accepted;
  // A connection that came to nothing: a health check, a refused `trace create`.
  const bool counts = !connection.ended || connection.spoke || connection.from_start;
  if (counts && !(connection.ended && connection.sandbox_id.empty())) {
    connections_[connection.connection] = connection;
    connections_[connection.connection].accepted |= accepted;
  } else {
    connections_.erase(connection.connection);
  }
}

std::vector<std::string> SandboxWatch::Roots() const {
  std::vector<std::string> roots;
  for (const auto& [id, connection] : connections_) {
    if (!connection.root.empty()) roots.push_back(connection.root);
  }
  std::ranges::sort(roots);
  const auto rest = std::ranges::unique(roots);
  roots.erase(rest.begin(), rest.end());
  return roots;
}

namespace {

// A connection whose runsc could not be read is known by a container that it named.
bool Speaks(const WatchedConnection& connection, const std::string& root,
            const std::string& sandbox_id, const std::vector<ListedContainer>& listed) {
  if (connection.sandbox_id.empty()) return false;
  if (!connection.root.empty()) {
    return connection.root == root && connection.sandbox_id == sandbox_id;
  }
  return std::ranges::any_of(listed, [&](const ListedContainer& container) {
    return container.sandbox_id == sandbox_id && container.id == connection.sandbox_id;
  });
}

}  // namespace

SandboxWatch::View SandboxWatch::ViewOf(const std::string& root, const std::string& sandbox_id,
                                        const std::vector<ListedContainer>& listed) const {
  View view;
  for (const auto& [id, connection] : connections_) {
    if (!Speaks(connection, root, sandbox_id, listed)) continue;
    const bool spoke = connection.spoke || connection.accepted;
    if (connection.ended && spoke) {
      view.ended_at = std::max(view.ended_at.value_or(connection.ended_ns), connection.ended_ns);
    } else if (!connection.ended && (spoke || !connection.from_start)) {
      view.heard = true;
    } else {
      view.silent_one_lives |= !connection.ended;
      view.silent_since =
          std::max(view.silent_since.value_or(connection.opened_ns), connection.opened_ns);
    }
  }
  return view;
}

std::optional<Builtin> SandboxWatch::Wrong(const View& view, const Sandbox& sandbox,
                                           int64_t now_ns) const {
  if (view.heard) return std::nullopt;
  Builtin builtin = Builtin::kSandboxUntraced;
  int64_t since_ns = sandbox.running_since_ns;
  if (view.silent_since && view.silent_since >= view.ended_at) {
    builtin = Builtin::kSandboxSilent;
    since_ns = std::max(since_ns, *view.silent_since);
  } else if (view.ended_at) {
    builtin = Builtin::kConnectionEnded;
    since_ns = std::max(since_ns, *view.ended_at);
  }
  return now_ns - since_ns >= grace_ns_ ? std::optional(builtin) : std::nullopt;
}

std::vector<WatchFinding> SandboxWatch::Judge(const std::string& root,
                                              const std::vector<ListedContainer>& listed,
                                              int64_t now_ns) {
  auto before = std::exchange(running_[root], {});
  auto& running = running_[root];
  absl::flat_hash_set<std::string> alive;
  std::vector<WatchFinding> findings;
  for (const ListedContainer& container : listed) {
    if (container.id != container.sandbox_id) continue;
    if (!container.stopped) alive.insert(container.id);
    if (!container.running) continue;
    const auto known = before.find(container.id);
    Sandbox sandbox = known == before.end()
                          ? Sandbox{.running_since_ns = now_ns, .told = {}, .put_off = 0}
                          : known->second;
    const View view = ViewOf(root, container.id, listed);
    const auto wrong = Wrong(view, sandbox, now_ns);
    if (wrong && wrong != sandbox.told) {
      findings.push_back({.builtin = *wrong,
                          .sandbox_id = container.id,
                          .root = root,
                          .pid = container.pid,
                          .connected = view.silent_one_lives});
    }
    // Well again: the next time is news. What is not wrong yet may still be what was told.
    if (wrong || view.heard) sandbox.told = wrong;
    running.insert_or_assign(container.id, sandbox);
  }
  ForgetEnded(root, alive);
  if (running.empty()) running_.erase(root);
  return findings;
}

std::vector<UntracedSandbox> SandboxWatch::Untraced(const std::string& root,
                                                    const std::vector<ListedContainer>& listed,
                                                    int64_t now_ns) const {
  std::vector<UntracedSandbox> untraced;
  for (const ListedContainer& container : listed) {
    if (!container.running || container.id != container.sandbox_id) continue;
    const View view = ViewOf(root, container.id, listed);
    if (view.heard) continue;
    // It may be about to begin: its runsc has shaken hands, and the Sentry is not there yet.
    if (view.silent_one_lives && now_ns - *view.silent_since < grace_ns_) continue;
    untraced.push_back({.root = root,
                        .sandbox_id = container.id,
                        .pid = container.pid,
                        .ended_ns = view.ended_at});
  }
  return untraced;
}

SandboxWatch::Sandbox* SandboxWatch::Find(const WatchFinding& finding) {
  const auto root = running_.find(finding.root);
  if (root == running_.end()) return nullptr;
  const auto sandbox = root->second.find(finding.sandbox_id);
  return sandbox == root->second.end() ? nullptr : &sandbox->second;
}

void SandboxWatch::Retract(const WatchFinding& finding) {
  if (Sandbox* sandbox = Find(finding); sandbox != nullptr) sandbox->told.reset();
}

bool SandboxWatch::PutOff(const WatchFinding& finding) {
  constexpr int kRoundsMax = 3;
  Sandbox* sandbox = Find(finding);
  if (sandbox == nullptr) return true;
  if (++sandbox->put_off >= kRoundsMax) {
    sandbox->put_off = 0;
    return false;
  }
  sandbox->told.reset();
  return true;
}

void SandboxWatch::Accept(const WatchFinding& finding) {
  Retract(finding);
  for (auto& [id, connection] : connections_) {
    connection.accepted |=
        connection.sandbox_id == finding.sandbox_id && connection.root == finding.root;
  }
}

bool SandboxWatch::StillSo(const WatchFinding& finding,
                           const std::vector<ListedContainer>& listed) const {
  const bool runs = std::ranges::any_of(listed, [&](const ListedContainer& container) {
    return container.running && container.id == finding.sandbox_id;
  });
  return runs && !ViewOf(finding.root, finding.sandbox_id, listed).heard;
}

std::optional<Builtin> Judged(const WatchFinding& finding, const SessionLook& look) {
  if (finding.builtin == Builtin::kSandboxUntraced || look.has_session != true) {
    return finding.builtin;
  }
  if (finding.builtin == Builtin::kSandboxSilent && finding.connected) return std::nullopt;
  // A session that is there, and ours is gone. One that leads nowhere is nobody's.
  const bool leads_nowhere = look.peers && look.peers->empty();
  return leads_nowhere || look.ours ? Builtin::kConnectionEnded : Builtin::kSessionTaken;
}

// An ended connection matters while its sandbox lives.
void SandboxWatch::ForgetEnded(const std::string& root,
                               const absl::flat_hash_set<std::string>& alive) {
  absl::erase_if(connections_, [&](const auto& entry) {
    const WatchedConnection& connection = entry.second;
    if (!connection.ended) return false;
    if (connection.root.empty()) return true;  // nobody knows which list would have it
    return connection.root == root && !alive.contains(connection.sandbox_id);
  });
}

void SandboxWatch::ForgetOld(int64_t now_ns) {
  constexpr int64_t kGraces = 10;
  absl::erase_if(connections_, [&](const auto& entry) {
    return entry.second.ended && now_ns - entry.second.ended_ns > kGraces * grace_ns_;
  });
}

std::string MendOf(const WatchFinding& finding, const std::string& runsc,
                   const std::string& session_file) {
  return fmt::format("{} --root={} trace create --force --config {} {}", ShellWord(runsc),
                     ShellWord(finding.root),
                     session_file.empty() ? "SESSION.json" : ShellWord(session_file),
                     ShellWord(finding.sandbox_id));
}

}  // namespace gyrfalcon
