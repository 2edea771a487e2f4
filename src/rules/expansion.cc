#include "rules/expansion.h"

#include <algorithm>
#include <utility>

namespace gyrfalcon {
namespace {

bool IsDelimiter(char c) {
  return std::string_view(" \t\r\n(),=").contains(c);
}

// A value with a blank is quoted, unless its author did that.
std::string QuotedIfBlank(std::string_view value) {
  const bool quoted = value.starts_with('"') || value.starts_with('\'');
  if (quoted || !value.contains(' ')) return std::string(value);
  return "\"" + std::string(value) + "\"";
}

constexpr std::string_view kBlanks = " \t\r\n";

void DropBlanksBefore(SourceText& out) {
  out.Truncate(out.text().find_last_not_of(kBlanks) + 1);  // npos + 1: all
}

size_t SkipBlanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

// "(a, , b)" can't be parsed: an empty list takes one of the commas beside it along. False when
// there is none before it.
bool DropCommaBefore(SourceText& out) {
  if (!out.text().ends_with(',')) return false;
  out.Truncate(out.size() - 1);
  return true;
}

std::unexpected<std::string> TooLong(size_t total) {
  const auto mib = [](size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  if (total > kExpandedTextTotalMax) {
    return std::unexpected("the conditions are longer than " + mib(kExpandedTextTotalMax) +
                           " together once their lists are expanded: use long lists in fewer "
                           "conditions");
  }
  return std::unexpected("the condition is longer than " + mib(kExpandedTextMax) +
                         " once its lists are expanded: shorten the lists that it names");
}

size_t WordLength(std::string_view text) {
  return static_cast<size_t>(std::ranges::find_if(text, IsDelimiter) - text.begin());
}

}  // namespace

ListExpander::ListExpander(const std::vector<ListDefinition>& lists) {
  for (const ListDefinition& list : lists) {
    lists_.emplace(list.name, &list);
    const std::string_view name = list.name;
    const size_t word = WordLength(name);
    if (word == name.size()) continue;
    std::vector<size_t>& lengths = odd_names_[name.substr(0, word)];
    if (std::ranges::find(lengths, name.size()) == lengths.end()) lengths.push_back(name.size());
  }
}

size_t ListExpander::NameLength(std::string_view text) const {
  const size_t word = WordLength(text);
  if (odd_names_.empty()) return word;
  const auto odd = odd_names_.find(text.substr(0, word));
  if (odd == odd_names_.end()) return word;
  for (const size_t length : odd->second) {
    const bool ends = text.size() == length || (text.size() > length && IsDelimiter(text[length]));
    if (ends && lists_.contains(text.substr(0, length))) return length;
  }
  return word;
}

void ListExpander::AddPiece(std::string_view piece, Expanded& out) {
  if (!out.items.empty()) out.items += ", ";
  out.items += piece;
  if (out.items.size() <= kExpandedTextMax) return;
  out.too_long = true;
  out.items = {};
}

const ListDefinition* ListExpander::AddItems(Frame& frame) {
  const std::vector<std::string>& items = frame.list->items;
  for (; frame.next_item < items.size() && !frame.expanded.too_long; ++frame.next_item) {
    const std::string& item = items[frame.next_item];
    const auto nested = lists_.find(item);
    // A list inside itself stays a word.
    if (nested == lists_.end() || in_progress_.contains(item)) {
      AddPiece(QuotedIfBlank(item), frame.expanded);
      continue;
    }
    const auto known = expanded_.find(item);
    if (known == expanded_.end()) return nested->second;
    if (known->second.too_long) frame.expanded = {{}, true};
    if (!known->second.items.empty()) AddPiece(known->second.items, frame.expanded);
  }
  return nullptr;
}

// A stack of its own: lists may be nested as deep as a file is long.
const ListExpander::Expanded& ListExpander::ExpandedOf(const ListDefinition& list) {
  const auto known = expanded_.find(list.name);
  if (known != expanded_.end()) return known->second;
  std::vector<Frame> frames;
  const auto open = [&](const ListDefinition& next) {
    used_.insert(next.name);
    in_progress_.insert(next.name);
    frames.push_back({&next, 0, {}});
  };
  open(list);
  while (!frames.empty()) {
    if (const ListDefinition* nested = AddItems(frames.back())) {
      open(*nested);
      continue;
    }
    Frame done = std::move(frames.back());
    frames.pop_back();
    total_ += done.expanded.items.size();
    if (total_ > kExpandedTextTotalMax) done.expanded = {{}, true};
    in_progress_.erase(done.list->name);
    expanded_.emplace(done.list->name, std::move(done.expanded));
  }
  return expanded_.find(list.name)->second;
}

std::vector<std::string> ListExpander::FlatItems(const ListDefinition& list) {
  struct Place {
    const ListDefinition* list;
    size_t next_item;
  };
  std::vector<std::string> items;
  std::vector<Place> places{{&list, 0}};
  in_progress_.insert(list.name);
  for (size_t steps = 0; !places.empty() && steps < kExpandedTextMax; ++steps) {
    Place& place = places.back();
    if (place.next_item == place.list->items.size()) {
      in_progress_.erase(place.list->name);
      places.pop_back();
      continue;
    }
    const std::string& item = place.list->items[place.next_item++];
    const auto nested = lists_.find(item);
    if (nested == lists_.end() || in_progress_.contains(item)) {
      items.push_back(item);
    } else {
      in_progress_.insert(item);
      places.push_back({nested->second, 0});
    }
  }
  in_progress_.clear();
  return items;
}

// The blanks around a list's name become one before its items and one behind them, as in Falco:
// places in the expanded text are part of what a load error tells.
std::expected<SourceText, std::string> ListExpander::Expand(const SourceText& source) {
  const std::string& text = source.text();
  SourceText out;
  for (size_t i = 0; i < text.size();) {
    const size_t end = i + NameLength(std::string_view(text).substr(i));
    const auto list =
        end == i ? lists_.end() : lists_.find(std::string_view(text).substr(i, end - i));
    if (list == lists_.end()) {
      const size_t next = std::max(end, i + 1);
      out.AppendPart(source, i, next);
      i = next;
      continue;
    }
    const Expanded& expanded = ExpandedOf(*list->second);
    if (expanded.too_long || out.size() + expanded.items.size() > kExpandedTextMax) {
      return TooLong(total_);
    }
    const Origin origin = source.OriginAt(i);
    i = SkipBlanks(text, end);
    DropBlanksBefore(out);
    const bool drops_comma = expanded.items.empty() && !DropCommaBefore(out);
    if (drops_comma && i < text.size() && text[i] == ',') ++i;
    if (!out.empty()) out.Append(" ", origin);
    out.Append(expanded.items + " ", origin);
  }
  total_ += out.size();
  if (out.size() > kExpandedTextMax || total_ > kExpandedTextTotalMax) return TooLong(total_);
  return out;
}

namespace {

std::string ValueText(const ExceptionEntry& value, bool takes_list) {
  if (!value.is_list) {
    // "(some_list)" is a list already.
    const bool has_parentheses = value.text.starts_with('(');
    const std::string text = has_parentheses ? value.text : QuotedIfBlank(value.text);
    return takes_list && !has_parentheses ? "(" + text + ")" : text;
  }
  std::string out = "(";
  for (const ExceptionEntry& item : value.items) {
    if (&item != &value.items.front()) out += ", ";
    out += item.is_list ? ValueText(item, true) : QuotedIfBlank(item.text);
  }
  return out + ")";
}

bool TakesList(const std::string& comparison) {
  OperatorText op;
  return ParseOperatorText(comparison, op) &&
         (Describe(op.op).shape == OperatorShape::kList || op.modifier != Modifier::kNone);
}

std::string TupleText(const ExceptionDefinition& exception, const ExceptionEntry& tuple) {
  std::string out = "(";
  for (size_t i = 0; i < tuple.items.size(); ++i) {
    out += i > 0 ? " and " : " ";
    const std::string& comparison = exception.comps.items[i].text;
    out += exception.fields.items[i].text + " " + comparison + " " +
           ValueText(tuple.items[i], TakesList(comparison));
  }
  return out + ")";
}

std::string ExceptionText(const ExceptionDefinition& exception) {
  if (!exception.fields.is_list) {
    const ExceptionEntry values{true, true, {}, exception.values};
    return "(" + exception.fields.text + " " + exception.comps.text + " " +
           ValueText(values, true) + ")";
  }
  std::string out = "(";
  for (const ExceptionEntry& tuple : exception.values) {
    if (&tuple != &exception.values.front()) out += " or ";
    out += TupleText(exception, tuple);
  }
  return out + ")";
}

}  // namespace

SourceText WithExceptions(const RuleDefinition& rule, Origin origin) {
  if (rule.exceptions.empty()) return rule.condition;
  SourceText out;
  out.Append("(", rule.condition.OriginAt(0));
  out.Append(rule.condition);
  out.Append(")", rule.condition.OriginAt(rule.condition.size()));
  for (const ExceptionDefinition& exception : rule.exceptions) {
    if (exception.values.empty()) continue;
    out.Append(" and not " + ExceptionText(exception),
               Origin{origin.file, exception.context.back().position.offset});
  }
  return out;
}

void MacroResolver::Add(const MacroDefinition& macro, std::optional<Condition> tree) {
  macros_.insert_or_assign(macro.name, Entry{macro.order.index, std::move(tree)});
}

void MacroResolver::Update(std::string_view name, std::optional<Condition> tree) {
  macros_.find(name)->second.tree = std::move(tree);
}

const Condition* MacroResolver::Find(std::string_view name) const {
  const auto found = macros_.find(name);
  return found == macros_.end() || !found->second.tree ? nullptr : &*found->second.tree;
}

std::expected<void, MacroProblem> MacroResolver::Resolve(Condition& condition,
                                                         uint32_t visibility) {
  depth_ = 0;
  path_.clear();
  const TextPosition position = condition.position;
  const Origin origin = condition.origin;
  auto outcome = Visit(condition, visibility);
  if (!outcome && outcome.error().too_large) {
    outcome.error().position = position;
    outcome.error().origin = origin;
  }
  return outcome;
}

std::expected<void, MacroProblem> MacroResolver::Visit(Condition& condition, uint32_t visibility) {
  const auto refuse = [&](std::string message, bool follows = false) {
    return std::unexpected(
        MacroProblem{std::move(message), condition.position, condition.origin, {}, follows});
  };
  const auto too_large = [&](std::string message) {
    auto problem = refuse(std::move(message));
    problem.error().too_large = true;
    return problem;
  };
  ++depth_;
  if (depth_ > kExpandedDepthMax) {
    return too_large("the condition is nested more than " + std::to_string(kExpandedDepthMax) +
                     " deep once its macros are expanded: join some of them");
  }
  ++nodes_;
  if (condition.right) values_ += condition.right->items.size();
  if (nodes_ > kExpandedNodesMax) {
    return too_large(
        "the conditions have more than " + std::to_string(kExpandedNodesMax) +
        " checks together once macros and exceptions are expanded: use large macros in "
        "fewer conditions");
  }
  if (values_ > kExpandedValuesMax) {
    return too_large("the lists of all conditions have more than " +
                     std::to_string(kExpandedValuesMax) +
                     " values together, each list counted wherever it is used: use long lists in "
                     "fewer conditions");
  }
  if (condition.kind == Condition::Kind::kMacro) {
    const auto found = macros_.find(condition.macro);
    if (found == macros_.end() || found->second.index >= visibility) {
      auto problem = refuse("Undefined macro '" + condition.macro + "' used in filter.");
      problem.error().undefined = condition.macro;
      return problem;
    }
    used_.insert(found->first);
    if (std::ranges::find(path_, condition.macro) != path_.end()) {
      return refuse("reference loop in macro '" + condition.macro + "'");
    }
    if (!found->second.tree) return refuse("macro '" + condition.macro + "' has errors", true);
    path_.push_back(condition.macro);
    Condition body = *found->second.tree;
    auto outcome = Visit(body, visibility);
    path_.pop_back();
    body.from = "macro " + condition.macro;
    condition = std::move(body);
    --depth_;
    return outcome;
  }
  for (Condition& child : condition.children) {
    if (auto outcome = Visit(child, visibility); !outcome) return outcome;
  }
  --depth_;
  return {};
}

}  // namespace gyrfalcon
