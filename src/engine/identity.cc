#include "engine/identity.h"

#include <algorithm>

namespace gyrfalcon {

void ContainerRegistry::Join(const SandboxIdentity& identity) {
  const std::scoped_lock lock(mutex_);
  ++members_[identity.owner].connections;
}

void ContainerRegistry::Leave(const SandboxIdentity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto member = members_.find(identity.owner);
  if (member == members_.end() || --member->second.connections != 0) return;
  bool contested = false;
  for (const std::string& container : member->second.containers) {
    const auto found = entries_.find(container);
    if (found == entries_.end()) continue;
    std::erase_if(found->second, [&](const Entry& entry) {
      if (entry.owner.owner != identity.owner) return false;
      contested |= entry.contested;
      return true;
    });
    if (found->second.empty()) entries_.erase(found);
  }
  members_.erase(member);
  if (contested) generation_.fetch_add(1, std::memory_order_release);
}

bool ContainerRegistry::Claim(const SandboxIdentity& identity, std::string_view container,
                              std::string& other) {
  const std::scoped_lock lock(mutex_);
  std::vector<Entry>& entries = entries_[container];
  for (Entry& entry : entries) {
    if (entry.owner.owner == identity.owner) return true;
    if (!entry.owner.Excludes(identity)) continue;
    entry.contested = true;
    other = entry.owner.owner;
    return false;
  }
  entries.push_back({.owner = identity});
  members_[identity.owner].containers.emplace(container);
  return true;
}

void ContainerRegistry::Assign(const SandboxIdentity& identity, std::string_view container) {
  const std::scoped_lock lock(mutex_);
  std::vector<Entry>& entries = entries_[container];
  const auto taken = std::erase_if(entries, [&](const Entry& entry) {
    return entry.owner.owner != identity.owner && entry.owner.Excludes(identity);
  });
  if (taken != 0) generation_.fetch_add(1, std::memory_order_release);
  const auto own = std::ranges::find_if(
      entries, [&](const Entry& entry) { return entry.owner.owner == identity.owner; });
  if (own == entries.end()) entries.push_back({.owner = identity});
  members_[identity.owner].containers.emplace(container);
}

}  // namespace gyrfalcon
