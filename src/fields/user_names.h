// Names for the ids of users and groups, as the acting container's own files have them.
#pragma once

#include <cstdint>
#include <string>

#include "fields/scratch.h"
#include "fields/value.h"
#include "metadata/user_table.h"
#include "state/happening.h"

namespace gyrfalcon {

// The user's entry in the container's /etc/passwd; nullptr where it has none, or where the file is
// not known (yet).
const UserEntry* FindUser(const Happening& happening, uint32_t uid);
// The same of the group's name in /etc/group.
const std::string* FindGroup(const Happening& happening, uint32_t gid);

// Never missing: the container's name for it; else "root" for 0, "-1" for the largest (no id), and
// the number's text for all others. Never a name of the host's.
Value UserName(const Happening& happening, uint32_t uid, Scratch& scratch);
Value GroupName(const Happening& happening, uint32_t gid, Scratch& scratch);

}  // namespace gyrfalcon
