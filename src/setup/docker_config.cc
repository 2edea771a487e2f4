#include "setup/docker_config.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "setup/json_text.h"
#include "setup/text_edit.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kFlag = "pod-init-config";
constexpr std::string_view kRuntimes = "runtimes";
constexpr std::string_view kArgs = "runtimeArgs";
constexpr std::string_view kDefault = "default-runtime";
constexpr std::string_view kBlanks = " \t\r\n";

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == std::string_view::npos;
}

// The place of --pod-init-config among the arguments.
struct SessionFlag {
  size_t first = 0;   // the item that has the flag
  size_t last = 0;    // the item that has its value: the same, or the next one
  std::string value;  // "" where it has none
};

// As Go's flag package reads them: one dash or two, the value behind `=` or in the next argument.
// The last one counts.
std::optional<SessionFlag> FindSessionFlag(const JsonNode& args) {
  std::optional<SessionFlag> found;
  for (size_t i = 0; i < args.items.size(); ++i) {
    std::string_view word = args.items[i].text;
    if (!word.starts_with('-')) continue;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    if (!word.starts_with(kFlag)) continue;
    word.remove_prefix(kFlag.size());
    if (word.starts_with('=')) {
      found = {i, i, std::string(word.substr(1))};
    } else if (word.empty()) {
      const size_t last = std::min(i + 1, args.items.size() - 1);
      found = {i, last, last == i ? "" : args.items[last].text};
      i = last;
    }
  }
  return found;
}

std::string FlagText(const std::string& session_file) {
  return fmt::format("--{}={}", kFlag, session_file);
}

std::string TextOf(const JsonNode* node) {
  return node != nullptr && node->kind == JsonKind::kString ? node->text : "";
}

bool IsGvisors(const JsonMember& member, const std::vector<std::string>& also) {
  constexpr std::string_view kRunsc = "runsc";
  if (std::ranges::find(also, member.key) != also.end()) return true;
  const JsonNode* args = member.value.FindValue(kArgs);
  if (args != nullptr && FindSessionFlag(*args)) return true;  // no other runtime has the flag
  const std::string path = TextOf(member.value.FindValue("path"));
  return PathBasename(path).contains(kRunsc) ||
         TextOf(member.value.FindValue("runtimeType")).contains(kRunsc);
}

// Of a text with a place for errors.
struct Place {
  const std::string& path;
  std::string_view text;

  std::unexpected<Error> Fail(const JsonNode& node, std::string_view what) const {
    return gyrfalcon::Fail(Fault::kInput, PlaceOf(path, text, node.begin) + std::string(what));
  }
};

Result<JsonNode> ReadObject(const Place& place) {
  if (IsBlank(place.text)) {
    JsonNode empty;
    empty.kind = JsonKind::kObject;
    return empty;
  }
  auto root = ReadJsonText(place.path, place.text);
  if (!root) return root;
  if (root->kind != JsonKind::kObject) return place.Fail(*root, "not an object, as daemon.json is");
  return root;
}

Result<DockerRuntime> ReadRuntime(const Place& place, const JsonMember& member) {
  const JsonNode& node = member.value;
  if (node.kind != JsonKind::kObject) {
    return place.Fail(node, fmt::format("the runtime {} is no object", QuoteJson(member.key)));
  }
  DockerRuntime runtime{.name = member.key,
                        .path = TextOf(node.FindValue("path")),
                        .args = {},
                        .config_path = {},
                        .session_file = {}};
  if (const JsonNode* options = node.FindValue("options")) {
    runtime.config_path = TextOf(options->FindValue("ConfigPath"));
  }
  const JsonNode* args = node.FindValue(kArgs);
  if (args == nullptr || args->kind == JsonKind::kNull) return runtime;
  const bool are_texts =
      args->kind == JsonKind::kArray && std::ranges::all_of(args->items, [](const JsonNode& item) {
        return item.kind == JsonKind::kString;
      });
  if (!are_texts) {
    return place.Fail(*args, fmt::format("the {} of the runtime {} are no list of strings", kArgs,
                                         QuoteJson(member.key)));
  }
  for (const JsonNode& item : args->items) runtime.args.push_back(item.text);
  if (const auto flag = FindSessionFlag(*args)) runtime.session_file = flag->value;
  return runtime;
}

