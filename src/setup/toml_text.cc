#include "setup/toml_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "base/toml_dots.h"
#include "setup/json_text.h"
#include "setup/text_edit.h"
#include "setup/toml_tree.h"
#include "setup/utf8.h"

namespace gyrfalcon {

Result<toml::table> ReadToml(const std::string& path, std::string_view text) {
  if (text.size() > kSetupFileBytesMax) {
    return Fail(Fault::kInput, fmt::format("{}:1:1: larger than {} bytes; no such file is", path,
                                           kSetupFileBytesMax));
  }
  if (const auto bad = FirstNonUtf8(text)) {
    return Fail(Fault::kInput, PlaceOf(path, text, *bad) + "not TOML: a byte that is no UTF-8");
  }
  if (const auto line = FirstLineOfManyDots(text)) {
    return Fail(Fault::kInput,
                fmt::format("{}:{}:1: more than {} dots in a line", path, *line, kTomlDotsMax));
  }
  // toml++ 3.3 runs into __builtin_unreachable when it asks whether another character is a blank.
  std::string ascii(text);
  std::ranges::replace_if(ascii, [](char byte) { return (byte & '\x80') != 0; }, '?');
  toml::parse_result parsed = toml::parse(std::string_view(ascii), std::string_view());
  if (parsed) return std::move(parsed).table();
  const toml::parse_error& error = parsed.error();
  const toml::source_position place = error.source().begin;
  return Fail(Fault::kInput, fmt::format("{}:{}:{}: not TOML: {}", path, place.line, place.column,
                                         error.description()));
}

const toml::table* FindTable(const toml::table& root, const TomlPath& path) {
  const toml::table* table = &root;
  for (const std::string& name : path) {
    const toml::node* node = table->get(name);
    table = node == nullptr ? nullptr : node->as_table();
    if (table == nullptr) return nullptr;
  }
  return table;
}

namespace {

constexpr std::string_view kBlanks = " \t";

size_t OffsetOf(std::string_view text, toml::source_position place) {
  size_t at = 0;
  for (toml::source_index line = 1; line < place.line; ++line) {
    const size_t newline = text.find('\n', at);
    if (newline == std::string_view::npos) return text.size();
    at = newline + 1;
  }
  return std::min(at + place.column - 1, text.size());
}

size_t LineBegin(std::string_view text, size_t at) {
  const size_t newline = text.substr(0, at).rfind('\n');
  return newline == std::string_view::npos ? 0 : newline + 1;
}

// Of the line's newline, or of the text's end.
size_t LineEnd(std::string_view text, size_t at) {
  return std::min(text.find('\n', at), text.size());
}

size_t SkipBlanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

// As the line that ends there has it; where that is the text's end, as the first line.
std::string NewlineAt(std::string_view text, size_t line_end) {
  const size_t newline = line_end < text.size() ? line_end : LineEnd(text, 0);
  return newline > 0 && newline < text.size() && text[newline - 1] == '\r' ? "\r\n" : "\n";
}

// Before the newline of the line that ends there.
size_t BeforeNewline(std::string_view text, size_t line_end) {
  return line_end < text.size() ? line_end + 1 - NewlineAt(text, line_end).size() : line_end;
}

std::string Assignment(const std::string& key, const std::string& value) {
  return fmt::format("{} = \"{}\"", key, value);
}

// Whether the line is a table's header.
bool IsHeaderLine(std::string_view text, size_t at) {
  const size_t begin = SkipBlanks(text, LineBegin(text, at));
  return begin < text.size() && text[begin] == '[';
}

enum class TableForm { kAbsent, kHeader, kInline, kDotted, kImplicit };

struct FoundTable {
  TableForm form = TableForm::kAbsent;
  const toml::table* table = nullptr;
  size_t begin = 0;  // in the text: of the header, or of the brace
  size_t end = 0;    // behind it
};

// Whether a name ends there that is the last one of a header.
bool EndsHeader(std::string_view text, size_t name_end) {
  const size_t behind = SkipBlanks(text, name_end);
  return behind < text.size() && text[behind] == ']';
}

// The table's own header, where one of a table within it comes first: toml++ has the place of that.
// A line of a longer text or list that looks like it is none: what is before it is no TOML then.
std::optional<FoundTable> FindLaterHeader(std::string_view text, const toml::table* table,
                                          const TomlPath& path) {
  for (size_t begin = 0; begin < text.size(); begin = LineEnd(text, begin) + 1) {
    const size_t end = BeforeNewline(text, LineEnd(text, begin));
    const std::string_view line = text.substr(begin, end - begin);
    if (!IsHeaderLine(text, begin) || !line.contains(path.back())) continue;
    const auto alone = ReadToml("", line);
    const toml::table* parent =
        alone ? FindTable(*alone, TomlPath(path.begin(), path.end() - 1)) : nullptr;
    const auto found =
        parent == nullptr ? toml::table::const_iterator() : parent->find(path.back());
    if (parent == nullptr || found == parent->cend() || !found->second.is_table()) continue;
    const size_t name_end = OffsetOf(line, found->first.source().end);
    if (!EndsHeader(line, name_end) || !ReadToml("", text.substr(0, begin))) continue;
    return FoundTable{TableForm::kHeader, table, SkipBlanks(text, begin),
                      begin + SkipBlanks(line, name_end) + 1};
  }
  return std::nullopt;
}

FoundTable Locate(std::string_view text, const toml::table& root, const TomlPath& path) {
  if (path.empty()) return {TableForm::kHeader, &root, 0, 0};
  const toml::table* parent = FindTable(root, TomlPath(path.begin(), path.end() - 1));
  if (parent == nullptr) return {};
  const auto found = parent->find(path.back());
  if (found == parent->cend() || found->second.as_table() == nullptr) return {};
  FoundTable out{TableForm::kDotted, found->second.as_table(), 0, 0};
  out.begin = OffsetOf(text, out.table->source().begin);
  out.end = OffsetOf(text, out.table->source().end);
  if (out.table->is_inline()) {
    out.form = TableForm::kInline;
  } else if (out.begin < text.size() && text[out.begin] == '[') {
    // A header makes the tables on its way too: this one's own has its name last.
    const bool is_own = EndsHeader(text, OffsetOf(text, found->first.source().end));
    out.form = is_own ? TableForm::kHeader : TableForm::kImplicit;
    if (!is_own) return FindLaterHeader(text, out.table, path).value_or(out);
  }
  return out;
}

// The end of the last line of what the table has in lines of its own, or `end`.
size_t EndOfKeys(std::string_view text, const toml::table& table, size_t end) {
  for (const auto& [key, value] : table) {
    if (IsHeaderLine(text, OffsetOf(text, key.source().begin))) continue;
    const toml::table* within = value.as_table();
    end = within != nullptr && !within->is_inline()
              ? EndOfKeys(text, *within, end)
              : std::max(end, LineEnd(text, OffsetOf(text, value.source().end)));
  }
  return end;
}

std::string IndentAt(std::string_view text, size_t at) {
  const size_t begin = LineBegin(text, at);
  return std::string(text.substr(begin, SkipBlanks(text, begin) - begin));
}

// Of a key below the header: as those that are there.
std::string KeyIndent(std::string_view text, const FoundTable& found) {
  for (const auto& [key, value] : *found.table) {
    const size_t begin = OffsetOf(text, key.source().begin);
    if (!IsHeaderLine(text, begin)) return IndentAt(text, begin);
  }
  return IndentAt(text, found.begin) + "  ";
}

std::string DottedName(const TomlPath& path) {
  constexpr std::string_view kBare =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  std::string out;
  for (const std::string& name : path) {
    if (!out.empty()) out += '.';
    const bool is_bare = !name.empty() && name.find_first_not_of(kBare) == std::string::npos;
    out += is_bare ? name : QuoteJson(name);
  }
  return out;
}

bool EndsInBlankLine(std::string_view text) {
  if (!text.ends_with('\n')) return false;
  text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text.empty() || text.ends_with('\n');
}

// What comes before a table at the end of the file.
std::string GapAtEnd(std::string_view text) {
  if (text.empty()) return "";
  const std::string newline = NewlineAt(text, text.size());
  if (!text.ends_with('\n')) return newline + newline;
  return EndsInBlankLine(text) ? "" : newline;
}

// Behind its parent's content where that has a header, else at the end of the file.
TextEdit InsertTable(std::string_view text, const toml::table& root, const TomlKey& key,
                     const std::string& value) {
  const std::string header = "[" + DottedName(key.table) + "]";
  const FoundTable parent = Locate(text, root, TomlPath(key.table.begin(), key.table.end() - 1));
  if (key.table.size() > 1 && parent.form == TableForm::kHeader) {
    const size_t line_end = EndOfKeys(text, *parent.table, LineEnd(text, parent.end));
    const std::string newline = NewlineAt(text, line_end);
    const std::string indent = IndentAt(text, parent.begin) + "  ";
    const size_t place = BeforeNewline(text, line_end);
    return {
        place, place,
        fmt::format("{0}{1}{2}{0}{1}  {3}", newline, indent, header, Assignment(key.key, value))};
  }
  const std::string newline = NewlineAt(text, text.size());
  return {text.size(), text.size(),
          fmt::format("{}{}{}  {}{}", GapAtEnd(text), header, newline, Assignment(key.key, value),
                      newline)};
}

TextEdit InsertBelowHeader(std::string_view text, const FoundTable& found, const TomlKey& key,
                           const std::string& value) {
  const std::string line = KeyIndent(text, found) + Assignment(key.key, value);
  const size_t line_end = LineEnd(text, found.end);
  const size_t at = BeforeNewline(text, line_end);
  return {at, at, NewlineAt(text, line_end) + line};
}

// The key that is first in the text, of a table that dotted keys make.
TextEdit InsertDotted(std::string_view text, const FoundTable& found, const TomlKey& key,
                      const std::string& value) {
  const size_t line = LineBegin(text, found.begin);
  const size_t name = SkipBlanks(text, line);
  // As far as the line itself names the table.
  const std::string prefix(text.substr(name, found.end - name));
  return {line, line,
          fmt::format("{}{}.{}{}", text.substr(line, name - line), prefix,
                      Assignment(key.key, value), NewlineAt(text, LineEnd(text, line)))};
}

Result<TextEdit> EditFor(const std::string& path, std::string_view text, const toml::table& root,
                         const TomlKey& key, const std::string& value) {
  const FoundTable found = Locate(text, root, key.table);
  if (found.table != nullptr) {
    if (const toml::node* node = found.table->get(key.key)) {
      const size_t begin = OffsetOf(text, node->source().begin);
      if (!node->is_string()) {
        return Fail(Fault::kInput,
                    PlaceOf(path, text, begin) + fmt::format("`{}` is no text", key.key));
      }
      return TextEdit{begin, OffsetOf(text, node->source().end), fmt::format("\"{}\"", value)};
    }
  }
  switch (found.form) {
    case TableForm::kHeader:
      return InsertBelowHeader(text, found, key, value);
    case TableForm::kInline:
      return TextEdit{
          found.begin + 1, found.begin + 1,
          fmt::format(" {}{}", Assignment(key.key, value), found.table->empty() ? "" : ",")};
    case TableForm::kDotted:
      return InsertDotted(text, found, key, value);
    case TableForm::kImplicit:
    case TableForm::kAbsent:
      break;
  }
  return InsertTable(text, root, key, value);
}

// The whole line; with the newline before it where it is the last and has none behind it.
TextEdit CutLine(std::string_view text, size_t at) {
  size_t begin = LineBegin(text, at);
  size_t end = LineEnd(text, at);
  if (end < text.size()) return {begin, end + 1, ""};
  if (begin > 0) --begin;
  if (begin > 0 && text[begin - 1] == '\r') --begin;
  return {begin, end, ""};
}

TextEdit CutInline(std::string_view text, const FoundTable& found, size_t key_begin,
                   size_t value_end) {
  const size_t behind = SkipBlanks(text, value_end);
  const bool has_next = behind < text.size() && text[behind] == ',';
  const size_t last = text.substr(0, key_begin).find_last_not_of(kBlanks);
  if (last == found.begin) return {found.begin + 1, has_next ? behind + 1 : value_end, ""};
  return {last, value_end, ""};  // with the comma before it
}

// Where our table stood at the end, what was put before it goes too.
size_t BeginWithGap(std::string_view text, size_t begin, const std::string& before) {
  const std::string gap = GapAtEnd(before);
  return text.substr(0, begin).ends_with(gap) ? begin - gap.size() : begin;
}

// Takes the header away of a table that is empty now and was not there.
std::string CutEmptyTable(std::string_view text, const TomlPath& table, const std::string& before) {
  const auto now = ReadToml("", text);
  const auto was = ReadToml("", before);
  if (!now || !was || table.empty()) return std::string(text);
  const FoundTable found = Locate(text, *now, table);
  if (found.form != TableForm::kHeader || EndOfKeys(text, *found.table, 0) != 0) {
    return std::string(text);
  }
  if (Locate(before, *was, table).form != TableForm::kAbsent &&
      Locate(before, *was, table).form != TableForm::kImplicit) {
    return std::string(text);
  }
  TextEdit cut = CutLine(text, found.begin);
  const FoundTable parent = Locate(before, *was, TomlPath(table.begin(), table.end() - 1));
  const bool at_end = table.size() == 1 || parent.form != TableForm::kHeader;
  if (at_end && cut.end == text.size()) cut.begin = BeginWithGap(text, cut.begin, before);
  return ApplyEdits(text, {cut});
}

// The same in meaning, but for that key, which has the value.
bool DiffersInKeyOnly(toml::table was, toml::table now, const TomlKey& key,
                      const std::string& value) {
  const auto take = [&key](toml::table& root) {
    std::vector<toml::table*> way{&root};
    for (const std::string& name : key.table) {
      toml::node* node = way.back()->get(name);
      if (node == nullptr || node->as_table() == nullptr) return std::optional<std::string>();
      way.push_back(node->as_table());
    }
    const auto text = (*way.back())[key.key].value<std::string>();
    way.back()->erase(key.key);
    for (size_t i = key.table.size(); i > 0 && way[i]->empty(); --i) {
      way[i - 1]->erase(key.table[i - 1]);
    }
    return text;
  };
  const auto set = take(now);
  take(was);
  return set == value && was == now;
}

}  // namespace

Result<std::optional<std::string>> ReadTomlText(const std::string& path, std::string_view text,
                                                const TomlKey& key) {
  const auto root = ReadToml(path, text);
  if (!root) return std::unexpected(root.error());
  const toml::table* table = FindTable(*root, key.table);
  if (table == nullptr) return std::nullopt;
  return (*table)[key.key].value_exact<std::string>();
}

Result<std::string> SetTomlText(const std::string& path, std::string_view text, const TomlKey& key,
                                const std::string& value) {
  const auto root = ReadToml(path, text);
  if (!root) return std::unexpected(root.error());
  const toml::table* table = FindTable(*root, key.table);
  if (table != nullptr && (*table)[key.key].value_exact<std::string>() == value) {
    return std::string(text);
  }
  const auto edit = EditFor(path, text, *root, key, value);
  if (!edit) return std::unexpected(edit.error());
  std::string edited = ApplyEdits(text, {*edit});
  const auto now = ReadToml(path, edited);
  if (!now || !DiffersInKeyOnly(*root, *now, key, value)) {
    return Fail(Fault::kInput,
                PlaceOf(path, text, edit->begin) +
                    fmt::format("`{}` can't be set here without touching the rest: write [{}] and "
                                "below it {} by hand",
                                key.key, DottedName(key.table), Assignment(key.key, value)));
  }
  return edited;
}

Result<std::string> UnsetTomlText(const std::string& path, std::string_view text,
                                  const TomlKey& key, const std::string& value,
                                  const std::optional<std::string>& before) {
  const auto root = ReadToml(path, text);
  if (!root) return std::unexpected(root.error());
  const FoundTable found = Locate(text, *root, key.table);
  if (found.table == nullptr) return std::string(text);
  const auto there = found.table->find(key.key);
  if (there == found.table->cend() || there->second.value_exact<std::string>() != value) {
    return std::string(text);
  }
  const size_t begin = OffsetOf(text, there->first.source().begin);
  const size_t value_begin = OffsetOf(text, there->second.source().begin);
  const size_t value_end = OffsetOf(text, there->second.source().end);
  if (before) {
    const auto was = ReadToml(path, *before);
    const toml::table* table = was ? FindTable(*was, key.table) : nullptr;
    const toml::node* old = table == nullptr ? nullptr : table->get(key.key);
    if (old != nullptr) {
      const size_t old_begin = OffsetOf(*before, old->source().begin);
      const size_t old_end = OffsetOf(*before, old->source().end);
      return ApplyEdits(text,
                        {{value_begin, value_end, before->substr(old_begin, old_end - old_begin)}});
    }
  }
  if (found.form == TableForm::kInline) {
    return ApplyEdits(text, {CutInline(text, found, begin, value_end)});
  }
  const std::string cut = ApplyEdits(text, {CutLine(text, value_begin)});
  return before ? CutEmptyTable(cut, key.table, *before) : cut;
}

}  // namespace gyrfalcon
