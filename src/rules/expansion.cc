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

// "(a, , b)" can't be parsed: an empty list takes one of the commas beside it along.
void DropCommaBefore(std::string& out) {
  const size_t last = out.find_last_not_of(" \t\r\n");
  if (last != std::string::npos && out[last] == ',') out.resize(last);
}

}  // namespace

ListExpander::ListExpander(const std::vector<ListDefinition>& lists) {
  for (const ListDefinition& list : lists) {
    lists_.emplace(list.name, &list);
    if (std::ranges::any_of(list.name, IsDelimiter)) odd_names_.push_back(list.name);
  }
}

size_t ListExpander::NameLength(std::string_view text) const {
  for (const std::string_view name : odd_names_) {
    if (text.starts_with(name) && (text.size() == name.size() || IsDelimiter(text[name.size()]))) {
      return name.size();
    }
  }
  return static_cast<size_t>(std::ranges::find_if(text, IsDelimiter) - text.begin());
}

const std::string& ListExpander::ItemsOf(const ListDefinition& list, size_t depth) {
  constexpr size_t kDepthMax = 100;
  used_.insert(list.name);
  const auto [found, is_new] = items_.try_emplace(list.name);
  if (!is_new) return found->second;
  in_progress_.insert(list.name);
  std::string text;
  for (const std::string& item : list.items) {
    std::string piece = QuotedIfBlank(item);
    const auto nested = lists_.find(item);
    // A list inside itself stays a word.
    if (nested != lists_.end() && !in_progress_.contains(item) && depth < kDepthMax) {
      piece = ItemsOf(*nested->second, depth + 1);
      if (piece.empty()) continue;
    }
    if (!text.empty()) text += ", ";
    text += piece;
    if (text.size() > kExpandedTextMax) break;  // Expand() reports it
  }
  in_progress_.erase(list.name);
  return items_[list.name] = std::move(text);
}

void ListExpander::AppendFlatItems(const ListDefinition& list, std::vector<std::string>& items) {
  in_progress_.insert(list.name);
  for (const std::string& item : list.items) {
    const auto nested = lists_.find(item);
    if (nested != lists_.end() && !in_progress_.contains(item)) {
      AppendFlatItems(*nested->second, items);
    } else if (items.size() < kExpandedTextMax) {
      items.push_back(item);
    }
  }
  in_progress_.erase(list.name);
}

std::vector<std::string> ListExpander::FlatItems(const ListDefinition& list) {
  std::vector<std::string> items;
  AppendFlatItems(list, items);
  return items;
}

std::expected<SourceText, std::string> ListExpander::Expand(const SourceText& source) {
  const std::string& text = source.text();
  SourceText out;
  bool drop_comma = false;  // the next one, after an empty list
  for (size_t i = 0; i < text.size();) {
    const size_t end = i + NameLength(std::string_view(text).substr(i));
    if (end == i) {
      const bool dropped = drop_comma && text[i] == ',';
      if (text[i] == ',' || text[i] == ')') drop_comma = false;
      if (!dropped) out.AppendPart(source, i, i + 1);
      ++i;
      continue;
    }
    const auto list = lists_.find(std::string_view(text).substr(i, end - i));
    if (list == lists_.end()) {
      out.AppendPart(source, i, end);
      drop_comma = false;
    } else {
      const std::string& items = ItemsOf(*list->second, 0);
      if (items.empty()) {
        const size_t before = out.size();
        std::string so_far = out.text();
        DropCommaBefore(so_far);
        drop_comma = so_far.size() == before;
        if (!drop_comma) {
          SourceText shorter;
          shorter.AppendPart(out, 0, so_far.size());
          out = std::move(shorter);
        }
      } else {
        out.Append(items, source.OriginAt(i));
        if (end == text.size()) out.Append(" ", source.OriginAt(i));  // as Falco does
        drop_comma = false;
      }
    }
    if (out.size() > kExpandedTextMax) {
      return std::unexpected("the condition is longer than " +
                             std::to_string(kExpandedTextMax >> 20) +
                             " MiB once its lists are expanded");
    }
    i = end;
  }
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
  SourceText out;
  bool wrapped = false;
  for (const ExceptionDefinition& exception : rule.exceptions) {
    if (exception.values.empty()) continue;
    if (!wrapped) {
      out.Append("(", rule.condition.OriginAt(0));
      out.Append(rule.condition);
      out.Append(")", rule.condition.OriginAt(rule.condition.size()));
      wrapped = true;
    }
    out.Append(" and not " + ExceptionText(exception),
               Origin{origin.file, exception.context.back().position.offset});
  }
  return wrapped ? out : rule.condition;
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
  nodes_ = 0;
  depth_ = 0;
  path_.clear();
  return Visit(condition, visibility);
}

std::expected<void, MacroProblem> MacroResolver::Visit(Condition& condition, uint32_t visibility) {
  const auto refuse = [&](std::string message, bool follows = false) {
    return std::unexpected(
        MacroProblem{std::move(message), condition.position, condition.origin, {}, follows});
  };
  ++depth_;
  if (++nodes_ > kExpandedNodesMax || depth_ > kExpandedDepthMax) {
    return refuse("the condition is too large once its macros are expanded");
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
