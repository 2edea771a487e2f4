// The parts of all rules' conditions as one graph: a part that several rules have stands in it
// once, and parts whose answer the event's type decides are gone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/hash.h"
#include "points/event_types.h"
#include "rules/bound_condition.h"
#include "rules/plan_figures.h"
#include "rules/text_matcher.h"

namespace gyrfalcon {

// What an answer depends on, and so for how long it stays.
enum class Reach : uint8_t {
  kAlways,   // the rule set alone
  kProcess,  // what a process, its ancestors and its container are
  kEvent,    // the happening itself
};

Reach ReachOf(const BoundOperand& operand);
// Whether evaluating it changes its next answer (util.cnt): never shared, moved or left out.
bool HasMemory(const BoundCondition& condition);
// Whether its value is one text: no list, and nothing that a check goes through item by item.
bool IsTextual(const BoundOperand& operand);
// Whether the type of the event is all that it asks.
bool AsksTypeOnly(const BoundCheck& check);
bool AnswerForType(const BoundCheck& check, EventType type);

using NodeId = uint32_t;
inline constexpr uint32_t kNoSlot = UINT32_MAX;

struct PlanNode {
  BoundCondition::Kind kind = BoundCondition::Kind::kCheck;
  Reach reach = Reach::kAlways;
  uint32_t uses = 0;        // by parents and rules
  uint32_t cost = 0;        // about what an evaluation takes, in units of a number's comparison
  uint64_t identity = 0;    // the same for equal nodes of all plans
  double held_share = 0.5;  // how often it holds when it is asked, as far as is known
  // Where the answer is kept: of kProcess nodes with the process, of others until the next
  // happening. kNoSlot: nowhere.
  uint32_t slot = kNoSlot;
  std::vector<NodeId> children{};     // the cheap before the dear
  const BoundCheck* check = nullptr;  // kCheck; lives in its rule
  // kCheck of nothing but a comparison with one literal; nullptr: it is more than that.
  const Value* literal = nullptr;
  uint32_t operand = kNoSlot;  // kCheck and `texts`: number of its left side among all that differ
  // kCheck, and kOr of nothing but checks of the same operand: finds their answer together, where
  // the value is a text.
  const TextMatcher* texts = nullptr;
};

class PlanNodes {
 public:
  // Of all texts that are sought inside others together; beyond it they are tried one by one. Each
  // byte may take a kilobyte.
  static constexpr size_t kSoughtBytesMax = 16 * 1024;
  // `and` and `or` without children, as in a folded condition.
  static constexpr NodeId kTrue = 0;
  static constexpr NodeId kFalse = 1;

  explicit PlanNodes(const PlanFigures& learnt = {});

  // The condition as it is for events of one type. It outlives this.
  NodeId Add(const BoundCondition& condition, EventType type);
  NodeId Group(BoundCondition::Kind kind, std::vector<NodeId> children);
  void NoteUse(NodeId id) { ++nodes_[id].uses; }

  // Decides what is remembered, of a process at most as many as given; nothing may be added after
  // it.
  void AssignSlots(size_t process_slots_max);

  // The lower, the earlier it is asked where the first that does not hold (kAnd), or does (kOr),
  // decides: what it costs until then.
  double RankIn(BoundCondition::Kind kind, NodeId id) const;

  const PlanNode& operator[](NodeId id) const { return nodes_[id]; }
  size_t size() const { return nodes_.size(); }
  std::span<const BoundOperand* const> operands() const { return operands_; }
  size_t process_slots() const { return process_slots_; }
  size_t event_slots() const { return event_slots_; }

 private:
  NodeId Check(const BoundCheck& check);
  NodeId Not(NodeId inner);
  std::vector<NodeId> Flatten(BoundCondition::Kind kind, const std::vector<NodeId>& children) const;
  NodeId MakeGroup(BoundCondition::Kind kind, std::vector<NodeId> children);
  // Puts checks of one operand into a group of their own, where that pays.
  std::vector<NodeId> JoinTexts(const std::vector<NodeId>& alternatives);
  // Has the node answered by the texts of the checks, all of its operand.
  void FindTogether(NodeId id, std::span<const NodeId> checks);
  uint64_t IdentityOf(std::string_view key, const PlanNode& node) const;
  NodeId Intern(std::string key, PlanNode node);
  uint32_t OperandNumber(const BoundOperand& operand);
  static bool IsRemembered(const PlanNode& node);

  PlanFigures learnt_;
  std::vector<PlanNode> nodes_;
  absl::flat_hash_map<std::string, NodeId, TextHash, TextEqual> by_key_;
  // A check is met once for each type: what it is need be found out only once.
  absl::flat_hash_map<const BoundCheck*, NodeId> by_check_;
  std::vector<const BoundOperand*> operands_;
  absl::flat_hash_map<std::string, uint32_t, TextHash, TextEqual> operand_by_key_;
  std::vector<std::unique_ptr<const TextMatcher>> texts_;
  size_t sought_bytes_ = 0;  // see kSoughtBytesMax
  size_t process_slots_ = 0;
  size_t event_slots_ = 0;
};

}  // namespace gyrfalcon
