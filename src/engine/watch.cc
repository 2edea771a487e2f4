#include "engine/watch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace gyrfalcon {

struct SandboxWatch::View {
  bool heard = false;  // some live connection speaks, or need not
  // One that should and never did. A runsc that refuses the session config keeps it open or, newer
  // ones, closes it.
  std::optional<int64_t> silent_since;
  std::optional<int64_t> ended_at;  // the last that spoke and ended
};

void SandboxWatch::Note(const WatchedConnection& connection) {
  // A connection that came to nothing: a health check, a refused `trace create`.
  const bool counts = !connection.ended || connection.spoke || connection.from_start;
  if (counts && !(connection.ended && connection.sandbox_id.empty())) {
    connections_[connection.connection] = connection;
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
    if (connection.ended && connection.spoke) {
      view.ended_at = std::max(view.ended_at.value_or(connection.ended_ns), connection.ended_ns);
    } else if (!connection.ended && (connection.spoke || !connection.from_start)) {
      view.heard = true;
    } else {
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
  std::vector<WatchFinding> findings;
  for (const ListedContainer& container : listed) {
    if (!container.running || container.id != container.sandbox_id) continue;
    const auto known = before.find(container.id);
    Sandbox sandbox =
        known == before.end() ? Sandbox{.running_since_ns = now_ns, .told = {}} : known->second;
    const View view = ViewOf(root, container.id, listed);
    const auto wrong = Wrong(view, sandbox, now_ns);
    if (wrong && wrong != sandbox.told) findings.push_back({*wrong, container.id, root});
    // Well again: the next time is news. What is not wrong yet may still be what was told.
    if (wrong || view.heard) sandbox.told = wrong;
    running.insert_or_assign(container.id, sandbox);
  }
  ForgetEnded(root, running);
  if (running.empty()) running_.erase(root);
  return findings;
}

// An ended connection matters while its sandbox runs.
void SandboxWatch::ForgetEnded(
    const std::string& root,
    const absl::flat_hash_map<std::string, Sandbox, TextHash, TextEqual>& running) {
  absl::erase_if(connections_, [&](const auto& entry) {
    const WatchedConnection& connection = entry.second;
    if (!connection.ended) return false;
    if (connection.root.empty()) return true;  // nobody knows which list would have it
    return connection.root == root && !running.contains(connection.sandbox_id);
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
  const std::string config = session_file.empty() ? "SESSION.json" : session_file;
  const std::string attach = fmt::format("{} --root={} trace create --force --config {} {}", runsc,
                                         finding.root, config, finding.sandbox_id);
  if (finding.builtin == Builtin::kSandboxSilent) {
    return fmt::format(
        "make the session config anew for this runsc (gyrfalcon session generate); {}"
        " says what is wrong with it",
        attach);
  }
  return attach;
}

}  // namespace gyrfalcon
