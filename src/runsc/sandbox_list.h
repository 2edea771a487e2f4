// Which containers runsc knows below a root: `runsc --root=R list -format json`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runsc/child.h"

namespace gyrfalcon {

// How runsc is called.
struct RunscCall {
  std::string program;
  std::string root;
  ChildLimits limits;
};

struct ListedContainer {
  std::string id;
  std::string sandbox_id;  // its pod's; its own id where it has no pod
  bool running = false;
  bool stopped = false;  // neither: made and not started, or paused
  int64_t pid = 0;       // of the sandbox, on the host
  std::string bundle;
};

inline constexpr size_t kListedContainersMax = 16 * 1024;

// Empty for "null", which is what runsc prints where there is nothing. Entries without an id are
// left out, and those beyond kListedContainersMax. Whoever made the container chose its
// annotations, so the sandbox's id is believed only as a name.
Result<std::vector<ListedContainer>> ParseSandboxList(std::string_view json);

// Runs runsc: waits. It asks each sandbox, so one whose Sentry does not answer makes it hang.
Result<std::vector<ListedContainer>> ListSandboxes(const RunscCall& call);

// The ids alone, for which runsc asks no sandbox; those beyond kListedContainersMax are left out.
Result<std::vector<std::string>> ListContainerIds(const RunscCall& call);
// `runsc state` of one: waits for this one only.
Result<ListedContainer> ReadContainerState(const RunscCall& call, const std::string& id);

}  // namespace gyrfalcon
