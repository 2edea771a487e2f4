#include "engine/user_lookup.h"

#include <utility>

namespace gyrfalcon {

bool UserLookup::Ask(SandboxPlace place, std::string container_id, Answer answer) {
  if (!place.known() || !IsContainerId(container_id)) return true;  // never to be found
  return thread_.Ask([place = std::move(place), container_id = std::move(container_id),
                      answer = std::move(answer)] {
    const auto users = LoadUserTable(place, container_id);
    if (users) answer(*users);
    return users.has_value();
  });
}

}  // namespace gyrfalcon
