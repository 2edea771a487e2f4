#include "runsc/event_sources.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "points/schema.h"
#include "points/syscall_catalog.h"

namespace gyrfalcon {
namespace {

constexpr uint64_t kSysnoEnd = 512;
constexpr std::string_view kClones[] = {"clone", "fork", "vfork"};

bool IsClone(std::string_view type) {
  return std::ranges::find(kClones, type) != std::end(kClones);
}

// The call is the event only from its enter on, else sentry/clone is one.
std::vector<std::string> PointsOfCall(const PointDef& point) {
  const std::string name(point.name);
  if (IsClone(point.event_type)) return {name + "/enter", name + "/exit"};
  return {name + "/exit"};
}

// In the order of the points table, raw ones last.
class SourceIndex {
 public:
  SourceIndex() {
    AddExecs();
    for (const PointDef& point : Points()) {
      const auto type = FindEventType(point.event_type);
      if (!type) continue;
      const bool is_exec = point.event_type == "execve" || point.event_type == "execveat";
      if (point.is_syscall()) {
        of_type_[type->index].push_back(
            {PointsOfCall(point), is_exec ? EventForm::kExecCalled : EventForm::kTold});
      } else if (!is_exec) {
        of_type_[type->index].push_back({{std::string(point.name)}, EventForm::kTold});
      }
    }
    for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
      const PointRef point = ResolvePoint(MessageType::kRaw, sysno, kHostArch);
      if (!point.event_type) continue;
      of_type_[point.event_type->index].push_back({{fmt::format("syscall/sysno/{}/enter", sysno),
                                                    fmt::format("syscall/sysno/{}/exit", sysno)},
                                                   EventForm::kRaw});
    }
  }

  std::span<const EventSource> Of(EventType type) const { return of_type_[type.index]; }

 private:
  void AddExecs() {
    for (const std::string_view name : {"execve", "execveat"}) {
      of_type_[FindEventType(name)->index].push_back({{"sentry/execve"}, EventForm::kExecTold});
    }
    of_type_[FindEventType("execve")->index].push_back({{"container/start"}, EventForm::kExecTold});
  }

  std::array<std::vector<EventSource>, kEventTypeCount> of_type_;
};

}  // namespace

std::span<const EventSource> SourcesOf(EventType type) {
  static const SourceIndex index;
  return index.Of(type);
}

bool AlwaysFails(EventType type) {
  const SyscallInfo* call = FindSyscall(Describe(type).name);
  return call != nullptr && call->support == SyscallSupport::kNever;
}

}  // namespace gyrfalcon
