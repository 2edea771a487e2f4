#include "fields/rows.h"
#include "fields/user_names.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

// What Falco prints for what it does not know of a user; a text, not a missing value.
constexpr std::string_view kNoName = "<NA>";

using enum FieldType;

// Of the process, by names that the container's files give, which may come later.
constexpr FieldDef NameField(std::string_view name, Extractor extract, std::string_view help) {
  FieldDef row = OwnField(name, kText, extract, help, Availability::kPartial);
  row.invalidated_by |= kByMetadata;
  return row;
}

constexpr FieldDef kRows[] = {
    OwnField(
        "user.uid", kUint,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Uint(h.process->credentials.effective_uid);
        },
        "Effective user id.", Availability::kYes, "UINT32"),
    NameField(
        "user.name",
        [](const BoundField&, const Happening& h, Scratch& scratch) {
          return UserName(h, h.process->credentials.effective_uid, scratch);
        },
        "User name from the container's own /etc/passwd where it can be read, else root for 0 and "
        "the number's text for others."),
    NameField(
        "user.homedir",
        [](const BoundField&, const Happening& h, Scratch&) {
          const uint32_t uid = h.process->credentials.effective_uid;
          const UserEntry* user = FindUser(h, uid);
          if (user != nullptr && !user->home.empty()) return Value::Text(user->home);
          return Value::Text(uid == 0 ? "/root" : kNoName);
        },
        "Home directory from the container's own /etc/passwd, else /root for root, <NA> for "
        "others."),
    NameField(
        "user.shell",
        [](const BoundField&, const Happening& h, Scratch&) {
          const UserEntry* user = FindUser(h, h.process->credentials.effective_uid);
          return Value::Text(user != nullptr && !user->shell.empty() ? user->shell
                                                                     : std::string_view(kNoName));
        },
        "Login shell from the container's own /etc/passwd, else <NA>."),
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
        "Effective group id.", Availability::kYes, "UINT32"),
    NameField(
        "group.name",
        [](const BoundField&, const Happening& h, Scratch& scratch) {
          return GroupName(h, h.process->credentials.effective_gid, scratch);
        },
        "Group name from the container's own /etc/group where it can be read, else root for 0 and "
        "the number's text for others."),
};

}  // namespace

std::span<const FieldDef> UserFields() {
  return kRows;
}

}  // namespace gyrfalcon
