// What there is to say of a visibility policy: names that are no system calls, repeats, calls that
// gVisor does not implement, and which points each name stands for. And how two policies differ.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "points/syscall_catalog.h"
#include "runsc/policy.h"

namespace gyrfalcon {

struct CheckedName {
  PolicyName first;                   // where it stands first
  std::vector<uint32_t> repeats;      // the lines of the others
  const SyscallInfo* call = nullptr;  // nullptr: no system call
  std::string_view meant;             // of such a name: the call that is meant; may be empty
  std::vector<std::string> points;    // that tell of it on this architecture
};

struct PolicyCheck {
  std::string path;
  bool intercept = true;
  Arch arch = kHostArch;
  size_t entries = 0;              // names in the list, repeats too
  std::vector<CheckedName> names;  // each once, in the list's order
  std::vector<std::string> warnings;

  size_t repeats() const { return entries - names.size(); }
  size_t unknown() const;  // names, each counted once
};

// What somebody who uses the policy is warned of: its own warnings, and a line for each name that
// is no system call, at most kPolicyProblemsMax.
std::vector<std::string> Warnings(const VisibilityPolicy& policy);

PolicyCheck CheckPolicy(const VisibilityPolicy& policy, Arch arch = kHostArch);

// For people, ending with a newline: a line of numbers, then each kind with its lines, then the
// points.
std::string PolicyCheckText(const PolicyCheck& check);
// {"file","intercept_syscalls","entries","names","warnings":[],"unknown":[],"duplicates":[],
//  "not_implemented":[],"other_architecture":[],"points":[]}; what is in the lists: docs/policy.md.
std::string PolicyCheckJson(const PolicyCheck& check);

// What a literal session costs, for somebody who is about to make one: several lines.
std::string LiteralCost(const VisibilityPolicy& policy, std::span<const AskedPoint> needed,
                        std::span<const AskedPoint> literal);

// A policy and the session that it gives with some rules.
struct PolicySession {
  const VisibilityPolicy& policy;
  std::span<const AskedPoint> points;
};
std::string PolicyDiffText(const PolicySession& a, const PolicySession& b);
// {"a":{"file","names","points"},"b":{…},"names_only_in_a":[],"names_only_in_b":[],
//  "points_only_in_a":[],"points_only_in_b":[],"other_fields":[{"point","only_in_a":[],
//  "only_in_b":[]}],"messages":[{"syscall","a","b","hot"}]}; "messages": of one call.
std::string PolicyDiffJson(const PolicySession& a, const PolicySession& b);

// The smallest policy under which these rules get the session that they get without one: TOML text
// with the rules that need each name.
std::string SuggestPolicy(const RuleSet& rules, SessionProfile profile);

}  // namespace gyrfalcon