// nullptr: there are none.
Result<const JsonNode*> RuntimesOf(const Place& place, const JsonNode& root) {
  const JsonNode* runtimes = root.FindValue(kRuntimes);
  if (runtimes == nullptr || runtimes->kind == JsonKind::kNull) return nullptr;
  if (runtimes->kind != JsonKind::kObject) {
    return place.Fail(*runtimes, fmt::format("`{}` is no object", kRuntimes));
  }
  return runtimes;
}

// The blanks before a byte.
std::string_view BlanksBefore(std::string_view text, size_t at) {
  const size_t last = text.substr(0, at).find_last_not_of(kBlanks);
  const size_t begin = last == std::string_view::npos ? 0 : last + 1;
  return text.substr(begin, at - begin);
}

// How what is inserted is laid out: one line, or as the lines around it.
struct Layout {
  bool lines = true;
  std::string newline = "\n";
  std::string indent;       // of a member of the object
  std::string step = "  ";  // more for what is within
};

Layout LayoutOf(std::string_view text, const JsonNode& object, size_t depth) {
  Layout layout;
  if (text.contains("\r\n")) layout.newline = "\r\n";
  if (object.members.empty()) {
    layout.indent = std::string(2 * depth, ' ');
    return layout;
  }
  const std::string_view before = BlanksBefore(text, object.members.back().begin);
  const size_t newline = before.rfind('\n');
  layout.lines = newline != std::string_view::npos;
  if (!layout.lines) return layout;
  layout.indent = before.substr(newline + 1);
  if (layout.indent.starts_with('\t')) layout.step = "\t";
  if (layout.indent.starts_with(' ') && depth > 0 && layout.indent.size() % depth == 0) {
    layout.step = std::string(layout.indent.size() / depth, ' ');
  }
  return layout;
}

// A value to insert: members in order, or a list of texts.
struct NewValue {
  std::string text{};
  std::vector<std::pair<std::string, NewValue>> members{};
  std::vector<std::string> items{};
};

std::string Render(const NewValue& value, const Layout& layout, const std::string& indent) {
  if (!value.text.empty()) return QuoteJson(value.text);
  const std::string inner = indent + layout.step;
  const std::string gap = layout.lines ? layout.newline + inner : "";
  const bool is_object = !value.members.empty();
  std::string out = is_object ? "{" : "[";
  std::string_view comma;
  for (const auto& [key, member] : value.members) {
    out += fmt::format("{}{}{}:{}{}", comma, gap, QuoteJson(key), layout.lines ? " " : "",
                       Render(member, layout, inner));
    comma = ",";
  }
  for (const std::string& item : value.items) {
    out += fmt::format("{}{}{}", comma, gap, QuoteJson(item));
    comma = ",";
  }
  if (layout.lines) out += layout.newline + indent;
  return out + (is_object ? "}" : "]");
}

// Behind the last member. `depth`: of the members, 1 in the outermost object.
TextEdit InsertMember(std::string_view text, const JsonNode& object, size_t depth,
                      const std::string& key, const NewValue& value) {
  const Layout layout = LayoutOf(text, object, depth);
  const std::string member = fmt::format("{}:{}{}", QuoteJson(key), layout.lines ? " " : "",
                                         Render(value, layout, layout.indent));
  if (!object.members.empty()) {
    const JsonMember& last = object.members.back();
    return {last.value.end, last.value.end,
            fmt::format(",{}{}", BlanksBefore(text, last.begin), member)};
  }
  const std::string_view inside = text.substr(object.begin + 1, object.end - object.begin - 2);
  const std::string closing =
      inside.contains('\n') ? "" : layout.newline + std::string(2 * (depth - 1), ' ');
  return {object.begin + 1, object.begin + 1, layout.newline + layout.indent + member + closing};
}

