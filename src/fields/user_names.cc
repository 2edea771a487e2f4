#include "fields/user_names.h"

#include <array>
#include <charconv>

namespace gyrfalcon {
namespace {

Value NumberText(uint32_t id, Scratch& scratch) {
  if (id == 0) return Value::Text("root");
  if (id == UINT32_MAX) return Value::Text("-1");
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), id).ptr;
  return Value::Text(scratch.Copy({digits.data(), static_cast<size_t>(end - digits.data())}));
}

const UserTable* TableOf(const Happening& happening) {
  return happening.container == nullptr ? nullptr : happening.container->users.get();
}

}  // namespace

const UserEntry* FindUser(const Happening& happening, uint32_t uid) {
  const UserTable* table = TableOf(happening);
  return table == nullptr ? nullptr : table->FindUser(uid);
}

const std::string* FindGroup(const Happening& happening, uint32_t gid) {
  const UserTable* table = TableOf(happening);
  return table == nullptr ? nullptr : table->FindGroup(gid);
}

Value UserName(const Happening& happening, uint32_t uid, Scratch& scratch) {
  const UserEntry* user = FindUser(happening, uid);
  return user != nullptr ? Value::Text(user->name) : NumberText(uid, scratch);
}

Value GroupName(const Happening& happening, uint32_t gid, Scratch& scratch) {
  const std::string* name = FindGroup(happening, gid);
  return name != nullptr ? Value::Text(*name) : NumberText(gid, scratch);
}

}  // namespace gyrfalcon
