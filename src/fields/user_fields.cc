#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

// What Falco prints for a user or group that it has no name for; a text, not a missing value.
constexpr std::string_view kNoName = "<NA>";

using enum FieldType;

constexpr FieldDef kRows[] = {
    OwnField(
        "user.uid", kUint,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Uint(h.process->credentials.effective_uid);
        },
        "Effective user id.", Availability::kYes),
    OwnField(
        "user.name", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Text(h.process->credentials.effective_uid == 0 ? "root" : kNoName);
        },
        "User name: root, or <NA> where it is not known.", Availability::kPartial),
    OwnField(
        "user.homedir", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Text(h.process->credentials.effective_uid == 0 ? "/root" : kNoName);
        },
        "Home directory, or <NA>.", Availability::kPartial),
    OwnField(
        "user.shell", kText,
        [](const BoundField&, const Happening&, Scratch&) { return Value::Text(kNoName); },
        "Login shell: <NA>.", Availability::kPartial),
    OwnField(
        "user.loginuid", kInt,
        [](const BoundField&, const Happening&, Scratch&) { return Value::Int(-1); },
        "Audit user id: always -1, gVisor has none.", Availability::kConstant),
    OwnField(
        "user.loginname", kText,
        [](const BoundField&, const Happening&, Scratch&) { return Value::Text(kNoName); },
        "Audit user name: always <NA>.", Availability::kConstant),
    OwnField(
        "group.gid", kUint,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Uint(h.process->credentials.effective_gid);
        },
        "Effective group id.", Availability::kYes),
    OwnField(
        "group.name", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Text(h.process->credentials.effective_gid == 0 ? "root" : kNoName);
        },
        "Group name: root, or <NA> where it is not known.", Availability::kPartial),
};

}  // namespace

std::span<const FieldDef> UserFields() {
  return kRows;
}

}  // namespace gyrfalcon
