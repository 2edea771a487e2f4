// The processes of sandboxes, as /proc shows them: an older runsc that is asked from another
// network namespace than a sandbox's own calls it stopped while it lives.
#pragma once

#include <cstdint>
#include <string>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

namespace gyrfalcon {

// The host's process of each of these sandboxes that has one here, by its arguments: `boot` and the
// id. Any process may call itself so: good for asking runsc, not for believing that it lives. Does
// not wait; takes time with the number of processes.
absl::flat_hash_map<std::string, int64_t> FindSentries(
    const absl::flat_hash_set<std::string>& sandbox_ids, const std::string& proc = "/proc");

}  // namespace gyrfalcon