TextEdit InsertItem(std::string_view text, const JsonNode& list, const std::string& item) {
  if (list.items.empty()) return {list.begin + 1, list.begin + 1, QuoteJson(item)};
  const JsonNode& last = list.items.back();
  // A blank behind the comma, unless the list shows how it is done here.
  const std::string_view gap = list.items.size() == 1 && BlanksBefore(text, last.begin).empty()
                                   ? " "
                                   : BlanksBefore(text, last.begin);
  return {last.end, last.end, fmt::format(",{}{}", gap, QuoteJson(item))};
}

Result<TextEdit> AddToRuntime(const Place& place, const JsonMember& member,
                              const DockerRuntime& runtime, const DockerWish& wish) {
  const std::string flag = FlagText(wish.session_file);
  const JsonNode* args = member.value.FindValue(kArgs);
  if (args == nullptr) {
    constexpr size_t kDepth = 3;
    return InsertMember(place.text, member.value, kDepth, std::string(kArgs), {.items = {flag}});
  }
  if (args->kind == JsonKind::kNull) {
    return TextEdit{args->begin, args->end, fmt::format("[{}]", QuoteJson(flag))};
  }
  const auto there = FindSessionFlag(*args);
  if (!there) return InsertItem(place.text, *args, flag);
  const JsonNode& value = args->items[there->last];
  if (!wish.replace) {
    return place.Fail(
        value, fmt::format("the runtime {} has another session config, {}: somebody "
                           "else listens to its sandboxes; --replace puts {} in its "
                           "place, --undo puts it back",
                           QuoteJson(runtime.name), QuoteJson(there->value), wish.session_file));
  }
  if (there->first == there->last) return TextEdit{value.begin, value.end, QuoteJson(flag)};
  return TextEdit{value.begin, value.end, QuoteJson(wish.session_file)};
}

TextEdit AddRuntime(std::string_view text, const JsonNode& root, const JsonNode* runtimes,
                    const DockerWish& wish) {
  NewValue runtime;
  runtime.members.push_back({"path", {.text = wish.new_path}});
  NewValue args{.items = wish.new_args};
  args.items.push_back(FlagText(wish.session_file));
  runtime.members.push_back({std::string(kArgs), std::move(args)});
  if (runtimes != nullptr) return InsertMember(text, *runtimes, 2, wish.new_name, runtime);
  NewValue all;
  all.members.push_back({wish.new_name, std::move(runtime)});
  if (const JsonNode* null = root.FindValue(kRuntimes)) {
    const Layout layout = LayoutOf(text, root, 1);
    return {null->begin, null->end, Render(all, layout, layout.indent)};
  }
  return InsertMember(text, root, 1, std::string(kRuntimes), all);
}

// How the file was: for what is taken out.
struct Before {
  JsonNode root;
  std::string_view text;
  bool known = false;

  const JsonNode* Runtimes() const { return root.FindValue(kRuntimes); }
  const JsonNode* Runtime(std::string_view name) const {
    const JsonNode* runtimes = Runtimes();
    return runtimes == nullptr ? nullptr : runtimes->FindValue(name);
  }
  // What stood between the brackets of one that was empty.
  std::string Inside(const JsonNode* node) const {
    const bool has_brackets = node != nullptr && node->end >= node->begin + 2 &&
                              (node->kind == JsonKind::kObject || node->kind == JsonKind::kArray);
    const bool was_empty = has_brackets && node->members.empty() && node->items.empty();
    return was_empty ? std::string(text.substr(node->begin + 1, node->end - node->begin - 2)) : "";
  }
};

// Parts `first` to `last` of `count`, each with its begin and end, and a comma. `inside`: what is
// left where there are no others.
template <class Begin, class End>
TextEdit CutParts(const JsonNode& whole, size_t first, size_t last, size_t count,
                  std::string inside, Begin begin, End end) {
  if (first == 0 && last + 1 == count) return {whole.begin + 1, whole.end - 1, std::move(inside)};
  if (last + 1 == count) return {end(first - 1), end(last), ""};
  return {begin(first), begin(last + 1), ""};
}

