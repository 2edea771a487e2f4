// What a rule can ask: one row per field. The condition compiler, output formats, `--list`, the
// docs and the coverage analysis all read these rows.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fields/scratch.h"
#include "fields/value.h"

namespace gyrfalcon {

struct Happening;  // state/happening.h: the one thing that happened, and the state around it

// Which operators and literals a field takes; Falco's PT_ types, folded to those that differ for
// that.
enum class FieldType : uint8_t {
  kBool,
  kInt,  // any signed number, time included
  kUint,
  kDouble,
  kPort,  // a number, or the name of a service
  kText,
  kBytes,
  kIp,
  kNet,        // compared with CIDR networks only
  kEventType,  // text, but every literal must be the name of an event type
  kDistance,   // a number; `= N` holds for what is not above N (evt.around)
  kOpaque,     // loads and prints, but no operator works on it (Falco: UID, SOCKADDR, …)
};

// Falco's PF_ print formats that make a difference.
enum class PrintFormat : uint8_t { kPlain, kPaddedNanoseconds /* %09u */, kHex, kOctal };

// What may stand behind the name: proc.aname[2], proc.env[HOME], evt.arg.flags.
enum class ArgForm : uint8_t {
  kNone,
  kIndexAllowed,    // [N], may be left out
  kIndexRequired,   // [N]
  kKeyAllowed,      // [TEXT] or [N], may be left out
  kKeyRequired,     // [TEXT] or [N]
  kDottedRequired,  // .NAME
  kDottedOrIndex,   // .NAME or [N], one of them required
  kDottedOrKey,     // .NAME or [TEXT], one of them required
  kDottedAllowed,   // .NAME, may be left out
};

// Whether gVisor feeds the field at all; the answer does not depend on the session.
enum class Availability : uint8_t {
  kYes,
  kPartial,   // in some events, or best effort
  kMetadata,  // joined from the container runtime's metadata
  kConstant,  // always the same value
  kNever,     // loads, and is always missing: a warning says so once
};

// The level at which a field's truth can be remembered (from wide to narrow).
enum class Level : uint8_t { kRuleset, kEventType, kContainer, kProcess, kFd, kEvent };

// What makes a remembered process- or container-level value stale, besides a new process or
// container.
enum Invalidation : uint8_t {
  kBySelf = 1,       // exec, rename, set*id of the process itself
  kByAncestors = 2,  // the same of any ancestor
  kByCwd = 4,
  kByMetadata = 8,  // late metadata of the container
  kByTime = 16,     // depends on the clock: never remembered
  kByThread = 32,   // differs between the threads of a process
  kByHistory = 64,  // each evaluation changes the next one's: never remembered, shared or left out
};

enum FieldFlag : uint8_t {
  kIsList = 1,       // `in` = all elements, `intersects` = some
  kEitherSide = 2,   // a list of the sides of a connection: `=` some side, `!=` every side
  kAnyAncestor = 4,  // unindexed: a list of ancestors, a check holds if it holds for some of them
  kFilterOnly = 8,   // in an output it prints <NA>
  kNoRhs = 16,       // not on the right-hand side
  kNoTransformer = 32,  // no transformer on it
  kDeprecated = 64,
  kSuggestedOutput = 128,
};

struct FieldArg {
  std::string text;               // as written; empty when there is none
  std::optional<uint64_t> index;  // set when the text is a number
  int32_t resolved = -1;          // extractor's own precomputed id, e.g. of an event argument
};

struct FieldDef;

// A field as a rule names it: a row and its argument, checked. Lives as long as the rule set.
struct BoundField {
  const FieldDef* def = nullptr;
  FieldArg arg;
  bool has_arg = false;
  // The row's own, except where the argument decides (evt.rawarg.NAME, an index on an ancestor
  // field).
  FieldType type = FieldType::kText;
  PrintFormat print = PrintFormat::kPlain;
  uint8_t flags = 0;
  std::string_view falco_type;  // as Falco's messages name the type: "UINT32"

  std::string Name() const;  // as written in a rule: "proc.aname[2]"
  Value Extract(const Happening& happening, Scratch& scratch) const noexcept;
  // The value for an output, where some fields show something else than what a condition asks:
  // all ancestors, for instance, are one text there, with blanks between them.
  Value ExtractPrinted(const Happening& happening, Scratch& scratch) const noexcept;
};

// Falco's name of a type where the row does not say another.
std::string_view FalcoTypeName(FieldType type);

// No allocation beyond `scratch`, no exception.
using Extractor = Value (*)(const BoundField& field, const Happening& happening, Scratch& scratch);

struct FieldDef {
  std::string_view name;
  FieldType type;
  ArgForm arg = ArgForm::kNone;
  uint8_t flags = 0;  // FieldFlag bits
  PrintFormat print = PrintFormat::kPlain;
  Availability availability = Availability::kYes;
  Level level = Level::kEvent;
  uint8_t invalidated_by = 0;  // Invalidation bits
  Extractor extract = nullptr;
  std::string_view help;
  // Completes a bound field from its argument (resolves a name, decides the type); returns a
  // message when the argument is not acceptable. nullptr: nothing to resolve.
  std::optional<std::string> (*resolve)(BoundField& field) = nullptr;
  // Falco's type without its PT_, where it is not the usual one of `type`.
  std::string_view falco_type = {};
  // What an output shows instead of `extract`; nullptr: the same.
  Extractor extract_printed = nullptr;
};

inline Value BoundField::Extract(const Happening& happening, Scratch& scratch) const noexcept {
  return def->extract == nullptr ? Value() : def->extract(*this, happening, scratch);
}

inline std::string_view FalcoTypeName(const FieldDef& field) {
  return field.falco_type.empty() ? FalcoTypeName(field.type) : field.falco_type;
}

// The set of fields that rules are compiled against. `rows` must be sorted by name and outlive it.
class FieldCatalog {
 public:
  explicit FieldCatalog(std::span<const FieldDef> rows) : rows_(rows) {}

  std::span<const FieldDef> rows() const { return rows_; }

  // `name` as the grammar cuts it: dotted, without the bracket; `bracket` what stood inside [ ].
  // A dotted argument is found by the longest row name that is a prefix ("evt.arg" of
  // "evt.arg.flags"). Errors are whole messages in Falco's words ("filter_check called with
  // nonexistent field x").
  std::expected<BoundField, std::string> Bind(std::string_view name,
                                              std::optional<std::string_view> bracket) const;

  // The field name nearest to a misspelt one, for "did you mean".
  std::optional<std::string_view> Nearest(std::string_view name) const;

 private:
  const FieldDef* Find(std::string_view name) const;

  std::span<const FieldDef> rows_;
};

// All fields of this program.
const FieldCatalog& AllFields();

// A value as it stands in an alert: numbers in the field's print format, lists as (a,b).
void AppendPrinted(const Value& value, PrintFormat format, std::string& out);

// Whether a list value stands for alternatives (sides, ancestors) and not for one list-typed value.
inline bool QuantifiesOverItems(uint8_t flags) {
  return (flags & (kEitherSide | kAnyAncestor)) != 0;
}

}  // namespace gyrfalcon
