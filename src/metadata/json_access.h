// Reading members of JSON whose form is somebody else's: what is absent or of another type is "not
// told", never an error. For the .cc files of this folder.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "metadata/container_info.h"

namespace gyrfalcon {

using Json = nlohmann::json;

// A discarded value where the text is no JSON: that has no members.
inline Json ParseJson(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

// nullptr: there is no such member.
inline const Json* Member(const Json* object, std::string_view name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(std::string(name));
  return found == object->end() ? nullptr : &*found;
}

// A view into the JSON; "": none, or no text.
inline std::string_view TextAt(const Json* object, std::string_view name) {
  const Json* found = Member(object, name);
  if (found == nullptr || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

inline bool TruthAt(const Json* object, std::string_view name) {
  const Json* found = Member(object, name);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

// The texts of an object.
inline Labels LabelsAt(const Json* object, std::string_view name) {
  Labels out;
  const Json* found = Member(object, name);
  if (found == nullptr || !found->is_object()) return out;
  for (const auto& [key, value] : found->items()) {
    if (value.is_string()) AddLabel(out, key, value.get_ref<const std::string&>());
  }
  return out;
}

}  // namespace gyrfalcon