TextEdit CutMember(const JsonNode& object, std::string_view key, std::string inside) {
  const auto index = static_cast<size_t>(object.Find(key) - object.members.data());
  return CutParts(
      object, index, index, object.members.size(), std::move(inside),
      [&object](size_t i) { return object.members[i].begin; },
      [&object](size_t i) { return object.members[i].value.end; });
}

TextEdit CutItems(const JsonNode& list, size_t first, size_t last, std::string inside) {
  return CutParts(
      list, first, last, list.items.size(), std::move(inside),
      [&list](size_t i) { return list.items[i].begin; },
      [&list](size_t i) { return list.items[i].end; });
}

class Remover {
 public:
  Remover(const Before& before, const JsonNode& after, const std::string& session_file)
      : before_(before), after_(after), session_file_(session_file) {}

  // The next thing that goes; nullopt: nothing is left of ours.
  std::optional<TextEdit> Next(const JsonNode& root) const {
    const JsonNode* runtimes = root.FindValue(kRuntimes);
    if (runtimes == nullptr) return std::nullopt;
    for (const JsonMember& member : runtimes->members) {
      if (const auto edit = OfRuntime(root, *runtimes, member)) return edit;
    }
    // Emptied by us, and of our making.
    if (!before_.known || runtimes->kind != JsonKind::kObject || !runtimes->members.empty()) {
      return std::nullopt;
    }
    const JsonNode* was = before_.Runtimes();
    if (was == nullptr && after_.FindValue(kRuntimes) != nullptr) {
      return CutMember(root, kRuntimes, before_.Inside(&before_.root));
    }
    if (was != nullptr && was->kind == JsonKind::kNull) {
      return TextEdit{runtimes->begin, runtimes->end, "null"};
    }
    return std::nullopt;
  }

 private:
  std::optional<TextEdit> OfRuntime(const JsonNode& root, const JsonNode& runtimes,
                                    const JsonMember& member) const {
    const JsonNode* was = before_.Runtime(member.key);
    if (before_.known && was == nullptr && IsAsWeMadeIt(member) &&
        !IsDefaultNow(root, member.key)) {
      return CutMember(runtimes, member.key, before_.Inside(before_.Runtimes()));
    }
    const JsonNode* args = member.value.FindValue(kArgs);
    if (args == nullptr || args->kind != JsonKind::kArray) return std::nullopt;
    const auto flag = FindSessionFlag(*args);
    if (!flag || flag->value != session_file_) return std::nullopt;
    return OfArgs(member.value, *args, *flag, was);
  }

  // dockerd does not start where its default is not among its runtimes.
  bool IsDefaultNow(const JsonNode& root, const std::string& name) const {
    return TextOf(root.FindValue(kDefault)) == name &&
           TextOf(before_.root.FindValue(kDefault)) != name;
  }

  bool IsAsWeMadeIt(const JsonMember& member) const {
    const JsonNode* all = after_.FindValue(kRuntimes);
    const JsonNode* made = all == nullptr ? nullptr : all->FindValue(member.key);
    return made != nullptr && SameJson(*made, member.value);
  }

  std::optional<TextEdit> OfArgs(const JsonNode& runtime, const JsonNode& args,
                                 const SessionFlag& flag, const JsonNode* was) const {
    const JsonNode* args_before = was == nullptr ? nullptr : was->FindValue(kArgs);
    if (args_before != nullptr && args_before->kind == JsonKind::kArray) {
      const auto flag_before = FindSessionFlag(*args_before);
      if (flag_before && flag_before->value == session_file_) return std::nullopt;  // never ours
      if (flag_before) {
        const JsonNode& old = args_before->items[flag_before->last];
        const bool same_form =
            (flag.first == flag.last) == (flag_before->first == flag_before->last);
        const JsonNode& value = args.items[flag.last];
        return TextEdit{value.begin, value.end,
                        same_form ? std::string(before_.text.substr(old.begin, old.end - old.begin))
                                  : QuoteJson(flag.first == flag.last ? FlagText(flag_before->value)
                                                                      : flag_before->value)};
      }
    }
    const bool has_others = args.items.size() > flag.last - flag.first + 1;
    if (has_others) return CutItems(args, flag.first, flag.last, "");
    if (before_.known && was != nullptr && args_before == nullptr) {
      return CutMember(runtime, kArgs, before_.Inside(was));
    }
    if (args_before != nullptr && args_before->kind == JsonKind::kNull) {
      return TextEdit{args.begin, args.end, "null"};
    }
    return CutItems(args, flag.first, flag.last, before_.Inside(args_before));
  }

