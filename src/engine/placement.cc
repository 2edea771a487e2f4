#include "engine/placement.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace gyrfalcon {

size_t Placement::Place(uint64_t connection, std::string_view sandbox_key) {
  const std::scoped_lock lock(mutex_);
  std::string key =
      sandbox_key.empty() ? "connection " + std::to_string(connection) : std::string(sandbox_key);
  const auto [entry, is_new] = groups_.try_emplace(key);
  Group& group = entry->second;
  if (is_new) {
    const auto idlest = std::ranges::min_element(workers_, {}, &Worker::connections);
    group.worker = static_cast<size_t>(idlest - workers_.begin());
    if (const auto left = left_.find(key); left != left_.end()) {
      if (left->second.until_ns > SteadyNs()) group.worker = left->second.worker;
      left_.erase(left);
    }
  }
  group.connections.push_back(connection);
  ++workers_[group.worker].connections;
  group_of_.emplace(connection, std::move(key));
  return group.worker;
}

void Placement::Leave(uint64_t connection) {
  const std::scoped_lock lock(mutex_);
  const auto key = group_of_.find(connection);
  if (key == group_of_.end()) return;
  const auto group = groups_.find(key->second);
  std::erase(group->second.connections, connection);
  --workers_[group->second.worker].connections;
  if (group->second.connections.empty()) {
    RememberLeft(key->second, group->second.worker);
    groups_.erase(group);
  }
  group_of_.erase(key);
}

void Placement::RememberLeft(std::string key, size_t worker) {
  if (remember_ns_ == 0) return;
  const int64_t now_ns = SteadyNs();
  if (left_.size() >= forget_at_) {
    absl::erase_if(left_, [&](const auto& entry) { return entry.second.until_ns <= now_ns; });
    forget_at_ = std::clamp(2 * left_.size(), kForgetMin, kLeftMax);
  }
  if (left_.size() >= kLeftMax) return;
  left_.insert_or_assign(std::move(key), Left{worker, now_ns + remember_ns_});
}

Placement::Group* Placement::GroupOf(uint64_t connection) {
  const auto key = group_of_.find(connection);
  if (key == group_of_.end()) return nullptr;
  const auto group = groups_.find(key->second);
  return group == groups_.end() ? nullptr : &group->second;
}

void Placement::WithWorkerOf(uint64_t connection,
                             const std::function<void(size_t worker)>& post) const {
  const std::scoped_lock lock(mutex_);
  const auto key = group_of_.find(connection);
  if (key == group_of_.end()) return;
  post(groups_.find(key->second)->second.worker);
}

void Placement::NoteBusy(size_t worker, double share) {
  const std::scoped_lock lock(mutex_);
  workers_[worker].busy = share;
}

std::vector<Placement::Candidate> Placement::Candidates(double share,
                                                        std::span<const ConnectionLoad> loads,
                                                        int64_t now_ns) {
  uint64_t messages = 0;
  for (const ConnectionLoad& load : loads) messages += load.messages;
  std::vector<Candidate> candidates;
  if (messages == 0) return candidates;
  absl::flat_hash_map<const Group*, size_t> places;
  for (const ConnectionLoad& load : loads) {
    Group* group = GroupOf(load.connection);
    if (group == nullptr) continue;
    const auto [entry, is_new] = places.try_emplace(group, candidates.size());
    if (is_new) candidates.push_back({.group = group});
    Candidate& candidate = candidates[entry->second];
    ++candidate.known;
    candidate.share += share * static_cast<double>(load.messages) / static_cast<double>(messages);
  }
  std::erase_if(candidates, [now_ns](const Candidate& candidate) {
    const Group& group = *candidate.group;
    const bool rests = group.moved_ns && now_ns - *group.moved_ns < kRestNs;
    // One that was accepted and not yet taken up would come to a worker without its state.
    return rests || candidate.known != group.connections.size();
  });
  return candidates;
}

void Placement::Relieve(size_t worker, double share, std::span<const ConnectionLoad> loads,
                        int64_t now_ns, const std::function<void(const PlacementMove&)>& move) {
  const std::scoped_lock lock(mutex_);
  workers_[worker].busy = share;
  const auto idlest = std::ranges::min_element(workers_, {}, &Worker::busy);
  const auto to = static_cast<size_t>(idlest - workers_.begin());
  if (frozen_ || share < kOverloaded || to == worker) return;
  // After a move the busier of the two should have as little to do as can be.
  const auto busier_after = [&](const Candidate& candidate) {
    return std::max(share - candidate.share, idlest->busy + candidate.share);
  };
  std::vector<Candidate> candidates = Candidates(share, loads, now_ns);
  const auto best = std::ranges::min_element(candidates, {}, busier_after);
  if (best == candidates.end() || busier_after(*best) > share - kWorthwhile) return;
  Group& group = *best->group;
  group.worker = to;
  group.moved_ns = now_ns;
  workers_[worker].connections -= group.connections.size();
  workers_[to].connections += group.connections.size();
  // Until it says for itself.
  workers_[to].busy += best->share;
  workers_[worker].busy -= best->share;
  move({.to = to, .connections = group.connections});
}

size_t Placement::remembered() const {
  const std::scoped_lock lock(mutex_);
  return left_.size();
}

void Placement::Thaw() {
  const std::scoped_lock lock(mutex_);
  frozen_ = false;
}

void Placement::Freeze() {
  const std::scoped_lock lock(mutex_);
  frozen_ = true;
}

}  // namespace gyrfalcon
