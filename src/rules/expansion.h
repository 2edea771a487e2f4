// Puts the definitions of lists, macros and exceptions where their names stand. Lists and
// exceptions work on the text of a condition (rules in the wild rely on it), macros on its syntax
// tree. What comes out is limited in size: names can be nested to grow without bounds.
#pragma once

#include <expected>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/condition_parser.h"
#include "rules/definitions.h"

namespace gyrfalcon {

inline constexpr size_t kExpandedTextMax = size_t{4} << 20;  // characters of one condition
inline constexpr size_t kExpandedNodesMax = 200'000;         // nodes of one condition's tree
inline constexpr size_t kExpandedDepthMax = kNestingMax;

class ListExpander {
 public:
  explicit ListExpander(const std::vector<ListDefinition>& lists);

  // `text` with every list's name that stands by itself replaced by its items, nested lists to any
  // depth. Names are those between blanks, parentheses, commas and '=', even inside quoted text.
  // The error is a message.
  std::expected<SourceText, std::string> Expand(const SourceText& text);

  bool IsUsed(const std::string& list) const { return used_.contains(list); }

  // The items of a list with those of nested lists in their place; at most kExpandedTextMax of
  // them. Marks nothing as used.
  std::vector<std::string> FlatItems(const ListDefinition& list);

 private:
  // The items of a list, separated by ", ", nested ones expanded; cached.
  const std::string& ItemsOf(const ListDefinition& list, size_t depth);

  void AppendFlatItems(const ListDefinition& list, std::vector<std::string>& items);

  // Of the name at the start of `text`, list or not.
  size_t NameLength(std::string_view text) const;

  std::map<std::string_view, const ListDefinition*> lists_;
  std::vector<std::string_view> odd_names_;  // with blanks in them: warned about, but usable
  std::map<std::string_view, std::string> items_;
  std::set<std::string_view> in_progress_;
  std::set<std::string> used_;
};

// The condition of a rule together with its exceptions: "(condition) and not (…) and not (…)".
SourceText WithExceptions(const RuleDefinition& rule, Origin origin);

struct MacroProblem {
  std::string message;
  TextPosition position;
  Origin origin;
  std::string undefined;  // the name that is no macro
  bool follows = false;   // only because the macro itself has an error, which was reported
};

class MacroResolver {
 public:
  // A macro whose tree is ready; nullptr for one that has an error.
  void Add(const MacroDefinition& macro, std::optional<Condition> tree);

  // Replaces every macro that `visibility` lets see by its body.
  std::expected<void, MacroProblem> Resolve(Condition& condition, uint32_t visibility);
  // Keeps the resolved tree of a macro that was added.
  void Update(std::string_view name, std::optional<Condition> tree);
  const Condition* Find(std::string_view name) const;

  bool IsUsed(std::string_view name) const { return used_.contains(name); }

 private:
  struct Entry {
    uint32_t index;
    std::optional<Condition> tree;
  };

  std::expected<void, MacroProblem> Visit(Condition& condition, uint32_t visibility);

  std::map<std::string, Entry, std::less<>> macros_;
  std::set<std::string, std::less<>> used_;
  std::vector<std::string> path_;
  size_t nodes_ = 0;
  size_t depth_ = 0;
};

}  // namespace gyrfalcon