  const Before& before_;
  const JsonNode& after_;
  const std::string& session_file_;
};

}  // namespace

Result<std::vector<DockerRuntime>> ReadDockerRuntimes(const std::string& path,
                                                      std::string_view text,
                                                      const std::vector<std::string>& also) {
  const Place place{path, text};
  const auto root = ReadObject(place);
  if (!root) return std::unexpected(root.error());
  const auto runtimes = RuntimesOf(place, *root);
  if (!runtimes) return std::unexpected(runtimes.error());
  std::vector<DockerRuntime> found;
  if (*runtimes == nullptr) return found;
  for (const JsonMember& member : (*runtimes)->members) {
    if (!IsGvisors(member, also)) continue;
    auto runtime = ReadRuntime(place, member);
    if (!runtime) return std::unexpected(runtime.error());
    found.push_back(std::move(*runtime));
  }
  return found;
}

Result<std::string> AddToDockerConfig(const std::string& path, std::string_view text,
                                      const DockerWish& wish) {
  const bool is_blank = IsBlank(text);
  const std::string whole = is_blank ? "{}\n" : std::string(text);
  const Place place{path, whole};
  const auto root = ReadObject(place);
  if (!root) return std::unexpected(root.error());
  const auto runtimes = RuntimesOf(place, *root);
  if (!runtimes) return std::unexpected(runtimes.error());
  const auto found = ReadDockerRuntimes(path, whole, wish.also);
  if (!found) return std::unexpected(found.error());
  std::vector<TextEdit> edits;
  for (const DockerRuntime& runtime : *found) {
    if (runtime.path.empty() || runtime.session_file == wish.session_file) continue;
    auto edit = AddToRuntime(place, *(*runtimes)->Find(runtime.name), runtime, wish);
    if (!edit) return std::unexpected(edit.error());
    edits.push_back(std::move(*edit));
  }
  if (found->empty()) {
    if (wish.new_path.empty()) {
      return Fail(Fault::kInput,
                  fmt::format("{}: no runtime of gVisor in it, and no runsc to add one for: "
                              "name it, --runsc BINARY",
                              path));
    }
    if (*runtimes != nullptr && (*runtimes)->Find(wish.new_name) != nullptr) {
      return place.Fail((*runtimes)->Find(wish.new_name)->value,
                        fmt::format("the runtime {} does not look like gVisor's; if it is, "
                                    "--runtime {}",
                                    QuoteJson(wish.new_name), wish.new_name));
    }
    edits.push_back(AddRuntime(whole, *root, *runtimes, wish));
  }
  if (edits.empty()) return std::string(text);
  return ApplyEdits(whole, std::move(edits));
}

Result<std::string> RemoveFromDockerConfig(const std::string& path, std::string_view text,
                                           const std::string& session_file,
                                           const std::optional<ConfigChange>& change) {
  std::string now(text);
  Before before;
  JsonNode after;
  if (change) {
    before.text = change->before ? std::string_view(*change->before) : std::string_view();
    auto read_before = ReadObject({path, before.text});
    auto read_after = ReadObject({path, change->after});
    if (read_before && read_after) {
      before.root = std::move(*read_before);
      before.known = true;
      after = std::move(*read_after);
    }
  }
  const Remover remover(before, after, session_file);
  for (;;) {
    const auto root = ReadObject({path, now});
    if (!root) return std::unexpected(root.error());
    const auto edit = remover.Next(*root);
    if (!edit) {
      const bool was_blank = before.known && IsBlank(before.text);
      if (was_blank && root->members.empty()) return std::string(before.text);
      return now;
    }
    now = ApplyEdits(now, {*edit});
  }
}

}  // namespace gyrfalcon
