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
inline constexpr size_t kExpandedDepthMax = kNestingMax;
// Of all conditions of a rule set together: the characters of their text with lists expanded, and
// the nodes and list values of their trees with macros expanded as well.
inline constexpr size_t kExpandedTextTotalMax = size_t{16} << 20;
inline constexpr size_t kExpandedNodesMax = 500'000;
inline constexpr size_t kExpandedValuesMax = 2'000'000;

class ListExpander {
 public:
  explicit ListExpander(const std::vector<ListDefinition>& lists);

  // `text` with every list's name that stands by itself replaced by its items, nested lists to any
  // depth. Names are those between blanks, parentheses, commas and '=', even inside quoted text.
  // The error is a message.
  std::expected<SourceText, std::string> Expand(const SourceText& text);

  bool IsUsed(const std::string& list) const { return used_.contains(list); }
  // Whether kExpandedTextTotalMax is reached: nothing can be expanded any more.
  bool Exhausted() const { return total_ > kExpandedTextTotalMax; }

  // The items of a list with those of nested lists in their place; at most kExpandedTextMax of
  // them. Marks nothing as used.
  std::vector<std::string> FlatItems(const ListDefinition& list);

 private:
  struct Expanded {
    std::string items;      // separated by ", ", nested lists expanded
    bool too_long = false;  // then without items
  };
  // A list that is being expanded, and how far.
  struct Frame {
    const ListDefinition* list;
    size_t next_item = 0;
    Expanded expanded;
  };
  const Expanded& ExpandedOf(const ListDefinition& list);
  // Adds items to the frame up to the next list that has to be expanded first, which it gives.
  const ListDefinition* AddItems(Frame& frame);
  static void AddPiece(std::string_view piece, Expanded& out);

  // Of the name at the start of `text`, list or not.
  size_t NameLength(std::string_view text) const;

  std::map<std::string_view, const ListDefinition*> lists_;
  // Names with blanks or the like in them are warned about, but usable: their lengths, by what is
  // before the first delimiter.
  std::map<std::string_view, std::vector<size_t>> odd_names_;
  std::map<std::string_view, Expanded> expanded_;
  std::set<std::string_view> in_progress_;
  std::set<std::string> used_;
  size_t total_ = 0;  // characters made so far
};

// The condition of a rule together with its exceptions: "(condition) and not (…) and not (…)".
SourceText WithExceptions(const RuleDefinition& rule, Origin origin);

struct MacroProblem {
  std::string message;
  TextPosition position;
  Origin origin;
  std::string undefined;   // the name that is no macro
  bool follows = false;    // only because the macro itself has an error, which was reported
  bool too_large = false;  // a limit; the place is the condition, not what it is put together from
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
  // Whether kExpandedNodesMax or kExpandedValuesMax is reached: nothing can be resolved any more.
  bool Exhausted() const { return nodes_ > kExpandedNodesMax || values_ > kExpandedValuesMax; }

 private:
  struct Entry {
    uint32_t index;
    std::optional<Condition> tree;
  };

  std::expected<void, MacroProblem> Visit(Condition& condition, uint32_t visibility);

  std::map<std::string, Entry, std::less<>> macros_;
  std::set<std::string, std::less<>> used_;
  std::vector<std::string> path_;
  size_t nodes_ = 0;   // of all trees so far
  size_t values_ = 0;  // in their lists
  size_t depth_ = 0;
};

}  // namespace gyrfalcon
